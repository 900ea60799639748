"""The HTML report in a real browser: it opens from a disk, and nothing in it can harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modellint.benching.comparing import compare_runs
from modellint.benching.fingerprints import fingerprint
from modellint.browser import Browser, BrowserPage, find_browser
from modellint.report.html import check_page, compare_page, fingerprint_page, inspect_page
from modellint.report.options import Options
from modellint.results.drawing import DrawnValue
from modellint.results.finding import Finding, Location, ModelSummary, Result, Severity
from modellint.results.inspection import Inspection, WeightFigures
from tests.benching.test_comparing import network
from tests.inspect.support import deployment, inspect_export
from tests.oracles.support import ENVIRONMENTS
from tests.report.drawings import drawing_of
from tests.report.test_html import NASTY, page_of

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs a browser")

AXE = ENVIRONMENTS / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SHOWN = """(async () => {
  const host = document.querySelector("article:not([hidden]) [data-graph]");
  host.scrollIntoView();
  while (!host.view) await new Promise(done => setTimeout(done, 20));
  window.view = host.view;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
})()"""
PLACES = "JSON.stringify(view.layout.shown.map(u => [u, view.layout.x[u], view.layout.y[u]]))"

Open = Callable[..., BrowserPage]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser.start() as started:
        yield started


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    opened = []

    def show(content: str, fragment: str = "", **how: Any) -> BrowserPage:
        file = tmp_path / "report.html"
        file.write_text(content, encoding="utf-8")
        page = browser.open()
        opened.append(page)
        page.resize(how.pop("width", 1280), 900)
        page.show(still=True, **how)
        page.go(f"{file.as_uri()}{fragment}", seconds=60)
        return page

    yield show
    for page in opened:
        assert page.errors == []
        assert page.messages == []
        assert [each.url.split("#")[0][-11:] for each in page.requests] == ["report.html"]
        page.close()


@pytest.fixture(scope="module")
def plain() -> str:
    finding = Finding(
        "FUS002",
        "batchnorm-after-conv",
        "fusion",
        Severity.WARNING,
        "A message.",
        "model.onnx",
        Location("main", "/layers.3/n4", 34, "Conv"),
        why="A reason.",
        fix="A fix.",
    )
    error = Finding("NUM002", "overflow", "numerics", Severity.ERROR, "Another.", "model.onnx")
    result = Result((ModelSummary("model.onnx", "onnx"),), (error, finding), {}, 1, 0.5)
    look = Inspection("model.onnx", "onnx", []), drawing_of(12)
    return check_page(result, Options(), [look])


def test_blocks_open_and_close_and_leave_all_in_its_place(show: Open, plain: str) -> None:
    page = show(plain)
    page.evaluate(SHOWN)
    before = page.evaluate(PLACES)
    shown = page.evaluate("view.layout.shown.length")
    page.evaluate("view.toggle(0)")
    page.evaluate("view.toggle(3)")
    assert page.evaluate("view.layout.shown.length") > shown
    assert page.evaluate(PLACES) != before
    page.evaluate("view.toggle(3)")
    page.evaluate("view.toggle(0)")
    assert page.evaluate(PLACES) == before


def test_no_nodes_overlap_and_edges_go_down(show: Open, plain: str) -> None:
    page = show(plain)
    page.evaluate(SHOWN)
    page.evaluate(
        "view.open = new Set(view.graph.inside.map((_, group) => group)); view.relayout()"
    )
    overlaps = """(() => {
      const { shown, x, y, width, height } = view.layout;
      let count = 0;
      for (const a of shown) for (const b of shown) if (a < b &&
        x[a] < x[b] + width[b] && x[b] < x[a] + width[a] &&
        y[a] < y[b] + height[b] && y[b] < y[a] + height[a]) count++;
      return count;
    })()"""
    assert page.evaluate(overlaps) == 0
    upwards = "view.graph.edges.filter(([a, b]) => view.layout.y[a] >= view.layout.y[b]).length"
    assert page.evaluate(upwards) == 0


def test_search_finds_by_name_type_precision_and_rule(show: Open, plain: str) -> None:
    page = show(plain)
    page.press("/")
    page.evaluate(SHOWN)
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    page.type("layers.3/n4")
    assert page.evaluate("document.querySelectorAll('.results [role=option]').length") == 1
    page.press("Enter")
    assert page.evaluate("view.graph.name(view.selected)") == "/layers.3/n4"
    assert "A reason." in page.evaluate("view.panel.textContent")
    assert page.evaluate("decodeURIComponent(location.hash)") == "#node=/layers.3/n4"
    assert page.evaluate("view.find('fus002').length") == 1
    assert page.evaluate("view.find('add fp16').length") == 12
    assert page.evaluate("view.find('nothing at all').length") == 0


def test_keys_walk_along_edges(show: Open, plain: str) -> None:
    page = show(plain, "#node=%2Flayers.3%2Fn4")
    page.evaluate(SHOWN)
    assert page.evaluate("view.graph.name(view.selected)") == "/layers.3/n4"
    page.evaluate("view.canvas.focus()")
    for key, name in (("ArrowDown", "n5"), ("ArrowDown", "n6"), ("ArrowUp", "n5")):
        page.press(key)
        assert page.evaluate("view.graph.name(view.selected)") == f"/layers.3/{name}"
    page.press("Escape")
    assert page.evaluate("view.selected >= view.count"), "the group around it"
    assert not page.evaluate("view.open.has(view.selected - view.count)")
    page.press("Enter")
    assert page.evaluate("view.open.has(view.selected - view.count)")


def test_filters_leave_what_they_say(show: Open, plain: str) -> None:
    page = show(plain)
    left = "[...document.querySelectorAll('.finding:not([hidden])')].map(e => e.dataset.rule)"
    assert page.evaluate(left) == ["NUM002", "FUS002"]
    page.click(".chip.error")
    assert page.evaluate(left) == ["FUS002"]
    page.click(".chip.warning")
    assert page.evaluate(left) == []
    assert not page.evaluate("document.querySelector('.nothing').hidden")


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_names_run_nothing(show: Open, width: int) -> None:
    page = show(page_of(NASTY), width=width)
    page.evaluate(SHOWN)
    page.evaluate("for (const unit of view.layout.shown) view.select(unit)")
    page.evaluate(
        "view.open = new Set(view.graph.inside.map((_, group) => group)); view.relayout()"
    )
    for node in range(12):
        page.evaluate(f"view.selectNode({node})")
    page.evaluate("view.search.value = 'script'; view.search.dispatchEvent(new Event('input'))")
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.querySelectorAll('img, iframe, object, embed').length") == 0
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, "nothing is wider than the page"


def test_several_models_are_a_table_that_can_be_sorted(show: Open) -> None:
    looks = [
        (Inspection(f"{name}.onnx", "onnx", [], nodes=nodes), drawing_of(2))
        for name, nodes in (("b", 5), ("a", 30), ("c", 7))
    ]
    page = show(inspect_page(looks))
    rows = "[...document.querySelectorAll('#models tbody tr')].map(r => r.cells[0].textContent)"
    assert page.evaluate(rows) == ["b.onnx", "a.onnx", "c.onnx"]
    heads = "[...document.querySelectorAll('#models thead button')]"
    page.evaluate(f"{heads}[0].click()")
    assert page.evaluate(rows) == ["a.onnx", "b.onnx", "c.onnx"]
    page.evaluate(f"{heads}.find(e => e.textContent === 'nodes').click()")
    assert page.evaluate(rows) == ["a.onnx", "c.onnx", "b.onnx"]
    page.click("#models a")
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate("document.querySelector('article:not([hidden])').dataset.path") == "a.onnx"
    page.evaluate(SHOWN)


@pytest.mark.parametrize("grouped", [True, False])
def test_a_large_graph_is_laid_out_and_moved(show: Open, *, grouped: bool) -> None:
    drawing = drawing_of(2000, grouped=grouped)
    page = show(inspect_page([(Inspection("large.onnx", "onnx", [], nodes=20_000), drawing)]))
    page.evaluate(SHOWN, seconds=60)
    page.evaluate(
        "view.open = new Set(view.graph.inside.map((_, group) => group)); view.relayout()"
    )
    assert page.evaluate("view.layout.shown.length") == 20_002
    page.evaluate("view.fit(); view.pan(0, 400); view.showAll(); view.zoom(2)")
    assert page.evaluate("new Promise(done => requestAnimationFrame(() => done(true)))")


def test_a_node_has_its_times_its_layer_and_its_weights(show: Open) -> None:
    """Of an engine with one layer for two nodes, and a path that is not all of it."""
    drawing = drawing_of(2)
    figures = WeightFigures("w", "float32", [8, 8], 64, 32, -1.5, 2.0, 0.1, 0.7, 8, 0, [1, 5, 2])
    drawing.values.append(DrawnValue("w", "float32 8×8", "weight", figures))
    first, second = drawing.nodes[:2]
    first.inputs = [*first.inputs, len(drawing.values) - 1]
    first.seconds, first.expected, first.measured, first.critical = 1e-6, 2e-6, 3e-6, True
    second.expected = 5e-7
    first.layer = second.layer = "CaskConvolution: a + b"
    first.engine = second.engine = "float16"
    drawing.kernels, drawing.fused_by = [[0, 1]], "engine"
    page = show(inspect_page([(Inspection("model.onnx", "onnx", []), drawing)]))
    page.evaluate(SHOWN)
    page.evaluate("view.selectNode(0)")
    said = page.evaluate("view.panel.innerText")
    for words in ("3 µs", "2 µs", "1 µs", "float16", "CaskConvolution: a + b", "-1.5", "50%"):
        assert words in said
    assert page.evaluate("view.panel.querySelectorAll('.histogram span').length") == 3
    ways = page.evaluate("view.ways.map(way => way.key)")
    assert {"engine", "measured", "expected", "seconds"} <= set(ways)
    page.evaluate("view.fused.click()")
    assert page.evaluate("view.hulls.length") == 1
    page.click("[data-filter=critical]")
    assert page.evaluate("[...view.matched].includes(0) && view.matched.size") == 1


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: python -m tests.oracles.prepare")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["findings", "charts", "compare", "fingerprint"])
def test_accessible(show: Open, plain: str, kind: str, scheme: str, width: int) -> None:
    if kind == "charts":
        told = inspect_export("resnet18", deployment("a10"), every_layer=True)
        plain = inspect_page([(told, drawing_of(3))])
    old, new = network(), network(slowed=12)
    if kind == "compare":
        plain = compare_page(compare_runs(old, new).to_json(), (old, new))
    if kind == "fingerprint":
        plain = fingerprint_page(fingerprint(new).to_json(), new)
    page = show(plain, scheme=scheme, width=width)
    if kind in ("findings", "charts"):
        page.evaluate(SHOWN)
        page.evaluate("view.selectNode(3)")
    page.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))", seconds=60
    )
    assert found == []
