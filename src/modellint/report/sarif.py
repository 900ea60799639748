"""SARIF 2.1.0, in the form that GitHub code scanning accepts.

GitHub rejects a whole file for one result without a physical location, does not honor
suppressions, and identifies results by `primaryLocationLineHash` alone. Models have no lines, so
every result is on line 1 and the logical location gives its place in the model.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import attr
import sarif_om as om

from modellint.base.links import REPOSITORY, rule_url
from modellint.base.paths import is_address
from modellint.base.records import dataclass
from modellint.base.text import brief, clean, clean_lines
from modellint.base.version import __version__
from modellint.report.concise import where
from modellint.report.contract import assumptions_entry
from modellint.report.grouping import Group, also, grouped, ordered
from modellint.report.options import Options
from modellint.report.places import source_uri
from modellint.report.strict import dumps
from modellint.results.finding import Finding, Result, RuleInfo, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"

MOST_RESULTS = 5000
"""Maximum number of results of a run that GitHub keeps."""
MOST_TEXT = 1024
"""Maximum length of a rule's plain texts on GitHub."""

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM_SEVERITIES = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "recommendation",
}


def render(result: Result, options: Options) -> str:
    return dumps(serialize(_Log(result, options).build()), indent=2) + "\n"


def serialize(item: Any) -> Any:
    """Convert sarif-om's objects to JSON values, including values equal to a default: without an
    explicit level, a result would take that of its rule."""
    if isinstance(item, list | tuple):
        return [serialize(element) for element in item]
    if isinstance(item, dict):
        return {key: serialize(value) for key, value in item.items()}
    if not attr.has(type(item)):
        return item
    values = (
        (field.metadata["schema_property_name"], getattr(item, field.name))
        for field in attr.fields(type(item))
    )
    return {name: serialize(value) for name, value in values if not _is_unset(value)}


def _is_unset(value: object) -> bool:
    """Return True for None, and for -1, sarif-om's value for "no index"."""
    return value is None or (type(value) in {int, float} and value == -1)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A future result, which may stand for similar ones."""

    finding: Finding
    others: tuple[Finding, ...] = ()


class _Log:
    def __init__(self, result: Result, options: Options) -> None:
        self.result = result
        self.options = options
        self.shown = [
            finding
            for finding in ordered(result)
            if finding.suppressed is None or options.suppressed
        ]
        self.rules = _rules(result, self.shown)
        self.rule_index = {rule.code: index for index, rule in enumerate(self.rules)}
        paths = [model.path for model in result.models]
        paths += [finding.path for finding in self.shown]
        self.uris = {path: source_uri(path, options.root) for path in dict.fromkeys(paths)}
        self.artifacts = {uri: at for at, uri in enumerate(dict.fromkeys(self.uris.values()))}

    def build(self) -> Any:
        return om.SarifLog(version="2.1.0", schema_uri=SCHEMA, runs=[self._run()])

    def _run(self) -> Any:
        entries, notice = _within_limits(self.shown)
        assumptions = self.result.assumptions
        return om.Run(
            tool=om.Tool(driver=self._driver()),
            automation_details=om.RunAutomationDetails(id=self._category()),
            column_kind="unicodeCodePoints",
            original_uri_base_ids={
                ROOT: om.ArtifactLocation(description=om.Message(text="The repository's top."))
            },
            invocations=[self._invocation(notice)],
            artifacts=[
                om.Artifact(
                    location=om.ArtifactLocation(uri=uri, uri_base_id=_base(uri)),
                    roles=["analysisTarget"],
                )
                for uri in self.artifacts
            ],
            results=self._results(entries),
            properties={"assumptions": [assumptions_entry(each) for each in assumptions]},
        )

    def _category(self) -> str:
        """Return the category. GitHub replaces earlier results of the same category, and linting
        for another target must not close this one's alerts."""
        category = self.options.category
        if category is None:
            names = dict.fromkeys(each.name for each in self.result.assumptions)
            deployments = "+".join(map(_slug, names))
            category = f"modellint/{deployments}".rstrip("/")
        return category.rstrip("/") + "/"

    def _driver(self) -> Any:
        return om.ToolComponent(
            name="modellint",
            semantic_version=__version__,
            information_uri=REPOSITORY,
            rules=[_descriptor(rule) for rule in self.rules],
            language=None,
            contents=None,
        )

    def _invocation(self, notice: str | None) -> Any:
        notifications = [
            om.Notification(
                level="error",
                message=om.Message(text=_message_text(finding.message)),
                locations=[self._location(finding)],
                associated_rule=om.ReportingDescriptorReference(
                    id=finding.code, index=self.rule_index[finding.code]
                ),
            )
            for finding in self.shown
            if finding.severity is Severity.ERROR and finding.family in {"file", "internal"}
        ]
        if notice:
            notifications.append(om.Notification(level="warning", message=om.Message(text=notice)))
        return om.Invocation(
            execution_successful=self.result.exit_code in {0, 1},
            exit_code=self.result.exit_code,
            tool_execution_notifications=notifications,
        )

    def _results(self, entries: Iterable[_Entry]) -> list[Any]:
        fingerprints: Counter[str] = Counter()
        results = []
        for entry in entries:
            fingerprint = self._fingerprint(entry.finding)
            fingerprints[fingerprint] += 1
            unique = f"{fingerprint}:{fingerprints[fingerprint]}"
            results.append(self._result(entry, unique))
        return results

    def _fingerprint(self, finding: Finding) -> str:
        salient = f"v1\0{finding.code}\0{self.uris[finding.path]}\0{finding.fingerprint}"
        return hashlib.sha256(salient.encode()).hexdigest()[:16]

    def _result(self, entry: _Entry, fingerprint: str) -> Any:
        finding = entry.finding
        return om.Result(
            rule_id=finding.code,
            rule_index=self.rule_index[finding.code],
            level=LEVELS[finding.severity],
            message=om.Message(text=_result_text(entry)),
            locations=[self._location(finding)],
            partial_fingerprints={"primaryLocationLineHash": fingerprint},
            suppressions=_suppressions(finding) if self.options.suppressed else None,
            properties=_properties(finding),
        )

    def _location(self, finding: Finding) -> Any:
        uri = self.uris[finding.path]
        place = om.PhysicalLocation(
            artifact_location=om.ArtifactLocation(
                uri=uri, uri_base_id=_base(uri), index=self.artifacts[uri]
            ),
            region=om.Region(start_line=1, start_column=1, end_line=1, end_column=1),
        )
        return om.Location(physical_location=place, logical_locations=_logical(finding))


def _base(uri: str) -> str | None:
    """Return what an artifact's place is relative to."""
    return None if is_address(uri) else ROOT


def _rules(result: Result, shown: Iterable[Finding]) -> list[RuleInfo]:
    """Return all rules that ran, plus those of other findings (crashes)."""
    rules = dict(result.rules)
    for finding in shown:
        if finding.code not in rules:
            rules[finding.code] = RuleInfo(
                code=finding.code,
                name=finding.rule,
                family=finding.family,
                summary=finding.rule.replace("-", " ").capitalize() + ".",
                severity=finding.severity,
                why=finding.why,
                fix=finding.fix,
                markdown="",
            )
    return [rules[code] for code in sorted(rules)]


def _descriptor(rule: RuleInfo) -> Any:
    summary = _limited(rule.summary)
    advice = _limited("\n\n".join(filter(None, (rule.why, rule.fix)))) or summary
    return om.ReportingDescriptor(
        id=rule.code,
        name=rule.name,
        short_description=om.MultiformatMessageString(text=summary),
        full_description=om.MultiformatMessageString(text=_limited(rule.why) or summary),
        help=om.MultiformatMessageString(text=advice, markdown=rule.markdown or advice),
        help_uri=rule_url(rule.code) or None,
        default_configuration=om.ReportingConfiguration(level=LEVELS[rule.severity]),
        properties={
            "tags": ["model", rule.family],
            "problem.severity": _PROBLEM_SEVERITIES[rule.severity],
        },
    )


def _limited(text: str) -> str:
    text = clean_lines(text).strip()
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1].rstrip() + "…"


def _within_limits(findings: Sequence[Finding]) -> tuple[list[_Entry], str | None]:
    """Return all findings if GitHub accepts as many; otherwise group similar ones, since missing
    results would count as fixed, and keep the most severe groups. Also return a notice."""
    if len(findings) <= MOST_RESULTS:
        return [_Entry(finding) for finding in findings], None
    groups: list[Group] = grouped(findings)
    kept = sorted(groups, key=lambda group: -group.first.severity)[:MOST_RESULTS]
    kept_ids = {id(group) for group in kept}
    entries = [_Entry(group.first, group.rest) for group in groups if id(group) in kept_ids]
    notice = (
        f"{len(findings):,} findings are more than the {MOST_RESULTS:,} results that code scanning "
        f"keeps, so {len(entries):,} results stand for groups of similar findings"
    )
    if lost := len(groups) - len(entries):
        notice += f", and the {lost:,} least severe groups are omitted"
    return entries, notice + "."


def _result_text(entry: _Entry) -> str:
    finding = entry.finding
    parts = [_message_text(finding.message)]
    if places := also(Group((finding, *entry.others))):
        parts.append(_message_text(f"The same {places}."))
    if finding.fix:
        parts.append(f"Fix: {_message_text(finding.fix)}")
    return "\n\n".join(parts)


def _message_text(text: str) -> str:
    """Escape `[text](address)`, which is a link in messages: names in models are untrusted."""
    return brief(text).replace("](", "] (")


def _logical(finding: Finding) -> list[Any] | None:
    place = finding.location
    name = clean(where(place))
    if not name:
        return None
    kind = "element" if place.node else "value" if place.value else "graph"
    return [
        om.LogicalLocation(
            name=clean(place.label or place.graph or "") or name,
            fully_qualified_name=name,
            kind=kind,
        )
    ]


def _suppressions(finding: Finding) -> list[Any]:
    if finding.suppressed is None:
        return []
    return [om.Suppression(kind="external", justification=clean(finding.suppressed))]


def _properties(finding: Finding) -> dict[str, Any] | None:
    """Return properties that have no counterpart in SARIF."""
    facts = {
        "target": finding.target,
        "runtime": finding.runtime,
        "confidence": finding.confidence,
    }
    return {name: value for name, value in facts.items() if value} or None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
