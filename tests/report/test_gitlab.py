"""GitLab's code quality report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modellint.report import Options, render
from modellint.results.finding import Result
from tests.report.samples import CLEAN, HOSTILE_NAMES, OVERFLOW, SAMPLE, SUPPRESSED, hostile


def entries_of(result: Result, root: str = ".") -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(render("gitlab", result, Options(root=root)))
    return entries


def test_an_entry_has_what_gitlab_asks_for() -> None:
    entry = entries_of(SAMPLE)[0]
    assert entry["check_name"] == "NUM002"
    assert entry["severity"] == "critical"
    assert entry["location"] == {"path": "models/bert-base.onnx", "lines": {"begin": 1}}
    assert OVERFLOW.message in entry["description"]
    assert "[a10]" in entry["description"]


def test_every_place_is_an_entry_of_its_own() -> None:
    assert len(entries_of(SAMPLE)) == len(SAMPLE.active)


def test_severities_are_gitlab_s() -> None:
    assert {entry["severity"] for entry in entries_of(SAMPLE)} == {"critical", "major", "info"}


@pytest.mark.parametrize("result", [CLEAN, SUPPRESSED], ids=["clean", "suppressed"])
def test_nothing_to_report_is_an_empty_list(result: Result) -> None:
    assert entries_of(result) == []


def test_fingerprints_tell_equal_findings_apart() -> None:
    """GitLab shows one of those with the same."""
    copies = (OVERFLOW, OVERFLOW, replace(OVERFLOW, path="other.onnx"))
    prints = [entry["fingerprint"] for entry in entries_of(replace(SAMPLE, findings=copies))]
    assert len(set(prints)) == 3


def test_fingerprints_are_the_same_in_the_next_run() -> None:
    slower = replace(SAMPLE, seconds=9.0)
    assert entries_of(slower) == entries_of(SAMPLE)


def test_paths_are_relative_to_the_repository(tmp_path: Path) -> None:
    finding = replace(OVERFLOW, path=str(tmp_path / "models" / "a.onnx"))
    (entry,) = entries_of(replace(CLEAN, models=(), findings=(finding,)), root=str(tmp_path))
    assert entry["location"]["path"] == "models/a.onnx"


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "n" * 10_000])
def test_names_are_harmless_and_short(name: str) -> None:
    text = render("gitlab", hostile(name))
    assert text.isascii()
    for entry in json.loads(text):
        assert entry["description"].isprintable()
        assert len(entry["description"]) < 2500
