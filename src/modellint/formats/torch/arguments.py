"""Arguments of an exported program's operators, which the file states with their kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError
from modellint.model import MOST


class TensorName(NamedTuple):
    """A tensor that an operator takes or makes."""

    name: str


class SymbolName(NamedTuple):
    """A number that only the sizes of inputs tell."""

    name: str


class Body(NamedTuple):
    """A graph that an operator runs."""

    name: str
    graph: Mapping[str, Any]


class ScalarType(NamedTuple):
    """An element type, by its number in the schema."""

    code: int


def argument(stated: Any) -> Any:
    """Return an argument: a number, a text, one of the classes above, or a list of them.

    What is none of these, such as a device, is None.
    """
    kind, value = _union(stated)
    read = _KINDS.get(kind)
    return read(value) if read is not None else None


def _union(stated: Any) -> tuple[str, Any]:
    """Return the kind and the content of a union: a table with one entry, or one that is set."""
    table = stated if isinstance(stated, dict) else {}
    return next(((key, each) for key, each in table.items() if each is not None), ("", None))


def _named(value: Any) -> TensorName | None:
    name = value.get("name") if isinstance(value, dict) else None
    return TensorName(name) if isinstance(name, str) else None


def _symbolic(value: Any) -> Any:
    """Return a symbol, or the number that stands in its place."""
    kind, inner = _union(value)
    return SymbolName(inner) if kind == "as_name" and isinstance(inner, str) else _number(inner)


def _number(value: Any) -> int | float | None:
    if isinstance(value, int) and abs(value) > MOST + 1:
        return None
    if isinstance(value, str):  # how infinities are written
        return {"Infinity": float("inf"), "-Infinity": float("-inf")}.get(value)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (int, float)) else None


def integer(value: Any) -> int | None:
    """Return an integer; JSON's truth values are others."""
    return value if type(value) is int else None


def _text(value: Any) -> str | None:
    return bounded(value) if isinstance(value, str) else None


def _optional(value: Any) -> TensorName | None:
    kind, inner = _union(value)
    return _named(inner) if kind == "as_tensor" else None


def _body(value: Any) -> Body | None:
    graph = value.get("graph") if isinstance(value, dict) else None
    return Body(bounded(str(value.get("name"))), graph) if isinstance(graph, dict) else None


def _scalar_type(value: Any) -> ScalarType | None:
    return ScalarType(value) if isinstance(value, int) else None


def _each(read: Any) -> Any:
    return lambda value: [read(each) for each in value] if isinstance(value, list) else None


_KINDS: Mapping[str, Any] = {
    "as_tensor": _named,
    "as_tensors": _each(_named),
    "as_nested_tensors": lambda value: [
        each for row in value if isinstance(row, list) for each in map(_named, row)
    ],
    "as_optional_tensor": _optional,
    "as_optional_tensors": _each(_optional),
    "as_int": _number,
    "as_ints": _each(_number),
    "as_float": _number,
    "as_floats": _each(_number),
    "as_bool": _number,
    "as_bools": _each(_number),
    "as_string": _text,
    "as_strings": _each(_text),
    "as_sym_int": _symbolic,
    "as_sym_ints": _each(_symbolic),
    "as_sym_float": _symbolic,
    "as_sym_floats": _each(_symbolic),
    "as_sym_bool": _symbolic,
    "as_sym_bools": _each(_symbolic),
    "as_scalar_type": _scalar_type,
    "as_graph": _body,
    "as_operator": _text,
}


def tensors_in(value: Any) -> Iterator[TensorName | None]:
    """Iterate over the tensors of an argument, with None for those left out of a list."""
    if isinstance(value, TensorName):
        yield value
    elif isinstance(value, list) and any(isinstance(each, TensorName) for each in value):
        yield from (each if isinstance(each, TensorName) else None for each in value)


def table(stated: Any, part: str) -> Mapping[str, Any]:
    """Return a part of the file that has to be a table."""
    if not isinstance(stated, dict):
        raise MalformedError("corrupt", f"{part} is not a table")
    return stated


def rows(stated: Any, part: str) -> list[Any]:
    """Return a part of the file that has to be a list; one that is absent is empty."""
    if stated is None:
        return []
    if not isinstance(stated, list):
        raise MalformedError("corrupt", f"{part} is not a list")
    return stated
