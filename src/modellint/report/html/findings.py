"""Findings: the same words, reasons and fixes as in the terminal, grouped, and to be filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from modellint.base.applicability import FLAGS
from modellint.base.text import counted, listed
from modellint.report.grouping import MOST_NAMED, Group
from modellint.report.html.markup import Markup, element, name
from modellint.report.html.parts import rule_link, section
from modellint.results.finding import Finding, Frame, Location, Severity

MOST_PLACES = 60
FIRST = 3
"""Number of findings that the first screen says to look at first."""


def finding_key(key: str, number: int) -> str:
    return f"{key}-f{number}"


def told_apart(groups: Iterable[Group]) -> list[Finding]:
    """Return the findings that a page tells apart: for several devices that have the same, one."""
    return [finding for group in groups for finding in group.findings]


def _numbered(groups: Iterable[Group]) -> Iterator[tuple[Group, range]]:
    """Iterate over groups, with the positions of their findings in what `told_apart` returns."""
    start = 0
    for group in groups:
        yield group, range(start, start + len(group.findings))
        start += len(group.findings)


def findings_section(
    key: str, groups: Sequence[Group], suppressed: Sequence[Finding] = ()
) -> Markup | None:
    if not groups and not suppressed:
        return None
    return section(
        f"{key}-findings",
        "Findings",
        _filters(groups) if len(groups) > 1 else None,
        element(
            "div", [_group(key, group, at) for group, at in _numbered(groups)], class_="findings"
        ),
        element("p", "No finding is left by these filters.", class_="quiet nothing", hidden=True),
        _suppressed(suppressed),
    )


def first_steps(key: str, groups: Iterable[Group]) -> Markup | None:
    """Return what to do first: the fixes of the most severe findings."""
    told: dict[tuple[str, str], tuple[Group, range]] = {}
    for group, at in _numbered(groups):
        told.setdefault((group.first.message, group.first.fix), (group, at))
    first = [each for each in told.values() if each[0].first.fix][:FIRST]
    if not first:
        return None
    steps = [
        element(
            "li",
            element("a", group.first.message, href=f"#{finding_key(key, at[0])}"),
            element("span", group.first.fix),
            class_=str(group.first.severity),
        )
        for group, at in first
    ]
    return element("div", element("h2", "Do first"), element("ol", steps), class_="first-steps")


def _filters(groups: Sequence[Group]) -> Markup:
    severities = [
        element(
            "label",
            element("input", type="checkbox", name="severity", value=str(each), checked=True),
            element("span", f"{each} {count:,}", class_=f"chip {each}"),
        )
        for each in sorted(Severity, reverse=True)
        if (count := sum(group.count for group in groups if group.first.severity is each))
    ]
    findings = [group.first for group in groups]
    targets = [target for group in groups for target in group.every_target]
    runtimes = [runtime for group in groups for runtime in group.every_runtime]
    return element(
        "form",
        element("fieldset", element("legend", "Severity"), severities),
        _choice("rule", "Rule", {f.code: f"{f.code} {f.rule}" for f in findings}),
        _choice("target", "Device", dict(zip(targets, targets, strict=True))),
        _choice("runtime", "Runtime", dict(zip(runtimes, runtimes, strict=True))),
        class_="filters scripted",
    )


def _choice(kind: str, label: str, values: dict[str, str]) -> Markup | None:
    if len(values) < 2:
        return None
    options = [element("option", f"Every {label.lower()}", value="")]
    options += [element("option", values[each], value=each) for each in sorted(values)]
    return element(
        "label", element("span", label, class_="hidden"), element("select", options, name=kind)
    )


def _group(key: str, group: Group, numbers: range) -> Markup:
    finding = group.first
    return element(
        "article",
        element(
            "header",
            element("span", str(finding.severity), class_=f"chip {finding.severity}"),
            rule_link(finding.code),
            element("h3", finding.message),
        ),
        _frame(finding.location, finding.frame),
        element(
            "dl",
            _prose("why", finding.why),
            _prose("fix", finding.fix),
            _also(group),
            _devices(group),
            class_="reasons",
        ),
        element("p", " · ".join(_origin(group)), class_="quiet"),
        [element("span", id=finding_key(key, each), class_="anchor") for each in numbers[:1]],
        class_=f"finding {finding.severity}",
        data_severity=str(finding.severity),
        data_rule=finding.code,
        data_target=" ".join(group.every_target) or None,
        data_runtime=" ".join(group.every_runtime) or None,
        data_findings=" ".join(map(str, numbers)),
    )


def _prose(label: str, prose: str) -> Markup | None:
    if not prose:
        return None
    return element("div", element("dt", label), element("dd", prose), class_=label)


def _origin(group: Group) -> Iterator[str]:
    finding = group.first
    yield finding.rule
    runtimes = listed(group.every_runtime, MOST_NAMED)
    deployment = " on ".join(filter(None, (runtimes, group.devices)))
    if deployment:
        yield deployment
    if finding.confidence:
        yield f"confidence: {finding.confidence}"
    if finding.fixable is not None:
        yield f"{FLAGS[finding.fixable]} may fix it"


def _devices(group: Group) -> Markup | None:
    """Return all devices of which the same is found, if not all are named anyway."""
    if len(group.every_target) <= MOST_NAMED:
        return None
    summary = element("summary", f"all {len(group.every_target):,}")
    every = element("p", ", ".join(group.every_target))
    return element("div", element("dt", "on"), element("dd", element("details", summary, every)))


def _also(group: Group) -> Markup | None:
    places = group.other_places
    if not places:
        return None
    labels = [label for label in places if label]
    more = len(labels) - MOST_PLACES
    told = counted(len(places), "more place")
    if not labels:
        return element("div", element("dt", "also"), element("dd", f"at {told}"))
    listed = element(
        "ul",
        [element("li", _place(label)) for label in labels[:MOST_PLACES]],
        element("li", f"{more:,} more in the JSON report", class_="quiet") if more > 0 else None,
        class_="places",
    )
    return element(
        "div",
        element("dt", "also"),
        element("dd", element("details", element("summary", f"at {told}"), listed)),
    )


def _place(label: str) -> Markup:
    """Return a place, which the script makes a link to the graph."""
    return element("span", name(label), class_="place", data_place=label)


def _frame(place: Location, frame: Frame | None) -> Markup | None:
    if frame is None or not frame.rows:
        return _place(place.label) if place.label else None
    where = ", ".join(
        filter(None, (place.graph or "", f"node {place.index}" if place.index is not None else ""))
    )
    rows = [
        element(
            "tr",
            element("td", row.op),
            element("td", _place(row.name) if row.name else None),
            element("td", row.detail),
            class_="focus" if row.focus else None,
        )
        for row in frame.rows
    ]
    return element(
        "figure",
        element("figcaption", where) if where else None,
        element(
            "div",
            element("table", element("tbody", rows)),
            class_="scroll",
            role="group",
            aria_label="the place in its graph",
            tabindex="0",
        ),
        element("p", frame.note, class_="note") if frame.note else None,
        class_="frame",
    )


def _suppressed(findings: Iterable[Finding]) -> Markup | None:
    rows = [element("li", f"{each.code} {each.message} ({each.suppressed})") for each in findings]
    if not rows:
        return None
    return element(
        "details",
        element("summary", counted(len(rows), "suppressed finding")),
        element("ul", rows),
        class_="suppressed",
    )
