"""Results of TensorFlow's operators: their names, types and number.

`operators.json` states them for each operator as TensorFlow registers it: ``y:T idx:out_idx=3`` are
two results, whose types are attributes, ``output:T*N`` is a list of as many as an attribute says,
and ``output:*Tout`` a list of which an attribute has the types. Types in numbers are fixed, or
hold where the attribute is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from modellint.formats.savedmodel.attributes import MOST_LISTED, StatedAttributes
from modellint.formats.savedmodel.types import tensor_type
from modellint.model import DType


class Registered(NamedTuple):
    """The operators of a release of TensorFlow."""

    release: str
    operators: Mapping[str, str]
    """Results of each, by name."""


@cache
def registered() -> Registered:
    record = json.loads(Path(__file__).with_name("operators.json").read_bytes())
    return Registered(record["release"], record["operators"])


class _Result(NamedTuple):
    name: str
    dtype: str
    number: str
    """Attribute with the length of a list of one type."""
    types: str
    """Attribute with the types of a list."""


@cache
def _results(op: str) -> Sequence[_Result]:
    return tuple(map(_result, registered().operators.get(op, "").split()))


def _result(stated: str) -> _Result:
    name, _, kind = stated.partition(":")
    if kind.startswith("*"):
        return _Result(name, "", "", kind[1:])
    dtype, _, count = kind.partition("*")
    return _Result(name, dtype, count, "")


def result_types(op: str, attributes: StatedAttributes) -> list[DType | None]:
    """Return the types of all results of a node, in order."""
    types: list[DType | None] = []
    for result in _results(op):
        types += _types(result, attributes)
    if op not in registered().operators:
        types = [None] * max(1, len(attributes.result_shapes))
    return types[:MOST_LISTED]


def _types(result: _Result, attributes: StatedAttributes) -> Sequence[DType | None]:
    if result.types:
        return attributes.dtypes(result.types)
    name, _, default = result.dtype.partition("=")
    code = name if name.isdecimal() else default
    dtype = attributes.dtype(name) or (tensor_type(int(code)) if code else None)
    count = min(attributes.integer(result.number), MOST_LISTED) if result.number else 1
    return [dtype] * count


def place_of(op: str, port: str, place: int, attributes: StatedAttributes) -> int:
    """Return the place among all results of one that is stated by name."""
    if len(_results(op)) < 2 or not port:
        return place
    return place + sum(_counts_before(op, port, attributes))


def _counts_before(op: str, port: str, attributes: StatedAttributes) -> Iterator[int]:
    for result in _results(op):
        if result.name == port:
            return
        yield len(_types(result, attributes))
