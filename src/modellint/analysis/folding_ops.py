"""Shape arithmetic: evaluation of the ops that exporters compute shapes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any

from modellint.analysis.shape_formulas import MISTAKES, formula_of
from modellint.model import Graph, Node, Shape, Tensor, Value, is_static, small_constant
from modellint.operators import Trait, having

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READS_SHAPE = having(Trait.READS_SHAPE)
SMALL = 4096
"""Maximum number of elements; larger tensors are data rather than shapes."""

Array = Any
Evaluator = Callable[[Node, list[Any]], Any]

_ONNX_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}


class NotFoldable(Exception):  # noqa: N818 - an answer, not an error
    """Result too large, or unsupported use of an op."""


def small_constants(
    graph: Graph, shape_of: Callable[[Value], Shape | None]
) -> dict[str, NDArray[Any]]:
    """Return the values that a graph computes from small constants and shapes, by name.

    Sizes that `shape_of` does not know are carried on by the formulas of the usual operators.
    """
    known: dict[str, NDArray[Any]] = {}
    sizes = _Sizes(
        shape_of, known, is_asked=any(op.rpartition(".")[2] in _READS_SHAPE for op in graph.by_op)
    )
    for node in graph.ordered:
        evaluate = EVALUATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        inputs = None
        if evaluate is not None:
            describes = node.op_type in _READS_SHAPE
            inputs = _shape_as_input(node, sizes.of) if describes else _known_inputs(node, known)
        if evaluate is None or inputs is None:
            sizes.carry_on(node)
            continue
        try:
            results = evaluate(node, inputs)
        except (NotFoldable, ValueError, IndexError, TypeError, ArithmeticError):
            sizes.carry_on(node)
            continue
        results = results if isinstance(results, list) else [results]
        for value, result in zip(node.outputs, results, strict=False):
            if value is not None and result.size <= SMALL:
                known[value.name] = result
    return known


class _Sizes:
    """Shapes of one graph, those that inference knows and those that follow from them."""

    def __init__(
        self,
        shape_of: Callable[[Value], Shape | None],
        known: Mapping[str, NDArray[Any]],
        *,
        is_asked: bool,
    ) -> None:
        self._is_asked = is_asked
        self._shape_of = shape_of
        self._known = known
        self._found: dict[int, Shape] = {}

    def of(self, value: Value) -> Shape | None:
        if value.name in self._known:
            return tuple(self._known[value.name].shape)
        shape = self._shape_of(value)
        return shape if is_static(shape) else self._found.get(id(value), shape)

    def carry_on(self, node: Node) -> None:
        """Find the shape of a node's first output, where inference did not, if any is asked for."""
        formula, result = formula_of(node) if self._is_asked else None, node.output()
        if formula is None or result is None or is_static(self._shape_of(result)):
            return
        shapes: list[Any] = []
        for value in filter(None, node.inputs):
            shape = self.of(value)
            if shape is None or not is_static(shape):
                return
            shapes.append(shape)
        with suppress(*MISTAKES):
            self._found[id(result)] = formula(node, shapes, [*map(self._elements, node.inputs)])

    def _elements(self, value: Value | None) -> NDArray[Any] | None:
        stored = small_constant(value)
        return self._known.get(value.name) if stored is None and value is not None else stored


def _shape_as_input(node: Node, shape_of: Callable[[Value], Shape | None]) -> list[Any] | None:
    source = node.input(0)
    shape = shape_of(source) if source is not None else None
    return [shape] if is_static(shape) else None


def _known_inputs(node: Node, known: dict[str, NDArray[Any]]) -> list[Any] | None:
    inputs: list[Any] = []
    for value in node.inputs:
        if value is None:
            inputs.append(None)
            continue
        stored = small_constant(value)
        elements = known.get(value.name) if stored is None else stored
        if elements is None:
            return None
        inputs.append(elements)
    return inputs or None


def _np() -> Any:
    import numpy

    return numpy


def _limited(elements: int) -> None:
    if elements > SMALL:
        raise NotFoldable


def _shape_op(node: Node, inputs: list[Any]) -> Array:
    dims = list(inputs[0])
    start, end = node.get_int("start", 0), node.get_int("end")
    return _np().array(dims[start:end], dtype="int64")


def _size(_: Node, inputs: list[Any]) -> Array:
    return _np().array(prod(inputs[0]), dtype="int64")


def _cast(node: Node, inputs: list[Any]) -> Array:
    name = _ONNX_TYPES.get(node.get_int("to") or 0)
    if name is None:
        raise NotFoldable
    return inputs[0].astype(name)


def _unsqueeze(node: Node, inputs: list[Any]) -> Array:
    axes = _axes(node, inputs) or ()
    rank = inputs[0].ndim + len(axes)
    places = {axis % rank for axis in axes}
    source = iter(inputs[0].shape)
    return inputs[0].reshape([1 if at in places else next(source) for at in range(rank)])


def _squeeze(node: Node, inputs: list[Any]) -> Array:
    axes = _axes(node, inputs)
    return _np().squeeze(inputs[0], axis=tuple(axes) if axes is not None else None)


def _axes(node: Node, inputs: list[Any]) -> Sequence[int] | None:
    if len(inputs) > 1 and inputs[1] is not None:
        return [int(axis) for axis in inputs[1].reshape(-1)]
    return node.get_ints("axes")


def _slice(node: Node, inputs: list[Any]) -> Array:
    if len(inputs) == 1:
        starts, ends = node.get_ints("starts") or (), node.get_ints("ends") or ()
        axes: Sequence[int] = node.get_ints("axes") or range(len(starts))
        steps: Sequence[int] = [1] * len(starts)
    else:
        starts, ends = inputs[1].tolist(), inputs[2].tolist()
        given = inputs[3] if len(inputs) > 3 else None
        axes = given.tolist() if given is not None else range(len(starts))
        stride = inputs[4] if len(inputs) > 4 else None
        steps = stride.tolist() if stride is not None else [1] * len(starts)
    where = [slice(None)] * inputs[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A backward slice to the start ends at None in numpy.
        stop = None if step < 0 and end < -inputs[0].shape[axis] else end
        where[axis] = slice(start, stop, step)
    return inputs[0][tuple(where)]


def _concat(node: Node, inputs: list[Any]) -> Array:
    return _np().concatenate(inputs, axis=node.get_int("axis", 0))


def _gather(node: Node, inputs: list[Any]) -> Array:
    return _np().take(inputs[0], inputs[1], axis=node.get_int("axis", 0))


def _range(_: Node, inputs: list[Any]) -> Array:
    start, limit, delta = (each.reshape(-1)[0] for each in inputs)
    if not delta:
        raise NotFoldable
    _limited(int((limit - start) / delta) + 1)
    return _np().arange(start, limit, delta, dtype=inputs[0].dtype)


def _constant_of_shape(node: Node, inputs: list[Any]) -> Array:
    dims = inputs[0].tolist()
    _limited(prod(dims))
    value = node.attributes.get("value")
    filler = value.if_small() if isinstance(value, Tensor) else None
    if isinstance(value, Tensor) and filler is None:
        raise NotFoldable
    if filler is None:
        return _np().zeros(dims, dtype="float32")
    return _np().full(dims, filler.reshape(-1)[0], dtype=filler.dtype)


def _expand(_: Node, inputs: list[Any]) -> Array:
    np = _np()
    shape = np.broadcast_shapes(inputs[0].shape, tuple(inputs[1].tolist()))
    _limited(prod(shape))
    return np.broadcast_to(inputs[0], shape)


def _reshape(node: Node, inputs: list[Any]) -> Array:
    dims = inputs[1].tolist()
    if not node.get_int("allowzero", 0):
        dims = [inputs[0].shape[at] if dim == 0 else dim for at, dim in enumerate(dims)]
    return inputs[0].reshape(dims)


def _tile(_: Node, inputs: list[Any]) -> Array:
    _limited(inputs[0].size * prod(inputs[1].tolist()))
    return _np().tile(inputs[0], inputs[1])


def _transpose(node: Node, inputs: list[Any]) -> Array:
    return _np().transpose(inputs[0], node.get_ints("perm"))


def _split(node: Node, inputs: list[Any]) -> list[Array]:
    np, axis = _np(), node.get_int("axis", 0)
    sizes = inputs[1].tolist() if len(inputs) > 1 else node.get_ints("split")
    if sizes is None:
        count = node.get_int("num_outputs") or len(node.outputs)
        step = -(-inputs[0].shape[axis] // count)
        return list(np.split(inputs[0], range(step, step * count, step), axis))
    places = [sum(sizes[: at + 1]) for at in range(len(sizes) - 1)]
    return list(np.split(inputs[0], places, axis))


def _divide(_: Node, inputs: list[Any]) -> Array:
    np, (one, other) = _np(), inputs
    if one.dtype.kind in "iu":
        if not other.all():
            raise NotFoldable
        return (np.sign(one) * np.sign(other) * (abs(one) // abs(other))).astype(one.dtype)
    return one / other


def _mod(node: Node, inputs: list[Any]) -> Array:
    if inputs[0].dtype.kind in "iu" and not inputs[1].all():
        raise NotFoldable
    function = _np().fmod if node.get_int("fmod", 0) else _np().mod
    return function(*inputs)


def _numpy(name: str) -> Evaluator:
    def evaluate(_: Node, inputs: list[Any]) -> Array:
        result = getattr(_np(), name)(*inputs)
        if inputs[0].dtype.kind == "f" and result.dtype.kind == "f":
            return result.astype(inputs[0].dtype)
        return result

    return evaluate


def _folding_over(name: str) -> Evaluator:
    def evaluate(_: Node, inputs: list[Any]) -> Array:
        result = inputs[0]
        for each in inputs[1:]:
            result = getattr(_np(), name)(result, each)
        return result

    return evaluate


def _reduce(name: str) -> Evaluator:
    def evaluate(node: Node, inputs: list[Any]) -> Array:
        axes = _axes(node, inputs)
        if not axes and node.get_int("noop_with_empty_axes", 0):
            return inputs[0]
        kept = bool(node.get_int("keepdims", 1))
        over = tuple(axes) if axes else None
        return getattr(_np(), name)(inputs[0], axis=over, keepdims=kept).astype(inputs[0].dtype)

    return evaluate


EVALUATORS: dict[str, Evaluator] = {
    "Shape": _shape_op,
    "Size": _size,
    "Cast": _cast,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Slice": _slice,
    "Concat": _concat,
    "Gather": _gather,
    "Range": _range,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Reshape": _reshape,
    "Tile": _tile,
    "Transpose": _transpose,
    "Split": _split,
    "Div": _divide,
    "Mod": _mod,
    "Identity": lambda _, inputs: inputs[0],
    "ReduceProd": _reduce("prod"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "Max": _folding_over("maximum"),
    "Min": _folding_over("minimum"),
    **{
        op: _numpy(name)
        for op, name in {
            "Add": "add",
            "Sub": "subtract",
            "Mul": "multiply",
            "Neg": "negative",
            "Abs": "absolute",
            "Floor": "floor",
            "Ceil": "ceil",
            "Sqrt": "sqrt",
            "Round": "rint",
            "Pow": "power",
            "Equal": "equal",
            "Less": "less",
            "LessOrEqual": "less_equal",
            "Greater": "greater",
            "GreaterOrEqual": "greater_equal",
            "And": "logical_and",
            "Or": "logical_or",
            "Not": "logical_not",
            "Where": "where",
        }.items()
    },
}
