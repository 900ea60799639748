"""Nodes of a model, found again in a trace whose layers have no names, but shapes.

PyTorch's profiler names only the operator of a layer, and calls of equal shapes are one layer. Its
convolutions and products are the nodes with weights of the same dims, if there are as many.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import groupby

from modellint.model import Node, is_static
from modellint.operators import Trait, having, of
from modellint.results.measured import RunLayer

_CONVOLUTIONS = having(Trait.CONVOLUTION)
_PRODUCTS = having(Trait.MATMUL, Trait.GEMM)
ENOUGH = 0.9
"""Share of the model's weights that a trace has to have, or it may be of another network."""


def aligned(layers: Sequence[RunLayer], nodes: Iterable[Node]) -> dict[Node, int]:
    """Return the layers of nodes with weights; none unless nearly all weights are in both."""
    known: dict[Hashable, list[Node]] = defaultdict(list)
    for node in nodes:
        key = _of_node(node)
        if key is not None:
            known[key].append(node)
    ran: dict[Hashable, dict[int, int]] = defaultdict(dict)
    for key, number in _innermost(layers):
        ran[key][number] = round(layers[number].calls or 1)
    found = {
        node: number
        for key, group in known.items()
        if sum(ran[key].values()) == len(group)
        for node, number in zip(group, Counter(ran[key]).elements(), strict=True)
    }
    either = max(sum(map(len, known.values())), sum(sum(each.values()) for each in ran.values()))
    return found if found and len(found) >= ENOUGH * either else {}


def _innermost(layers: Sequence[RunLayer]) -> Iterator[tuple[Hashable, int]]:
    """Iterate over layers with weights: of those that call one another, the one that takes time."""
    for key, calls in groupby(enumerate(layers), lambda each: _of_layer(each[1])):
        if key is not None:
            yield key, max(calls, key=lambda each: each[1].seconds)[0]


def _of_layer(layer: RunLayer) -> Hashable:
    """Return what identifies a layer's weight; None for layers without one."""
    op = (layer.op or "").lower()
    if "conv" in op and len(layer.inputs) > 1:
        return _key(layer.inputs[1])
    if op.endswith("mm"):
        matrices = [shape for shape in layer.inputs if len(shape) == 2]
        return _key(matrices[-1]) if len(matrices) > 1 else None
    return None


def _of_node(node: Node) -> Hashable:
    weight = node.input(of(node).place("weight") or 1)
    if weight is None or not is_static(weight.shape):
        return None
    is_matrix = node.op_type in _PRODUCTS and len(weight.shape or ()) == 2
    return _key(weight.shape or ()) if is_matrix or node.op_type in _CONVOLUTIONS else None


def _key(dims: Sequence[object]) -> Hashable:
    """Return the dims of a weight in any order, since some formats transpose it."""
    sizes = sorted(dim for dim in dims if isinstance(dim, int))
    return tuple(sizes) or None
