"""The largest layers; a layer and its repetitions count as one."""

from __future__ import annotations

from dataclasses import field

from modellint.analysis.cost import ModelCost, NodeCost
from modellint.analysis.parameters import stored_weight
from modellint.base.records import dataclass
from modellint.model import Model, Node, Tensor
from modellint.operators import Trait, having
from modellint.results.inspection import Layer

MOST = 6
_DEQUANTIZING = having(Trait.DEQUANTIZE)


@dataclass(slots=True)
class _Group:
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[int, Tensor] = field(default_factory=dict)
    cost: NodeCost = field(default_factory=NodeCost)
    parameters: int = 0


def largest_layers(model: Model, cost: ModelCost) -> list[Layer]:
    """Return layers grouped by op and shape of the largest weight, ordered by bytes.

    A weight that is dequantized belongs to the layers that read it.
    """
    groups: dict[tuple[str, tuple[int, ...]], _Group] = {}
    seen: set[int] = set()
    for node in model.graph.nodes:
        holders = [node, *_dequantizers(node)]
        tensors = [tensor for each in holders for tensor in _weights(each)]
        if node.subgraphs or not tensors or _is_read_dequantized(node):
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


def _dequantizers(node: Node) -> list[Node]:
    """Return the nodes that dequantize weights of a layer."""
    producers = [value.producer for value in node.inputs if value is not None]
    return [
        each
        for each in producers
        if each is not None and each.op_type in _DEQUANTIZING and _dequantizes_weight(each)
    ]


def _dequantizes_weight(node: Node) -> bool:
    return node.op_type in _DEQUANTIZING and stored_weight(node.input(0)) is not None


def _is_read_dequantized(node: Node) -> bool:
    return _dequantizes_weight(node) and any(value and value.consumers for value in node.outputs)


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
