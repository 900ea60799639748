"""Suppressions with a reason: the `[[suppress]]` entries of a configuration."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from modellint.base.globs import Globs
from modellint.base.records import dataclass
from modellint.results.finding import Finding
from modellint.rules.rule import Rule
from modellint.rules.selection import covers

UNUSED = "SUP001"
EXPIRED = "SUP002"
PROTECTED_FAMILIES = frozenset({"internal", "suppression"})
"""Families about modellint and suppressions, which cannot be suppressed."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Findings to accept, and the reason."""

    rule: str
    reason: str
    path: str = "*"
    node: str | None = None
    expires: datetime.date | None = None

    def expired(self, today: datetime.date) -> bool:
        return self.expires is not None and self.expires < today

    def covers(self, rule: Rule) -> bool:
        return covers(self.rule, rule)

    def matches(self, finding: Finding, path: str) -> bool:
        """Return True if the finding matches; `path` is relative to the configuration."""
        return (
            finding.family not in PROTECTED_FAMILIES
            and covers(self.rule, finding)
            and Globs.of_setting([self.path]).match(path)
            and (self.node is None or _is_named(finding, self.node))
        )

    def describe(self) -> str:
        """Return ``FUS002 on node 'stem/*' in 'legacy/*.onnx'``."""
        node = f" on node {self.node!r}" if self.node is not None else ""
        where = f" in {self.path!r}" if self.path != "*" else ""
        return f"{self.rule}{node}{where}"


def _is_named(finding: Finding, pattern: str) -> bool:
    """Return True if the place's name matches, or those of all nodes that it stands for."""
    if finding.nodes:
        return all(_matches(name, pattern) for name in finding.nodes)
    names = (finding.location.node, finding.location.value)
    return any(name is not None and _matches(name, pattern) for name in names)


def _matches(name: str, pattern: str) -> bool:
    """Return True if a name matches or equals the pattern: names may contain brackets."""
    return name == pattern or fnmatchcase(name, pattern)


def suppress(
    findings: Iterable[Finding],
    path: str,
    suppressions: Sequence[Suppression],
    today: datetime.date,
) -> tuple[list[Finding], set[Suppression]]:
    """Return a file's findings with accepted ones marked, and the suppressions used."""
    in_force = [entry for entry in suppressions if not entry.expired(today)]
    used: set[Suppression] = set()
    marked = []
    for finding in findings:
        hits = [entry for entry in in_force if entry.matches(finding, path)]
        used.update(hits)
        if hits and finding.suppressed is None:
            finding = replace(finding, suppressed=hits[0].reason)
        marked.append(finding)
    return marked, used
