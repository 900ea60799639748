"""Layers of an engine, read by the runtime that wrote it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.probes import CHILD, memory_to_spare
from modellint.probes.backends import known_backends
from modellint.probes.runner import Limits, run_child

TIMEOUT = 300.0


def exported_layers(engine: Path, writer: str, folder: Path) -> Path:
    """Write the engine's layers to a file like trtexec's; `writer` is from the engine's header."""
    readers = (each for each in known_backends().values() if each.probe.reads_engines)
    backend = next((each for each in readers if each.title == writer), None)
    if backend is None:
        raise UsageError(f"{engine} was written by {writer}, whose engines cannot be read here")
    if backend.module is None:
        raise UsageError(
            f"{engine} was written by {writer}, which is not installed: {backend.install}"
        )
    request = {
        "code": backend.probe.reads_engines,
        "module": backend.module,
        "path": str(engine.absolute()),
    }
    ended = run_child(CHILD, request, Limits(TIMEOUT, memory_to_spare()))
    said = ended.answer or {}
    if "layers" not in said:
        reason = said.get("reason") or ended.detail or "no reason given"
        raise UsageError(f"{writer} cannot read {engine}: {reason}")
    with tempfile.NamedTemporaryFile(
        "w", suffix=".json", dir=folder, delete=False, encoding="utf-8"
    ) as file:
        file.write(str(said["layers"]))
    return Path(file.name)
