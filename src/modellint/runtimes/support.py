"""Support tables of runtimes, stored in their packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.runtimes.registry import find_runtime
from modellint.runtimes.versions import Table, find_table, is_between, releases, version_key

SUPPORT, RESTRICTIONS, PRECISIONS = "support", "restrictions", "precisions"


@dataclass(frozen=True, slots=True)
class Support:
    """Operators and types that one release of a runtime supports."""

    version: str
    measured: bool
    operators: Mapping[str, Mapping[str, Any]]
    data_types: frozenset[str]
    """All types of the runtime; empty if unknown."""
    cpu_only: bool = False
    """True if measured on the CPU, which says nothing about deployments on a GPU."""

    def takes(self, op: str) -> bool | None:
        """Return True if an op is supported in any form; None if unknown."""
        entry = self.operators.get(op)
        return None if entry is None or "note" in entry else bool(entry["taken"])


def support(runtime: str, version: str | None = None) -> Support | None:
    """Return the table for a version of the runtime, by default its newest one.

    What releases added, according to their own files, is added to an older table, and taken from
    a newer one.
    """
    table = find_table(runtime, SUPPORT, version)
    return _support(runtime, version or table.version, table) if table is not None else None


def stated(runtime: str, version: str | None, kind: str) -> Mapping[str, Any]:
    """Return all that a table in TOML states; nothing if there is none."""
    table = find_table(runtime, kind, version)
    return kept_toml(table.path) if table is not None else {}


def taken_by(runtime: str, version: str | None, kind: str) -> Support | None:
    """Return what an accelerator takes, by a table of this kind; by `support` if it is empty."""
    if not kind:
        return support(runtime, version)
    known = stated(runtime, version, kind)
    if not known:
        return None
    return Support(
        version=known["version"],
        measured=False,
        operators={op: {"taken": True} for op in known["operators"]},
        data_types=frozenset(known.get("data-types", ())),
    )


@cache
def _support(runtime: str, version: str, table: Table) -> Support:
    known = find_runtime(runtime)
    facts = json.loads(table.path.read_text(encoding="utf-8"))
    changed = {
        op: {"taken": is_between(release.version, table.version, version)}
        for release in releases(runtime)
        if is_between(release.version, *sorted((table.version, version), key=version_key))
        for op in release.operators
    }
    return Support(
        version=facts["version"],
        measured=facts["confidence"] == "measured",
        operators={**facts["operators"], **changed},
        data_types=frozenset(facts.get("data-types", ())),
        cpu_only=known is not None and known.measured_on_cpu,
    )


def restrictions(
    runtime: str, version: str | None = None, kind: str = RESTRICTIONS
) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return the forms that it refuses of operators it supports, by operator."""
    table = find_table(runtime, kind, version)
    return _by_operator(table, "form") if table is not None else {}


def written_out(
    runtime: str, version: str | None = None, kind: str = RESTRICTIONS
) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return the pieces that it writes operators out as, by operator."""
    table = find_table(runtime, kind, version)
    return _by_operator(table, "written-out") if table is not None else {}


def added(
    runtime: str, version: str | None = None, kind: str = RESTRICTIONS
) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return the layers that it adds next to operators, by operator."""
    table = find_table(runtime, kind, version)
    return _by_operator(table, "added") if table is not None else {}


def removed(runtime: str, version: str | None = None, kind: str = RESTRICTIONS) -> frozenset[str]:
    """Return the operators that it removes before it places nodes."""
    return frozenset(stated(runtime, version, kind).get("removed", ()))


def refused(runtime: str, version: str | None = None) -> frozenset[str]:
    """Return the operators with which it does not build a model, instead of leaving them."""
    return frozenset(stated(runtime, version, RESTRICTIONS).get("refused", ()))


def moved(runtime: str, version: str | None = None) -> frozenset[str]:
    """Return the operators whose floats it moves on devices that cannot compute with them."""
    return frozenset(stated(runtime, version, RESTRICTIONS).get("moved", ()))


def within(runtime: str, version: str | None = None) -> Mapping[str, str]:
    """Return the operators that it takes only inside a larger one, and the name of that."""
    found: Mapping[str, str] = stated(runtime, version, RESTRICTIONS).get("within", {})
    return found


@cache
def _by_operator(table: Table, heading: str) -> Mapping[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in kept_toml(table.path).get(heading, ()):
        ops = entry["op"]
        for op in [ops] if isinstance(ops, str) else ops:
            found.setdefault(op, []).append(entry)
    return found


@cache
def tolerance(runtime: str) -> Mapping[str, Any]:
    """Return the operators that it reads without what their definitions demand, and the reverse."""
    table = find_table(runtime, RESTRICTIONS, None)
    stated: Mapping[str, Any] = kept_toml(table.path) if table is not None else {}
    found: Mapping[str, Any] = stated.get("contradictions", {})
    return found


def precisions(runtime: str, version: str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Return in which types it computes layers, by layer, types and compute capability."""
    table = find_table(runtime, PRECISIONS, version)
    return _precisions(table) if table is not None else {}


@cache
def _precisions(table: Table) -> Mapping[str, Mapping[str, Any]]:
    layers: dict[str, dict[str, Any]] = json.loads(table.path.read_text(encoding="utf-8"))["layers"]
    return layers
