"""Least sizes of a model's inputs from which on no window is larger than what it slides over.

Onnx's shape inference gives the results of such windows negative dims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from modellint.base.records import dataclass
from modellint.model import Dim, Model, Node, Shape
from modellint.operators import Trait, names, of

_WINDOWS = names(Trait.CONVOLUTION, Trait.POOL)
_ENLARGING = frozenset(names(Trait.TRANSPOSED_CONVOLUTION))
_KEEPING = frozenset(
    (
        *names(Trait.ACTIVATION, Trait.NORMALIZATION, Trait.TRANSPARENT, Trait.POINTWISE),
        *names(Trait.QUANTIZE, Trait.DEQUANTIZE),
    )
)
"""Ops whose results are as large as the only input that is not stored, or larger."""
_TRANSPOSES = frozenset(names(Trait.TRANSPOSE))
_FARTHEST = 200
"""Limit on ops between a window and the model's input."""
_MOST = 1 << 31


class _Window(NamedTuple):
    """The worst of a window's axes."""

    reach: int
    """Elements that the first result needs of its input, not counting those that are added."""
    stride: int
    rank: int


@dataclass(frozen=True, slots=True)
class Least:
    """Size that axes of an input have to have at least."""

    name: str
    axes: tuple[int, ...]
    size: int
    declared: Shape | None

    def holds(self, inputs: Mapping[str, Shape]) -> bool:
        """Return False if the input is known to be smaller in a deployment."""
        return not any(_below(self.size, _dims(inputs.get(self.name, self.declared), self.axes)))


def least_sizes(model: Model) -> tuple[Least, ...] | None:
    """Return the least sizes of the model's inputs; None if windows slide over something else."""
    found: dict[tuple[str, tuple[int, ...]], Least] = {}
    for node in model.nodes(*_ENLARGING, functions=True):
        window = _window(node)
        if window is None or window.reach < 0:  # it cuts off more than it makes
            return None
    for node in model.nodes(*_WINDOWS, functions=True):
        window = _window(node)
        if window is None:
            return None
        if window.reach > 1:
            least = _least(node, window) if not node.domain else None
            if least is None:
                return None
            key = least.name, least.axes
            if key not in found or found[key].size < least.size:
                found[key] = least
    return tuple(found.values())


def _least(node: Node, window: _Window) -> Least | None:
    """Follow what a window slides over to an input of the model, or to what is stored."""
    size, axes = window.reach, tuple(range(2, 2 + window.rank))
    value = node.input(0)
    for _ in range(_FARTHEST):
        if value is None or size > _MOST:
            return None
        maker = value.producer
        if maker is None:
            is_outermost = value.graph is value.graph.model.graph
            shape = value.tensor.shape if value.tensor is not None else value.declared_shape
            return Least(value.name, axes, size, shape) if is_outermost else None
        if maker.graph.model.function_of(maker) is not None:
            return None
        op = maker.qualified_op
        if op in _WINDOWS:
            inner = _window(maker)
            if inner is None or inner.rank != len(axes):
                return None
            size = (size - 1) * inner.stride + max(inner.reach, 1)
            value = maker.input(0)
        elif op in _TRANSPOSES:
            order = maker.get_ints("perm") or ()
            if any(axis >= len(order) for axis in axes):
                return None
            axes, value = tuple(order[axis] for axis in axes), maker.input(0)
        elif op in _KEEPING or op in _ENLARGING:
            computed = [v for v in maker.inputs if v is not None and v.tensor is None]
            value = computed[0] if len(computed) == 1 else None
        else:
            return None
    return None


def _window(node: Node) -> _Window | None:
    """Return how a window slides; None if it is not known, or absurd."""
    kernel = node.get_ints("kernel_shape") or _kernel_of_weight(node)
    rank = len(kernel)
    strides = node.get_ints("strides") or (1,) * rank
    dilations = node.get_ints("dilations") or (1,) * rank
    pads = node.get_ints("pads") or (0,) * (2 * rank)
    numbers = (*kernel, *strides, *dilations, *pads)
    if not rank or (len(strides), len(dilations), len(pads)) != (rank, rank, 2 * rank):
        return None
    if min(numbers) < 0 or max(numbers) > _MOST or 0 in strides:
        return None
    if node.get_str("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return _Window(1, max(strides), rank)
    reaches = [
        (kernel[axis] - 1) * dilations[axis] + 1 - pads[axis] - pads[axis + rank]
        for axis in range(rank)
    ]
    is_enlarging = node.qualified_op in _ENLARGING
    return _Window(min(reaches) if is_enlarging else max(reaches), max(strides), rank)


def _kernel_of_weight(node: Node) -> tuple[int, ...]:
    weight = node.input(of(node).place("weight") or 1)
    shape = weight.declared_shape if weight is not None else None
    sizes = [dim for dim in shape or () if isinstance(dim, int)]
    return tuple(sizes[2:]) if shape is not None and len(sizes) == len(shape) else ()


def _dims(shape: Shape | None, axes: Iterable[int]) -> list[Dim]:
    """Return the dims of axes; all where they are not as many as they should be."""
    if shape is None:
        return []
    wanted = [shape[axis] for axis in axes if axis < len(shape)]
    return wanted or list(shape)


def _below(size: int, dims: Iterable[Dim]) -> Iterator[bool]:
    return (isinstance(dim, int) and dim < size for dim in dims)
