"""Answers of real runtimes from the forks of one process that has them all loaded.

They are those of a new child in every case, but starting that takes longer than its work on a small
model. What children are for, limits and crashes, is tested in `tests/probes/test_runner.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from select import select
from typing import Any

from modellint.base.temporary import temporary_folder
from modellint.probes.backends import known_backends
from modellint.probes.child import ANSWER, tell, without_network
from modellint.probes.runner import Ended, Limits
from tests.support import ROOT

LOADED = ("numpy", "onnx", "onnx.parser", "modellint.verify.child")


class WarmChildren:
    """Stands in for `run_child`, with the same arguments."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def __call__(
        self,
        _command: Sequence[str],
        request: Mapping[str, Any],
        limits: Limits,
        _tick: Callable[[float], None] | None = None,
    ) -> Ended:
        self._server = server = self._server or _start()
        assert server.stdin is not None
        assert server.stdout is not None
        with temporary_folder() as folder:
            server.stdin.write(json.dumps([str(folder), dict(request)]) + "\n")
            server.stdin.flush()
            if not select([server.stdout], [], [], limits.seconds)[0]:
                self.end()
                return Ended(None, "hung", "a warm child hung")
            status = int(server.stdout.readline())
            answer = folder / ANSWER
            said = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else None
        return Ended(said) if status == 0 else Ended(said, "crashed", f"wait status {status}")

    def end(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from tests.warm import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )


def serve() -> None:
    """Answer each request in a fork, and say how the fork ended."""
    without_network()
    for name in (*LOADED, *filter(None, (each.module for each in known_backends().values()))):
        with suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_answer(*json.loads(line)))
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


def _answer(folder: str, request: dict[str, Any]) -> int:
    os.chdir(folder)
    os.environ["TMPDIR"] = folder
    printed = os.open(Path("printed"), os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(printed, stream)
    try:
        import_module(request["code"]).answer(request, tell)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
