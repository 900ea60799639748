"""Float islands: float regions between quantized ops, and the op that causes each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.ops import SHAPE_READERS, rides_along
from modellint.analysis.quantization.parts import WeightedOp
from modellint.base.records import dataclass
from modellint.model import Node, Value


@dataclass(frozen=True, slots=True, eq=False)
class Island:
    """Connected float nodes with quantized inputs and outputs."""

    nodes: tuple[Node, ...]
    """Nodes in file order."""
    opener: Node
    """First op without a quantized form."""
    ops: tuple[WeightedOp, ...]
    """Weighted ops that run in float because of it."""
    dequantized: int
    """Values converted to float on the way in."""
    quantized: int
    """Values converted back on the way out."""

    @property
    def conversions(self) -> int:
        return self.dequantized + self.quantized


def find_islands(quantization: QuantizationMap) -> list[Island]:
    """Find the islands of a model, in file order, ignoring ops that ride along with kernels."""
    if not _may_have_any(quantization):
        return []
    inside = _between(quantization)
    islands = [
        island
        for nodes in _components(inside)
        if (island := _island(quantization, nodes)) is not None
    ]
    return sorted(islands, key=lambda island: island.nodes[0].index)


def _may_have_any(quantization: QuantizationMap) -> bool:
    """Return True if the model contains an op that could cause an island."""
    if not quantization.activation_quantizers and not quantization.activation_dequantizers:
        return False
    if any(not op.is_quantized for op in quantization.ops):
        return True
    return any(
        not rides_along(nodes[0])
        and quantization.converter(nodes[0]) is None
        and quantization.op(nodes[0]) is None
        for graph in quantization.model.graphs(functions=True)
        for nodes in graph.by_op.values()
    )


def _island(quantization: QuantizationMap, nodes: list[Node]) -> Island | None:
    ops = tuple(op for node in nodes if (op := quantization.op(node)) is not None)
    openers = [node for node in nodes if not rides_along(node) and not node.subgraphs]
    if not openers:
        return None
    inputs = {id(v): v for node in nodes for v in node.inputs if v is not None}
    outputs = {id(v): v for node in nodes for v in node.outputs if v is not None}
    return Island(
        nodes=tuple(nodes),
        opener=openers[0],
        ops=ops,
        dequantized=sum(
            (dq := quantization.dequantizer_of(value)) is not None and not dq.is_weight
            for value in inputs.values()
        ),
        quantized=sum(bool(quantization.quantizers_after(value)) for value in outputs.values()),
    )


def _between(quantization: QuantizationMap) -> dict[int, Node]:
    """Return float nodes on paths between quantized values."""

    def is_border(node: Node) -> bool:
        op = quantization.op(node)
        return quantization.converter(node) is not None or (op is not None and op.is_quantized)

    paired = [op for op in quantization.quantized_ops if op.integer is None]
    sources = [dq.output for dq in quantization.activation_dequantizers]
    sources += [value for op in paired for value in op.node.outputs if value is not None]
    sinks = [q.source for q in quantization.activation_quantizers]
    return between(sources, sinks, is_border)


def between(
    sources: Iterable[Value], sinks: Iterable[Value], is_border: Callable[[Node], bool]
) -> dict[int, Node]:
    """Return nodes by id on paths from a source to a sink that do not cross a border."""
    below = _reach(sources, _consumers, is_border)
    above = _reach(sinks, _producers, is_border)
    return {key: node for key, node in below.items() if key in above}


def _consumers(value: Value) -> Iterable[tuple[Node, Iterable[Value | None]]]:
    return ((use.node, use.node.outputs) for use in value.consumers)


def _producers(value: Value) -> Iterable[tuple[Node, Iterable[Value | None]]]:
    return ((value.producer, value.producer.inputs),) if value.producer is not None else ()


def _reach(
    start: Iterable[Value],
    step: Callable[[Value], Iterable[tuple[Node, Iterable[Value | None]]]],
    is_border: Callable[[Node], bool],
) -> dict[int, Node]:
    found: dict[int, Node] = {}
    borders: set[int] = set()
    pending = list(start)
    while pending:
        for node, values in step(pending.pop()):
            key = id(node)
            if key in found or key in borders:
                continue
            if node.op_type in SHAPE_READERS or is_border(node):
                borders.add(key)
                continue
            found[key] = node
            pending.extend(v for v in values if v is not None and not v.is_constant)
    return found


def _components(inside: dict[int, Node]) -> list[list[Node]]:
    """Return connected components, each in file order."""
    components = []
    left = dict(inside)
    while left:
        _, first = left.popitem()
        component, pending = [first], [first]
        while pending:
            node = pending.pop()
            for near in (*node.predecessors, *node.successors):
                if left.pop(id(near), None) is not None:
                    component.append(near)
                    pending.append(near)
        components.append(sorted(component, key=lambda node: node.index))
    return components
