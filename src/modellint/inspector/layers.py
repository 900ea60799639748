"""The largest layers; a layer and its repetitions count as one."""

from __future__ import annotations

from dataclasses import field

from modellint.analysis.cost import ModelCost, NodeCost
from modellint.analysis.parameters import stored_weight
from modellint.base.records import dataclass
from modellint.model import Model, Node, Tensor, Value
from modellint.operators import Trait, having
from modellint.results.inspection import Layer

MOST = 6
MOST_CONVERTERS = 4
"""Maximum number of nodes between a layer and its weight: twice the length of a pair."""
_CONVERTING = having(Trait.QUANTIZE, Trait.DEQUANTIZE)


@dataclass(slots=True)
class _Group:
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[int, Tensor] = field(default_factory=dict)
    cost: NodeCost = field(default_factory=NodeCost)
    parameters: int = 0


def largest_layers(model: Model, cost: ModelCost) -> list[Layer]:
    """Return layers grouped by op and shape of the largest weight, ordered by bytes.

    A weight that is quantized or dequantized belongs to the layers that read it.
    """
    groups: dict[tuple[str, tuple[int, ...]], _Group] = {}
    seen: set[int] = set()
    for node in model.graph.nodes:
        holders = [node, *(each for value in node.inputs for each in _converters(value))]
        tensors = [tensor for each in holders for tensor in _weights(each)]
        if node.subgraphs or not tensors or _is_read_converted(node):
            continue
        parameters = sum(cost.of(each).parameters for each in holders)
        if not parameters:
            continue
        largest = max(tensors, key=lambda tensor: tensor.nbytes)
        group = groups.setdefault((node.qualified_op, largest.shape), _Group())
        group.nodes.append(node)
        group.cost = group.cost.plus(cost.of(node))
        fresh = {id(tensor): tensor for tensor in tensors if id(tensor) not in seen}
        shared = {id(tensor): tensor.elements for tensor in tensors if id(tensor) in seen}
        group.parameters += max(parameters - sum(shared.values()), 0)
        seen.update(fresh)
        group.tensors |= fresh
    layers = [_layer(op, shape, group, cost) for (op, shape), group in groups.items()]
    return sorted(layers, key=lambda layer: -layer.weight_bytes)[:MOST]


def _weights(node: Node) -> list[Tensor]:
    return list(filter(None, map(stored_weight, node.inputs)))


def _converters(value: Value | None) -> list[Node]:
    """Return the nodes that quantize and dequantize a weight; none for any other value."""
    chain: list[Node] = []
    while value is not None and stored_weight(value) is None:
        node = value.producer
        if node is None or node.op_type not in _CONVERTING or len(chain) == MOST_CONVERTERS:
            return []
        chain.append(node)
        value = node.input(0)
    return chain


def _is_read_converted(node: Node) -> bool:
    return any(value and value.consumers and _converters(value) for value in node.outputs)


def _layer(op: str, shape: tuple[int, ...], group: _Group, cost: ModelCost) -> Layer:
    total, macs = cost.total.macs, group.cost.macs
    return Layer(
        op_type=op,
        shape=list(shape),
        count=len(group.nodes),
        first=group.nodes[0].label,
        parameters=group.parameters,
        weight_bytes=sum(tensor.nbytes for tensor in group.tensors.values()),
        macs=macs,
        macs_share=macs / total if macs is not None and total else None,
    )
