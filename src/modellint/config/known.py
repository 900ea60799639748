"""Reading of settings tables that were valid before, without validating them again."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from modellint import __version__
from modellint.base.data import cache_dir
from modellint.base.store import Store
from modellint.config.settings import Budgets, ProfileTable, Settings, SuppressTable

FOLDER = "settings"


def is_known_valid(table: Mapping[str, Any]) -> bool:
    return _store().load(_key(table)) is not None


def remember_valid(table: Mapping[str, Any]) -> None:
    _store().save(_key(table), True)


def _store() -> Store:
    return Store(cache_dir() / FOLDER)


def _key(table: Mapping[str, Any]) -> str:
    """Return a key that changes with the table and with the definition of the settings."""
    definition = Path(__file__).with_name("settings.py").stat()
    edition = f"{__version__}:{definition.st_size}:{definition.st_mtime_ns}"
    return hashlib.sha256(f"{edition}\0{as_json(table)}".encode()).hexdigest()


def as_json(table: Mapping[str, Any]) -> str:
    return json.dumps(table, default=_date_text)


def _date_text(value: object) -> str:
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)


def settings_of(table: Mapping[str, Any]) -> Settings:
    """Convert a valid table to settings."""
    return Settings(
        **{
            _field(key): _READERS.get(_field(key), _tuple_of_list)(value)
            for key, value in table.items()
        }
    )


def _field(key: str) -> str:
    return key.replace("-", "_")


def _tuple_of_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) for key, value in table.items()}


def _shapes(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: shape if isinstance(shape, str) else ProfileTable(**shape)
        for name, shape in table.items()
    }


def _budgets(table: Mapping[str, Any]) -> Budgets:
    return Budgets(**{_field(key): value for key, value in table.items()})


def _budgets_by_glob(table: Mapping[str, Any]) -> dict[str, Budgets]:
    return {glob: _budgets(budgets) for glob, budgets in table.items()}


def _suppressions(entries: list[dict[str, Any]]) -> tuple[SuppressTable, ...]:
    return tuple(SuppressTable(**{**entry, **_expires(entry)}) for entry in entries)


def _expires(entry: Mapping[str, Any]) -> dict[str, datetime.date]:
    date = entry.get("expires")
    with suppress(ValueError):  # another notation, which only pydantic parses
        return {"expires": datetime.date.fromisoformat(date)} if isinstance(date, str) else {}
    return {}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "per_file_ignores": _tuples,
    "shapes": _shapes,
    "budgets": _budgets,
    "per_file_budgets": _budgets_by_glob,
    "suppress": _suppressions,
}
