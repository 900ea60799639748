"""Parts that the formats share: grouping, words, addresses, statistics."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.base.text import (
    LONGEST_WORD,
    brief,
    cells,
    clean,
    clean_lines,
    counted,
    duration,
    quantity,
    shorten,
)
from modellint.base.units import format_bytes
from modellint.report.grouping import also, grouped, ordered, patterns, sections
from modellint.report.overview import overview
from modellint.report.places import source_path, source_uri
from modellint.report.statistics import statistics
from modellint.results.finding import Location
from tests.report.samples import CLEAN, OVERFLOW, SAMPLE, SUPPRESSED, UNNAMED, batchnorm


def test_findings_alike_are_one_group_of_their_model() -> None:
    groups = grouped(SAMPLE.active)
    assert [len(group.findings) for group in groups] == [1, 1, 1, 36]


@pytest.mark.parametrize(
    "other",
    [
        replace(OVERFLOW, target="l4"),
        replace(OVERFLOW, path="other.onnx"),
        replace(OVERFLOW, variant="other"),
        replace(OVERFLOW, runtime="onnxruntime"),
    ],
    ids=["target", "path", "variant", "runtime"],
)
def test_what_differs_in_more_than_its_place_is_a_group_of_its_own(other: object) -> None:
    assert len(grouped([OVERFLOW, other])) == 2  # type: ignore[list-item]


def test_without_a_place_only_equal_words_are_alike() -> None:
    whole = replace(OVERFLOW, location=Location())
    assert len(grouped([whole, whole, replace(whole, message="Another.")])) == 2


def test_order_is_by_severity_then_rule_then_place() -> None:
    shuffled = (UNNAMED, batchnorm(1, 2), batchnorm(0, 1))
    found = ordered(replace(CLEAN, findings=shuffled))
    assert found == [batchnorm(0, 1), batchnorm(1, 2), UNNAMED]


def test_files_that_are_no_models_come_last() -> None:
    remark = replace(UNNAMED, path="modellint.toml")
    paths = [section.path for section in sections(replace(SAMPLE, findings=(remark,)))]
    assert paths == [*(model.path for model in SAMPLE.models), "modellint.toml"]


def test_a_section_keeps_what_is_suppressed_apart() -> None:
    (section,) = sections(SUPPRESSED)
    assert (section.findings, section.suppressed) == ((), SUPPRESSED.findings)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["layer1.bn1", "layer2.bn1"], [("layer*.bn1", 2)]),
        (["layer1.bn1", "head"], [("layer1.bn1", 1), ("head", 1)]),
        (["a1", "a1"], [("a1", 2)]),
    ],
)
def test_names_that_differ_in_numbers_are_one_pattern(
    names: list[str], expected: list[tuple[str, int]]
) -> None:
    assert patterns(names) == expected


def test_only_the_first_places_are_named() -> None:
    findings = [replace(OVERFLOW, location=Location(node=name)) for name in "abcdef"]
    (group,) = grouped(findings)
    assert also(group) == "at 5 more places: b, c, d, …"
    assert also(group, most=None) == "at 5 more places: b, c, d, e, f"


def test_places_named_by_numbers_alone_have_no_pattern() -> None:
    findings = [replace(OVERFLOW, location=Location(node=name)) for name in "12345"]
    assert also(grouped(findings)[0]) == "at 4 more places: 2, 3, 4, …"


def test_places_that_differ_in_numbers_are_named_as_one() -> None:
    labels = ["first", "a.1", "a.2", "b"]
    findings = [replace(OVERFLOW, location=Location(node=label)) for label in labels]
    assert also(grouped(findings)[0]) == "at 3 more places: a.* (×2), b"
    assert also(grouped(findings[:3])[0]) == "at 2 more places: a.*"
    assert also(grouped(findings[:1])[0]) == ""


def test_a_run_in_a_line() -> None:
    assert overview(SAMPLE) == "2 errors, 36 warnings, 1 info in 4 models (1 finding suppressed)"
    assert overview(CLEAN) == "No findings in 1 model"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("abc\u202etxt", "abctxt"),
        ("\ud800x", "x"),
        ("名前", "名前"),
    ],
)
def test_clean_text_is_one_harmless_line(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_clean_lines_stay_lines() -> None:
    assert clean_lines("a\x07\nb") == "a\nb"


def test_a_brief_text_keeps_the_ends_of_long_words() -> None:
    text = brief("Node " + "a" * 500 + "z is wrong.")
    assert text.startswith("Node aaa")
    assert text.endswith("aaz is wrong.")
    assert len(text) < LONGEST_WORD + 20
    assert len(brief("word " * 5000)) <= 1000


@pytest.mark.parametrize("text", ["short", "a" * 50, "名" * 50, "é" * 50])
@pytest.mark.parametrize("width", [8, 20])
def test_shortened_text_fits(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cells(short) <= width
    assert short == text or "…" in short


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (counted(1, "node"), "1 node"),
        (counted(12345, "entry", "entries"), "12,345 entries"),
        (format_bytes(512), "512 B"),
        (format_bytes(102_228_128), "97.5 MiB"),
        (format_bytes(1 << 60), "1024 PiB"),
        (quantity(950), "950"),
        (quantity(25_557_032), "25.6 M"),
        (quantity(999_950), "1.0 M"),
        (duration(0.338), "0.34 s"),
        (duration(125), "2 min 05 s"),
    ],
)
def test_figures_are_readable(shown: str, expected: str) -> None:
    assert shown == expected


def test_an_address_starts_at_the_repository_s_top(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert source_path(str(tmp_path / "models" / "a.onnx"), str(tmp_path)) == "models/a.onnx"
    assert (
        source_uri(str(tmp_path / "models" / "a b%.onnx"), str(tmp_path)) == "models/a%20b%25.onnx"
    )


def test_a_file_elsewhere_goes_by_its_name(tmp_path: Path) -> None:
    assert source_path("/somewhere/private/a.onnx", str(tmp_path)) == "a.onnx"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_followed_as_long_as_they_stay_inside(tmp_path: Path) -> None:
    top = tmp_path / "repo"
    top.mkdir()
    (tmp_path / "outside.onnx").touch()
    (top / "real.onnx").touch()
    (top / "in.onnx").symlink_to(top / "real.onnx")
    (top / "out.onnx").symlink_to(tmp_path / "outside.onnx")
    assert source_path(str(top / "in.onnx"), str(top)) == "real.onnx"
    assert source_path(str(top / "out.onnx"), str(top)) == "out.onnx"


def test_statistics_are_by_rule_the_most_frequent_first() -> None:
    rows = statistics(SAMPLE)
    assert [(row.code, row.findings, row.suppressed) for row in rows[:3]] == [
        ("FUS002", 36, 0),
        ("NUM002", 1, 0),
        ("DYN001", 1, 1),
    ]
    assert rows[-1].code == "(read)"
    assert next(row for row in rows if row.code == "FIL003").seconds is None
