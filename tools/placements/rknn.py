"""Rockchip's compiler; needs rknn-toolkit2, in an environment of its own.

It names layers after nodes, with endings that say what became of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from modellint.runtimes.rknn import CHIPS, USUAL
from modellint.runtimes.rknn.log import RknnLayer, possible_names
from modellint.runtimes.rknn.probe import RknnToolkit
from placements import MOST_TEXT, Compile

_OF_A_VALUE = "_output_"


def compiler(chip: str) -> Compile:
    builder = RknnToolkit(chip or CHIPS[USUAL])

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        nodes = {node.name for node in onnx.load(str(file), load_external_data=False).graph.node}
        found = builder.build(file.absolute(), sizes)
        return {
            "starts": found.starts,
            "partitions": [_names(part, nodes) for part in found.partitions],
            "left": [name for name in _names(found.left, nodes) if name in nodes],
            "error": " ".join(found.errors)[:MOST_TEXT],
        }

    return compile_model


def _names(layers: list[RknnLayer], nodes: set[str]) -> list[str]:
    """Return the nodes that layers stand for; the names of those made anew stay as they are."""
    return [_name(each, nodes) for each in layers]


def _name(layer: RknnLayer, nodes: set[str]) -> str:
    """A layer that changes a value's layout has the value's name, not its node's."""
    if _OF_A_VALUE in layer.name:
        return layer.name
    return next((name for name in possible_names(layer) if name in nodes), layer.name)
