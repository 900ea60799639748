"""KV cache of a decoder, detected by how the graph extends it rather than by names.

>>> cache = kv_cache(model, deployment)
>>> if cache is not None:
...     cache.layers, cache.kv_heads, cache.head_size, cache.query_heads
...     cache.bytes_per_token           # per sequence, at the deployment's precision
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
"""Limit on element-moving ops between the model's input and the op that extends it."""


@dataclass(frozen=True, slots=True)
class CachePair:
    """A cached tensor: an input, and the output that is fed back for the next token."""

    past: Value
    present: Value
    extended_by: Node

    @property
    def is_stacked(self) -> bool:
        """Return True if keys and values of a layer are in one tensor."""
        return len(self.past.shape or ()) == 5


@dataclass(frozen=True, slots=True)
class KvCache:
    pairs: tuple[CachePair, ...]
    layers: int
    kv_heads: int | None
    head_size: int | None
    query_heads: int | None
    """Query heads of the attention that reads the cache; None if unknown."""
    element_bytes: float
    sequence_axis: int
    """Axis of cached tensors that grows with each token."""
    sequence_symbol: str | None
    """Symbol of that axis, if open."""

    @property
    def variant(self) -> str | None:
        """Return ``MHA``, ``GQA`` or ``MQA``."""
        return attention_variant(self.query_heads, self.kv_heads)

    @property
    def bytes_per_token(self) -> int | None:
        """Return the bytes added by a token of a sequence, all layers together."""
        if self.kv_heads is None or self.head_size is None:
            return None
        tensors = sum(2 if pair.is_stacked else 1 for pair in self.pairs)
        return int(tensors * self.kv_heads * self.head_size * self.element_bytes)

    def nbytes(self, batch: int, tokens: int) -> int | None:
        """Return the size of the cache for a batch of sequences of equal length."""
        per_token = self.bytes_per_token
        return per_token * batch * tokens if per_token is not None else None


def kv_cache(model: Model, deployment: Deployment) -> KvCache | None:
    """Run the analysis; None for a graph without a cache."""
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
    """Return the variant, by how many query heads share a key/value head: one, some, or all."""
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
    """Return the output that extends `past`, and the node that extends it."""
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
    """Return the output of a caching op that extends its input at `index`."""
    roles = of(node).inputs
    role = roles[index] if index < len(roles) else ""
    return node.output(int(role.removeprefix("past>"))) if role.startswith("past>") else None


def _returned(value: Value) -> Value | None:
    """Return the graph output that a value becomes after a few moves."""
    pending = [(value, 0)]
    seen = {id(value)}
    while pending:
        value, distance = pending.pop(0)
        if value.is_output:
            return value
        for node, _ in value.consumers if distance < REACH else ():
            result = node.output()
            if node.op_type in _PASSING and result is not None and id(result) not in seen:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None


def _sequence_axis(pair: CachePair, shape: Shape | None) -> int:
    """Return the axis of the extending Concat; the second to last for a caching op."""
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
    """Return heads and head size: the last dims other than batch and sequence."""
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
    """Return the heads of the product that reads the cache, from an attribute or its shapes."""
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
    """Follow the extended cache, possibly broadcast over heads, to its MatMul."""
    if value is None:
        return None
    pending = [(value, 0)]
    seen = {id(value)}
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
            if result is None or id(result) in seen or distance == 2 * REACH:
                continue
            if node.op_type in _TO_PRODUCT:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None
