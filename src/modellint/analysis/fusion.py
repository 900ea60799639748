"""Detection of decomposed ops in graphs, and of the nodes that prevent their fusion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import field
from math import isclose
from typing import Literal

from modellint.analysis.chains import LONGEST
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Value, small_constant, small_integers
from modellint.operators import Trait, names
from modellint.targets.deployment import Deployment

TRANSPARENT = frozenset(names(Trait.TRANSPARENT))
"""Ops without mathematical effect."""
NARROW = frozenset({"float16", "bfloat16"})


# --- Helpers ---------------------------------------------------------------------------------


def made_by(value: Value | None, *ops: str) -> Node | None:
    """Return the producer of a value if it is one of these ops."""
    producer = value.producer if value is not None else None
    return producer if producer is not None and producer.qualified_op in ops else None


def through(value: Value | None, seen: list[Node] | None = None) -> Value | None:
    """Return the value upstream of Casts and similar ops, which are added to `seen`."""
    for _ in range(LONGEST):
        node = value.producer if value is not None else None
        if node is None or node.outputs[0] is not value or node.qualified_op not in TRANSPARENT:
            break
        if not node.inputs or node.inputs[0] is None:
            break
        if seen is not None:
            seen.append(node)
        value = node.inputs[0]
    return value


def onward(value: Value, seen: list[Node] | None = None) -> Value:
    """Return the value downstream of Casts and similar ops with a single consumer."""
    for _ in range(LONGEST):
        node = value.sole_consumer
        output = node.output() if node is not None else None
        if node is None or output is None or node.qualified_op not in TRANSPARENT:
            break
        if seen is not None:
            seen.append(node)
        value = output
    return value


def consuming_nodes(value: Value | None) -> list[Node]:
    """Return the distinct consumers of a value."""
    if value is None:
        return []
    return list({id(use.node): use.node for use in value.consumers}.values())


def number(value: Value | None) -> float | None:
    """Return the value of a small constant with one element."""
    array = small_constant(value)
    if array is None or array.size == 0 or array.dtype.kind not in "fiub":
        return None
    flat = array.reshape(-1)
    return float(flat[0]) if array.size == 1 or bool((flat == flat[0]).all()) else None


def is_number(value: Value | None, wanted: float, tolerance: float = 2e-3) -> bool:
    known = number(value)
    return known is not None and isclose(known, wanted, rel_tol=tolerance)


def other_input(node: Node, value: Value | None) -> Value | None:
    """Return the other operand of a binary node."""
    if len(node.inputs) != 2:
        return None
    first, second = node.inputs
    return second if first is value else first if second is value else None


def operands(node: Node) -> Iterator[tuple[Value, Value]]:
    """Iterate over both orders of a commutative node's two inputs."""
    if len(node.inputs) == 2 and node.inputs[0] is not None and node.inputs[1] is not None:
        yield node.inputs[0], node.inputs[1]
        yield node.inputs[1], node.inputs[0]


def shared(nodes: Iterable[Node], last: Node) -> tuple[Node, Node | None] | None:
    """Return a node before the last one whose output is also used outside, and its user."""
    nodes = list(nodes)
    inside = {id(node) for node in nodes}
    for node in nodes:
        if node is last:
            continue
        for value in node.outputs:
            if value is None:
                continue
            if value.is_output:
                return node, None
            for use in value.consumers:
                if not _leads_inside(use.node, inside):
                    return node, use.node
    return None


def _leads_inside(node: Node, inside: Collection[int]) -> bool:
    """Return True if a node is inside, or is a Cast with consumers only inside."""
    for _ in range(LONGEST):
        if id(node) in inside:
            return True
        output = node.output()
        following = output.sole_consumer if output is not None else None
        if node.qualified_op not in TRANSPARENT or following is None:
            return False
        node = following
    return False


def axes_of(node: Node) -> tuple[int, ...] | None:
    """Return the axes of a Reduce node, from its attribute or input; None if unknown."""
    given = node.get_ints("axes")
    return given if given is not None else small_integers(node.input(1))


# --- Normalizations --------------------------------------------------------------------------

NormKind = Literal["layer", "rms", "instance"]


@dataclass(slots=True)
class Blocker:
    """A node that prevents a fusion, and the reason."""

    reason: str
    node: Node
    detail: str = ""


@dataclass(slots=True)
class Norm:
    """A decomposed normalization: x divided by the root of a mean of squares."""

    kind: NormKind
    root: Node
    """Sqrt, or an equivalent Pow."""
    last: Node
    nodes: list[Node]
    axes: tuple[int, ...] | None
    blockers: list[Blocker] = field(default_factory=list)
    """Nodes that prevent ONNX Runtime's fusion."""


class Norms:
    """All decomposed normalizations of a model."""

    starts_from = ("Sqrt", "Pow")

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self._types = DeployedTypes(model, deployment)
        self.found = [norm for graph in model.graphs(functions=True) for norm in self._of(graph)]

    def _of(self, graph: Graph) -> Iterator[Norm]:
        for root in graph.by_op.get("Sqrt", ()):
            norm = self._at(root)
            if norm is not None:
                yield norm
        for root in graph.by_op.get("Pow", ()):
            if abs(number(root.input(1)) or 0) == 0.5:
                norm = self._at(root)
                if norm is not None:
                    yield norm

    def _at(self, root: Node) -> Norm | None:
        casts: list[Node] = []
        add = made_by(through(root.input(0), casts), "Add", "Max")
        if add is None:
            return None
        for spread, epsilon in operands(add):
            variance = made_by(through(spread, casts), "ReduceMean")
            small = number(epsilon)
            if variance is not None and small is not None and 0 <= small < 0.1:
                return self._from_variance(root, add, variance, casts)
        return None

    def _from_variance(
        self, root: Node, add: Node, variance: Node, casts: list[Node]
    ) -> Norm | None:
        square = made_by(through(variance.input(0), casts), "Pow", "Mul")
        base = squared(square)
        if square is None or base is None:
            return None
        leading: list[Node] = []
        centred = through(base, leading)
        nodes = [square, variance, add, root]
        difference = made_by(centred, "Sub")
        mean = self._mean_taken_off(difference)
        kind: NormKind = "rms"
        if difference is not None and mean is not None:
            kind = "layer"
            nodes += [mean, difference]
        quotient, inverse = self._quotient(root, centred, difference)
        if quotient is None:
            return None
        nodes += [node for node in (inverse, quotient) if node is not None]
        axes = self._axes(variance)
        if kind == "layer" and self._is_spatial(variance, axes):
            kind = "instance"
        norm = Norm(kind, root, quotient, nodes, axes)
        through(quotient.input(1), casts)
        if all(base is not operand for operand in quotient.inputs):
            casts += leading
        self._judge(norm, square, add, variance, inverse, quotient, casts)
        return norm

    def _mean_taken_off(self, difference: Node | None) -> Node | None:
        mean = made_by(through(difference.input(1)), "ReduceMean") if difference else None
        if mean is None or difference is None:
            return None
        return mean if through(mean.input(0)) is through(difference.input(0)) else None

    def _quotient(
        self, root: Node, centred: Value | None, difference: Node | None
    ) -> tuple[Node | None, Node | None]:
        """Return the division by the root, and the reciprocal if there is one."""
        output = root.output()
        if output is None:
            return None, None
        if root.op_type == "Pow" and (number(root.input(1)) or 0) < 0:
            return self._product(output, centred, difference), None
        for node in consuming_nodes(onward(output)):
            if node.op_type == "Div" and through(node.input(1)) is output:
                if self._same(node.input(0), centred, difference):
                    return node, None
                if is_number(node.input(0), 1.0):
                    return self._product(node.output(), centred, difference), node
            elif node.op_type == "Reciprocal":
                return self._product(node.output(), centred, difference), node
        return None, None

    def _product(
        self, inverse: Value | None, centred: Value | None, difference: Node | None
    ) -> Node | None:
        if inverse is None:
            return None
        for node in consuming_nodes(onward(inverse)):
            if node.op_type == "Mul" and any(
                through(factor) is inverse and self._same(base, centred, difference)
                for factor, base in operands(node)
            ):
                return node
        return None

    def _same(self, value: Value | None, centred: Value | None, difference: Node | None) -> bool:
        """Return True for the squared value, or the same difference computed again."""
        value = through(value)
        if value is centred:
            return True
        twin = made_by(value, "Sub")
        return twin is not None and difference is not None and twin.inputs == difference.inputs

    def _axes(self, variance: Node) -> tuple[int, ...] | None:
        axes, value = axes_of(variance), variance.input(0)
        shape = self._types.shape(value) if value is not None else None
        if axes is None or shape is None:
            return axes
        return tuple(sorted(axis % len(shape) for axis in axes if -len(shape) <= axis < len(shape)))

    def _rank(self, node: Node) -> int | None:
        value = node.input(0)
        shape = self._types.shape(value) if value is not None else None
        return len(shape) if shape is not None else None

    def _is_spatial(self, variance: Node, axes: tuple[int, ...] | None) -> bool:
        rank = self._rank(variance)
        return rank is not None and rank > 3 and axes == tuple(range(2, rank))

    def _is_last(self, variance: Node, axes: tuple[int, ...] | None) -> bool | None:
        if axes is None:
            return None
        rank = self._rank(variance)
        return axes == (-1,) or (None if rank is None else axes == (rank - 1,))

    def _judge(
        self,
        norm: Norm,
        square: Node,
        add: Node,
        variance: Node,
        inverse: Node | None,
        quotient: Node,
        casts: list[Node],
    ) -> None:
        """Record what prevents ONNX Runtime's LayerNormFusion or SimplifiedLayerNormFusion."""
        blockers = norm.blockers
        if square.op_type == "Mul":
            blockers.append(Blocker("square", square))
        if add.op_type == "Max":
            blockers.append(Blocker("epsilon", add))
        if norm.root.op_type == "Pow":
            blockers.append(Blocker("power", norm.root))
        if inverse is not None and inverse.op_type == "Reciprocal":
            blockers.append(Blocker("reciprocal", inverse))
        if self._is_last(variance, norm.axes) is False:
            detail = ", ".join(map(str, norm.axes or ()))
            blockers.append(Blocker("axes", variance, detail))
        scale = self._scale(quotient)
        if scale is None:
            blockers.append(Blocker("scale", quotient))
        else:
            norm.nodes.append(scale)
            norm.last = scale
            if norm.kind == "rms":
                casts += [node for node in consuming_nodes(quotient.output()) if node is not scale]
            weight = next((v for v in scale.inputs if v is not None and v.is_constant), None)
            if weight is not None and weight.tensor is not None and len(weight.tensor.shape) != 1:
                blockers.append(Blocker("rank", scale, str(len(weight.tensor.shape))))
            bias = self._bias(scale) if norm.kind != "rms" else None
            if bias is not None:
                norm.nodes.append(bias)
                norm.last = bias
        norm.nodes = _in_order(norm.nodes)
        inner = [node for node in norm.nodes if node.op_type not in ("Sub", "ReduceMean")]
        taken = shared([*inner, variance], norm.last)
        if taken is not None and taken[0] is not scale:
            blockers.append(Blocker("shared", taken[0], taken[1].label if taken[1] else ""))
        blockers += [Blocker("cast", node) for node in casts if _changes_type(node)]

    def _scale(self, quotient: Node) -> Node | None:
        """Return the following Mul by the weight; None if another op comes first."""
        output = quotient.output()
        node = onward(output).sole_consumer if output is not None else None
        if node is None and output is not None:
            node = next((n for n in consuming_nodes(onward(output)) if n.op_type == "Mul"), None)
        if node is None or node.op_type != "Mul":
            return None
        weight = next((w for x, w in operands(node) if through(x) is output), None)
        return node if weight is not None and self._is_weight(weight) else None

    def _is_weight(self, value: Value) -> bool:
        """Return True for a constant, or a small value computed from one."""
        source = through(value)
        if source is None or source.is_constant:
            return source is not None
        shape = self._types.shape(value)
        return shape is not None and len(shape) == 1

    def _bias(self, scale: Node) -> Node | None:
        output = scale.output()
        node = onward(output).sole_consumer if output is not None else None
        if node is None or node.op_type != "Add":
            return None
        weight = next((w for x, w in operands(node) if through(x) is output), None)
        return node if weight is not None and self._is_weight(weight) else None


def _changes_type(cast: Node) -> bool:
    """Return True if a Cast prevents fusion; passes allow it between float32 and narrower types."""
    before, after = cast.input(0), cast.output()
    if cast.op_type != "Cast" or before is None or after is None:
        return False
    types = {before.dtype, after.dtype}
    return None not in types and len(types) == 2 and not {str(t) for t in types} & NARROW


def squared(square: Node | None) -> Value | None:
    if square is None:
        return None
    if square.op_type == "Pow":
        return square.input(0) if is_number(square.input(1), 2.0) else None
    return square.input(0) if square.input(0) is square.input(1) else None


def _in_order(nodes: Collection[Node]) -> list[Node]:
    unique = {id(node): node for node in nodes}
    return sorted(unique.values(), key=lambda node: node.index)
