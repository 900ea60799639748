"""JUnit XML, which CI systems show as tests: one suite per model, one case per finding.

Findings at or above --fail-on are failures, suppressed ones are skipped cases, and crashes of
modellint are errors. All others pass and say what was found; a model without findings is one
passing case.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from modellint.base.links import rule_url
from modellint.base.text import brief, clean
from modellint.report.assumed import sentences
from modellint.report.concise import where
from modellint.report.grouping import by_file
from modellint.report.options import Options
from modellint.report.places import source_path
from modellint.results.finding import Finding, Result

OUTCOMES = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""Outcomes of a case, and the attributes that count them."""


def render(result: Result, options: Options) -> str:
    suites = ET.Element("testsuites", name="modellint")
    for path, findings in by_file(result).items():
        suite = _suite(clean(source_path(path, options.root)), findings)
        if result.assumptions:
            suite.insert(0, _properties(result))
        suites.append(suite)
    _count(suites, ("failure", "error"))
    suites.set("time", f"{result.seconds:.3f}")
    ET.indent(suites)
    # ASCII with character references is the same in every encoding.
    text = ET.tostring(suites, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _properties(result: Result) -> ET.Element:
    properties = ET.Element("properties")
    for text in sentences(result):
        ET.SubElement(properties, "property", name="deployment", value=brief(text))
    return properties


def _suite(name: str, findings: Iterable[Finding]) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    cases = [_case(name, finding) for finding in findings]
    suite.extend(cases or [ET.Element("testcase", classname=name, name="modellint", time="0")])
    _count(suite)
    return suite


def _case(path: str, finding: Finding) -> ET.Element:
    place = where(finding.location)
    target = f" [{finding.target}]" if finding.target else ""
    name = f"{finding.code} {finding.rule}{target}" + (f": {place}" if place else "")
    case = ET.Element("testcase", classname=path, name=brief(name), time="0")
    if finding.suppressed is not None:
        ET.SubElement(case, "skipped", message=brief(f"suppressed: {finding.suppressed}"))
        return case
    if finding.is_internal or finding.fails:
        outcome = ET.SubElement(
            case,
            "error" if finding.is_internal else "failure",
            message=brief(finding.message),
            type=str(finding.severity),
        )
    else:
        outcome = ET.SubElement(case, "system-out")
    outcome.text = _body(finding)
    return case


def _body(finding: Finding) -> str:
    parts = {
        "": f"{finding.severity}: {finding.message}",
        "why: ": finding.why,
        "fix: ": finding.fix,
        "see: ": rule_url(finding.code),
    }
    return "\n".join(label + brief(text) for label, text in parts.items() if text)


def _count(element: ET.Element, outcomes: Iterable[str] = tuple(OUTCOMES)) -> None:
    element.set("tests", str(len(list(element.iter("testcase")))))
    for outcome in outcomes:
        element.set(OUTCOMES[outcome], str(len(list(element.iter(outcome)))))
