"""JUnit's XML, compared with what the readers of CI systems accept."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from modellint.report import render
from modellint.results.finding import Result, Severity
from tests.report.samples import (
    CLEAN,
    HOSTILE_NAMES,
    OVERFLOW,
    POINTER,
    SAMPLE,
    SUPPRESSED,
    hostile,
)

# The attributes that an element must have, those that it may have, and what it may hold: the part
# of Jenkins' and Surefire's schemas that every reader shares.
OUTCOME = (set[str](), {"message", "type"}, set[str]())
GRAMMAR = {
    "testsuites": (set[str](), {"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time"},
        {"properties", "testcase"},
    ),
    "properties": (set[str](), set[str](), {"property"}),
    "property": ({"name", "value"}, set[str](), set[str]()),
    "testcase": ({"name"}, {"classname", "time"}, {"failure", "error", "skipped", "system-out"}),
    "system-out": (set[str](), set[str](), set[str]()),
    "failure": OUTCOME,
    "error": OUTCOME,
    "skipped": OUTCOME,
}


def tree_of(result: Result) -> ET.Element:
    root = ET.fromstring(render("junit", result).encode())
    for element in root.iter():
        required, optional, children = GRAMMAR[element.tag]
        assert required <= set(element.keys()) <= required | optional
        assert {child.tag for child in element} <= children
    return root


def cases_of(suite: ET.Element) -> list[ET.Element]:
    return suite.findall("testcase")


def suite_of(result: Result, path: str) -> ET.Element:
    (suite,) = (suite for suite in tree_of(result) if suite.get("name") == path)
    return suite


def test_every_model_is_a_suite() -> None:
    names = [suite.get("name") for suite in tree_of(SAMPLE)]
    assert names == [model.path for model in SAMPLE.models]


def test_a_model_without_findings_passes() -> None:
    (case,) = cases_of(suite_of(SAMPLE, "models/mobilenet.onnx"))
    assert list(case) == []


def test_an_error_is_a_failure_with_all_that_is_known() -> None:
    (case,) = cases_of(suite_of(SAMPLE, "models/bert-base.onnx"))
    assert case.get("name", "").startswith("NUM002 fp16-overflow-constant [a10]: main_graph/")
    (failure,) = case
    assert (failure.tag, failure.get("type")) == ("failure", "error")
    assert failure.get("message") == OVERFLOW.message
    assert OVERFLOW.fix in (failure.text or "")


def test_what_does_not_fail_the_run_passes_and_says_what_was_found() -> None:
    suite = suite_of(SAMPLE, "models/resnet50.onnx")
    (skipped,) = suite.iter("skipped")
    assert skipped.get("message") == "suppressed: agreed with the app team"
    said = [passing.text or "" for passing in suite.iter("system-out")]
    assert len(said) == 37
    assert any("Dim 0 of input 'input.1' is dynamic and has no name." in text for text in said)
    assert not list(suite.iter("failure"))


def test_a_crash_of_modellint_is_an_error() -> None:
    crash = replace(POINTER, code="INT001", rule="rule-crashed", family="internal")
    root = tree_of(replace(CLEAN, models=(), findings=(crash,)))
    assert root.get("errors") == "1"
    assert root.get("failures") == "0"


def test_counts_are_those_of_the_cases() -> None:
    root = tree_of(SAMPLE)
    assert root.get("tests") == str(len(list(root.iter("testcase"))))
    assert root.get("failures") == "2"
    for suite in root:
        assert suite.get("failures") == str(len(list(suite.iter("failure"))))
        assert suite.get("skipped") == str(len(list(suite.iter("skipped"))))


def test_suppressed_findings_fail_nothing() -> None:
    assert tree_of(SUPPRESSED).get("failures") == "0"


def test_no_models_are_no_suites() -> None:
    assert list(tree_of(replace(CLEAN, models=()))) == []


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "\x00\x08\x0b\ufffe\uffff", "n" * 10_000])
def test_any_name_gives_valid_xml(name: str, severity: Severity) -> None:
    result = hostile(name)
    findings = tuple(replace(finding, severity=severity) for finding in result.findings)
    text = render("junit", replace(result, findings=findings))
    assert text.isascii()
    assert len(text) < 80_000
    assert len(list(tree_of(replace(result, findings=findings)).iter("testcase"))) == 3
