"""Conversion of JSON to dataclasses, for data that was validated before."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def to_plain(value: Any) -> Any:
    """What JSON can hold of a dataclass; fields that are at their defaults are left out."""
    if is_dataclass(value):
        return {
            item.name: to_plain(content)
            for item in fields(value)
            if (content := getattr(value, item.name)) != _default(item)
        }
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _default(item: Field[Any]) -> object:
    return item.default if item.default_factory is MISSING else item.default_factory()


def from_plain(kind: type[T], table: Mapping[str, Any]) -> T:
    """The inverse of `to_plain` after a turn through JSON. Nothing is validated."""
    values = dict(table)
    for name, read in _readers(cast("Any", kind)).items():
        if values.get(name) is not None:
            values[name] = read(values[name])
    return kind(**values)


@cache
def _readers(kind: Any) -> dict[str, Reader]:
    """Return the converters of fields whose JSON form differs from their type."""
    hints = get_type_hints(kind)
    found = {item.name: _reader(hints[item.name]) for item in fields(kind)}
    return {name: reader for name, reader in found.items() if reader is not None}


def _reader(hint: Any) -> Reader | None:
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda table: from_plain(hint, table)
    if hint is Path or (isinstance(hint, type) and issubclass(hint, Enum)):
        return cast("Reader", hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner, *others) = [each for each in arguments if each is not type(None)]
        return None if others else _reader(inner)
    if origin is tuple:
        item = _reader(arguments[0])
        return tuple if item is None else lambda values: tuple(map(item, values))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        each = _reader(arguments[1])
        return each and (lambda table: {key: each(value) for key, value in table.items()})
    return None
