"""Asks a runtime that was set up for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modellint.probes import memory_to_spare
from modellint.probes.backends import known_backends
from modellint.probes.runner import Limits, run_child
from modellint.runtimes.webnn.installed import Installed, NotInstalledError, installed
from tests.support import PATIENCE, ROOT

ENVIRONMENTS = ROOT / ".venv-oracles"


def engines_python() -> Path:
    """Return the interpreter that has engines of fleets."""
    return ENVIRONMENTS / "fleet" / "bin" / "python"


def web_packages() -> Installed:
    """Return the browser and ONNX Runtime Web; skip the test without them."""
    try:
        return installed(ENVIRONMENTS / "webnn")
    except NotInstalledError as error:
        pytest.skip(str(error))


def ask(runtime: str, path: Path, **request: Any) -> Mapping[str, Any]:
    """Return what a runtime's probe says of a model, with the names of nodes by place."""
    backend = known_backends()[runtime]
    installation = backend.installation
    if installation is None:
        pytest.skip(f"{backend.title} is not set up: make oracles")
    asked = {
        "code": backend.probe.code,
        "module": installation.module,
        "folder": installation.folder,
        "path": str(path),
        "format": "onnx-text" if path.suffix == ".onnxtxt" else path.suffix[1:],
        "level": "build",
        "symbols": {},
        "names": True,
        **request,
    }
    command = installation.command(backend.probe.code)
    ended = run_child(command, asked, Limits(PATIENCE, memory_to_spare()))
    assert ended.death is None, ended.detail
    assert ended.answer is not None
    return ended.answer
