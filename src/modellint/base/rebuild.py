"""Conversion of JSON to dataclasses, for data that was validated before."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

T = TypeVar("T")
Reader = Callable[[Any], Any]
Test = Callable[[Any], bool]


_SAME_IN_JSON = frozenset(
    hint + end for hint in ("str", "int", "float", "bool") for end in ("", " | None")
)
"""Hints of most fields, which need not be evaluated to see that JSON has the same."""


def to_plain(value: Any) -> Any:
    """Convert a dataclass to JSON data, without fields that have their default."""
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
    """The inverse of `to_plain` after a turn through JSON or TOML. Nothing is validated."""
    aliases, readers = _form(cast("Any", kind))
    values = dict(table)
    if aliases:
        values = {aliases.get(key, key): value for key, value in table.items()}
    for name, read in readers.items():
        if values.get(name) is not None:
            values[name] = read(values[name])
    return kind(**values)


@cache
def _form(kind: Any) -> tuple[dict[str, str], dict[str, Reader]]:
    return _aliases(kind), _readers(kind)


def _aliases(kind: Any) -> dict[str, str]:
    """Return the names of fields by their spelling in files, which pydantic reads them by too."""
    spelling = getattr(kind, "__pydantic_config__", {}).get("alias_generator")
    return {spelling(item.name): item.name for item in fields(kind)} if spelling else {}


def _readers(kind: Any) -> dict[str, Reader]:
    """Return the converters of fields whose JSON form differs from their type."""
    names = {**vars(sys.modules[kind.__module__]), kind.__name__: kind}
    found = {
        item.name: _reader(eval(str(item.type), names))  # noqa: S307 - a hint of our own
        for item in fields(kind)
        if item.type not in _SAME_IN_JSON
    }
    return {name: reader for name, reader in found.items() if reader is not None}


def _reader(hint: Any) -> Reader | None:
    if get_origin(hint) is Annotated:
        return _reader(get_args(hint)[0])
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda table: from_plain(hint, table)
    if hint is date:
        return lambda day: date.fromisoformat(day) if isinstance(day, str) else day
    if hint is Path:
        return lambda path: path if isinstance(path, Path) else Path(path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return cast("Reader", hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _reader_of_one(arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return tuple if item is None else lambda values: tuple(map(item, values))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        each = _reader(arguments[1])
        return each and (lambda table: {key: each(value) for key, value in table.items()})
    return None


def _reader_of_one(hints: Sequence[Any]) -> Reader | None:
    """Return the converter of the one hint that differs in JSON, tables by their form."""
    readers = [reader for each in hints if (reader := _reader(each)) is not None]
    if len(readers) != 1:
        return None
    (read,) = readers
    if not any(is_dataclass(each) for each in hints):
        return read
    return lambda value: read(value) if isinstance(value, Mapping) else value


def checked_from_plain(kind: type[T], table: object) -> T:
    """Like `from_plain`, for data that may have been edited; raise ValueError for wrong types."""
    if not isinstance(table, Mapping):
        raise ValueError("not a table")
    try:
        value = from_plain(kind, table)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error
    require_typed(value)
    return value


def require_typed(value: object) -> None:
    """Raise ValueError unless a dataclass and those inside have the types that they state."""
    kind: Any = type(value)
    if not _fields_test(kind)(value):
        raise ValueError(f"a field of {kind.__name__} has the wrong type")


@cache
def _fields_test(kind: Any) -> Test:
    """Return the test whether the fields of a dataclass have the types that it states.

    Most have one of a few types: those are tested together, and once for each combination.
    """
    hints = get_type_hints(kind)
    plain = {item.name: _plain_types(hints[item.name]) for item in fields(kind)}
    few = {name: allowed for name, allowed in plain.items() if allowed}
    rest = [(name, _test(hints[name])) for name, allowed in plain.items() if not allowed]
    names = tuple(few)
    known: set[tuple[type, ...]] = set()

    def fits(value: Any) -> bool:
        found = tuple([type(getattr(value, name)) for name in names])
        if found not in known:
            if not all(each in allowed for each, allowed in zip(found, few.values(), strict=True)):
                return False
            known.add(found)
        return all(test(getattr(value, name)) for name, test in rest)

    return fits


def _plain_types(hint: Any) -> frozenset[type]:
    """Return the types of a value if the hint names no others; else none."""
    if get_origin(hint) in (Union, types.UnionType):
        each = [_plain_types(part) for part in get_args(hint)]
        return frozenset().union(*each) if all(each) else frozenset()
    if hint is float:
        return frozenset({int, float})
    if hint in (str, int, bool, types.NoneType) or (
        isinstance(hint, type) and issubclass(hint, Enum)
    ):
        return frozenset({hint})
    return frozenset()


def _test(hint: Any) -> Test:
    """Return the test whether a value has a type, as far as dataclasses here state types."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return lambda value: True
    if allowed := _plain_types(hint):
        return lambda value: type(value) in allowed
    if origin is Literal:
        return lambda value: isinstance(value, str | int) and value in arguments
    if origin in (Union, types.UnionType):
        some = [_test(each) for each in arguments]
        return lambda value: any(fits(value) for fits in some)
    if origin is tuple:
        return _tuple_test(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):  # its keys are those of JSON
        content = None if arguments[1] in (Any, object) else _test(arguments[1])
        return lambda value: (
            isinstance(value, dict) and (content is None or all(map(content, value.values())))
        )
    if is_dataclass(hint):
        made, fits = cast("type", hint), _fields_test(cast("Any", hint))
        return lambda value: type(value) is made and fits(value)
    return lambda value: isinstance(value, hint)


def _tuple_test(hints: Sequence[Any]) -> Test:
    item = _test(hints[0])
    if hints[-1] is Ellipsis:
        return lambda value: isinstance(value, tuple) and all(map(item, value))
    tests = [_test(each) for each in hints]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(tests)
        and all(fits(each) for fits, each in zip(tests, value, strict=True))
    )
