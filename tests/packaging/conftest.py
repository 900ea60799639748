"""A repository like ours at this moment, for what installs or clones it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from modellint.base.data import read_toml
from tests.support import ROOT

IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "A. Tester"), ("EMAIL", "tester@example.com"))
}


def clean_environment(wheels: Path | None = None) -> dict[str, str]:
    """This process's environment without what would reach into another repository or package.

    If a folder of wheels is given, pip installs from it alone.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "COVERAGE_", "COV_CORE_")) and name != "PYTHONPATH"
    }
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri()} if wheels else {}
    own = {**IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "PYTHONUTF8": "1", "PIP_NO_COMPILE": "no"}
    return {**inherited, **own, **offline}


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment() if env is None else env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def succeed(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = run(*command, cwd=cwd, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def git(repository: Path, *args: str) -> str:
    return succeed("git", *args, cwd=repository)


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, uncommitted work included, as a repository with one commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    repository = tmp_path_factory.mktemp("snapshot") / "modellint"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, repository / name)
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Snapshot")
    return repository


@pytest.fixture(scope="session")
def built(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from nothing but the sdist."""
    out = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--outdir", out, snapshot, cwd=out)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def wheels(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that an installation needs, chosen and fetched once for all of them."""
    folder = tmp_path_factory.mktemp("wheels")
    builders = read_toml(ROOT / "pyproject.toml")["build-system"]["requires"]
    needed = (built[1], *builders, "editables")  # hatchling asks for editables when it runs
    succeed(sys.executable, "-m", "pip", "wheel", "--wheel-dir", folder, *needed, cwd=folder)
    return folder
