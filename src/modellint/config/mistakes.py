"""Error messages for invalid configurations: the key, its line, and a suggestion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from modellint.base.mistakes import FileMistake
from modellint.base.suggest import did_you_mean, nearest
from modellint.config.places import lines_of, shown
from modellint.config.settings import (
    KEYS,
    REQUIRED_IN_SUPPRESS,
    Budgets,
    ProbeTable,
    ProfileTable,
    SuppressTable,
    kebab,
)

_TABLES: Mapping[str, tuple[str, ...]] = {
    "suppress": tuple(item.name for item in fields(SuppressTable)),
    "budgets": tuple(kebab(item.name) for item in fields(Budgets)),
    "per-file-budgets": tuple(kebab(item.name) for item in fields(Budgets)),
    "shapes": tuple(item.name for item in fields(ProfileTable)),
    "probes": tuple(item.name for item in fields(ProbeTable)),
}
"""Keys of the tables with a fixed set of keys."""

_FREQUENT = {
    "target": "targets",
    "disable": "ignore",
    "enable": "select",
    "output-format": "output",
    "format": "output",
    "no-cache": "cache",
    "per-file-ignore": "per-file-ignores",
    "noqa": "suppress",
    "max-size": "max-file-size",
    "max-parameters": "max-params",
    "expire": "expires",
    "file": "path",
}
"""Names of settings in other tools."""

_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "dataclass_type": "a table",
    "dataclass_exact_type": "a table",
    "date_type": "a date (example: 2027-01-31)",
    "date_parsing": "a date (example: 2027-01-31)",
    "date_from_datetime_parsing": "a date (example: 2027-01-31)",
    "date_from_datetime_inexact": "a date (example: 2027-01-31)",
}


def found_in(table: Mapping[str, Any], errors: Sequence[Any]) -> list[FileMistake]:
    """Return the mistakes in a table of settings, one per key."""
    mistakes = {_key(error, table): error for error in reversed(errors)}
    grouped: dict[tuple[str | int, ...], list[Any]] = {key: [] for key in mistakes}
    for error in errors:
        grouped[_key(error, table)].append(error)
    return [FileMistake(_mistake(key, group), key) for key, group in grouped.items()]


def describe(file: Path, mistakes: Sequence[FileMistake]) -> str:
    """Return one line per mistake, in the order of the file."""
    lines = [line or 0 for line in lines_of(file, mistakes)]
    return "\n".join(
        f"{shown(file)}:{line}: {text}" if line else f"{shown(file)}: {text}"
        for line, text in sorted(zip(lines, (each.text for each in mistakes), strict=True))
    )


def dotted(keys: Sequence[str | int]) -> str:
    """Join keys to a path such as ``suppress[0].reason`` or ``severity."FUS.x"``."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
            text += ("." if text else "") + (key if bare else f'"{key}"')
    return text


def _key(error: Any, table: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Return the part of pydantic's location that is in the file; the rest names union branches."""
    key: list[str | int] = []
    value: Any = table
    missing = error["type"] in ("missing", "missing_argument")
    for part in error["loc"]:
        if _has(value, part):
            value = value[part]
        elif missing and part == error["loc"][-1]:
            pass
        else:
            continue
        key.append(part)
    return tuple(key)


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _mistake(key: tuple[str | int, ...], errors: Sequence[Any]) -> str:
    """Describe the errors of one key; several mean that no branch of a union matched."""
    error = errors[0]
    if any(each["type"] in ("extra_forbidden", "unexpected_keyword_argument") for each in errors):
        return _unknown_key(key)
    if error["type"] in ("missing", "missing_argument"):
        needs = " and ".join(REQUIRED_IN_SUPPRESS) if key[0] == "suppress" else str(key[-1])
        return f"{dotted(key[:-1])}: {key[-1]!r} is missing (an entry needs {needs})"
    if error["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        hint = did_you_mean(str(error["input"]), choices)
        tail = f"; {hint}" if hint else ""
        return f"{dotted(key)}: {error['input']!r} is not one of {', '.join(choices)}{tail}"
    expected = [_EXPECTED.get(each["type"], "") for each in errors]
    if "a number" in expected:
        expected = [text for text in expected if text != "an integer"]
    wanted = " or ".join(dict.fromkeys(text for text in expected if text))
    if not wanted:
        return f"{dotted(key)}: {error['msg']}"
    return f"{dotted(key)}: expected {wanted}, found {_toml(error['input'])}"


def _unknown_key(key: tuple[str | int, ...]) -> str:
    name = str(key[-1])
    known = KEYS if len(key) == 1 else _TABLES.get(str(key[0]), ())
    if key == ("tool",):
        return "tool: write keys at the top level; [tool.modellint] is for pyproject.toml"
    meant = _FREQUENT.get(name) if _FREQUENT.get(name) in known else None
    near = meant or nearest(name.replace("_", "-"), known)
    hint = f"did you mean {near!r}?" if near else f"known keys: {', '.join(known)}"
    return f"{dotted(key)}: unknown key; {hint}"


def _toml(value: object) -> str:
    """Format a value roughly as it was written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return f'"{value}"' if isinstance(value, str) else str(value)
