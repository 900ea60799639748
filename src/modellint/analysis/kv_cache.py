"""The key and value cache of a decoder: found by how the graph extends it, not by names.

>>> cache = kv_cache(model, deployment)
>>> if cache is not None:
...     cache.layers, cache.kv_heads, cache.head_size, cache.query_heads
...     cache.bytes_per_token           # of one sequence, at the deployment's precision
...     cache.nbytes(batch=8, tokens=4096)
"""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.precision import activation_dtype
from modellint.base.records import dataclass
from modellint.model import DTYPES, Graph, Model, Node, Shape, Value, element_count
from modellint.operators import Trait, having, of
from modellint.targets.deployment import Deployment

_EXTENDING = having(Trait.EXTENDS)
_PASSING = {"Where", "Add"} | having(
    Trait.VIEW,
    Trait.CAST,
    Trait.TRANSPOSE,
    Trait.SELECTS,
    Trait.QUANTIZE,
    Trait.DEQUANTIZE,
).keys()
_TO_PRODUCT = _PASSING | {"Concat"} | having(Trait.BROADCAST, Trait.MULTIPLICATION).keys()
REACH = 8
"""How many moves of elements may lie between the model's input and what extends it."""


@dataclass(frozen=True, slots=True)
class CachePair:
    """One cached tensor: the graph's input, and the output that is fed back for the next token."""

    past: Value
    present: Value
    extended_by: Node

    @property
    def is_stacked(self) -> bool:
        """Keys and values of a layer in one tensor."""
        return len(self.past.shape or ()) == 5


@dataclass(frozen=True, slots=True)
class KvCache:
    pairs: tuple[CachePair, ...]
    layers: int
    kv_heads: int | None
    head_size: int | None
    query_heads: int | None
    """Of the attention that reads the cache; None where its shapes do not tell."""
    element_bytes: float
    sequence_axis: int
    """Of a cached tensor: the axis that grows by one with each token."""
    sequence_symbol: str | None
    """The name of that axis where the model leaves it open."""

    @property
    def variant(self) -> str | None:
        """``MHA``, ``GQA`` or ``MQA``."""
        return attention_variant(self.query_heads, self.kv_heads)

    @property
    def bytes_per_token(self) -> int | None:
        """What one more token of one sequence adds, all layers together."""
        if self.kv_heads is None or self.head_size is None:
            return None
        tensors = sum(2 if pair.is_stacked else 1 for pair in self.pairs)
        return int(tensors * self.kv_heads * self.head_size * self.element_bytes)

    def nbytes(self, batch: int, tokens: int) -> int | None:
        """The whole cache, for so many sequences of so many tokens each."""
        per_token = self.bytes_per_token
        return per_token * batch * tokens if per_token is not None else None


def kv_cache(model: Model, deployment: Deployment) -> KvCache | None:
    """The analysis: None for a graph that keeps no cache."""
    pairs = tuple(_pairs(model.graph))
    if not pairs:
        return None
    shape = pairs[0].past.shape or pairs[0].present.shape
    axis = _sequence_axis(pairs[0], shape)
    heads, size = _heads_and_size(shape, axis)
    dtype = activation_dtype(pairs[0].past.dtype or DTYPES["float32"], deployment.precision)
    stacked = sum(pair.is_stacked for pair in pairs)
    symbol = shape[axis] if shape is not None and axis < len(shape) else None
    return KvCache(
        pairs,
        layers=stacked + -(-(len(pairs) - stacked) // 2),
        kv_heads=heads,
        head_size=size,
        query_heads=_query_heads(pairs[0]),
        element_bytes=dtype.bits / 8,
        sequence_axis=axis,
        sequence_symbol=symbol if isinstance(symbol, str) else None,
    )


def attention_variant(query_heads: int | None, kv_heads: int | None) -> str | None:
    """How many query heads share a key and value head: none, some, or all."""
    if not query_heads or not kv_heads:
        return None
    if kv_heads == query_heads:
        return "MHA"
    return "MQA" if kv_heads == 1 else "GQA"


def _pairs(graph: Graph) -> Iterator[CachePair]:
    for value in graph.inputs:
        shape = value.shape
        if value.is_constant or shape is None or len(shape) not in (3, 4, 5):
            continue
        found = _follow(value)
        if found is not None:
            yield CachePair(value, *found)


def _follow(past: Value) -> tuple[Value, Node] | None:
    """The output that extends `past`, and the node that does it."""
    pending = [(past, 0)]
    seen = {id(past)}
    while pending:
        value, distance = pending.pop(0)
        for node, index in value.consumers:
            present = _extended(node, index)
            returned = _returned(present) if present is not None else None
            if returned is not None:
                return returned, node
            result = node.output()
            if result is None or id(result) in seen:
                continue
            if node.op_type in _EXTENDING and (index == 0 or node.op_type == "Concat"):
                returned = _returned(result)
                if returned is not None and len(returned.shape or ()) == len(past.shape or ()):
                    return returned, node
            moves = node.op_type == "Concat" or (node.op_type in _PASSING and index == 0)
            if moves and distance < REACH:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None


def _extended(node: Node, index: int) -> Value | None:
    """What an op that extends caches itself makes of its input at `index`."""
    roles = of(node).inputs
    role = roles[index] if index < len(roles) else ""
    return node.output(int(role.removeprefix("past>"))) if role.startswith("past>") else None


def _returned(value: Value) -> Value | None:
    """The graph's output that a value becomes, at most a few moves later."""
    pending = [(value, 0)]
    while pending:
        value, distance = pending.pop(0)
        if value.is_output:
            return value
        if distance < REACH:
            pending += [
                (result, distance + 1)
                for use in value.consumers
                if use.node.op_type in _PASSING and (result := use.node.output()) is not None
            ]
    return None


def _sequence_axis(pair: CachePair, shape: Shape | None) -> int:
    """Where the extending Concat puts the new tokens; the last but one where an op does it."""
    rank = len(shape or ()) or 4
    node = pair.extended_by
    if node.op_type == "Concat" and pair.past in node.inputs:
        return (node.get_int("axis", -2) or 0) % rank
    other = pair.present.shape
    differing = [
        axis
        for axis, (old, new) in enumerate(zip(shape or (), other or (), strict=False))
        if old != new and not (isinstance(old, int) and isinstance(new, int))
    ]
    return differing[0] if len(differing) == 1 else rank - 2


def _heads_and_size(shape: Shape | None, axis: int) -> tuple[int | None, int | None]:
    """Heads and head size: the last dims beside batch and sequence."""
    if shape is None:
        return None, None
    rest = [dim for at, dim in enumerate(shape) if at != axis][-2:]
    if len(shape) == 3:  # heads and their size in one dim
        return (1, rest[-1]) if isinstance(rest[-1], int) else (None, None)
    heads, size = rest
    return (
        heads if isinstance(heads, int) else None,
        size if isinstance(size, int) else None,
    )


def _query_heads(pair: CachePair) -> int | None:
    """Heads of the product that reads the cache: from an op's attribute, or its shapes."""
    node = pair.extended_by
    for name in ("num_heads", "q_num_heads"):
        heads = node.get_int(name)
        if heads:
            return heads
    if node.qualified_op == "Attention":
        query = node.input(0)
        shape = query.shape if query is not None else None
        return shape[1] if shape and len(shape) == 4 and isinstance(shape[1], int) else None
    return _heads_of_product(node.output())


def _heads_of_product(value: Value | None) -> int | None:
    """Follow the extended cache to the MatMul it goes into; broadcasting heads on the way."""
    if value is None:
        return None
    pending = [(value, 0)]
    while pending:
        value, distance = pending.pop(0)
        for node, _ in value.consumers:
            if node.op_type in ("MatMul", "Attention"):
                shapes = [v.shape for v in node.inputs[:2] if v is not None]
                heads = [
                    count
                    for shape in shapes
                    if shape is not None
                    and len(shape) >= 4
                    and (count := element_count(shape[1:-2])) is not None
                ]
                if heads:
                    return max(heads)
            result = node.output()
            if node.op_type in _TO_PRODUCT and result is not None and distance < 2 * REACH:
                pending.append((result, distance + 1))
    return None
