"""The HTML report: one safe file, always the same. Browsers try it in tests/oracles."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from modellint.report.html import Look, bench_page, check_page, inspect_page
from modellint.report.html.document import data
from modellint.report.html.graph import graph_data, pinned
from modellint.report.html.markup import VOID, Markup, element
from modellint.report.html.pages import common_folder
from modellint.report.html.probes import probes_table
from modellint.report.options import Options
from modellint.results.finding import Finding, Location, ModelSummary, Probed, Result, Severity
from modellint.results.inspection import Identity, Inspection, Port
from modellint.results.measured import MeasuredRun, RunLayer, RunModel, RunRuntime, RunTimes
from tests.report.drawings import drawing_of
from tests.report.samples import HOSTILE_NAMES

MARKUP = (
    "</script><script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    '"><svg onload=window.pwned=1>',
    "</style></title></textarea><!--",
    "javascript:window.pwned=1",
    "\u2028\u2029${window.pwned=1}`",
    "{{constructor.constructor('window.pwned=1')()}}",
    "x" * 400,
)
NASTY = (*MARKUP, *HOSTILE_NAMES)
MOST_BYTES = 400_000


class _Page(HTMLParser):
    """Tags, texts and data of a page; fails if tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], data)
        elif self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)

    def data(self, identity: str) -> Any:
        ((attributes, content),) = [each for each in self.scripts if each[0].get("id") == identity]
        if "data-deflate" in attributes:
            content = zlib.decompress(base64.b64decode(content)).decode()
        return json.loads(content)


def page_of(names: tuple[str, ...]) -> str:
    findings = tuple(
        Finding(
            "FUS002",
            "batchnorm-after-conv",
            "fusion",
            Severity.WARNING,
            f"About {name}.",
            "model.onnx",
            Location("main", name, at, "Conv", name),
            why=name,
            fix=name,
            evidence={"name": name},
            variant=str(at),
        )
        for at, name in enumerate(names)
    )
    identity = Identity(names[0], 8, {names[1]: 17}, 10, 0, 0, 0, {names[2]: names[3]})
    ports = [Port(name, "float32", [1, name, None], "tensor") for name in names]
    told = Inspection("model.onnx", "onnx", [], identity=identity, inputs=ports, outputs=[])
    summary = ModelSummary("model.onnx", "onnx", nodes=10)
    result = Result((summary,), findings, {}, 1, 0.5)
    return check_page(result, Options(), [(told, drawing_of(3, names))])


@pytest.fixture(scope="module")
def hostile() -> str:
    return page_of(NASTY)


def test_hostile_names_change_no_element(hostile: str) -> None:
    shown = _Page(hostile)
    plain = _Page(page_of(tuple(f"name {at}" if name else "" for at, name in enumerate(NASTY))))
    assert shown.tags == plain.tags
    allowed = {name for name, _ in plain.attributes}
    assert {name for name, _ in shown.attributes} <= allowed
    told = "".join(shown.texts)
    assert "</script><script>window.pwned = 1</script>" in told
    assert r"abc\u202etxt.exe" in told
    assert not re.search("[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", hostile)


def test_data_gives_names_back(hostile: str) -> None:
    words = _Page(hostile).data("m0-graph")["words"]
    assert set(MARKUP[:5]) <= set(words)


def test_nothing_but_the_own_script_and_style_is_allowed(hostile: str) -> None:
    shown = _Page(hostile)
    policy = next(value for _, value in shown.attributes if value.startswith("default-src"))
    stated = dict(part.split(" ", 1) for part in policy.split("; "))
    (script,) = [text for attributes, text in shown.scripts if attributes.get("type") == "module"]
    (style,) = shown.styles

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert stated.pop("img-src") == "data:"
    assert stated.pop("script-src") == digest(script)
    assert stated.pop("style-src") == digest(style)
    assert set(stated.values()) == {"'none'"}
    names = {name for name, _ in shown.attributes}
    assert "style" not in names
    assert not any(name.startswith("on") for name in names)
    assert not {"src", "action", "srcdoc"} & names
    links = [value for name, value in shown.attributes if name == "href"]
    assert all(link.startswith(("#", "https://github.com/modellint/")) for link in links)
    assert "@import" not in style
    assert "url(" not in style


def test_a_page_is_small_and_always_the_same() -> None:
    looks: list[Look] = [(Inspection("model.onnx", "onnx", []), None)]
    assert len(inspect_page(looks)) < MOST_BYTES / 2
    assert page_of(NASTY) == page_of(NASTY)
    result = Result((), (), {}, 0, 0.5)
    assert check_page(result, Options()) == check_page(replace(result, seconds=9.0), Options())


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    made = element("p", "<b>", Markup("<i></i>"), None, ["&"], title="\"'<", hidden=True, id=None)
    assert made == '<p title="&quot;&#x27;&lt;" hidden>&lt;b&gt;<i></i>&amp;</p>'


@pytest.mark.parametrize("content", [["</script><!--<script>"], ["</script>" * 2000]])
def test_data_cannot_end_its_element(content: list[str]) -> None:
    assert _Page(data("x", json.dumps(content))).data("x") == content


def test_findings_are_pinned_where_they_are() -> None:
    drawing = drawing_of(2)
    at_index = Finding("A", "a", "f", Severity.INFO, "", "m", Location("main", "?", 3))
    by_name = replace(at_index, location=Location(node="/layers.1/n2"))
    by_value = replace(at_index, location=Location(value="/layers.0/n4:0"))
    by_many = replace(
        at_index,
        location=Location(),
        evidence={"nodes": ["/layers.0/n0", "/layers.1/n0"]},
        count=2,
    )
    nowhere = replace(at_index, location=Location())
    found = pinned(drawing, [at_index, by_name, by_value, by_many, nowhere])
    assert found == {3: [0], 12: [1], 4: [2], 0: [3], 10: [3]}
    assert graph_data(drawing, found)["pins"][3] == [0]


def test_what_several_devices_have_in_common_is_one_finding() -> None:
    found = Finding("A", "a", "f", Severity.ERROR, "Too slow for Big.", "m", fix="Do.")
    devices = {f"d{at}": f"Big {at}" for at in range(6)}
    on_each = tuple(
        replace(found, message=f"Too slow for {name}.", target=target, location=Location(node=node))
        for target, name in devices.items()
        for node in ("/layers.0/n0", "/layers.0/n1")
    )
    told = Inspection("m", "onnx", [], inputs=[], outputs=[])
    result = Result((ModelSummary("m", "onnx"),), on_each, {}, 1, 0.5, devices=devices)
    page = _Page(check_page(result, Options(), [(told, drawing_of(2))]))
    text = " ".join(" ".join(page.texts).split())
    assert "12 errors" in text
    assert text.count("Too slow for the target.") == 2  # what to do first, and the finding
    assert "d0, d1, d2 and 3 more" in text
    assert ("data-target", "d0 d1 d2 d3 d4 d5") in page.attributes
    assert ("data-findings", "0 1") in page.attributes
    assert page.data("m0-graph")["pins"] == {"0": [0], "1": [1]}


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["a/b.x", "a/c.x"], "a/"),
        (["/a/b/x", "/a/bc/x"], "/a/"),
        (["b", "c"], ""),
        (["a", "a"], ""),
    ],
)
def test_paths_are_shown_below_the_folder_of_all(paths: list[str], folder: str) -> None:
    assert common_folder(paths) == folder


def test_measured_runs_are_a_page_and_none_is_said() -> None:
    layer = RunLayer(NASTY[0], "Conv", 0.002, kind="compute")
    times = RunTimes(10, 0.004, low=0.003, high=0.005)
    run = MeasuredRun(RunModel(NASTY[1]), RunRuntime("onnxruntime"), "bench", times=times)
    shown = _Page(bench_page([replace(run, layers=(layer,))], [NASTY[3]]))
    assert "4 ms per inference" in shown.texts
    assert NASTY[0] in shown.texts
    assert shown.data("report-data")["times"]["count"] == 10
    assert "Nothing was measured" in _Page(bench_page([], ["x: y"])).texts


def test_figures_of_a_probe_have_units() -> None:
    figures = {"build_seconds": 0.195, "peak_bytes": 52_428_800, "cycles": 1_234_567}
    probed = Probed("m.onnx", "onnxruntime", "1.32.0", None, "accepted", "build", figures=figures)
    assert "build 195 ms, peak 50 MiB, cycles 1.23 M" in str(probes_table([probed]))
