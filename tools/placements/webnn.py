"""WebNN's placements, by ONNX Runtime Web in a real browser.

The browser does not build what is placed: some graphs keep it from ever ending.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.webnn.installed import installed
from modellint.runtimes.webnn.ort_web import OrtWeb
from placements import MOST_TEXT, Compile


def compiler(chip: str) -> Compile:
    """Return a function that places a model, in one browser for all."""
    found = installed()
    started = OrtWeb.start(found.package, found.program, builds=False)
    web = started.__enter__()
    atexit.register(started.__exit__, None, None, None)

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        made = web.create(file, sizes, seconds=120.0)
        placed = made.placed
        if placed is None:
            return {"starts": False, "partitions": [], "left": [], "error": made.error[:MOST_TEXT]}
        taken = [node.name for node in placed.nodes if node.taken]
        return {
            "starts": True,
            "partitions": [taken, *[[]] * (placed.parts - 1)] if placed.parts else [],
            "left": [node.name for node in placed.left],
            "error": made.error[:MOST_TEXT],
        }

    return compile_model
