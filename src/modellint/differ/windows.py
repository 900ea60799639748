"""Windows that slide over the axes of space, said alike for every format.

Formats pad in their own ways: by numbers, by a rule that depends on the sizes, or with an operator
of its own. What can be compared is the padding that windows meet, from where the first one starts
to the last number that is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modellint.analysis.chains import LONGEST
from modellint.analysis.layouts import channels_first, standard_weight
from modellint.differ.paddings import Numbers, crops_of, padding_of
from modellint.differ.stated_windows import READERS, StatedWindow
from modellint.model import Node, Shape, Value, small_integers
from modellint.operators import Trait, having, of

_ROUNDING = having(Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.CAST)
_PADDED = having(Trait.CONVOLUTION, Trait.POOL)
"""Operators that a Pad before them is a part of."""


class WindowAxis(NamedTuple):
    """A window along one axis; None is unknown."""

    size: int | None
    """Of the input, before any padding."""
    kernel: int | None
    stride: int
    dilation: int
    begin: int | None
    end: int | None
    rule: str = ""
    """SAME_UPPER or SAME_LOWER, if the padding depends on the size; the two numbers come first."""
    is_ceiled: bool = False
    result: int | None = None
    """Size of the output of an operator that spreads its input."""

    @property
    def reach(self) -> int | None:
        return (self.kernel - 1) * self.dilation + 1 if self.kernel is not None else None

    @property
    def shape(self) -> tuple[int | None, int | None, int]:
        """Return all that decides which padding windows meet, besides the padding."""
        return self.size, self.reach, self.stride

    @property
    def is_idle(self) -> bool:
        return self.kernel == self.stride == 1 and not (self.begin or self.end)

    def sized(self, size: int | None) -> WindowAxis:
        """Return the axis with a size that the other model states."""
        return self._replace(size=size) if self.size is None else self

    def met(self) -> tuple[int, int] | None:
        """Return the padding that windows meet at both ends; less than 0 where some is unread."""
        size, reach, begin, end = self.size, self.reach, self.begin, self.end
        if size is None or reach is None or begin is None or end is None:
            return None
        if self.rule:
            padded = size + begin + end
            total = max((-(-padded // self.stride) - 1) * self.stride + reach - padded, 0)
            before = _before(total, self.rule)
            begin, end = begin + before, end + total - before
        room = size + begin + end - reach
        steps = room // self.stride
        if self.is_ceiled and room % self.stride and (steps + 1) * self.stride < size + begin:
            steps += 1
        return (begin, steps * self.stride + reach - size - begin) if room >= 0 else None

    def stated(self) -> tuple[int, int] | None:
        """Return the padding that is stated by numbers."""
        if self.rule or self.begin is None or self.end is None:
            return None
        return self.begin, self.end

    def cropped(self) -> tuple[int, int] | None:
        """Return the numbers of elements cut off at both ends of the spread windows."""
        if self.size is None or self.reach is None or self.begin is None or self.end is None:
            return None
        full = (self.size - 1) * self.stride + self.reach
        begin = self.begin
        if self.rule:
            if self.result is None:
                return None
            begin = _before(max(full - self.result, 0), self.rule)
        return begin, self.end if self.result is None else full - self.result - begin


def _before(total: int, rule: str) -> int:
    """Return the padding at the beginning, by the rule for the odd number."""
    return total - total // 2 if rule == "SAME_LOWER" else total // 2


class Window(NamedTuple):
    """A window of a convolution or of a pool."""

    axes: tuple[WindowAxis, ...]
    spreads: bool
    """True if each number of the input becomes a window of the output."""
    group: int | None = None
    counts_padding: bool | None = None
    """True if a mean counts the padding; None without padding, or if unknown."""

    @property
    def is_whole(self) -> bool:
        """Return True if there is one window, which is the whole input."""
        return all(axis.kernel == axis.size and axis.met() == (0, 0) for axis in self.axes)


def window_of(node: Node) -> Window | None:
    """Return a node's window; None if it has none, or too little is known of it."""
    row, reader = of(node), READERS.get(node.domain)
    spreads = Trait.TRANSPOSED_CONVOLUTION in row.traits
    if reader is None or not (spreads or {Trait.CONVOLUTION, Trait.POOL} & row.traits):
        return None
    data = node.input(row.place("data") or 0)
    weight = node.input(place) if (place := row.place("weight")) is not None else None
    filters = standard_weight(node, weight.shape) if weight is not None and weight.shape else None
    shape = channels_first(node, data.shape) if data is not None and data.shape else filters
    count = len(shape) - 2 if shape is not None else 0
    if data is None or count < 1:
        return None
    stated = reader(node, count)
    around = _Padded(shape, (0,) * 2 * count) if spreads else _padding_before(node, data, count)
    axes = tuple(_axis(at, count, stated, filters, around) for at in range(count))
    if spreads:
        axes = tuple(_spread(node, axes))
    group = _group(stated, shape, filters) if weight is not None else None
    counts = _counts(stated, around.pads) if row.name == "AveragePool" else None
    return Window(axes, spreads, group, counts)


def _axis(
    at: int, count: int, stated: StatedWindow, filters: Shape | None, around: _Padded
) -> WindowAxis:
    kernel = stated.kernel[at] if stated.kernel else None
    if filters is not None and len(filters) >= count:
        dim = filters[len(filters) - count + at]
        kernel = dim if isinstance(dim, int) else kernel
    shape = around.shape
    size = shape[2 + at] if shape is not None and len(shape) == count + 2 else None
    begin = end = None
    if stated.pads is not None and around.pads is not None:
        begin = stated.pads[at] + around.pads[at]
        end = stated.pads[count + at] + around.pads[count + at]
    return WindowAxis(
        size if isinstance(size, int) else None,
        kernel,
        stated.strides[at] if stated.strides else 1,
        stated.dilations[at] if stated.dilations else 1,
        begin,
        end,
        stated.rule,
        stated.is_ceiled,
    )


def _spread(node: Node, axes: tuple[WindowAxis, ...]) -> Iterator[WindowAxis]:
    """Iterate over axes with the sizes of the output, and with what crops of it cut off."""
    output, cuts = _cropped(node, len(axes))
    shape = output.shape if output is not None else None
    dims = channels_first(node, shape)[2:] if shape is not None else ()
    for at, axis in enumerate(axes):
        size = dims[at] if at < len(dims) else None
        begin = axis.begin + cuts[at] if axis.begin is not None else None
        yield axis._replace(result=size if isinstance(size, int) else None, begin=begin)


def _cropped(node: Node, count: int) -> tuple[Value | None, Numbers]:
    """Return the size of the output after crops, and the number of elements cut off before it."""
    output, cuts = node.output(), (0,) * count
    for _ in range(LONGEST):
        reader = output.sole_consumer if output is not None else None
        crops = crops_of(reader) if reader is not None else None
        if reader is None or crops is None or len(crops) != count + 2:
            break
        more = channels_first(node, crops)[2:]
        cuts = tuple(one + other for one, other in zip(cuts, more, strict=True))
        output = reader.output()
    return output, cuts


def is_cropping(node: Node) -> bool:
    """Return True for an operator that only cuts off the ends of what windows spread."""
    source = node.input(0)
    maker = source.producer if source is not None else None
    if maker is None or source is None or source.sole_consumer is not node:
        return False
    spreads = Trait.TRANSPOSED_CONVOLUTION in of(maker).traits
    return spreads and crops_of(node) is not None


def _group(stated: StatedWindow, shape: Shape | None, filters: Shape | None) -> int | None:
    if stated.group is not None:
        return stated.group
    channels = shape[1] if shape is not None and shape is not filters else None
    each = filters[1] if filters is not None else None
    if isinstance(channels, int) and isinstance(each, int) and each and channels % each == 0:
        return channels // each
    return None


def _counts(stated: StatedWindow, around: Numbers | None) -> bool | None:
    """Return whether a mean counts the padding."""
    if stated.pads is None or around is None:
        return None
    is_padded = bool(stated.rule) or any(stated.pads)
    if any(around):
        return None if is_padded else True
    return stated.counts_padding if is_padded else None


class _Padded(NamedTuple):
    """Data that a window slides over, before padding."""

    shape: Shape | None
    """In the order of the window's own dims."""
    pads: Numbers | None
    """Padding before the axes of space, then after them; None if that is not known."""


def _padding_before(node: Node, data: Value, count: int) -> _Padded:
    """Return the input of a window before any Pads, and the padding that they add."""
    rank = count + 2
    found = _Padded(data.shape, (0,) * 2 * rank)
    places: list[int | None] | None = list(range(rank))
    for _ in range(LONGEST):
        maker = data.producer
        source = maker.input(0) if maker is not None else None
        if maker is None or source is None:
            break
        if is_window_padding(maker):
            pads = padding_of(maker)
            if found.pads is None or pads is None or places is None or source.shape is None:
                return _Padded(None, None)
            own = len(pads) // 2
            more = [_at(pads[:own], at) for at in places] + [_at(pads[own:], at) for at in places]
            total = tuple(one + other for one, other in zip(found.pads, more, strict=True))
            shape = tuple(source.shape[at] if at is not None else 1 for at in places)
            found = _Padded(shape, total)
        elif _is_between(maker):
            places = _places_before(maker, places, source.shape, data.shape)
        else:
            break
        data = source
    return _in_space(node, found, count)


def _at(pads: Numbers, place: int | None) -> int:
    return pads[place] if place is not None else 0


def _in_space(node: Node, found: _Padded, count: int) -> _Padded:
    """Return shape and padding with channels first, and the padding of the axes of space alone."""
    shape = channels_first(node, found.shape) if found.shape is not None else None
    if found.pads is None:
        return found
    begins = channels_first(node, found.pads[: count + 2])
    ends = channels_first(node, found.pads[count + 2 :])
    if any((*begins[:2], *ends[:2])):
        return _Padded(None, None)
    return _Padded(shape, (*begins[2:], *ends[2:]))


def _places_before(
    node: Node, places: list[int | None] | None, source: Shape | None, result: Shape | None
) -> list[int | None] | None:
    """Return where axes are in what a node reads, None for those of size 1; or None if unknown."""
    if places is None or source is None or result is None:
        return None
    kind = of(node)
    if Trait.TRANSPOSE in kind.traits:
        order = node.get_ints("perm") or small_integers(node.input(1))
        if order is None or sorted(order) != list(range(len(source))):
            return None
        return [order[at] if at is not None else None for at in places]
    if kind.op_type in _ROUNDING:
        return places
    olds = [at for at, dim in enumerate(source) if dim != 1]
    news = [at for at, dim in enumerate(result) if dim != 1]
    if [source[at] for at in olds] != [result[at] for at in news]:
        return None
    moved = dict(zip(news, olds, strict=True))
    return [moved.get(at) if at is not None else None for at in places]


def is_window_padding(node: Node) -> bool:
    """Return True for an operator that pads for windows alone, perhaps in another order of dims."""
    if of(node).name != "Pad":
        return False
    waiting = [node]
    for _ in range(LONGEST):
        if not waiting:
            return True
        readers = [use.node for value in waiting.pop().outputs if value for use in value.consumers]
        if not readers:
            return False
        waiting += [each for each in readers if _is_between(each)]
        if not all(each in waiting or each.op_type in _PADDED for each in readers):
            return False
    return False


def _is_between(node: Node) -> bool:
    """Return True for what may be between a Pad and its window."""
    kind = of(node)
    return kind.op_type in _ROUNDING or bool({Trait.VIEW, Trait.TRANSPOSE} & kind.traits)
