"""Placements on WebNN, by ONNX Runtime Web in a real browser.

The browser does not build what is placed: some graphs keep it from ever ending.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.formats import read_model
from modellint.runtimes.webnn.installed import installed
from modellint.runtimes.webnn.ort_web import WEBNN, OrtWeb, WebProvider
from placements import MOST_TEXT, Compile


def compiler(chip: str) -> Compile:
    return compiler_for(WEBNN)


def compiler_for(provider: WebProvider) -> Compile:
    """Return a function that places a model, in one browser for all."""
    found = installed()
    started = OrtWeb.start(found.package, found.program, provider, builds=provider is not WEBNN)
    web = started.__enter__()
    atexit.register(started.__exit__, None, None, None)

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        made = web.create(file, sizes, seconds=120.0)
        placed = made.placed
        if placed is None:
            return {"starts": False, "partitions": [], "left": [], "error": made.error[:MOST_TEXT]}
        taken = [node.name for node in placed.nodes if node.taken]
        if taken and not any(taken):  # all, and then the log does not name them
            taken = [node.label for node in read_model(file).graph.nodes]
        copies = {"copies": len(placed.copied)} if provider is not WEBNN else {}
        return {
            "starts": True,
            "partitions": [taken, *[[]] * (placed.parts - 1)] if placed.parts else [],
            "left": [node.name for node in placed.left],
            **copies,
            "error": made.error[:MOST_TEXT],
        }

    return compile_model
