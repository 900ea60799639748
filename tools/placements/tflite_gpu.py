"""TensorFlow Lite's check for its GPU delegate; needs tensorflow 2.16.

It does not form parts: they are those that LiteRT would form of the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_check import refused_nodes

from modellint.formats import read_model
from modellint.model import Node
from modellint.placement.epochs import epochs
from placements import Compile


def compiler(chip: str) -> Compile:
    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        refused = refused_nodes(file)
        nodes = [node for node in read_model(file).graph.nodes if not _widens_constant(node)]
        parts = epochs(nodes, lambda node: node.index not in refused)
        largest = max(parts, key=len, default=[])
        return {
            "starts": True,
            "partitions": [[node.label for node in largest]] if largest else [],
            "left": [node.label for node in nodes if node not in largest],
            "error": "",
        }

    return compile_model


def _widens_constant(node: Node) -> bool:
    """Return True for what LiteRT looks through when it forms parts."""
    given = node.input(0)
    return node.op_type == "DEQUANTIZE" and given is not None and given.is_constant
