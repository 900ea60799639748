"""Formulas for the numbers that shapes are made of, by operator: scalars and vectors."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from math import prod

from modellint.formats.meanings import meanings
from modellint.formats.savedmodel.given import MASKS, MOST_NUMBERS, KnownValues, Numbers
from modellint.formats.savedmodel.translate import DOMAIN
from modellint.model import Node


def numbers_of(node: Node, given: KnownValues) -> Numbers | None:
    """Return the integers that a node results in, a scalar or a vector."""
    own = _OWN_NUMBERS if node.domain == DOMAIN else _NUMBERS
    formula = own.get(node.op_type)
    return formula(given) if formula is not None else None


def _shape_numbers(of: KnownValues) -> Numbers:
    return of.shape(0)


def _size_number(of: KnownValues) -> Numbers:
    return (prod(of.shape(0)),)


def _kept(of: KnownValues) -> Numbers:
    return of.numbers(0)


def _joined(of: KnownValues) -> Numbers:
    return tuple(number for place in range(len(of.node.inputs)) for number in of.numbers(place))


def _picked(of: KnownValues) -> Numbers:
    numbers = of.numbers(0)
    return tuple(numbers[place] for place in of.numbers(1))


def _cut(of: KnownValues) -> Numbers:
    (begin,), (end,), (step,) = of.numbers(1), of.numbers(2), of.numbers(3)
    masks = {name: of.integer(f"{name}_mask", 0) for name in MASKS}
    if masks["ellipsis"] or masks["new_axis"]:
        raise ValueError("more dims")
    numbers = of.numbers(0)
    if masks["shrink_axis"]:
        return (numbers[begin],)
    first = None if masks["begin"] else begin
    return numbers[slice(first, None if masks["end"] else end, step)]


def _range(of: KnownValues) -> Numbers:
    whole = range(of.number(0), of.number(1), of.number(2))
    if len(whole) > MOST_NUMBERS:
        raise ValueError("more than sizes")
    return tuple(whole)


def _filled(of: KnownValues) -> Numbers:
    count = prod(of.numbers(0))
    if count > MOST_NUMBERS:
        raise ValueError("more than sizes")
    return of.numbers(1) * count


def _arithmetic(fold: Callable[[int, int], int]) -> Callable[[KnownValues], Numbers]:
    def formula(of: KnownValues) -> Numbers:
        parts = [of.numbers(place) for place in range(len(of.node.inputs))]
        length = max(map(len, parts))
        whole = [part * length if len(part) == 1 else part for part in parts]
        return tuple(reduce(fold, each) for each in zip(*whole, strict=True))

    return formula


def _product_of(of: KnownValues) -> Numbers:
    return (prod(of.numbers(0)),)


def _sum_of(of: KnownValues) -> Numbers:
    return (sum(of.numbers(0)),)


_NUMBERS_BY_NAME: Mapping[str, Callable[[KnownValues], Numbers]] = {
    "shape": _shape_numbers,
    "size": _size_number,
    "kept": _kept,
    "joined": _joined,
    "picked": _picked,
    "cut": _cut,
    "range": _range,
    "filled": _filled,
    "add": _arithmetic(operator.add),
    "subtract": _arithmetic(operator.sub),
    "multiply": _arithmetic(operator.mul),
    "divide": _arithmetic(operator.floordiv),
    "remainder": _arithmetic(operator.mod),
    "greatest": _arithmetic(max),
    "least": _arithmetic(min),
    "product": _product_of,
    "sum": _sum_of,
}
_NUMBERS = meanings(
    """
shape: Shape
size: Size
kept: Cast Identity Reshape Squeeze Unsqueeze
joined: Concat
picked: Gather
add: Add
subtract: Sub
multiply: Mul
divide: Div
remainder: Mod
greatest: Max
least: Min
product: ReduceProd
sum: ReduceSum
""",
    _NUMBERS_BY_NAME,
)
_OWN_NUMBERS = meanings(
    """
joined: Pack
cut: StridedSlice
range: Range
filled: Fill
divide: FloorDiv
remainder: FloorMod
""",
    _NUMBERS_BY_NAME,
)
