"""Nodes of a model, found again in the layers of a run.

A layer names nodes, or values that it computes, each runtime in its own way. What no layer names
was fused into a layer next to it: before it, if only that layer reads it and is not complete
without it; else after the layer that computes all of its inputs. Where no layer has a name, nodes
are found by their weights (`aligning.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from modellint.model import Graph, Model, Node, Value
from modellint.profiles.aligning import aligned
from modellint.results.measured import MeasuredRun, RunLayer

_BETWEEN_PARTS = re.compile(r" \+ |, |PWN\(|\)|\x1e")
_ENDINGS = (
    "_nchwc",
    "/MatMulAddFusion",
    "/WithoutBiases",
    "_MatMulAddFusion",
    "/Fused",
    "/QuickGeluFusion/",
    "_quant",
)
"""Endings that runtimes add to the names of nodes, or of the values that they compute."""
_BEGINNINGS = ("fused ", "fused_")
_SAME = (frozenset(("Gemm", "MatMul", "FusedMatMul", "FullyConnected", "FusedGemm")),)
_SUFFIXED = re.compile(r"_token_\d+$")


def nodes_of_layers(run: MeasuredRun, model: Model) -> list[list[Node]]:
    """Return the nodes of each layer, in the order of the graph; none where they are not found."""
    claims = _Claims(model.graph)
    for number, layer in enumerate(run.layers):
        claims.name(number, layer)
    if not claims.align(run.layers):
        claims.spread(run.layers)
    return claims.by_layer(len(run.layers))


class _Claims:
    """Layers of nodes: each node belongs to one."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.ordered
        counts = Counter(node.label for node in graph.nodes)
        self._by_name = {node.label: node for node in graph.nodes if counts[node.label] == 1}
        self._values: Mapping[str, Value] = graph.values
        self._layer: dict[Node, int] = {}
        self._wanted: dict[int, frozenset[str]] = {}
        """Operators of layers that none of their nodes has so far."""

    def name(self, number: int, layer: RunLayer) -> None:
        """Claim the nodes that a layer names, unless an earlier layer does."""
        for node in self._named(layer):
            self._layer.setdefault(node, number)

    def _named(self, layer: RunLayer) -> list[Node]:
        if layer.kind in ("reformat", "copy"):
            return [self._by_name[layer.name]] if layer.name in self._by_name else []
        found = [self._by_name[name] for name in layer.nodes if name in self._by_name]
        found += self._producers(layer.produces)
        if found:
            return found
        for part in (layer.name, *_BETWEEN_PARTS.split(layer.name)):
            found += self._node_of(part)
        return found

    def _node_of(self, name: str) -> list[Node]:
        for each in _spellings(name):
            if each in self._by_name:
                return [self._by_name[each]]
            if producers := list(self._producers([each])):
                return producers
        return []

    def _producers(self, names: Iterable[str]) -> Iterator[Node]:
        for name in names:
            value = self._values.get(name)
            if value is not None and value.producer is not None:
                yield value.producer

    def align(self, layers: Sequence[RunLayer]) -> bool:
        """Claim nodes by their weights if no layer names any; return True if that worked.

        Nodes without weights stay unclaimed then: where layers have no names, nothing is fused.
        """
        if not self._layer:
            self._layer.update(aligned(layers, self._nodes))
            return bool(self._layer)
        return False

    def spread(self, layers: Sequence[RunLayer]) -> None:
        """Claim the nodes that no layer names, for layers next to them."""
        self._note_lacking(layers)
        for node in reversed(self._nodes):
            self._join(node, _readers, lambda layer: layer in self._wanted)
        for node in self._nodes:
            self._join_last(node)
        for node in reversed(self._nodes):
            self._join(node, _readers, lambda layer: True)

    def _note_lacking(self, layers: Sequence[RunLayer]) -> None:
        """Note layers whose operator is none of their nodes': it must be before them."""
        ops: dict[int, set[str]] = {}
        for node, layer in self._layer.items():
            ops.setdefault(layer, set()).add(node.op_type)
        for number, found in ops.items():
            wanted = alike(layers[number].op or "")
            if layers[number].op and wanted.isdisjoint(found):
                self._wanted[number] = wanted

    def _join(
        self,
        node: Node,
        neighbours: Callable[[Node], Iterable[Node]],
        may: Callable[[int], bool],
    ) -> None:
        if node in self._layer or node.op_type == "Constant":
            return
        around = list(neighbours(node))
        layers = {self._layer.get(each) for each in around}
        if len(layers) != 1:
            return
        (layer,) = layers
        if layer is None or not may(layer):
            return
        self._layer[node] = layer
        if node.op_type in self._wanted.get(layer, ()):
            del self._wanted[layer]

    def _join_last(self, node: Node) -> None:
        """Claim a node for the last of its producers' layers, if all are known."""
        layers = [self._layer.get(each) for each in _makers(node)]
        if node not in self._layer and layers and None not in layers:
            self._layer[node] = max(layer for layer in layers if layer is not None)

    def by_layer(self, count: int) -> list[list[Node]]:
        found: list[list[Node]] = [[] for _ in range(count)]
        for node in self._nodes:
            layer = self._layer.get(node)
            if layer is not None:
                found[layer].append(node)
        return found


def alike(op: str) -> frozenset[str]:
    """Return the operators that are the same one by another name."""
    return next(
        (group for group in _SAME if op in group), frozenset((op, op.removeprefix("Fused")))
    )


def _spellings(name: str) -> Iterator[str]:
    """Iterate over the names that a runtime may have made a name from."""
    yield name
    for beginning in _BEGINNINGS:
        if name.startswith(beginning):
            yield name.removeprefix(beginning)
    for ending in _ENDINGS:
        if name.endswith(ending):
            yield name.removesuffix(ending)
    if _SUFFIXED.search(name):
        yield _SUFFIXED.sub("", name)


def _readers(node: Node) -> Iterator[Node]:
    """Iterate over the nodes that read a node's results; none if the caller reads them, too."""
    for value in node.outputs:
        if value is None:
            continue
        if value.is_output:
            return
        yield from (use.node for use in value.consumers)


def _makers(node: Node) -> Iterator[Node]:
    for value in node.inputs:
        if value is not None and value.producer is not None and value.tensor is None:
            yield value.producer
