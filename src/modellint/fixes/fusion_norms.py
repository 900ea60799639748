"""Normalizations written out, replaced by their operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellint.analysis.fusion import Norm, Norms, axes_of, made_by, number, operands, squared
from modellint.base.records import dataclass
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset, narrowed, readable, tolerance_of, wide
from modellint.fixes.compat import once_raised
from modellint.model import Attribute, DType, Node, Shape, Value, is_static
from modellint.model.edits import AddTensor, Elements, Fix, GraphEdit, NewNode, Operand

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAYER_SINCE, _RMS_SINCE, _GROUP_SINCE = 17, 23, 21
"""The operator sets with LayerNormalization, RMSNormalization and today's GroupNormalization."""


def layer_norm(context: Context, hit: Hit) -> Fix | None:
    return _over_last(context, hit, "LayerNormalization", _LAYER_SINCE)


def rms_norm(context: Context, hit: Hit) -> Fix | None:
    return _over_last(context, hit, "RMSNormalization", _RMS_SINCE)


def instance_norm(context: Context, hit: Hit) -> Fix | None:
    """Replace a normalization over the sides of an image by InstanceNormalization."""
    parts = _parts_of(context, hit)
    if parts is None or not main_opset(context, parts.last.graph):
        return None
    shape = parts.shape
    channels = shape[1] if len(shape) > 2 else None
    if not isinstance(channels, int) or parts.axes != tuple(range(2 - len(shape), 0)):
        return None
    size = (channels, *(1 for _ in shape[2:]))
    return parts.replaced("InstanceNormalization", size, (channels,), {}, needs_bias=True)


def _over_last(context: Context, hit: Hit, op: str, since: int) -> Fix | None:
    """Replace a normalization over the last axes."""
    parts = _parts_of(context, hit)
    if parts is None:
        return None
    count = len(parts.axes)
    size = parts.shape[-count:] if parts.shape else parts.weight_size
    if parts.axes != tuple(range(-count, 0)) or not is_static(size):
        return None
    stored = tuple(dim for dim in size if isinstance(dim, int))
    fix = parts.replaced(op, stored, stored, {"axis": -count})
    return once_raised(context, parts.last.graph, since, fix)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Inputs of a normalization, ignoring Casts."""

    source: Value
    shape: Shape
    """Empty if the rank is unknown."""
    axes: tuple[int, ...]
    """Counted from the end."""
    epsilon: float
    nodes: tuple[Node, ...]
    quotient: Node
    scale: Node | None
    bias: Node | None

    @property
    def weight_size(self) -> tuple[int, ...]:
        """Return the size of a weight of one axis; empty if there is none, or it is broadcast."""
        values = self.scale.inputs if self.scale is not None else ()
        shapes = [v.tensor.shape for v in values if v is not None and v.tensor is not None]
        return shapes[0] if shapes and len(shapes[0]) == 1 and shapes[0][0] > 1 else ()

    @property
    def last(self) -> Node:
        return self.bias or self.scale or self.quotient

    def replaced(
        self,
        op: str,
        size: tuple[int, ...],
        stored: tuple[int, ...],
        attributes: dict[str, Attribute],
        *,
        needs_bias: bool = False,
    ) -> Fix | None:
        """Return the operator instead, as far as weights of `size` fit it, stored as `stored`."""
        last, result = self.quotient, self.quotient.output()
        factor, offset = None, None
        if self.scale is not None and result is not None:
            factor = _fitting(self.scale, result, size, stored)
            if factor is not None:
                last, result = self.scale, self.scale.output()
        if self.bias is not None and factor is not None and result is not None:
            offset = _fitting(self.bias, result, size, stored)
            if offset is not None:
                last, result = self.bias, self.bias.output()
        if result is None or result.dtype is None or result.dtype != self.source.dtype:
            return None
        tolerance = tolerance_of(result)
        if tolerance is None:
            return None
        added: list[GraphEdit] = []
        weights: list[Operand] = []
        for name, weight, default in (("scale", factor, 1.0), ("bias", offset, 0.0)):
            if name == "bias" and weight is None and not needs_bias:
                continue
            if weight is not None and weight.shape == stored:
                weights.append(weight)
                continue
            new = f"{result.name}_{name}"
            elements = _elements(weight, default, stored, result.dtype)
            added.append(AddTensor(new, last.graph, result.dtype, stored, elements))
            weights.append(new)
        made = NewNode(
            op,
            (self.source, *weights),
            (result,),
            {**attributes, "epsilon": self.epsilon},
            name=last.name,
        )
        nodes = [node for node in self.nodes if node.index <= last.index]
        edits = (*added, *instead(nodes, last, made))
        return Fix(edits, f"Computes '{result.name}' by {op}.", tolerance=tolerance)


def _elements(
    weight: Value | None, default: float, shape: tuple[int, ...], dtype: DType
) -> Elements:
    """Return what computes a weight's elements in another shape, or the default's."""

    def elements() -> NDArray[Any]:
        import numpy as np

        if weight is None:
            return np.full(shape, default, dtype.numpy)
        return narrowed(wide(weight).reshape(shape), dtype)

    return elements


def _fitting(
    node: Node, data: Value, size: tuple[int, ...], stored: tuple[int, ...]
) -> Value | None:
    """Return the weight that a node applies to data, if it has this size but for axes of 1."""
    weight = next((other for value, other in operands(node) if value is data), None)
    shape = weight.shape if weight is not None else None
    if weight is None or shape is None or weight.dtype != data.dtype:
        return None
    if shape == stored == size:
        return weight
    extra = len(shape) - len(size)
    is_aligned = extra >= 0 and shape[extra:] == size and all(dim == 1 for dim in shape[:extra])
    return weight if is_aligned and readable(weight) else None


def _parts_of(context: Context, hit: Hit) -> _Parts | None:
    norm = next((n for n in context.analysis(Norms).found if n.root is hit.witness), None)
    return _read(context, norm) if norm is not None else None


def _read(context: Context, norm: Norm) -> _Parts | None:
    """Take a normalization apart, by edges without a Cast."""
    add = made_by(norm.root.input(0), "Add")
    for spread, small in operands(add) if add is not None else ():
        variance, epsilon = made_by(spread, "ReduceMean"), number(small)
        if variance is None or epsilon is None:
            continue
        square = made_by(variance.input(0), "Pow", "Mul")
        base, axes = squared(square), _axes(context, variance)
        if base is None or axes is None or square is None or add is None:
            return None
        known = {id(node) for node in (add, variance, square, norm.root)}
        source: Value | None = base
        if norm.kind != "rms":
            difference = made_by(base, "Sub")
            mean = made_by(difference.input(1), "ReduceMean") if difference is not None else None
            if difference is None or mean is None or _axes(context, mean) != axes:
                return None
            source = difference.input(0)
            if mean.input(0) is not source:
                return None
        if source is None:
            return None
        return _rest(context, norm, known, base, source, axes, epsilon)
    return None


def _rest(
    context: Context,
    norm: Norm,
    known: set[int],
    base: Value,
    source: Value,
    axes: tuple[int, ...],
    epsilon: float,
) -> _Parts | None:
    """Find the quotient, the scale and the bias."""
    root, shape = norm.root.output(), context.shape(source) or ()
    is_inverse = norm.root.op_type == "Pow" and (number(norm.root.input(1)) or 0) < 0
    if root is None:
        return None
    for node in norm.nodes:
        if node.op_type == "Reciprocal" or (
            node.op_type == "Div" and number(node.input(0)) == 1 and node.input(1) is root
        ):
            if node.inputs[-1] is not root or node.output() is None:
                return None
            root, is_inverse = node.outputs[0] or root, True
            known.add(id(node))
            break
    for quotient in norm.nodes:
        if id(quotient) in known or quotient.op_type != ("Mul" if is_inverse else "Div"):
            continue
        other = next((v for v in quotient.inputs if v is not root), None)
        if root not in quotient.inputs or not _is_same(other, base):
            continue
        if quotient.op_type == "Div" and quotient.input(1) is not root:
            return None
        scale = _next(norm, quotient, "Mul")
        bias = _next(norm, scale, "Add") if scale is not None else None
        return _Parts(source, shape, axes, epsilon, tuple(norm.nodes), quotient, scale, bias)
    return None


def _is_same(value: Value | None, base: Value) -> bool:
    """Return True for the value itself, or the same difference computed again."""
    twin, first = made_by(value, "Sub"), made_by(base, "Sub")
    return value is base or (twin is not None and first is not None and twin.inputs == first.inputs)


def _next(norm: Norm, node: Node, op: str) -> Node | None:
    """Return the only reader of a node's output, if it is part of the normalization."""
    output = node.output()
    after = output.sole_consumer if output is not None else None
    is_part = after is not None and after.op_type == op and any(n is after for n in norm.nodes)
    return after if is_part else None


def _axes(context: Context, node: Node) -> tuple[int, ...] | None:
    """Return the axes of a mean that keeps them, counted from the end."""
    axes, value = axes_of(node), node.input(0)
    shape = context.shape(value) if value is not None else None
    if not axes or node.get_int("keepdims", 1) != 1:
        return None
    if shape:
        return tuple(sorted(axis % len(shape) - len(shape) for axis in axes))
    return axes if all(axis < 0 for axis in axes) else None


def group_norm(context: Context, hit: Hit) -> Fix | None:
    """Replace a normalization of groups as instances, and its weights, by GroupNormalization."""
    names = ("x", "r", "i", "k", "m", "a", "s", "b", "w", "c")
    values = [hit.values.get(name) for name in names]
    if any(value is None for value in values):
        return None
    x, r, i, k, m, a, s, b, w, c = (value for value in values if value is not None)
    last, inner = a.producer, i.producer
    if last is None or inner is None:
        return None
    whole, grouped, tolerance = context.shape(x), context.shape(r), tolerance_of(a)
    if whole is None or grouped is None or len(whole) < 3 or len(grouped) != 3:
        return None
    channels, groups = whole[1], grouped[1]
    if not isinstance(channels, int) or not isinstance(groups, int) or channels % groups:
        return None
    if context.shape(k) != whole or grouped[0] != whole[0] or tolerance is None:
        return None
    if not readable(s, b, w, c) or a.dtype is None or a.dtype != x.dtype:
        return None
    size = (channels, *(1 for _ in whole[2:]))
    if _fitting_size(w, size) is None or _fitting_size(c, size) is None:
        return None

    dtype = a.dtype

    def scale() -> NDArray[Any]:
        return narrowed(_per_channel(s, channels, groups) * wide(w).reshape(-1), dtype)

    def bias() -> NDArray[Any]:
        moved = _per_channel(b, channels, groups) * wide(w).reshape(-1)
        return narrowed(moved + wide(c).reshape(-1), dtype)

    new = f"{a.name}_scale", f"{a.name}_bias"
    attributes: dict[str, Attribute] = {"num_groups": groups}
    epsilon = inner.get_float("epsilon", 1e-5)
    if epsilon is None:
        return None
    attributes["epsilon"] = epsilon
    made = NewNode("GroupNormalization", (x, *new), (a,), attributes, name=last.name)
    edits = (
        AddTensor(new[0], last.graph, dtype, (channels,), scale),
        AddTensor(new[1], last.graph, dtype, (channels,), bias),
        *instead([v.producer for v in (r, i, k, m) if v.producer is not None], last, made),
    )
    fix = Fix(edits, f"Computes '{a.name}' by GroupNormalization.", tolerance=tolerance)
    return once_raised(context, last.graph, _GROUP_SINCE, fix)


def _fitting_size(value: Value, size: tuple[int, ...]) -> Value | None:
    shape = value.tensor.shape if value.tensor is not None else ()
    extra = len(shape) - len(size)
    is_aligned = extra >= 0 and shape[extra:] == size and all(dim == 1 for dim in shape[:extra])
    return value if is_aligned else None


def _per_channel(value: Value, channels: int, groups: int) -> NDArray[Any]:
    """Return the weights of groups for each of their channels."""
    return wide(value).reshape(-1).repeat(channels // groups)
