"""Helpers for all tests: models from text, and the program as a user runs it."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import onnx
import onnx.parser

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PATIENCE = 300
"""Seconds until a test ends what it waits for: far more than it takes on a busy machine."""


@dataclass(frozen=True)
class CliResult:
    """Result of a run of the program."""

    exit_code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit code {self.exit_code}\n-- stdout\n{self.stdout}\n-- stderr\n{self.stderr}"


def run_cli(*args: str | Path, cwd: Path | None = None, stdin: bytes = b"") -> CliResult:
    """Run the program in this process: fast, and what most tests want."""
    from modellint.cli import main

    stdout, stderr = io.BytesIO(), io.BytesIO()
    with (
        _working_in(cwd),
        patch("sys.argv", ["modellint", *map(str, args)]),
        patch("sys.stdin", _stream(io.BytesIO(stdin))),
        patch("sys.stdout", _stream(stdout)),
        patch("sys.stderr", _stream(stderr)),
    ):
        exit_code = _exit_code_of(main)
        sys.stdout.flush()
        sys.stderr.flush()
        return CliResult(exit_code, _text(stdout.getvalue()), _text(stderr.getvalue()))


def run_process(
    *args: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> CliResult:
    """Run the program as a user does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "modellint", *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return CliResult(done.returncode, _text(done.stdout), _text(done.stderr))


def model_from_text(text: str) -> onnx.ModelProto:
    """A model from ONNX's text syntax."""
    return onnx.parser.parse_model(text)


def save(model: onnx.ModelProto | str, path: Path) -> Path:
    """Write a model, or one given as text, where it is wanted; folders are made as needed."""
    if isinstance(model, str):
        model = model_from_text(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def _stream(content: io.BytesIO) -> io.TextIOWrapper:
    """A standard stream in memory, with the `buffer` that real ones have."""
    return io.TextIOWrapper(content, encoding="utf-8", newline="", write_through=True)


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").replace("\r\n", "\n")


@contextmanager
def _working_in(folder: Path | None) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder or before)
    try:
        yield
    finally:
        os.chdir(before)


def _exit_code_of(main: Callable[[], object]) -> int:
    """Return the exit code as `sys.exit` computes it: None is 0, a message is 1."""
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
    finally:
        gc.enable()  # which the program does without until it ends
    return code if isinstance(code, int) else int(code is not None)
