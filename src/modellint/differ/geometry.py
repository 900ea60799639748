"""Differences between one operator in two formats: windows, axes and parameters.

Every aspect is read from both sides, and compared only where both are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import inf, isclose
from typing import NamedTuple

from modellint.analysis.layouts import are_same_axes, is_channels_last
from modellint.differ.attributes import newest_default, opset_of
from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import FUSED, operator_name
from modellint.differ.matched import Pair
from modellint.differ.windows import Window, WindowAxis, window_of
from modellint.differ.written_out import HARD_SIGMOID
from modellint.model import Node, Shape, element_count, small_integers, small_number
from modellint.operators import Trait, of
from modellint.results.difference import SAME_DIALECT

NOT_COMPARED = (
    "orders of dims in Transpose and Reshape",
    "starts of slices",
    "modes of Pad and Resize",
    "quantization parameters",
)
"""Parts of operators that formats state too differently."""
TOLERANCE = 2.0**-9
"""Relative difference of parameters that half precision rounds, once or twice."""
SMALLEST = 1e-6
"""Below, half precision loses digits."""
_LAST_FLATTENING = 12
"""Last opset in which a softmax flattens its input and its axis means something else."""


class Aspect(NamedTuple):
    """Something that differs, as one model states it and as the other does."""

    name: str
    old: object
    new: object


class Axes(NamedTuple):
    """Axes that an operator works along, and the shape whose axes they are."""

    numbers: tuple[int, ...]
    shape: Shape


def differing(pair: Pair) -> Iterator[Aspect]:
    """Iterate over the aspects of an operator that differ between two formats."""
    old, new = (window_of(step.main) for step in (pair.old, pair.new))
    have_windows = old is not None and new is not None
    found: list[Aspect] = []
    if old is not None and new is not None:
        found += _of_windows(old, new)
    found += _of_axes(pair)
    for name, read in _PARAMETERS.items():
        found += _of_numbers(name, read(pair.old), read(pair.new))
    yield from found if found or have_windows else _of_results(pair)


# Windows


def _of_windows(old: Window, new: Window) -> Iterator[Aspect]:
    if old.spreads != new.spreads or (old.is_whole and new.is_whole):
        return
    pairs = _paired(old, new)
    if pairs is None:
        yield Aspect("kernel_shape", [a.kernel for a in old.axes], [a.kernel for a in new.axes])
        return
    olds, news = [one for one, _ in pairs], [other for _, other in pairs]
    for name, read in _PARTS.items():
        yield from _listed(name, [read(axis) for axis in olds], [read(axis) for axis in news])
    pads = [_pads(one, other, spreads=old.spreads) for one, other in pairs]
    if any(one != other for one, other in filter(None, pads)):
        yield Aspect("pads", *(_in_order([each and each[at] for each in pads]) for at in (0, 1)))
    for name, one, other in (
        ("group", old.group, new.group),
        ("count_include_pad", old.counts_padding, new.counts_padding),
    ):
        if one is not None and other is not None and one != other:
            yield Aspect(name, one, other)


_PARTS: Mapping[str, Callable[[WindowAxis], int | None]] = {
    "kernel_shape": lambda axis: axis.kernel,
    "strides": lambda axis: axis.stride,
    "dilations": lambda axis: 1 if axis.kernel == 1 else axis.dilation,
}


def _paired(old: Window, new: Window) -> list[tuple[WindowAxis, WindowAxis]] | None:
    """Pair the axes of two windows; None if one has more of them that matter."""
    one, other = list(old.axes), list(new.axes)
    if len(one) != len(other):
        one, other = ([a for a in axes if not a.is_idle] for axes in (one, other))
    if len(one) != len(other):
        return None
    return [
        (left.sized(right.size), right.sized(left.size))
        for left, right in zip(one, other, strict=True)
    ]


_Ends = tuple[int, int]


def _pads(old: WindowAxis, new: WindowAxis, *, spreads: bool) -> tuple[_Ends, _Ends] | None:
    """Return the padding of both, if it is known of both."""
    one, other = (axis.cropped() if spreads else axis.met() for axis in (old, new))
    if one is None or other is None or old.shape != new.shape:
        one, other = (axis.stated() for axis in (old, new))
    return (one, other) if one is not None and other is not None else None


def _in_order(pads: list[_Ends | None]) -> list[int | None]:
    """Return padding as the standard states it: all beginnings, then all ends."""
    return [each[at] if each is not None else None for at in (0, 1) for each in pads]


def _listed(name: str, old: list[int | None], new: list[int | None]) -> Iterator[Aspect]:
    both = zip(old, new, strict=True)
    if any(None not in (one, other) and one != other for one, other in both):
        yield Aspect(name, old, new)


# Axes


def _of_axes(pair: Pair) -> Iterator[Aspect]:
    old, new = axes_of(pair.old.main), axes_of(pair.new.main)
    if old is None or new is None:
        return
    formats = {step.main.graph.model.format for step in (pair.old, pair.new)}
    same = are_same_axes(*old, *new, may_turn=bool(formats & _TURNING))
    if same is False:
        name = "axis" if len(old.numbers) == len(new.numbers) == 1 else "axes"
        yield Aspect(name, list(old.numbers), list(new.numbers))


_TURNING = frozenset(("tflite",))
"""Formats that put channels last."""


def axes_of(node: Node) -> Axes | None:
    """Return the axes that a node works along; None if they are not known."""
    name, row = operator_name(node), of(node)
    window = window_of(node)
    data = node.input(row.place("data") or 0)
    shape = data.shape if data is not None else None
    if Trait.CONCATENATES in row.traits:
        result = node.output()
        shape = result.shape if result is not None else None
        if data is None or shape is None or data.shape is None or len(data.shape) != len(shape):
            return None  # it makes an axis
    if shape is None:
        return None
    rank = len(shape)
    numbers: tuple[int, ...] | None
    if window is not None and window.is_whole and Trait.POOL in row.traits:
        first = 1 if is_channels_last(node) else 2
        numbers = tuple(range(first, first + len(window.axes)))
    elif name.startswith("Global"):
        numbers = tuple(range(2, rank))
    elif Trait.REDUCES in row.traits:
        numbers = _reduced(node, rank)
    elif Trait.CONCATENATES in row.traits:
        numbers = _stated_axes(node)
    elif Trait.SOFTMAX in row.traits:
        numbers = _normalized(node)
    else:
        numbers = None
    if numbers is None or not all(-rank <= axis < rank for axis in numbers):
        return None
    return Axes(tuple(sorted({axis % rank for axis in numbers})), shape)


def _stated_axes(node: Node) -> tuple[int, ...] | None:
    for name in ("axes", "axis"):
        numbers, number = node.get_ints(name), node.get_int(name)
        if numbers or number is not None:
            return numbers or (number or 0,)
    return None


def _reduced(node: Node, rank: int) -> tuple[int, ...] | None:
    if node.op_type.startswith("Global"):
        return tuple(range(2, rank)) if not node.domain else None
    second = node.input(1)
    numbers = small_integers(second)
    if numbers is not None:
        return numbers or None
    stated = _stated_axes(node)
    if stated is not None or second is not None or node.domain:
        return stated
    default = newest_default(node, "axis")
    if isinstance(default, int):
        return (default,)
    return None if node.get_int("noop_with_empty_axes", 0) else tuple(range(rank))


def _normalized(node: Node) -> tuple[int, ...] | None:
    if node.domain == "tflite":
        return (-1,)
    stated = _stated_axes(node)
    model = node.graph.model
    if model.format in SAME_DIALECT and opset_of(model) <= _LAST_FLATTENING:
        return None
    return stated if stated is not None or node.domain else (-1,)


# Parameters


def _of_numbers(name: str, old: object, new: object) -> Iterator[Aspect]:
    if old is None or new is None or _are_close(old, new):
        return
    yield Aspect(name, old, new)


def _are_close(old: object, new: object) -> bool:
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(_are_close, old, new))
    if isinstance(old, float) and isinstance(new, float):
        return isclose(old, new, rel_tol=TOLERANCE, abs_tol=SMALLEST)
    return old == new


def _number(step: CanonicalStep, trait: Trait, *words: str) -> float | None:
    """Return a parameter of operators with a trait, under any of its names."""
    node = next((each for each in step.nodes if trait in of(each).traits), None)
    if node is None:
        return None
    for word in words:
        if word in node.attributes:
            return node.get_float(word)
    default = newest_default(node, words[0]) if not node.domain else None
    return float(default) if isinstance(default, (int, float)) else None


def _epsilon(step: CanonicalStep) -> float | None:
    stated = _number(step, Trait.NORMALIZATION, "epsilon", "eps")
    if stated is not None or step.op not in _WRITTEN_OUT:
        return stated
    sums = (node for node in step.nodes if operator_name(node) == "Add")
    added = (small_number(value) for node in sums for value in node.inputs)
    return next((number for number in added if number is not None), None)


_WRITTEN_OUT = ("LayerNormalization", "InstanceNormalization")


def _alpha(step: CanonicalStep) -> float | None:
    node = step.main
    if node.qualified_op in _SLOPES:
        return small_number(node.input(1))
    if node.qualified_op == "openvino.HSigmoid":
        return 1 / 6
    return _number(step, Trait.ACTIVATION, "alpha")


_SLOPES = ("PRelu", "openvino.PReLU", "openvino.HardSigmoid", "tflite.PRELU")
"""Operators whose slope is an input."""


def bounds_of(step: CanonicalStep) -> tuple[float, float] | None:
    """Return the range that a step clips to, itself or at its end."""
    for node in reversed(step.nodes):
        if node is not step.main and operator_name(node) == HARD_SIGMOID:
            return 0.0, 1.0
        fused = node.get_str(FUSED, "NONE") or "NONE"
        known = _RANGES.get(fused if fused != "NONE" else node.op_type)
        if known is not None:
            return known
        if Trait.CLIPS in of(node).traits:
            low, high = (_bound(node, at, name) for at, name in ((1, "min"), (2, "max")))
            return (low, high) if low is not None and high is not None else None
    return None


_RANGES: Mapping[str, tuple[float, float]] = {
    "Relu": (0.0, inf),
    "RELU": (0.0, inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def _bound(node: Node, at: int, name: str) -> float | None:
    value = node.input(at)
    if value is not None:
        return small_number(value)
    open_end = -inf if name == "min" else inf
    return node.get_float(name, open_end) if not node.domain else node.get_float(name)


def _constant(step: CanonicalStep) -> float | None:
    """Return the number that a step adds or multiplies with."""
    if len(step.nodes) != 1 or Trait.ARITHMETIC not in of(step.main).traits:
        return None
    found = [small_number(value) for value in step.main.inputs]
    numbers = [number for number in found if number is not None]
    return numbers[0] if len(numbers) == 1 else None


_PARAMETERS: Mapping[str, Callable[[CanonicalStep], object]] = {
    "alpha": _alpha,
    "epsilon": _epsilon,
    "blocksize": lambda step: _number(step, Trait.MOVES, "blocksize", "block_size"),
    "bounds": bounds_of,
    "constant": _constant,
}
"""Readers of numbers that are part of a formula."""


# Results


def _of_results(pair: Pair) -> Iterator[Aspect]:
    """Return another number of elements, if both steps read as many."""
    old, new = _read(pair.old), _read(pair.new)
    made, other = (
        element_count(step.output.shape) if step.output is not None else None
        for step in (pair.old, pair.new)
    )
    if old == new and None not in (*old, made, other) and made != other:
        yield Aspect("elements", made, other)


def _read(step: CanonicalStep) -> list[int | None]:
    """Return how many elements each input has that is not stored."""
    values = [value for value in step.inputs if value is not None and value.tensor is None]
    counts = [element_count(value.shape) for value in values]
    return sorted(counts, key=str) or [None]
