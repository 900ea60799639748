"""Contents of the nodes of all graphs and functions: operators, constants, files written."""

from __future__ import annotations

from collections import Counter

from modellint.base.text import bounded
from modellint.formats.savedmodel.bodies import Bodies, FunctionBody, StatedNode
from modellint.formats.savedmodel.constants import Locate, constant
from modellint.formats.stored import StoredTensors
from modellint.model import Tensor

_PRINTS = "PrintV2"
_CONSTANT = "Const"
LEAST_WEIGHT = 1024
"""Elements of a constant that is a weight; shorter ones may be anything."""
_FILE = b"file://"


class Contents:
    """Findings of the pass over a file's nodes."""

    def __init__(self, locate: Locate, stored: StoredTensors) -> None:
        self._locate = locate
        self._stored = stored
        self.operators: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        """The first node of each operator."""
        self.written: dict[str, None] = {}
        """Files that operators which print write to."""
        self.weights: list[Tensor] = []
        """Constants that are weights, as in frozen graphs."""

    def add(self, bodies: Bodies) -> dict[tuple[str, str], Tensor]:
        """Count a graph's operators, and return its constants by their function and node."""
        constants = {}
        for body in bodies.all():
            for node in body.nodes.values():
                op = bounded(node.op)
                self.operators[op] += 1
                if op not in self.places:
                    self.places[op] = _label(body, node)
                if op == _CONSTANT:
                    tensor = self._constant(body, node)
                    if tensor is not None:
                        constants[body.name, node.name] = tensor
                elif op == _PRINTS:
                    self._print(node)
        return constants

    def _constant(self, body: FunctionBody, node: StatedNode) -> Tensor | None:
        stated = node.attributes.tensor("value")
        if stated is None:
            return None
        tensor = constant(_label(body, node), stated, self._locate, self._stored)
        if _is_weight(tensor):
            self.weights.append(tensor)
        return tensor

    def _print(self, node: StatedNode) -> None:
        stream = node.attributes.raw("output_stream")
        if stream.startswith(_FILE):
            self.written[bounded(stream.decode(errors="replace"))] = None


def _label(body: FunctionBody, node: StatedNode) -> str:
    return f"{bounded(body.name)}/{node.label}".lstrip("/")


def _is_weight(tensor: Tensor) -> bool:
    is_stored = tensor.region is not None and tensor.elements >= LEAST_WEIGHT
    return is_stored and tensor.dtype.kind == "float" and tensor.dtype.bits >= 8
