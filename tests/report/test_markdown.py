"""Markdown as a site shows it: rendered, then looked at."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from modellint.report import render
from modellint.report.markdown import MARK, MOST_CHARACTERS
from modellint.results.finding import Result
from tests.report.samples import (
    CLEAN,
    HOSTILE_NAMES,
    OVERFLOW,
    SAMPLE,
    SUPPRESSED,
    UNNAMED,
    hostile,
)

OUR_LINK = re.compile(r'<a href="https://github\.com/modellint/modellint/[^"]*">[A-Z0-9]+</a>')


def page_of(result: Result) -> str:
    parser = MarkdownIt("commonmark").enable("table")
    return str(parser.render(render("markdown", result)))


def test_it_begins_with_the_mark_that_a_workflow_finds_it_by() -> None:
    assert render("markdown", SAMPLE).startswith(f"{MARK}\n## modellint\n")


def test_the_head_counts_and_names_the_deployments() -> None:
    page = page_of(SAMPLE)
    assert "<strong>2 errors, 36 warnings, 1 info in 4 models (1 finding suppressed)" in page
    assert "For a10 (tensorrt, fp16). Assumed: precision (--precision)." in page


def test_every_file_with_findings_has_a_table() -> None:
    page = page_of(SAMPLE)
    assert page.count("<table>") == 3
    assert "<h3><code>models/not fetched.onnx</code></h3>" in page
    assert "mobilenet" not in page


def test_the_worst_file_comes_first() -> None:
    result = replace(SAMPLE, models=SAMPLE.models[::-1])
    assert re.findall(r"<h3><code>models/(.*?)</code>", page_of(result)) == [
        "not fetched.onnx",
        "bert-base.onnx",
        "resnet50.onnx",
    ]


def test_a_row_says_what_is_wrong_where_and_how_to_fix_it() -> None:
    page = page_of(replace(SAMPLE, findings=(OVERFLOW,)))
    (row,) = re.findall(r"<tr>\n<td>.*?</tr>", page, re.DOTALL)
    assert "<strong>error</strong>" in row
    assert "rules/NUM002.md" in row
    assert OVERFLOW.message in row
    assert f"<strong>Fix:</strong> {OVERFLOW.fix}" in row


def test_commands_of_a_fix_are_code() -> None:
    fix = "Run `python -m onnx_tool a_b.onnx`, or not."
    page = page_of(replace(SAMPLE, findings=(replace(OVERFLOW, fix=fix),)))
    assert "Run <code>python -m onnx_tool a_b.onnx</code>, or not." in page


def test_like_findings_share_a_row() -> None:
    page = page_of(SAMPLE)
    assert page.count("batchnorm-after-conv") == 1
    assert "Also at 35 more places: layer*.*.bn*" in page


@pytest.mark.parametrize("result", [CLEAN, SUPPRESSED], ids=["clean", "suppressed"])
def test_without_findings_there_is_no_table(result: Result) -> None:
    page = page_of(result)
    assert "No findings in 1 model" in page
    assert "<table>" not in page


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "`a` <b>x</b> **c** $d$", "n" * 10_000])
def test_a_name_makes_no_markup(name: str) -> None:
    page = page_of(hostile(name))
    assert page.count("<table>") == 1
    assert page.count("<tr>") == 2
    for tag in ("<img", "<b>", "<em>", "<del>", "<script"):
        assert tag not in page
    assert len(re.findall("<a ", page)) == len(OUR_LINK.findall(page))
    assert page.count("<!--") == 1
    assert len(page) < 10_000


@pytest.mark.parametrize("reference", ["@team", "#12", "http://evil.example", "www.evil.example"])
def test_a_name_makes_no_reference(reference: str) -> None:
    page = page_of(hostile(f"a {reference} b"))
    outside_code = re.sub(r"<code>.*?</code>", "", page)
    assert reference not in outside_code
    assert reference in outside_code.replace("\u200b", "")


def test_what_does_not_fit_a_comment_is_left_out_the_least_severe_first() -> None:
    findings = tuple(
        replace(finding, path=f"models/{at:03}.onnx")
        for at in range(300)
        for finding in (UNNAMED, OVERFLOW)
    )
    text = render("markdown", replace(CLEAN, models=(), findings=findings))
    assert MOST_CHARACTERS * 0.9 < len(text) < MOST_CHARACTERS + 200
    assert "UNNAMED" not in text
    assert text.count("NUM002 fp16") == 0
    shown = text.count("fp16-overflow-constant") + text.count("unnamed-dynamic-dim")
    assert text.endswith(f"\n{600 - shown} findings omitted to limit the report's length.\n")
    assert text.count("unnamed-dynamic-dim") < text.count("fp16-overflow-constant")
