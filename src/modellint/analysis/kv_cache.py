"""KV cache of a decoder and states of other models, by what the graph does with them, not by name.

>>> cache = kv_cache(model, deployment)
>>> if cache is not None:
...     cache.layers, cache.kv_heads, cache.head_size, cache.query_heads
...     cache.bytes_per_token           # per sequence, at the deployment's precision
...     cache.nbytes(batch=8, tokens=4096)
>>> states(model)                       # inputs that come back, as large as they went in
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from modellint.analysis.attention import attention_blocks
from modellint.analysis.precision import activation_dtype
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import DTYPES, Graph, Model, Node, Shape, Value, element_count
from modellint.operators import Trait, having, of
from modellint.targets.deployment import Deployment

_ATTENTION = having(Trait.ATTENTION)
_EXTENDING = having(Trait.EXTENDS)
_PASSING = {"Where", "Add"} | having(
    Trait.VIEW,
    Trait.CAST,
    Trait.TRANSPOSE,
    Trait.SELECTS,
    Trait.QUANTIZE,
    Trait.DEQUANTIZE,
).keys()
_CONCATS = having(Trait.CONCATENATES)
_WITH_OTHERS = _PASSING | _CONCATS.keys()
_TO_PRODUCT = _WITH_OTHERS | having(Trait.BROADCAST, Trait.MULTIPLICATION).keys()
_CACHE, _STATE = "past>", "state>"
"""Roles of inputs that come back as an output, whose index follows."""
REACH = 8
"""Limit on element-moving ops between the model's input and the op that extends it."""


@dataclass(frozen=True, slots=True)
class CachePair:
    """A tensor that a model carries on: an input, and the output that is fed back to it."""

    past: Value
    present: Value
    extended_by: Node
    arrives: Value
    """The input where it is extended: itself, or a view or part of it."""

    @property
    def is_stacked(self) -> bool:
        """Return True if keys and values of a layer are in one tensor."""
        return len(self.past.shape or ()) == 5

    @property
    def role(self) -> str:
        """Return the role of the input at the op that extends it; empty if it has none."""
        roles = zip(of(self.extended_by).inputs, self.extended_by.inputs, strict=False)
        return next((role for role, value in roles if value is self.arrives), "")


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
    pairs = _carried(model).caches
    if not pairs:
        return None
    shape = pairs[0].past.shape or pairs[0].present.shape
    axis = _sequence_axis(pairs[0], shape)
    reader = _reader(pairs[0])
    heads, size = _heads_and_size(shape, axis, reader)
    dtype = activation_dtype(pairs[0].past.dtype or DTYPES["float32"], deployment.precision)
    stacked = sum(pair.is_stacked for pair in pairs)
    symbol = shape[axis] if shape is not None and axis < len(shape) else None
    return KvCache(
        pairs,
        layers=stacked + -(-(len(pairs) - stacked) // 2),
        kv_heads=heads,
        head_size=size,
        query_heads=_query_heads(reader),
        element_bytes=dtype.bits / 8,
        sequence_axis=axis,
        sequence_symbol=symbol if isinstance(symbol, str) else None,
    )


def states(model: Model) -> tuple[CachePair, ...]:
    """Return tensors that are carried on without growing, such as the state of an LSTM."""
    return _carried(model).states


def attention_variant(query_heads: int | None, kv_heads: int | None) -> str | None:
    """Return the variant, by how many query heads share a key/value head: one, some, or all."""
    if not query_heads or not kv_heads:
        return None
    if kv_heads == query_heads:
        return "MHA"
    return "MQA" if kv_heads == 1 else "GQA"


# What is carried on


@dataclass(frozen=True, slots=True)
class _Carried:
    caches: tuple[CachePair, ...]
    states: tuple[CachePair, ...]


_CARRIED: Remembered[_Carried] = Remembered()


def _carried(model: Model) -> _Carried:
    return model.memo.get(_CARRIED, None, lambda: _find_carried(model.graph))


def _find_carried(graph: Graph) -> _Carried:
    found = tuple(_pairs(graph))
    products = _attention_products(graph) if found else frozenset()
    caches = tuple(pair for pair in found if _is_cache(pair, products))
    others = (pair for pair in found if pair not in caches)
    return _Carried(caches, tuple(pair for pair in others if _is_state(pair)))


def _is_cache(pair: CachePair, products: Collection[int]) -> bool:
    """Return True for keys and values: what attention reads, or what grows by new elements."""
    if pair.role.startswith(_STATE):
        return False
    return pair.role.startswith(_CACHE) or _grows(pair) or _is_attended(pair, products)


def _is_state(pair: CachePair) -> bool:
    past, present = pair.past.shape, pair.present.shape
    return pair.role.startswith(_STATE) or (past is not None and past == present)


def _grows(pair: CachePair) -> bool:
    """Return True if an open axis other than the batch grows by as much as an input brings."""
    node, shape = pair.extended_by, pair.past.shape
    if node.op_type not in _CONCATS or not shape:
        return False
    if pair.past not in node.inputs:  # but a part of it
        return _growing_axis(pair) not in (None, 0)
    axis = _sequence_axis(pair, shape)
    present = pair.present.shape or ()
    if axis == 0 or any(isinstance(dims[axis], int) for dims in (shape, present) if dims):
        return False
    others = [each.shape for each in node.inputs if each is not None and each is not pair.past]
    added = {other[axis] for other in others if other is not None and len(other) == len(shape)}
    fed = {dim for value in pair.past.graph.inputs for dim in value.declared_shape or ()}
    return bool(added) and shape[axis] not in added and added <= fed | {1}


def _attention_products(graph: Graph) -> frozenset[int]:
    """Return the ids of the products of attention that is written out."""
    blocks = attention_blocks(graph)
    return frozenset(id(node) for block in blocks for node in (block.scores, block.result))


def _is_attended(pair: CachePair, products: Collection[int]) -> bool:
    reader = _reader(pair)
    return reader is not None and (reader.op_type in _ATTENTION or id(reader) in products)


def _pairs(graph: Graph) -> Iterator[CachePair]:
    for value in graph.inputs:
        shape = value.shape
        if value.is_constant or shape is None or len(shape) not in (3, 4, 5):
            continue
        found = _follow(value)
        if found is not None:
            yield found


def _follow(past: Value) -> CachePair | None:
    """Return the output that extends `past`, and the node that extends it."""
    pending = [(past, 0)]
    seen = {id(past)}
    while pending:
        value, distance = pending.pop(0)
        for node, index in value.consumers:
            present = _carried_by(node, index)
            returned = _returned(present, _WITH_OTHERS) if present is not None else None
            if returned is not None:
                return CachePair(past, returned, node, value)
            result = node.output()
            if result is None or id(result) in seen:
                continue
            if node.op_type in _EXTENDING and (index == 0 or node.op_type in _CONCATS):
                returned = _returned(result)
                if returned is not None and len(returned.shape or ()) == len(past.shape or ()):
                    return CachePair(past, returned, node, value)
            moves = node.op_type in _CONCATS or (node.op_type in _PASSING and index == 0)
            if moves and distance < REACH:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None


def _carried_by(node: Node, index: int) -> Value | None:
    """Return the output that returns an op's input at `index`."""
    roles = of(node).inputs
    _, carries, output = (roles[index] if index < len(roles) else "").partition(">")
    return node.output(int(output)) if carries else None


def _returned(value: Value, passing: Collection[str] = _PASSING) -> Value | None:
    """Return the graph output that a value becomes after a few moves."""
    pending = [(value, 0)]
    seen = {id(value)}
    while pending:
        value, distance = pending.pop(0)
        if value.is_output:
            return value
        for node, _ in value.consumers if distance < REACH else ():
            result = node.output()
            if node.op_type in passing and result is not None and id(result) not in seen:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None


# The dims of a cache


def _sequence_axis(pair: CachePair, shape: Shape | None) -> int:
    """Return the axis along which the cache is extended; the second to last for a caching op."""
    rank = len(shape or ()) or 4
    node = pair.extended_by
    along = node.get_int("axis") if node.op_type in _EXTENDING else None
    if along is not None and pair.past in node.inputs:
        return along % rank
    axis = _growing_axis(pair)
    return axis if axis is not None else rank - 2


def _growing_axis(pair: CachePair) -> int | None:
    """Return the only axis whose open size differs between past and present."""
    dims = zip(pair.past.shape or (), pair.present.shape or (), strict=False)
    differing = [
        axis
        for axis, (old, new) in enumerate(dims)
        if old != new and not (isinstance(old, int) and isinstance(new, int))
    ]
    return differing[0] if len(differing) == 1 else None


def _heads_and_size(
    shape: Shape | None, axis: int, reader: Node | None
) -> tuple[int | None, int | None]:
    """Return heads and head size: the last dims other than batch and sequence."""
    if shape is None:
        return None, None
    heads, size = [dim for at, dim in enumerate(shape) if at != axis][-2:]
    if len(shape) == 3 and isinstance(size, int):  # heads and their size in one dim
        heads = (reader.get_int("kv_num_heads") if reader is not None else None) or 1
        size //= heads
    elif len(shape) == 3:
        return None, None
    return (
        heads if isinstance(heads, int) else None,
        size if isinstance(size, int) else None,
    )


def _query_heads(reader: Node | None) -> int | None:
    """Return the heads of the queries, from an attribute or the shapes of the product."""
    if reader is None:
        return None
    for name in ("num_heads", "q_num_heads"):
        heads = reader.get_int(name)
        if heads:
            return heads
    return _heads_of_product(reader)


def _heads_of_product(node: Node) -> int | None:
    operands = node.inputs[:1] if node.op_type in _ATTENTION else node.inputs[:2]
    shapes = (value.shape for value in operands if value is not None)
    counts = (element_count(shape[1:-2]) for shape in shapes if shape and len(shape) >= 4)
    return max((count for count in counts if count is not None), default=None)


def _reader(pair: CachePair) -> Node | None:
    """Return the attention or product that reads the extended cache, if broadcast over heads."""
    if pair.extended_by.op_type in _ATTENTION:
        return pair.extended_by
    extended = pair.extended_by.output()
    pending = [(extended, 0)] if extended is not None else []
    seen = {id(extended)}
    while pending:
        value, distance = pending.pop(0)
        for node, _ in value.consumers:
            if node.op_type == "MatMul" or node.op_type in _ATTENTION:
                return node
            result = node.output()
            if result is None or id(result) in seen or distance == 2 * REACH:
                continue
            if node.op_type in _TO_PRODUCT:
                seen.add(id(result))
                pending.append((result, distance + 1))
    return None
