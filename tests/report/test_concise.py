"""One line per finding."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from modellint.report import Options, render, write
from modellint.report.concise import where
from modellint.results.finding import Location, Result
from tests.report.samples import CLEAN, HOSTILE_NAMES, OVERFLOW, SAMPLE, SUPPRESSED, hostile


def test_a_line_says_where_how_bad_which_rule_and_what() -> None:
    assert render("concise", SAMPLE).splitlines()[0] == (
        "models/bert-base.onnx:main_graph//encoder/layer.0/attention/self/Add_2: "
        f"error NUM002 {OVERFLOW.message} [a10]"
    )


def test_a_finding_about_the_file_names_the_file_only() -> None:
    assert render("concise", SAMPLE).splitlines()[1].startswith("models/not fetched.onnx: error ")


def test_every_place_has_its_line() -> None:
    assert len(render("concise", SAMPLE).splitlines()) == len(SAMPLE.active)


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_what_the_stream_cannot_encode_is_spelt(encoding: str) -> None:
    shaped = replace(OVERFLOW, message="Holds 3×4 … of '名'.")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    write("concise", replace(SAMPLE, findings=(shaped,)), stream, Options())
    assert r"Holds 3x4 ... of '\u540d'." in raw.getvalue().decode(encoding)


@pytest.mark.parametrize("result", [CLEAN, SUPPRESSED], ids=["clean", "suppressed"])
def test_nothing_to_report_is_silence(result: Result) -> None:
    assert render("concise", result) == ""


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "n" * 10_000])
def test_a_name_makes_no_line_of_its_own(name: str) -> None:
    lines = render("concise", hostile(name)).split("\n")[:-1]
    assert len(lines) == 2
    for line in lines:
        assert line.isprintable()
        assert len(line) < 3000
        assert line.startswith("models/")


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location(), ""),
        (Location(graph="g"), "g"),
        (Location(graph="g", node="n", value="v"), "g/n"),
        (Location(value="v"), "v"),
    ],
)
def test_a_place_is_given_as_far_as_it_is_known(location: Location, text: str) -> None:
    assert where(location) == text
