"""Memory of settings tables that were valid before and need no validation."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.base.data import cache_dir
from modellint.base.store import Store
from modellint.base.version import __version__

FOLDER = "settings"


def is_known_valid(table: Mapping[str, Any]) -> bool:
    return _store().load(_key(table)) is True


def remember_valid(table: Mapping[str, Any]) -> None:
    _store().save(_key(table), True)


def _store() -> Store:
    return Store(cache_dir(), FOLDER)


def _key(table: Mapping[str, Any]) -> str:
    """Return a key that changes with the table and with the definition of the settings."""
    definition = Path(__file__).with_name("settings.py").stat()
    edition = f"{__version__}:{definition.st_size}:{definition.st_mtime_ns}"
    return hashlib.sha256(f"{edition}\0{as_json(table)}".encode()).hexdigest()


def as_json(table: Mapping[str, Any]) -> str:
    return json.dumps(table, default=_date_text)


def _date_text(value: object) -> str:
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)
