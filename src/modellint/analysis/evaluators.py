"""Evaluation of the ops that exporters compute shapes with, by functions of NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

from modellint.model import Node, Shape, Tensor
from modellint.model.dims import broadcast
from modellint.operators import in_format

if TYPE_CHECKING:
    from numpy.typing import NDArray


SMALL = 4096
"""Maximum number of elements; larger tensors are data rather than shapes."""
Array = Any
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


class KnownInputs:
    """Known inputs of a node. Access to one that is absent, or of another type, raises."""

    def __init__(self, arrays: Sequence[NDArray[Any] | None], shape: Shape | None = None) -> None:
        self._arrays = arrays
        self._shape = shape

    @property
    def shape(self) -> list[int]:
        """Return the shape that an op such as Shape describes."""
        return [dim for dim in self._shape or () if isinstance(dim, int)]

    def __len__(self) -> int:
        return len(self._arrays)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> NDArray[Any]:
        array = self.optional(index)
        if array is None:
            raise NotFoldable
        return array

    def optional(self, index: int) -> NDArray[Any] | None:
        return self._arrays[index] if index < len(self._arrays) else None

    def integers(self, index: int) -> list[int]:
        """Return the elements of an input of integers."""
        array = self[index]
        if array.dtype.kind not in "iu":
            raise NotFoldable
        return [int(number) for number in array.reshape(-1).tolist()]

    def optional_integers(self, index: int) -> list[int] | None:
        return self.integers(index) if self.optional(index) is not None else None


Evaluator = Callable[[Node, KnownInputs], Any]


def _np() -> Any:
    import numpy

    return numpy


def _limited(shape: Sequence[int]) -> None:
    """Raise for the shape of a result that would be too large, or is invalid."""
    if min(shape, default=0) < 0 or prod(max(dim, 1) for dim in shape) > SMALL:
        raise NotFoldable


def _shape_op(node: Node, inputs: KnownInputs) -> Array:
    start, end = node.get_int("start", 0), node.get_int("end")
    return _np().array(inputs.shape[start:end], dtype="int64")


def _size(_: Node, inputs: KnownInputs) -> Array:
    return _np().array(prod(inputs.shape), dtype="int64")


def _cast(node: Node, inputs: KnownInputs) -> Array:
    name = _ONNX_TYPES.get(node.get_int("to") or 0)
    if name is None:
        raise NotFoldable
    return inputs[0].astype(name)


def _unsqueeze(node: Node, inputs: KnownInputs) -> Array:
    data, axes = inputs[0], _axes(node, inputs) or ()
    rank = data.ndim + len(axes)
    places = {axis % rank for axis in axes}
    if len(places) != len(axes):
        raise NotFoldable
    source = iter(data.shape)
    return data.reshape([1 if at in places else next(source) for at in range(rank)])


def _squeeze(node: Node, inputs: KnownInputs) -> Array:
    axes = _axes(node, inputs)
    return _np().squeeze(inputs[0], axis=tuple(axes) if axes is not None else None)


def _axes(node: Node, inputs: KnownInputs) -> Sequence[int] | None:
    given = inputs.optional_integers(1)
    return given if given is not None else node.get_ints("axes")


def _slice(node: Node, inputs: KnownInputs) -> Array:
    data = inputs[0]
    if len(inputs) == 1:
        starts: Sequence[int] = node.get_ints("starts") or ()
        ends: Sequence[int] = node.get_ints("ends") or ()
        axes: Sequence[int] = node.get_ints("axes") or range(len(starts))
        steps: Sequence[int] = [1] * len(starts)
    else:
        starts, ends = inputs.integers(1), inputs.integers(2)
        given, stride = inputs.optional_integers(3), inputs.optional_integers(4)
        axes = given if given is not None else range(len(starts))
        steps = stride if stride is not None else [1] * len(starts)
    where = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A backward slice to the start ends at None in numpy.
        stop = None if step < 0 and end < -data.shape[axis] else end
        where[axis] = slice(start, stop, step)
    return data[tuple(where)]


def _concat(node: Node, inputs: KnownInputs) -> Array:
    _limited([sum(each.size for each in inputs)])
    return _np().concatenate(list(inputs), axis=node.get_int("axis", 0))


def _gather(node: Node, inputs: KnownInputs) -> Array:
    data, indices = inputs[0], inputs[1]
    axis = node.get_int("axis", 0) or 0
    _limited([*data.shape[:axis], *indices.shape, *data.shape[axis:][1:]])
    return _np().take(data, indices, axis=axis)


def _range(_: Node, inputs: KnownInputs) -> Array:
    # Python's integers, unlike numpy's, do not wrap around.
    start, limit, delta = (each.reshape(-1)[0].item() for each in inputs)
    if not delta:
        raise NotFoldable
    _limited([max(0, int((limit - start) / delta) + 1)])
    return _np().arange(start, limit, delta, dtype=inputs[0].dtype)


def _constant_of_shape(node: Node, inputs: KnownInputs) -> Array:
    dims = inputs.integers(0)
    _limited(dims)
    value = node.attributes.get("value")
    filler = value.if_small() if isinstance(value, Tensor) else None
    if isinstance(value, Tensor) and (filler is None or filler.dtype.hasobject):
        raise NotFoldable
    if filler is None:
        return _np().zeros(dims, dtype="float32")
    return _np().full(dims, filler.reshape(-1)[0], dtype=filler.dtype)


def _expand(_: Node, inputs: KnownInputs) -> Array:
    shape = broadcast(inputs[0].shape, tuple(inputs.integers(1)))
    _limited(shape)
    return _np().broadcast_to(inputs[0], shape)


def _reshape(node: Node, inputs: KnownInputs) -> Array:
    data, dims = inputs[0], inputs.integers(1)
    if not node.get_int("allowzero", 0):
        dims = [data.shape[at] if dim == 0 else dim for at, dim in enumerate(dims)]
    return data.reshape(dims)


def _tile(_: Node, inputs: KnownInputs) -> Array:
    repeats = inputs.integers(1)
    _limited([*inputs[0].shape, *repeats])
    return _np().tile(inputs[0], repeats)


def _transpose(node: Node, inputs: KnownInputs) -> Array:
    return _np().transpose(inputs[0], node.get_ints("perm"))


def _split(node: Node, inputs: KnownInputs) -> list[Array]:
    np, axis, count = _np(), node.get_int("axis", 0) or 0, len(node.outputs)
    sizes: Sequence[int] | None = inputs.optional_integers(1) or node.get_ints("split")
    if sizes is None and node.get_int("num_outputs", count) == count:
        step = -(-inputs[0].shape[axis] // count)
        return list(np.split(inputs[0], range(step, step * count, step), axis))
    if sizes is None or len(sizes) != count:
        raise NotFoldable
    return list(np.split(inputs[0], list(accumulate(sizes[:-1])), axis))


def _divide(_: Node, inputs: KnownInputs) -> Array:
    np, (one, other) = _np(), inputs
    _broadcasts(inputs)
    if one.dtype.kind in "iu":
        if not other.all():
            raise NotFoldable
        return (np.sign(one) * np.sign(other) * (abs(one) // abs(other))).astype(one.dtype)
    return one / other


def _mod(node: Node, inputs: KnownInputs) -> Array:
    one, other = inputs
    _broadcasts(inputs)
    if one.dtype.kind in "iu" and not other.all():
        raise NotFoldable
    function = _np().fmod if node.get_int("fmod", 0) else _np().mod
    return function(one, other)


def _clip(node: Node, inputs: KnownInputs) -> Array:
    np, result = _np(), inputs[0]
    for index, attribute, limited in (1, "min", np.maximum), (2, "max", np.minimum):
        limit = inputs.optional(index)
        bound = node.get_float(attribute) if limit is None else limit
        if bound is not None:
            _limited(broadcast(result.shape, np.shape(bound)))
            result = limited(result, bound).astype(result.dtype)
    return result


def _broadcasts(inputs: KnownInputs) -> None:
    """Raise if the inputs cannot be broadcast to a small result."""
    _limited(broadcast(*(each.shape for each in inputs)))


def _elementwise(name: str) -> Evaluator:
    def evaluate(_: Node, inputs: KnownInputs) -> Array:
        function = getattr(_np(), name)
        if len(inputs) != function.nin:
            raise NotFoldable  # for numpy, another one is where the result goes
        _broadcasts(inputs)
        result = function(*inputs)
        if inputs[0].dtype.kind == "f" and result.dtype.kind == "f":
            return result.astype(inputs[0].dtype)
        return result

    return evaluate


def _where(_: Node, inputs: KnownInputs) -> Array:
    condition, chosen, other = inputs
    _broadcasts(inputs)
    return _np().where(condition, chosen, other)


def _folding_over(name: str) -> Evaluator:
    def evaluate(_: Node, inputs: KnownInputs) -> Array:
        _broadcasts(inputs)
        result = inputs[0]
        for each in list(inputs)[1:]:
            result = getattr(_np(), name)(result, each)
        return result

    return evaluate


def _reduce(name: str) -> Evaluator:
    def evaluate(node: Node, inputs: KnownInputs) -> Array:
        axes = _axes(node, inputs)
        if not axes and node.get_int("noop_with_empty_axes", 0):
            return inputs[0]
        kept = bool(node.get_int("keepdims", 1))
        over = tuple(axes) if axes else None
        return getattr(_np(), name)(inputs[0], axis=over, keepdims=kept).astype(inputs[0].dtype)

    return evaluate


_BY_FUNCTION: dict[str, Evaluator] = {
    "arange": _range,
    "astype": _cast,
    "broadcast_to": _expand,
    "clip": _clip,
    "concatenate": _concat,
    "copy": lambda _, inputs: inputs[0],
    "divide": _divide,
    "expand_dims": _unsqueeze,
    "full": _constant_of_shape,
    "getitem": _slice,
    "mod": _mod,
    "reshape": _reshape,
    "shape": _shape_op,
    "size": _size,
    "split": _split,
    "squeeze": _squeeze,
    "take": _gather,
    "tile": _tile,
    "transpose": _transpose,
    "where": _where,
    **{name: _folding_over(name) for name in ("maximum", "minimum")},
    **{name: _reduce(name) for name in ("max", "min", "prod", "sum")},
}
EVALUATORS: dict[str, Evaluator] = {
    operator.name: _BY_FUNCTION.get(function) or _elementwise(function)
    for function, operator in in_format("numpy").items()
}
"""By the function of NumPy that the catalogue names for an operator."""
