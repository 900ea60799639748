"""Support tables of runtimes, stored in their packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.runtimes.registry import find_runtime

OPSETS = "opsets.toml"
RESTRICTIONS = "restrictions.toml"
SUPPORT = "support-*.json"


@dataclass(frozen=True, slots=True)
class Support:
    """Operators and types that one release of a runtime supports."""

    version: str
    measured: bool
    operators: Mapping[str, Mapping[str, Any]]
    data_types: frozenset[str]
    """All types of the runtime; empty if unknown."""
    foreign: frozenset[str] = frozenset()
    """Operators of other runtimes, with their domain, that this one cannot import."""
    cpu_only: bool = False
    """True if measured on the CPU, which says nothing about deployments on a GPU."""

    def takes(self, op: str) -> bool | None:
        """Return True if an op of the default domain is supported in any form; None if unknown."""
        entry = self.operators.get(op)
        return None if entry is None or "note" in entry else bool(entry["taken"])


@cache
def support(runtime: str) -> Support | None:
    """Return the table of the runtime's newest release."""
    folder, known = tables_of(runtime), find_runtime(runtime)
    files = folder.glob(SUPPORT) if folder is not None else ()
    newest = max(files, key=lambda file: version_key(file.stem.rpartition("-")[2]), default=None)
    if newest is None or known is None:
        return None
    table = json.loads(newest.read_text(encoding="utf-8"))
    return Support(
        version=table["version"],
        measured=table["confidence"] == "measured",
        operators=table["operators"],
        data_types=frozenset(table.get("data-types", ())),
        foreign=frozenset(table.get("foreign", ())),
        cpu_only=known.measured_on_cpu,
    )


def releases(runtime: str) -> list[dict[str, Any]]:
    """Return the opsets and file versions that its releases support, newest first."""
    rows: list[dict[str, Any]] = read_table(runtime, OPSETS).get("release", [])
    return rows


@cache
def restrictions(runtime: str) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return the forms that it refuses of operators it supports, by operator."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in read_table(runtime, RESTRICTIONS).get("form", ()):
        found.setdefault(entry["op"], []).append(entry)
    return found


@cache
def read_table(runtime: str, file: str) -> dict[str, Any]:
    """Read one of the runtime's tables; empty if it does not exist."""
    folder = tables_of(runtime)
    path = folder / file if folder is not None else None
    return kept_toml(path) if path is not None and path.is_file() else {}


def tables_of(runtime: str) -> Path | None:
    """Return the folder of the runtime's tables."""
    known = find_runtime(runtime)
    return known.tables if known is not None else None


def version_key(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
