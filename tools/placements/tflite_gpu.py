"""TensorFlow Lite's check for its GPU delegate; needs tensorflow 2.16.

It does not form parts: they are those that LiteRT would form of the nodes.
"""

from __future__ import annotations

from pathlib import Path

from gpu_check import refused_nodes

from modellint.formats import read_model
from modellint.model import Node
from modellint.placement.epochs import epochs
from modellint.runtimes.delegated import Delegated
from placements import Compile, _delegated


def compiler(chip: str) -> Compile:
    return _delegated.compiler(_shared_out)


def _shared_out(file: Path) -> Delegated:
    refused = refused_nodes(file)
    nodes = [node for node in read_model(file).graph.nodes if not _widens_constant(node)]
    parts = epochs(nodes, lambda node: node.index not in refused)
    sizes = [len(part) for part in parts]
    largest = tuple(parts[sizes.index(max(sizes))]) if parts else ()
    left = tuple(node for node in nodes if node not in largest)
    return Delegated((largest,) if largest else (), left)


def _widens_constant(node: Node) -> bool:
    """Return True for what LiteRT looks through when it forms parts."""
    given = node.input(0)
    return node.op_type == "DEQUANTIZE" and given is not None and given.is_constant
