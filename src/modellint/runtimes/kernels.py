"""Operators and kernels that a runtime registers, by version and type."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Literal

from modellint.base.records import dataclass
from modellint.runtimes.versions import Table, find_table

KERNELS = "kernels"
"""The kind of these tables."""
Answer = Literal["runs", "unknown-version", "unregistered", "removed", "no-kernel", "no-type"]
Types = Mapping[str, Sequence[str]]
"""The types that a kernel takes, by place."""
TypeAt = Callable[[str], str | None]
"""Returns the type at a place of a node: ``0`` for the first input, ``o0`` for the first output."""
COMPUTED_AS = {"float16": "float32"}
"""Types that are cast to another one where no kernel takes them."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelTable:
    """Operators and kernels that one release of a runtime registers."""

    measured: ClassVar[bool] = True
    version: str
    domains: Mapping[str, int]
    """Domains that a model may use without importing them, and their newest version."""
    operators: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Facts by domain and operator."""

    def registers(self, domain: str, op: str, opset: int) -> int | None:
        """Return the version of an operator in an operator set; None if it is not registered."""
        versions = self._facts(domain, op).get("versions", ())
        at = bisect_right(versions, opset)
        return versions[at - 1] if at else None

    def ask(self, domain: str, op: str, opset: int, type_at: TypeAt) -> Answer:
        """Return whether a node of this operator can be loaded on the CPU."""
        if opset > self.domains.get(domain, 0):
            return "unknown-version"
        version = self.registers(domain, op, opset)
        if version is None:
            return "unregistered"
        facts = self._facts(domain, op)
        if version in facts.get("removed", ()):
            return "removed"
        if _is_replaced(facts.get("body", ()), opset, type_at):
            return "runs"
        kernels = self._kernels(domain, op, version)
        if not kernels and not _is_replaced(facts.get("body", ()), opset, lambda place: None):
            return "no-kernel"
        if _fits(kernels, type_at) or _fits(kernels, lambda place: _computed_as(type_at(place))):
            return "runs"
        return "no-type"

    def has_kernel(self, domain: str, op: str, opset: int, type_at: TypeAt) -> bool:
        """Return True if a kernel takes an operator as it is."""
        version = self.registers(domain, op, opset)
        return version is not None and _fits(self._kernels(domain, op, version), type_at)

    def is_replaced(self, domain: str, op: str, opset: int, type_at: TypeAt) -> bool:
        """Return True if other operators take an operator's place, for no kernel takes it."""
        bodies = self._facts(domain, op).get("body", ())
        return not self.has_kernel(domain, op, opset, type_at) and _is_replaced(
            bodies, opset, type_at
        )

    def host(self, domain: str, op: str, opset: int) -> frozenset[str]:
        """Return the places of a kernel for a GPU that are in the computer's memory."""
        version = self.registers(domain, op, opset)
        for first, last, places in self._facts(domain, op).get("host", ()):
            if version is not None and first <= version and (last is None or version <= last):
                return frozenset(places)
        return frozenset()

    def kernel_types(self, domain: str, op: str, opset: int, place: str) -> list[str]:
        """Return the types at a place that some kernel takes."""
        version = self.registers(domain, op, opset)
        kernels = self._kernels(domain, op, version) if version is not None else ()
        return sorted({name for types in kernels for name in types.get(place, ())})

    def types(self, domain: str, op: str, opset: int, place: str) -> list[str]:
        """Return the types at a place that some kernel takes, or that are cast to one of them."""
        found = set(self.kernel_types(domain, op, opset, place))
        return sorted(found | {name for name, cast in COMPUTED_AS.items() if cast in found})

    def places(self, domain: str, op: str, opset: int) -> list[str]:
        """Return the places whose types decide about kernels."""
        version = self.registers(domain, op, opset)
        kernels = self._kernels(domain, op, version) if version is not None else ()
        return sorted({place for types in kernels for place in types})

    def stated_signature(self, domain: str, op: str) -> Mapping[str, Any] | None:
        """Return inputs, outputs and attributes of an operator that the standard lacks."""
        found: Mapping[str, Any] | None = self._facts(domain, op).get("signature")
        return found

    def first_version(self, domain: str, op: str) -> int | None:
        """Return the lowest version of an operator that has a kernel."""
        return min(
            (first for first, _, _ in self._facts(domain, op).get("kernels", ())), default=None
        )

    def last_version(self, domain: str, op: str) -> int | None:
        """Return the operator set before the first whose version of the operator has no kernel."""
        versions = self._facts(domain, op).get("versions", ())
        without = [each for each in versions if not self._kernels(domain, op, each)]
        with_kernel = self.first_version(domain, op)
        later = [each for each in without if with_kernel is not None and each > with_kernel]
        return min(later) - 1 if later else None

    def _facts(self, domain: str, op: str) -> Mapping[str, Any]:
        return self.operators.get(domain, {}).get(op, {})

    def _kernels(self, domain: str, op: str, version: int) -> Sequence[Types]:
        """Return the types of its kernels; one without an end serves only the version it names."""
        return [
            types
            for first, last, types in self._facts(domain, op).get("kernels", ())
            if first == version or (last is not None and first < version <= last)
        ]


def _is_replaced(bodies: Iterable[Any], opset: int, type_at: TypeAt) -> bool:
    """Return True if other operators take an operator's place, in this operator set."""
    return any(
        first <= opset and (last is None or opset <= last) and _fits((types,), type_at)
        for first, last, types in bodies
    )


def _fits(kernels: Iterable[Types], type_at: TypeAt) -> bool:
    return any(
        all((found := type_at(place)) is None or found in names for place, names in types.items())
        for types in kernels
    )


def _computed_as(name: str | None) -> str | None:
    return COMPUTED_AS.get(name, name) if name is not None else None


def kernels(runtime: str, version: str | None = None, kind: str = KERNELS) -> KernelTable | None:
    """Return the table for a version of the runtime, by default its newest; None if not known."""
    table = find_table(runtime, kind, version)
    return _kernels(table) if table is not None else None


@cache
def _kernels(table: Table) -> KernelTable:
    stated = json.loads(table.path.read_text(encoding="utf-8"))
    return KernelTable(table.version, stated["domains"], stated["operators"])
