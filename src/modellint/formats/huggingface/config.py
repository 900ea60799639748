"""JSON configurations, in which nothing is certain, not even the types of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modellint.base.files import read_regular
from modellint.base.json_text import parse_json
from modellint.model import MOST

LONGEST = 64 << 20


class JsonTable:
    """A table of a configuration. What is missing or of another type is None, or empty."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table

    def __contains__(self, key: str) -> bool:
        return self._table.get(key) is not None

    def __bool__(self) -> bool:
        return bool(self._table)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def states(self, key: str) -> bool:
        """True if the key is there, though its value may be null."""
        return key in self._table

    def get(self, key: str) -> object:
        """Return a value of any type."""
        return self._table.get(key)

    def number(self, *keys: str) -> int | None:
        """Return the first of these that is a natural number."""
        return next((n for key in keys if (n := natural(self._table.get(key))) is not None), None)

    def real(self, *keys: str) -> float | None:
        for key in keys:
            value = self._table.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return float(value) if abs(value) <= MOST else None
        return None

    def text(self, *keys: str) -> str:
        return next((v for key in keys if isinstance(v := self._table.get(key), str)), "")

    def flag(self, key: str) -> bool | None:
        value = self._table.get(key)
        return value if isinstance(value, bool) else None

    def items(self, key: str) -> list[Any]:
        value = self._table.get(key)
        return value if isinstance(value, list) else []

    def texts(self, key: str) -> list[str]:
        return [each for each in self.items(key) if isinstance(each, str)]

    def table(self, key: str) -> JsonTable:
        value = self._table.get(key)
        return JsonTable(value if isinstance(value, dict) else {})

    def tables(self, key: str) -> list[JsonTable]:
        return [JsonTable(each) for each in self.items(key) if isinstance(each, dict)]

    def values(self) -> Iterable[object]:
        return self._table.values()

    def over(self, other: JsonTable) -> JsonTable:
        """Return this table, completed with keys that only the other has."""
        return JsonTable({**other._table, **self._table})


NOTHING = JsonTable({})


def natural(value: object) -> int | None:
    """Return a natural number that is not absurd."""
    return value if type(value) is int and 0 <= value <= MOST else None


def read_config(path: Path) -> JsonTable:
    """Return the configuration in a file. Raises OSError, and ValueError with the mistake."""
    try:
        stated = parse_json(read_regular(path, LONGEST))
    except RecursionError as error:
        raise ValueError("brackets within brackets") from error
    if not isinstance(stated, dict):
        raise ValueError("no table")
    return JsonTable(stated)
