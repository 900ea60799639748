"""Writing of a graph: as JSON that lists it, or as a JavaScript module that builds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modellint.base.errors import UsageError
from modellint.base.files import TO_OVERWRITE
from modellint.base.version import __version__
from modellint.webnn.graphs import MLCall, MLGraph, MLOperand
from modellint.webnn.javascript import module, offsets


def write_module(graph: MLGraph, path: Path, title: str, *, replaces: bool = False) -> list[Path]:
    """Write a module and, next to it, its weights; return both.

    A file of weights is replaced only along with its module, unless it `replaces` anything.
    """
    weights = path.with_suffix(".bin")
    if weights.exists() and not path.exists() and not replaces:
        raise UsageError(f"{weights} is already at the path of the weights; {TO_OVERWRITE}")
    replace_with(weights, lambda draft: _write_weights(graph, draft))
    text = module(graph, title, path.name, weights.name, __version__)
    replace_with(path, lambda draft: draft.write_text(text, encoding="utf-8"))
    return [path, weights]


def write_listing(graph: MLGraph, path: Path, title: str) -> None:
    """Write a graph as JSON, without the elements of its constants."""
    text = json.dumps(listing(graph, title), indent=1) + "\n"
    replace_with(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written next to its place, and move it there."""
    draft = path.with_name(f".modellint-{path.name}")
    try:
        write(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def listing(graph: MLGraph, title: str) -> dict[str, Any]:
    """Return a graph as plain data."""
    places = offsets(graph.constants)
    return {
        "kind": "webnn-graph",
        "model": title,
        "modellint": __version__,
        "inputs": {name: _described(each) for name, each in graph.inputs.items()},
        "constants": [
            {**_described(each.operand), "offset": place, "bytes": each.operand.nbytes}
            for each, place in zip(graph.constants, places, strict=True)
        ],
        "operators": [_called(each) for each in graph.calls],
        "outputs": {name: each.name for name, each in graph.outputs.items()},
        "narrowed": sorted(set(graph.narrowed)),
        "obstacles": [
            {"node": each.node, "op": each.op, "reason": each.reason, "fix": each.fix}
            for each in graph.obstacles
        ],
    }


def _described(operand: MLOperand) -> dict[str, Any]:
    return {"operand": operand.name, "dataType": operand.dtype, "shape": list(operand.shape)}


def _called(call: MLCall) -> dict[str, Any]:
    operands: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in call.arguments.items():
        if isinstance(value, MLOperand):
            operands[name] = value.name
        elif isinstance(value, list) and value and isinstance(value[0], MLOperand):
            operands[name] = [each.name for each in value]
        else:
            options[name] = value
    return {
        "operator": call.method,
        "node": call.node,
        "inputs": operands,
        "options": options,
        "outputs": [_described(each) for each in call.outputs],
    }


def _write_weights(graph: MLGraph, path: Path) -> None:
    with path.open("wb") as file:
        for each, place in zip(graph.constants, offsets(graph.constants), strict=True):
            content = each.read()
            if content is None:
                raise UsageError(f"weights of {each.operand.name} cannot be read")
            file.write(bytes(place - file.tell()))
            stored = np.dtype(each.operand.dtype).newbyteorder("<")
            file.write(np.ascontiguousarray(content, dtype=stored).tobytes())
