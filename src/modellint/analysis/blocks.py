"""Repeated blocks and attention of a graph, detected by structure rather than names.

>>> found = blocks(model, deployment)
>>> [(block.kind, block.count) for block in found.summary]      # [("transformer", 12)]
>>> found.attention                                              # Attention(variant="GQA", …)
>>> found.of("residual")[0].nodes
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal

from modellint.analysis.attention import AttentionBlock, attention_blocks
from modellint.analysis.folding import Folding
from modellint.analysis.kv_cache import attention_variant
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Value
from modellint.operators import Trait, having, of
from modellint.targets.deployment import Deployment

Kind = Literal["transformer", "inverted residual", "residual", "squeeze and excitation"]

_CONVOLUTIONS = having(Trait.CONVOLUTION)
_LAYERS = having(Trait.CONVOLUTION, Trait.MATMUL, Trait.GEMM)
_ADDITIONS = having(Trait.ADDITION)
_SUMS = having(Trait.ADDITION, Trait.SKIP_NORMALIZATION)
_MULTIPLICATIONS = having(Trait.MULTIPLICATION)
_ATTENTION_OPS = having(Trait.ATTENTION)
_GATES = having(Trait.SIGMOID)
_MEANS = having(Trait.MEAN)
_BROADCASTS = having(Trait.BROADCAST)
LONGEST = 200
"""Maximum nodes in the branch of a residual; a longer branch is the model, not a block."""


@dataclass(frozen=True, slots=True)
class GraphBlock:
    """An occurrence of a block, from the node after its input to its last node."""

    kind: Kind
    nodes: tuple[Node, ...]
    source: Value
    end: Node


@dataclass(frozen=True, slots=True)
class BlockCount:
    kind: Kind
    count: int


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """An attention layer: a single op, or a softmax between two products."""

    node: Node
    query_heads: int | None
    kv_heads: int | None
    head_size: int | None

    @property
    def variant(self) -> str | None:
        """Return ``MHA``, ``GQA`` or ``MQA``."""
        return attention_variant(self.query_heads, self.kv_heads)


class Blocks:
    """All blocks of the main graph."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self._graph = model.graph
        self._folding = Folding(model, deployment)
        self._types = self._folding.types
        self._written_out = list(attention_blocks(model.graph))
        self._softmaxes = {id(block.softmax) for block in self._written_out}

    @cached_property
    def all(self) -> tuple[GraphBlock, ...]:
        residuals = _without_outer(list(self._residuals(self._graph)))
        inverted = list(self._inverted(self._graph))
        inside = {id(node) for block in inverted for node in block.nodes}
        plain = [block for block in residuals if not any(id(n) in inside for n in block.nodes)]
        return (*self._transformers(plain), *inverted, *plain, *_squeezes(self._graph))

    def of(self, kind: Kind) -> tuple[GraphBlock, ...]:
        return tuple(block for block in self.all if block.kind == kind)

    @property
    def summary(self) -> tuple[BlockCount, ...]:
        """Return the number of blocks of each kind, without residuals inside transformers."""
        inner = {id(node) for block in self.of("transformer") for node in block.nodes}
        counts = Counter(
            block.kind
            for block in self.all
            if block.kind != "residual" or id(block.end) not in inner
        )
        return tuple(BlockCount(kind, count) for kind, count in counts.most_common())

    @cached_property
    def attention_layers(self) -> tuple[AttentionLayer, ...]:
        return tuple(self._attentions(self._graph))

    @property
    def attention(self) -> AttentionLayer | None:
        """Return the most frequent attention layer; None for a model without attention."""
        layers = self.attention_layers
        if not layers:
            return None
        shapes = Counter((layer.query_heads, layer.kv_heads, layer.head_size) for layer in layers)
        usual = shapes.most_common(1)[0][0]
        return next(
            layer
            for layer in layers
            if (layer.query_heads, layer.kv_heads, layer.head_size) == usual
        )

    # Transformers

    def _transformers(self, residuals: list[GraphBlock]) -> Iterator[GraphBlock]:
        """Iterate over residuals with attention, each followed by one with a feed-forward."""
        attending = [block for block in residuals if self._attends(block)]
        feeding = [block for block in residuals if not self._attends(block)]
        for one in attending:
            other = next((block for block in feeding if _continues(one, block)), None)
            if other is not None:
                yield GraphBlock("transformer", (*one.nodes, *other.nodes), one.source, other.end)

    def _attends(self, block: GraphBlock) -> bool:
        return any(
            node.op_type in _ATTENTION_OPS or id(node) in self._softmaxes for node in block.nodes
        )

    # Residuals

    def _residuals(self, graph: Graph) -> Iterator[GraphBlock]:
        """Iterate over additions of two paths that start from the same tensor."""
        masks = {id(node) for block in self._written_out for node in block.between}
        for node in graph.nodes:
            if node.op_type not in _SUMS or id(node) in masks:
                continue
            sides = [v for v in _operands(node) if not self._folding.is_constant(v)]
            if len(sides) != 2:
                continue
            block = self._residual(node, *sides)
            if block is not None:
                yield block

    def _residual(self, end: Node, one: Value, other: Value) -> GraphBlock | None:
        for skip, main in ((one, other), (other, one)):
            starts = dict.fromkeys((skip, _source_of_skip(skip)))
            forks = (start for start in starts if _has_others(start, end))
            branch = next(filter(None, (_branch_to(main, start) for start in forks)), None)
            if branch is None:
                continue
            nodes, start = branch
            weighted = [n for n in nodes if n.op_type in _LAYERS]
            if not weighted and not any(n.op_type in _ATTENTION_OPS for n in nodes):
                continue
            return GraphBlock("residual", (*reversed(nodes), end), start, end)
        return None

    # Inverted residuals

    def _inverted(self, graph: Graph) -> Iterator[GraphBlock]:
        """Iterate over depthwise convolutions between one that widens and one that narrows."""
        for node in graph.nodes:
            if not self._is_depthwise(node):
                continue
            expand, project = self._pointwise_before(node), self._pointwise_after(node)
            if expand is None or project is None:
                continue
            source = expand.input(0)
            wide, before, after = _width_of(node, 0), _width_of(expand, 1), _width_of(project, 0)
            if source is None or None in (wide, before, after):
                continue
            if int(before or 0) < int(wide or 0) > int(after or 0):
                yield GraphBlock("inverted residual", (expand, node, project), source, project)

    def _pointwise_before(self, node: Node) -> Node | None:
        value = node.input(0)
        for _ in range(8):
            before = value.producer if value is not None else None
            if before is None or before.op_type in _CONVOLUTIONS:
                return before if before is not None and _is_pointwise(before) else None
            value = next((v for v in before.inputs if v is not None and not v.is_constant), None)
        return None

    def _pointwise_after(self, node: Node) -> Node | None:
        """Return the next convolution on the main path, ignoring gates next to it."""
        for _ in range(10):
            value = node.output()
            users = [use.node for use in value.consumers] if value is not None else []
            gate = next((user for user in users if user.op_type in _MULTIPLICATIONS), None)
            follower = gate or next(iter(users), None)
            if follower is None or follower.op_type in _CONVOLUTIONS:
                return follower if follower is not None and _is_pointwise(follower) else None
            node = follower
        return None

    def _is_depthwise(self, node: Node) -> bool:
        group = node.get_int("group", 1) or 1
        return node.op_type in _CONVOLUTIONS and group > 1 and group == _width_of(node, 0)

    # Attention

    def _attentions(self, graph: Graph) -> Iterator[AttentionLayer]:
        for node in graph.nodes:
            if node.op_type in _ATTENTION_OPS:
                yield self._attention_op(node)
        for block in self._written_out:
            yield self._spelled_out(block)

    def _attention_op(self, node: Node) -> AttentionLayer:
        heads = node.get_int("q_num_heads") or node.get_int("num_heads")
        kv_heads = node.get_int("kv_num_heads") or heads
        query, key = node.input(0), node.input(1)
        shape = self._types.shape(query) if query is not None else None
        if heads is None and shape is not None and len(shape) == 4:
            key_shape = self._types.shape(key) if key is not None else None
            heads = _number(shape[1])
            kv_heads = _number(key_shape[1]) if key_shape and len(key_shape) == 4 else heads
            return AttentionLayer(node, heads, kv_heads, _number(shape[-1]))
        hidden = _number(shape[-1]) if shape else None
        return AttentionLayer(node, heads, kv_heads, hidden // heads if hidden and heads else None)

    def _spelled_out(self, block: AttentionBlock) -> AttentionLayer:
        source = block.softmax.input(0)
        shape = self._types.shape(source) if source is not None else None
        heads = _number(shape[-3]) if shape is not None and len(shape) >= 4 else None
        query = block.scores.input(0)
        query_shape = self._types.shape(query) if query is not None else None
        size = _number(query_shape[-1]) if query_shape else None
        shared = self._sharing(block.scores, heads)
        kv_heads = heads // shared if heads is not None and heads % shared == 0 else heads
        return AttentionLayer(block.softmax, heads, kv_heads, size)

    def _sharing(self, product: Node, heads: int | None) -> int:
        """Return the number of query heads per key head, by how far the keys are broadcast."""
        value = product.input(1)
        for _ in range(8):
            node = value.producer if value is not None else None
            if node is None or heads is None:
                return 1
            if node.op_type in _BROADCASTS:
                before, after = node.input(0), node.output()
                old = self._types.shape(before) if before is not None else None
                new = self._types.shape(after) if after is not None else None
                return _growth(old, new)
            value = node.input(0)
        return 1


def blocks(model: Model, deployment: Deployment) -> Blocks:
    """Run the analysis: ``context.analysis(blocks)``."""
    return Blocks(model, deployment)


def _operands(node: Node) -> list[Value]:
    second = of(node).place("other") or 1
    return [value for value in (node.input(0), node.input(second)) if value is not None]


def _source_of_skip(skip: Value) -> Value:
    """Return the start of the skip path, upstream of an adapting convolution or product."""
    value = skip
    adapted = 0
    for _ in range(6):
        node = value.producer
        if node is None or value.is_constant or len(value.consumers) != 1:
            return value
        source = node.input(0)
        adapted += node.op_type in _LAYERS
        if source is None or adapted > 1 or node.op_type in _ADDITIONS:
            return value
        value = source
    return value


def _has_others(value: Value, user: Node) -> bool:
    """Return True if nodes other than one read a value, as where a second path starts."""
    return any(use.node is not user for use in value.consumers)


def _branch_to(main: Value, start: Value) -> tuple[list[Node], Value] | None:
    """Return all nodes between `start` and `main`.

    Values computed before the start, such as masks, are ignored.
    """
    earliest = start.producer.index if start.producer is not None else -1
    nodes: dict[int, Node] = {}
    reached = False
    pending = [main]
    while pending:
        value = pending.pop()
        if value is start:
            reached = True
            continue
        node = value.producer
        if value.is_constant or node is None or node.index <= earliest or id(node) in nodes:
            continue
        nodes[id(node)] = node
        if len(nodes) > LONGEST:
            return None
        pending += [each for each in node.inputs if each is not None]
    if not reached or not nodes:
        return None
    return sorted(nodes.values(), key=lambda node: -node.index), start


def _without_outer(found: list[GraphBlock]) -> list[GraphBlock]:
    """Remove residuals around others: the whole model plus its input is not a block."""
    ends = sorted(block.end.index for block in found)
    return [
        block
        for block in found
        if bisect_left(ends, block.end.index) == bisect_left(ends, block.nodes[0].index)
    ]


def _is_pointwise(node: Node) -> bool:
    weight = _weight(node)
    shape = weight.shape if weight is not None else None
    return shape is not None and len(shape) >= 3 and all(dim == 1 for dim in shape[2:])


def _width_of(node: Node, axis: int) -> int | None:
    """Return the output channels (0) or input channels (1) of a convolution."""
    weight = _weight(node)
    shape = weight.shape if weight is not None else None
    return _number(shape[axis]) if shape is not None and len(shape) > axis else None


def _weight(node: Node) -> Value | None:
    return node.input(of(node).place("weight") or 1)


def _continues(one: GraphBlock, other: GraphBlock) -> bool:
    value: Value | None = other.source
    for _ in range(16):
        node = value.producer if value is not None else None
        if node is None:
            return False
        if node is one.end:
            return True
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
    return False


def _squeezes(graph: Graph) -> Iterator[GraphBlock]:
    """Iterate over products of a tensor with a gate computed from its mean."""
    for node in graph.nodes:
        operands = _operands(node) if node.op_type in _MULTIPLICATIONS else []
        if len(operands) < 2:
            continue
        for gate, tensor in ((operands[0], operands[-1]), (operands[-1], operands[0])):
            nodes = _gate(gate, tensor)
            if nodes is not None:
                yield GraphBlock("squeeze and excitation", (*reversed(nodes), node), tensor, node)
                break


def _gate(value: Value, tensor: Value) -> list[Node] | None:
    """Return the nodes from the gate back through two weighted layers to the mean of `tensor`."""
    nodes: list[Node] = []
    weighted = 0
    gated = False
    for _ in range(16):
        node = value.producer
        if node is None:
            return None
        nodes.append(node)
        gated |= node.op_type in _GATES
        weighted += node.op_type in _LAYERS
        source = node.input(0)
        if source is None:
            return None
        if node.op_type in _MEANS:
            return nodes if gated and weighted >= 1 and source is tensor else None
        if not gated and weighted:
            # The gate may be decomposed to Clip(x + 3) / 6.
            gated = any(each.op_type in ("Clip", "Div", "HardSwish") for each in nodes)
        value = next((v for v in node.inputs if v is not None and not v.is_constant), source)
    return None


def _growth(old: Iterable[object] | None, new: Iterable[object] | None) -> int:
    """Return the factor by which an axis grows."""
    for before, after in zip(old or (), new or (), strict=False):
        if isinstance(before, int) and isinstance(after, int) and before and after > before:
            return after // before
    return 1


def _number(dim: object) -> int | None:
    return dim if isinstance(dim, int) else None
