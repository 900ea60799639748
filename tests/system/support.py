"""The program in a shell, where streams, limits and the environment are what a test wants."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import PATIENCE, CliResult

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
ordinary_user = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="needs permissions that hold"
)

MODELLINT = f"{shlex.quote(sys.executable)} -m modellint"


def shell(
    script: str, cwd: Path, env: Mapping[str, str | None] | None = None, timeout: float = PATIENCE
) -> CliResult:
    """Run a script in which `modellint` is the program; variables that are None are unset."""
    variables = {**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})}
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; modellint() {{ {MODELLINT} "$@"; }}; {script}'],
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return CliResult(
        done.returncode, *(each.decode(errors="replace") for each in (done.stdout, done.stderr))
    )


def confined(wrapper: str, script: str, cwd: Path, **env: str | None) -> CliResult:
    """Run a script in what `unshare` or `setpriv` makes of this system; skip if it may not."""
    command = [shutil.which("env") or "env", *shlex.split(wrapper), "true"]
    tried = subprocess.run(command, capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"not permitted here: {wrapper}: {tried.stderr.decode().strip()}")
    inner = f'modellint() {{ {MODELLINT} "$@"; }}; {script}'
    return shell(f"exec {wrapper} bash -c {shlex.quote(inner)}", cwd, env)


def refused(result: CliResult, *parts: str) -> None:
    """The run ended with one sentence."""
    assert result.exit_code == 2, result
    assert "Traceback" not in result.stderr, result
    assert result.stderr.count("\n") == 1, result
    for part in parts:
        assert part in result.stderr, result
