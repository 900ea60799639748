"""GitHub's workflow commands, read as the runner reads them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from modellint.report import Options, render
from modellint.results.finding import Location, Result, Severity
from tests.report.samples import (
    CLEAN,
    HOSTILE_NAMES,
    OVERFLOW,
    SAMPLE,
    SUPPRESSED,
    UNNAMED,
    hostile,
)

COMMAND = re.compile(r"^\s*::(?P<name>[^\s:]+)(?: (?P<properties>.*?))?::(?P<message>.*)$")


def lines_of(result: Result) -> list[str]:
    return render("github", result, Options(root=".")).split("\n")[:-1]


def commands_of(result: Result) -> list[tuple[str, dict[str, str], str]]:
    commands = []
    for line in lines_of(result):
        if found := COMMAND.match(line):
            pairs = [pair.partition("=") for pair in (found["properties"] or "").split(",") if pair]
            properties = {key: _unescaped(value) for key, _, value in pairs}
            commands.append((found["name"], properties, _unescaped(found["message"])))
    return commands


def _unescaped(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_a_finding_is_an_annotation_on_its_file() -> None:
    name, properties, message = commands_of(replace(SAMPLE, findings=(OVERFLOW,)))[0]
    assert name == "error"
    assert properties == {
        "file": "models/bert-base.onnx",
        "line": "1",
        "title": "NUM002 fp16-overflow-constant [a10]",
    }
    assert message.splitlines() == [f"{OVERFLOW.message} [a10]", f"Fix: {OVERFLOW.fix}"]


def test_severities_are_github_s_kinds_the_worst_first() -> None:
    kinds = [name for name, _, _ in commands_of(SAMPLE)]
    assert kinds == ["error", "error", "warning", "notice"]


def test_like_findings_share_one_annotation() -> None:
    (warning,) = (text for name, _, text in commands_of(SAMPLE) if name == "warning")
    assert "Also at 35 more places: layer*.*.bn*" in warning


def test_suppressed_findings_are_not_shown_but_counted() -> None:
    assert lines_of(SUPPRESSED) == ["No findings in 1 model (1 finding suppressed)"]


def test_a_clean_run_says_so() -> None:
    assert lines_of(CLEAN) == ["No findings in 1 model"]


@pytest.fixture(name="many")
def many_findings() -> Result:
    """25 errors and 25 infos in as many files, which cannot be grouped."""
    findings = tuple(
        replace(finding, path=f"models/{at:02}.onnx")
        for at in range(25)
        for finding in (OVERFLOW, UNNAMED)
    )
    return replace(CLEAN, models=(), findings=findings)


def test_no_more_annotations_than_github_shows(many: Result) -> None:
    kinds = Counter(name for name, _, _ in commands_of(many))
    assert kinds == {"error": 10, "notice": 10, "group": 1, "endgroup": 1}


def test_the_last_annotation_says_how_many_are_left_out(many: Result) -> None:
    last = [command for command in commands_of(many) if command[0] == "error"][-1]
    assert last[1] == {"title": "modellint: 16 more errors"}
    assert "The log of this step lists" in last[2]


def test_the_log_lists_what_is_left_out(many: Result) -> None:
    listed = [line for line in lines_of(many) if line.startswith("- ")]
    assert len(listed) == 32
    assert listed[0].startswith("- models/09.onnx: error NUM002 ")


def test_ten_of_a_kind_need_no_notice() -> None:
    findings = tuple(replace(OVERFLOW, path=f"{at}.onnx") for at in range(10))
    assert all(
        properties["file"]
        for _, properties, _ in commands_of(replace(CLEAN, models=(), findings=findings))
    )


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "##[error]x", "::stop-commands::x", "n" * 10_000])
def test_a_name_gives_no_command(name: str) -> None:
    result = hostile(name)
    findings = tuple(
        replace(finding, path=f"{at}{finding.path}", location=Location())
        for at in range(15)
        for finding in result.findings[:1]
    )
    result = replace(result, findings=findings)
    kinds = Counter(name for name, _, _ in commands_of(result))
    assert kinds == {"error": 10, "group": 1, "endgroup": 1}
    for line in lines_of(result):
        assert line.isprintable()
        assert len(line) < 4000
        assert COMMAND.match(line) or "##[" not in line


@pytest.mark.parametrize("severity", Severity)
def test_properties_cannot_be_added_by_a_name(severity: Severity) -> None:
    evil = replace(OVERFLOW, severity=severity, path="a,line=9::b%0A.onnx", target="x,title=y")
    (command,) = commands_of(replace(CLEAN, models=(), findings=(evil,)))
    assert command[1] == {
        "file": "a,line=9::b%0A.onnx",
        "line": "1",
        "title": "NUM002 fp16-overflow-constant [x,title=y]",
    }
