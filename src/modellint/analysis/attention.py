"""Decomposed attention: a product, its Softmax, and a second product."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import field

from modellint.analysis.fusion import consuming_nodes, made_by, number, operands, other_input
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

MOST_STEPS = 8
"""Limit on ops between a product and the Softmax."""
_SAME = having(Trait.VIEW, Trait.CAST)
"""Ops that do not change values."""
_SCALINGS = having(Trait.SCALING)
_PATH = having(Trait.VIEW, Trait.CAST, Trait.TRANSPOSE, Trait.SCALING)
_CURVES = having(Trait.ACTIVATION, Trait.CURVED)
_SCORING = having(Trait.VIEW, Trait.CAST, Trait.SCALING)
_ARITHMETIC = having(Trait.ARITHMETIC)
_BROADCASTS = having(Trait.BROADCAST)
_MASKS = frozenset({"Add", "Where", "Sub"})
_GUARD = frozenset({"IsNaN", "Where"})
_AFTER = frozenset({"Mul", "Relu", "Transpose"})
"""Other ops between the Softmax and the result."""


@dataclass(slots=True)
class AttentionBlock:
    """An attention block; lists are in order of execution."""

    scores: Node
    """The MatMul of queries and keys."""
    softmax: Node
    result: Node
    """The MatMul of probabilities and values."""
    between: list[Node] = field(default_factory=list)
    """Nodes between the scores and the Softmax: scales, masks, and others."""
    after: list[Node] = field(default_factory=list)
    """Nodes between the Softmax and the result."""

    @property
    def nodes(self) -> list[Node]:
        return [self.scores, *self.between, self.softmax, *self.after, self.result]

    @property
    def scales(self) -> list[Node]:
        return [n for n in self.between if n.op_type in _SCALINGS and _constant_side(n)]

    @property
    def masks(self) -> list[Node]:
        return [n for n in self.between if n.op_type in _MASKS]

    @property
    def casts(self) -> list[Node]:
        """Return casts in the block, other than those around a half-precision Softmax."""
        casts = [n for n in (*self.between, *self.after) if n.op_type == "Cast"]
        return [n for n in casts if _changes(n)]

    @property
    def guard(self) -> list[Node]:
        """Return the nodes that replace the NaNs of fully masked rows."""
        return self.after if any(n.op_type == "IsNaN" for n in self.after) else []

    @property
    def shared(self) -> Node | None:
        """Return the node whose probabilities are also used elsewhere or returned."""
        inside = {id(node) for node in self.nodes}
        for node in (self.softmax, *self.after):
            output = node.output()
            if output is not None and (
                output.is_output or any(id(each) not in inside for each in consuming_nodes(output))
            ):
                return node
        return None

    @property
    def alterations(self) -> list[Node]:
        """Return nodes that change scores or probabilities in ways unknown to attention."""
        return [
            *(node for node in self.between if node.op_type in _CURVES),
            *(n for n in self.after if n.op_type not in _SAME and n.op_type not in _GUARD),
        ]

    @property
    def expands(self) -> list[Node]:
        """Return nodes that copy keys and values for the query heads that share them."""
        found = (self.expand_of(product) for product in (self.scores, self.result))
        return [node for node in found if node is not None]

    def expand_of(self, product: Node) -> Node | None:
        """Return the node that copies heads for one of the two products, if there is one."""
        return _upstream(product, _BROADCASTS)


class Attentions:
    """All attention blocks of a model."""

    starts_from = ("Softmax",)

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.found = [
            block for graph in model.graphs(functions=True) for block in attention_blocks(graph)
        ]


def attention_blocks(graph: Graph) -> Iterator[AttentionBlock]:
    """Iterate over the attention blocks of a graph."""
    for softmax in graph.by_op.get("Softmax", ()):
        start = _scores(softmax)
        end = _result(softmax)
        if start is not None and end is not None:
            (scores, between), (result, after) = start, end
            yield AttentionBlock(scores, softmax, result, between, after)


def _scores(softmax: Node) -> tuple[Node, list[Node]] | None:
    """Return the MatMul upstream of the Softmax, and the nodes between them."""
    between: list[Node] = []
    value = softmax.input(0)
    for _ in range(MOST_STEPS):
        node = value.producer if value is not None else None
        if node is None:
            return None
        if node.op_type == "MatMul":
            both_computed = not any(v is None or v.is_constant for v in node.inputs[:2])
            return (node, between[::-1]) if both_computed else None
        value = _main_input(node)
        between.append(node)
    return None


def _main_input(node: Node) -> Value | None:
    """Return the operand that leads to the scores rather than to a mask or scale."""
    op = node.op_type
    if op in _SAME or op in _CURVES:
        return node.input(0)
    if op in _SCALINGS and _constant_side(node):
        return next((v for v in node.inputs if v is not None and not v.is_constant), None)
    if op == "Where":
        return next((v for v in node.inputs[1:] if _leads_to_product(v)), None)
    if op in _ARITHMETIC:
        return next((v for v in node.inputs if _leads_to_product(v)), None)
    return None


def _leads_to_product(value: Value | None) -> bool:
    for _ in range(MOST_STEPS):
        node = value.producer if value is not None else None
        if node is None:
            return False
        if node.op_type == "MatMul":
            return not any(v is None or v.is_constant for v in node.inputs[:2])
        if node.op_type in _MASKS:
            return any(_leads_to_product_directly(v) for v in node.inputs)
        if node.op_type not in _SCORING and node.op_type not in _CURVES:
            return False
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
    return False


def _leads_to_product_directly(value: Value | None) -> bool:
    """Return True without following another mask, which would multiply the paths."""
    for _ in range(MOST_STEPS):
        node = value.producer if value is not None else None
        if node is None:
            return False
        if node.op_type == "MatMul":
            return not any(v is None or v.is_constant for v in node.inputs[:2])
        if node.op_type not in _SCORING:
            return False
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
    return False


def _result(softmax: Node) -> tuple[Node, list[Node]] | None:
    """Return the MatMul that consumes the probabilities, and the nodes between them."""
    after: list[Node] = []
    value = softmax.output()
    for _ in range(4):
        users = consuming_nodes(value)
        product = next((n for n in users if n.op_type == "MatMul" and n.input(0) is value), None)
        if product is not None:
            return product, after
        isnan = next((n for n in users if n.op_type == "IsNaN"), None)
        where = next((n for n in users if n.op_type == "Where"), None)
        if isnan is not None and where is not None and where.input(0) is isnan.output():
            after += [isnan, where]
            value = where.output()
            continue
        following = [n for n in users if n.op_type in _SAME or n.op_type in _AFTER]
        if len(following) != 1:
            return None
        after.append(following[0])
        value = following[0].output()
    return None


def _constant_side(node: Node) -> bool:
    return any(number(value) is not None for value in node.inputs)


def _changes(cast: Node) -> bool:
    before, after = cast.input(0), cast.output()
    if before is None or after is None or before.dtype is None or after.dtype is None:
        return False
    return before.dtype is not after.dtype


def _upstream(product: Node, ops: Collection[str]) -> Node | None:
    """Return an op upstream of a product's second operand."""
    value = product.input(1)
    for _ in range(MOST_STEPS):
        node = value.producer if value is not None else None
        if node is None:
            return None
        if node.op_type in ops:
            return node
        if node.op_type not in _PATH:
            return None
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
    return None


@dataclass(slots=True)
class Rotation:
    """A decomposed rotary embedding: x cos + rotated(x) sin."""

    last: Node
    nodes: list[Node]


class Rotations:
    """All decomposed rotary embeddings of a model."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.found = [
            rotation
            for graph in model.graphs(functions=True)
            for neg in graph.by_op.get("Neg", ())
            if (rotation := _rotation(neg)) is not None
        ]


def _rotation(neg: Node) -> Rotation | None:
    half = made_by(neg.input(0), "Slice", "Split")
    concat = next((n for n in consuming_nodes(neg.output()) if n.op_type == "Concat"), None)
    if half is None or concat is None or len(concat.inputs) != 2:
        return None
    rest = other_input(concat, neg.output())
    other = made_by(rest, half.op_type)
    if other is None or rest is neg.input(0) or other.input(0) is not half.input(0):
        return None
    sine = next((n for n in consuming_nodes(concat.output()) if n.op_type == "Mul"), None)
    total = (
        next((n for n in consuming_nodes(sine.output()) if n.op_type == "Add"), None)
        if sine
        else None
    )
    if sine is None or total is None:
        return None
    cosine = made_by(other_input(total, sine.output()), "Mul")
    if cosine is None or not any(v is half.input(0) for v, _ in operands(cosine)):
        return None
    nodes = {id(n): n for n in (half, other, neg, concat, sine, cosine, total)}
    return Rotation(total, sorted(nodes.values(), key=lambda node: node.index))
