"""Names of operators and types, and the options of operators, from TFLite's schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from modellint.formats.flatbuffer import FlatTable
from modellint.model import DTYPES, Attribute, DType


class Schema(NamedTuple):
    """Content of `schema.json`."""

    operators: tuple[str, ...]
    dtypes: tuple[DType | None, ...]
    types: tuple[str, ...]
    unions: tuple[tuple[str, ...], tuple[str, ...]]
    enums: Mapping[str, list[str]]
    tables: Mapping[str, list[list[Any]]]


@cache
def schema() -> Schema:
    stated = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    types = stated["tensor_types"]
    return Schema(
        tuple(stated["operators"]),
        tuple(DTYPES.get(each.lower().replace("float8_", "float8")) for each in types),
        tuple(types),
        (tuple(stated["options"]), tuple(stated["options_2"])),
        stated["enums"],
        stated["tables"],
    )


def options(table: FlatTable, kind: int, union: int) -> dict[str, Attribute]:
    """Return an operator's options; `kind` is their number in one of the two unions."""
    known = schema()
    name = known.unions[union][kind] if kind < len(known.unions[union]) else ""
    fields = known.tables.get(name, ())
    return {each[0]: value for each in fields if (value := _field(table, each)) is not None}


def _field(table: FlatTable, field: list[Any]) -> Attribute | None:
    _, slot, kind, default, *enum = field
    if enum:
        number = table.number(slot, kind, default)
        names = schema().enums[enum[0]]
        return names[number] if 0 <= number < len(names) else number
    if kind == "s":
        return table.text(slot)
    if kind.endswith("*"):
        return table.numbers(slot, kind[0])
    if kind in "fd":
        return table.real(slot, kind, default)
    return int(table.number(slot, kind, int(default)))
