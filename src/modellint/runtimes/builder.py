"""Tables of what runtimes' builders offer, stored in their packages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from modellint.base.store import kept_toml
from modellint.runtimes.versions import find_table

BUILDER = "builder"


def is_strongly_typed(runtime: str | None, version: str | None) -> bool:
    """Return True if engines compute in the types of the graph, whatever the precision."""
    return bool(_table(runtime, version).get("strongly-typed"))


def removed_plugins(runtime: str | None, version: str | None) -> Mapping[str, str]:
    """Return what to use instead of plugins that a version no longer has, by operator."""
    removed: Mapping[str, str] = _table(runtime, version).get("removed-plugins", {})
    return removed


@cache
def _table(runtime: str | None, version: str | None) -> Mapping[str, Any]:
    table = find_table(runtime or "", BUILDER, version)
    return kept_toml(table.path) if table is not None else {}
