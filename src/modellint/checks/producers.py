"""Defects that exporters, converters and quantizers are known to leave, from rules/producers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cache

from modellint.base.data import data_dir
from modellint.base.rebuild import from_plain
from modellint.base.records import dataclass
from modellint.base.store import kept_tomls
from modellint.checks.api import Context, Hit
from modellint.checks.patterns import PatternCheck
from modellint.model import Node
from modellint.results.finding import Severity
from modellint.rules.rule import Examples, Match

ASKED = ("onnxruntime", "tensorrt")
"""Runtimes that were asked about every defect, by the builder that they share."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A pattern that a tool leaves in models, from a file of its own."""

    tool: str
    what: str
    """The end of a sentence that begins with the reported node."""
    why: str
    fix: str
    severity: str
    sources: tuple[str, ...]
    match: tuple[Match, ...]
    runtimes: tuple[str, ...] = ()
    """Runtimes for which it matters; empty: all."""
    refused_by: tuple[str, ...] = ()
    """Runtimes that refuse the invalid examples, which the tests ask."""
    autofix: str = ""
    """Function in `modellint.fixes.producers`, if only one repair of the node is right."""
    examples: Examples = field(default_factory=Examples)


def known_defect(context: Context) -> Iterator[Hit]:
    """Places that match a known defect."""
    for name, defect in defects().items():
        if defect.runtimes and context.deployment.builder not in defect.runtimes:
            continue
        for hit in _checks()[name](context):
            assert isinstance(hit.place, Node)  # the tests hold every file to it
            severity = severity_for(defect, context.deployment.builder)
            yield replace(hit, facts=_facts(defect, hit.place), severity=severity)


def refused_for_defects(context: Context) -> set[Node]:
    """Return the nodes whose reported defects make the runtime reject the model."""
    hits = (hit for hit in known_defect(context) if hit.severity is Severity.ERROR)
    return {hit.place for hit in hits if isinstance(hit.place, Node)}


def defect_of(hit: Hit) -> Defect:
    """Return the defect that a hit is about."""
    named = (hit.facts["tool"], hit.facts["what"])
    return next(each for each in defects().values() if (each.tool, each.what) == named)


def severity_for(defect: Defect, builder: str) -> Severity:
    """Return the defect's severity, lower for a runtime that accepts what others reject."""
    stated = Severity.parse(defect.severity)
    is_taken = builder in ASKED and bool(defect.refused_by) and builder not in defect.refused_by
    return min(stated, Severity.WARNING) if is_taken else stated


def _facts(defect: Defect, node: Node) -> Mapping[str, object]:
    return {
        "op": node.op_type,
        "tool": defect.tool,
        "what": defect.what,
        "why": defect.why.strip(),
        "fix": defect.fix.strip(),
        "report": defect.sources[0],
    }


@cache
def defects() -> Mapping[str, Defect]:
    """Return all known defects by the names of their files."""
    files = sorted((data_dir("rules") / "producers").glob("*.toml"))
    return {name: _defect(table) for name, table in kept_tomls("producers", files).items()}


def _defect(table: Mapping[str, object]) -> Defect:
    return from_plain(Defect, {key.replace("-", "_"): value for key, value in table.items()})


@cache
def _checks() -> Mapping[str, PatternCheck]:
    return {name: PatternCheck(defect.match) for name, defect in defects().items()}
