"""The tables of what a runtime takes, which lie in its package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modellint.base.data import read_toml
from modellint.base.records import dataclass
from modellint.runtimes.registry import find_runtime

OPSETS = "opsets.toml"
RESTRICTIONS = "restrictions.toml"
SUPPORT = "support-*.json"


@dataclass(frozen=True, slots=True)
class Support:
    """What one release of a runtime takes."""

    version: str
    measured: bool
    operators: Mapping[str, Mapping[str, Any]]
    data_types: frozenset[str]
    """All types that the runtime has at all; empty when they are unknown."""
    foreign: frozenset[str] = frozenset()
    """Operators of other runtimes, with their domain, that this one has no importer for."""
    cpu_only: bool = False
    """Whether it was measured on the CPU, so that it says nothing about deployments on a GPU."""

    def takes(self, op: str) -> bool | None:
        """Whether an operator of the default domain is taken in any form; None when unknown."""
        entry = self.operators.get(op)
        return None if entry is None or "note" in entry else bool(entry["taken"])


@cache
def support(runtime: str) -> Support | None:
    """The table of the runtime's newest release."""
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
    """The operator sets and file versions that its releases take, the newest first."""
    rows: list[dict[str, Any]] = read_table(runtime, OPSETS).get("release", [])
    return rows


@cache
def restrictions(runtime: str) -> Mapping[str, list[Mapping[str, Any]]]:
    """By operator, the forms that it refuses although it has the operator."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in read_table(runtime, RESTRICTIONS).get("form", ()):
        found.setdefault(entry["op"], []).append(entry)
    return found


@cache
def read_table(runtime: str, file: str) -> dict[str, Any]:
    """One of the runtime's tables; empty where it has none of this name."""
    folder = tables_of(runtime)
    path = folder / file if folder is not None else None
    return read_toml(path) if path is not None and path.is_file() else {}


def tables_of(runtime: str) -> Path | None:
    """The folder of the runtime's tables."""
    known = find_runtime(runtime)
    return known.tables if known is not None else None


def version_key(text: str) -> tuple[int, ...]:
    """The numbers of a version, to compare by."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
