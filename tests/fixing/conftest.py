"""Proofs in this process: quick, for tests of what is proved rather than of how."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

from modellint.execution import Arrays, Execution, Run
from modellint.fixing.proof import Proof
from modellint.runtimes.execution import Way
from modellint.runtimes.onnxruntime import execution


def run_here(
    path: Path, format: str, feeds: Sequence[Arrays], way: Way | None = None, limits: object = None
) -> Execution:
    """Run a model in ONNX Runtime, as the child process does."""
    try:
        model = execution.load(path, format, way or Way())
    except Exception as error:
        return Execution("ONNX Runtime", tuple(Run({}, str(error)) for _ in feeds), str(error))
    return Execution("ONNX Runtime", tuple(_run(model, feed) for feed in feeds))


def _run(model: Any, feed: Arrays) -> Run:
    try:
        return Run(dict(model.run(feed)))
    except Exception as error:
        return Run({}, str(error))


def drafts(folder: Path) -> Iterator[Path]:
    return (folder / f"draft-{number}.onnx" for number in itertools.count())


def check_here(self: Proof, path: Path) -> str:
    try:
        onnx.checker.check_model(path)
    except onnx.checker.ValidationError as error:
        return str(error)
    return ""


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modellint.execution.run", run_here)  # imported where it is used
    monkeypatch.setattr(Proof, "_checked", check_here)
