"""Comparison of the rules' predictions with a runtime's optimizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from modellint.checks.api import Hit
from modellint.model import Node
from modellint.results.finding import Severity
from modellint.rules.rule import Rule
from modellint.runtimes import Runtime
from modellint.verify.optimized import Optimized, optimize

COMPARED, REFUSED = "VFY001", "VFY002"
"""Rules that report the comparison, and models that the runtime rejects."""
_MOST_CHANGES = 6
_UNTOLD = frozenset({"Constant", "Identity"})


class Judge:
    """Fusions of a model: predicted, and observed in the optimized graph."""

    def __init__(self, path: Path, runtime: Runtime) -> None:
        self._path = path
        self._runtime = runtime
        self._confirmed = self._refuted = 0

    @cached_property
    def optimized(self) -> Optimized:
        return optimize(self._path, self._runtime)

    def verify(self, rule: Rule, hit: Hit, runtime: str | None) -> Hit | None:
        """Return the hit with the verdict added; None if the runtime performs the fusion."""
        witness = hit.witness or hit.place
        name = self._runtime.name
        if name not in rule.fused_by or not isinstance(witness, Node):
            return hit
        kept = self.optimized.keeps(witness)
        if kept is None:
            return hit
        self._confirmed += kept
        self._refuted += not kept
        if not kept and runtime == name:
            return None
        verdict = "left as it is by" if kept else "undone by"
        optimizer = f"{self._runtime.title} {self.optimized.version}"
        facts = {**hit.facts, name: f"{verdict} {optimizer}"}
        asked_about = kept and runtime in (None, name)
        return replace(hit, facts=facts, confidence="measured" if asked_about else hit.confidence)

    def remarks(self) -> Iterator[tuple[str, Hit]]:
        """Iterate over hits about the model as a whole, by rule code."""
        optimized = self.optimized
        if optimized.error:
            missing = optimized.lacks_kernel
            facts = {"error": optimized.error, "version": optimized.version}
            yield (
                REFUSED,
                Hit(None, facts, "kernel" if missing else "", Severity.INFO if missing else None),
            )
            return
        yield (
            COMPARED,
            Hit(
                None,
                {
                    "version": optimized.version,
                    "before": sum(optimized.before.values()),
                    "after": sum(optimized.after.values()),
                    "changes": _changes(optimized.before, optimized.after),
                    "verdict": self._verdict(),
                    "confirmed": self._confirmed,
                    "refuted": self._refuted,
                    "ops": dict(optimized.before),
                    "optimized_ops": dict(optimized.after),
                },
                confidence="measured",
            ),
        )

    def _verdict(self) -> str:
        looked = self._confirmed + self._refuted
        if not looked:
            return ""
        fusions = "fusion that was" if looked == 1 else "fusions that were"
        return (
            f". Of {looked} {fusions} checked, it misses {self._confirmed} "
            f"and does {self._refuted} by itself"
        )


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Return the operators whose number changed most, for example ``Erf 12 → 0``."""
    change = Counter({op: abs(after.get(op, 0) - before.get(op, 0)) for op in {*before, *after}})
    most = sorted(
        (op for op in change if change[op] and op not in _UNTOLD), key=lambda op: (-change[op], op)
    )
    if not any(change.values()):
        return "no change"
    return ", ".join(
        f"{op.rpartition('.')[2]} {before.get(op, 0)} → {after.get(op, 0)}"
        for op in most[:_MOST_CHANGES]
    )
