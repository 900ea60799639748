"""Charts in a real browser: the measured widths hold, nothing is fetched, PNG is sharp."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellint import inspect
from modellint.browser import Browser, BrowserPage, find_browser
from modellint.cli.pictures import SCALE, png_of
from modellint.report.charts import charts, sheet
from modellint.report.charts.measure import SIZE, width_of
from modellint.results.inspection import Inspection
from tests.exports import materialise

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs a browser")

WIDER = 1.02
"""Hinting may widen letters by a little."""
MEASURE = """
[...document.querySelectorAll('svg svg text')].map(text => [
    text.textContent, text.getComputedTextLength(),
    parseFloat(getComputedStyle(text).fontSize), parseInt(getComputedStyle(text).fontWeight),
])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    path = materialise("resnet50", tmp_path_factory.mktemp("model"))
    return inspect(path, targets="a10", every_layer=True, isolated=True)


@pytest.fixture(scope="module")
def page(model: Inspection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserPage]:
    file = tmp_path_factory.mktemp("page") / "charts.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{sheet(charts(model))}", encoding="utf-8")
    with Browser.start() as browser:
        yield browser.open(file.as_uri())


def test_no_text_is_wider_than_measured(page: BrowserPage) -> None:
    measured = page.evaluate(MEASURE)
    assert len(measured) > 100
    assert {size for _, _, size, _ in measured} <= {11, SIZE, 15}
    wider = [
        (text, width)
        for text, width, size, weight in measured
        if width > WIDER * width_of(text, size, bold=weight >= 600)
    ]
    assert wider == []


def test_a_picture_fetches_nothing_and_says_nothing(page: BrowserPage) -> None:
    assert [each.url for each in page.requests if not each.url.startswith("file:")] == []
    assert not page.errors
    assert not page.messages


def test_colors_follow_the_reader(page: BrowserPage) -> None:
    color = "getComputedStyle(document.querySelector('svg')).backgroundColor"
    page.show(scheme="light")
    light = page.evaluate(color)
    page.show(scheme="dark")
    assert light == "rgb(255, 255, 255)" != page.evaluate(color)


def test_a_png_is_sharp_and_ours(model: Inspection, tmp_path: Path) -> None:
    chart = charts(model)[0]
    png = png_of(chart.standalone())
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width == SCALE * chart.width
    assert abs(height - SCALE * chart.height) <= SCALE
    assert b"Software\0modellint" in png
