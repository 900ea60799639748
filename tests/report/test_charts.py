"""Charts: what they show, that nothing in them touches, and that no name becomes markup."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modellint.base.errors import UsageError
from modellint.report import diff_svg
from modellint.report.charts import CHARTS, Chart, charts, neighborhoods, pareto, stylesheet
from modellint.report.charts.changed_layers import changed_layers
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.scales import fine_logarithmic, linear, logarithmic, short
from modellint.report.layer_table import COLUMNS, write_csv, write_jsonl
from modellint.report.options import Options
from modellint.results.difference import Overview, TradeOffs, VariantFigures
from modellint.results.inspection import Candidate, Inspection, MeasuredLayer, Verdict
from tests.exports import materialise
from tests.report.pictures import SVG, mistakes
from tests.report.samples import HOSTILE_NAMES, SAMPLE
from tests.support import run_cli

WIDTHS = (400, 760, 1280)
DRAWS = {"operators", "blocks", "flow", "depth", "memory", "time", "roofline"}


def hostile(inspection: Inspection) -> Inspection:
    """Return the same model with names that try everything."""
    layers = inspection.every_layer or []
    named = [
        replace(each, name=HOSTILE_NAMES[at % len(HOSTILE_NAMES)], block="<script>x</script>" * 9)
        for at, each in enumerate(layers)
    ]
    ops = {f"{name}<svg onload=x>": 3 for name in HOSTILE_NAMES}
    return replace(inspection, every_layer=named, ops=ops)


def test_layers_add_up_to_the_model(resnet: Inspection) -> None:
    layers = resnet.every_layer or []
    assert len(layers) == resnet.nodes
    assert sum(each.parameters for each in layers) == resnet.parameters
    assert sum(each.macs or 0 for each in layers) == resnet.macs
    (memory,) = resnet.estimates
    assert memory.roofline is not None
    assert sum(each.seconds or 0 for each in layers) == pytest.approx(memory.roofline.seconds)
    assert max(each.alive or 0 for each in layers) == memory.activations.low
    assert {each.block for each in layers} >= {"start", "residual 1", "residual 16", "end"}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_touches_another(resnet: Inspection, width: int) -> None:
    drawn = charts(resnet, width)
    assert {chart.name for chart in drawn} >= DRAWS
    assert {chart.name: mistakes(chart.svg) for chart in drawn if mistakes(chart.svg)} == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_stay_text(resnet: Inspection, width: int) -> None:
    for chart in charts(hostile(resnet), width):
        root = ET.fromstring(chart.svg)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= SHAPES
        assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)
        assert "\u202e" not in chart.svg
        assert mistakes(chart.svg) == []


SHAPES = {
    "svg",
    "title",
    "desc",
    "rect",
    "line",
    "circle",
    "polyline",
    "polygon",
    "path",
    "text",
}


def test_a_chart_is_the_same_each_time(resnet: Inspection) -> None:
    assert charts(resnet) == charts(resnet)


def test_charts_can_share_a_page(resnet: Inspection) -> None:
    """Without ids, and with one style for all, which reaches nothing else."""
    for chart in charts(resnet):
        assert " id=" not in chart.svg
        assert "<style" not in chart.svg
        assert chart.svg.startswith("<svg ")
        assert 'role="img"' in chart.svg
        assert chart.standalone().count("<style>") == 1
    inside = re.sub(r"@media\([^)]*\)\{(.*?\})\}", r"\1", stylesheet())
    selectors = [
        part.strip() for rule in re.findall(r"([^{}]+)\{", inside) for part in rule.split(",")
    ]
    assert all(".mlc" in selector for selector in selectors)


def test_every_chart_has_its_figures_as_a_table(resnet: Inspection) -> None:
    for chart in charts(resnet):
        assert chart.table.rows
        assert {len(row) for row in chart.table.rows} == {len(chart.table.head)}
        assert chart.says.endswith(".")


def test_figures_of_a_chart(resnet: Inspection) -> None:
    blocks = CHARTS["blocks"](resnet, 760)
    assert blocks is not None
    assert sum(int(row[1].replace(",", "")) for row in blocks.table.rows) == resnet.parameters
    time = CHARTS["time"](resnet, 760)
    assert time is not None
    shares = [float(row[3].removesuffix("%").lstrip("<>")) for row in time.table.rows]
    assert sum(shares) == pytest.approx(100, abs=2)


def test_a_model_without_data_has_no_charts() -> None:
    assert charts(Inspection("x.onnx", "onnx", [])) == []


def test_variants() -> None:
    def variant(name: str, metric: float, seconds: float, *, best: bool) -> VariantFigures:
        return VariantFigures(name, metric, 10, 20, seconds, None, best)

    names = ("float", "half of it <b>", "int8", "worse than all of the others")
    figures = ((0.76, 4e-3, True), (0.7599, 2e-3, True), (0.75, 1e-3, True), (0.74, 5e-3, False))
    variants = [
        variant(name, metric, seconds, best=best)
        for name, (metric, seconds, best) in zip(names, figures, strict=True)
    ]
    trade_offs = TradeOffs("accuracy", "higher", "a10", None, None, variants)
    chart = pareto(trade_offs)
    assert chart is not None
    assert mistakes(chart.svg) == []
    assert [row[-1] for row in chart.table.rows] == ["no", "no", "no", "yes"]
    assert pareto(TradeOffs(None, None, None, None, None, variants)) is None
    stream = io.StringIO()
    diff_svg.write_several([], Overview("a", "b", [], trade_offs), stream, Options())
    assert stream.getvalue() == chart.standalone()
    with pytest.raises(UsageError, match="--metrics"):
        diff_svg.write_several([], Overview("a", "b", []), stream, Options())


@pytest.fixture(scope="module")
def measured(resnet: Inspection) -> Inspection:
    """The same model with a run: layers take twice as long as expected, and one ten times."""
    layers = [each for each in resnet.every_layer or () if each.expected]
    slow = layers[7].name
    run = [
        MeasuredLayer(
            each.name,
            each.op_type,
            [each.name],
            "compute",
            "fp16",
            None,
            seconds=(each.expected or 0) * (10 if each.name == slow else 2),
            share=0.0,
            flops=each.flops,
            nbytes=each.bytes,
            bound=each.bound,
            efficiency=0.05 if each.name == slow else 0.6,
        )
        for each in layers
    ]
    half = [replace(each, critical=at % 2 == 0) for at, each in enumerate(resnet.every_layer or ())]
    return replace(resnet, measured=run, every_layer=half)


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_of_a_measured_run(measured: Inspection, width: int) -> None:
    drawn = {name: CHARTS[name](measured, width) for name in ("efficiency", "accuracy", "critical")}
    assert [mistakes(chart.svg) for chart in drawn.values() if chart is not None] == [[], [], []]
    efficiency, accuracy, critical = drawn.values()
    assert efficiency is not None
    assert efficiency.table.rows[0][3] == "5.0%", "what loses most is first"
    assert accuracy is not None
    assert "within a factor of 2." in accuracy.says
    assert critical is not None
    assert "could run meanwhile" in critical.says


def test_two_runs() -> None:
    pairs = [
        {"new": f"layer.{at}<b>", "old_seconds": 1e-3, "new_seconds": 1e-3 + delta, "reasons": []}
        for at, delta in enumerate((4e-4, -2e-4, 0.0))
    ]
    lost = [{"name": "gone", "seconds": 1e-4}]
    for width in WIDTHS:
        chart = changed_layers({"pairs": pairs, "lost": lost, "added": []}, width)
        assert chart is not None
        assert mistakes(chart.svg) == []
        assert [row[0] for row in chart.table.rows] == ["layer.0<b>", "layer.1<b>", "gone"]
    assert changed_layers({"pairs": pairs[2:], "lost": [], "added": []}) is None


def test_findings_in_their_graphs() -> None:
    chart = neighborhoods(SAMPLE)
    assert mistakes(chart.svg) == []
    assert any(row[1] == "FUS002" for row in chart.table.rows)


@pytest.mark.parametrize(
    ("most", "unit", "labels"),
    [
        (7, "count", ["0", "2", "4", "6", "8"]),
        (3 << 20, "bytes", ["0", "1", "2", "3 MiB"]),
        (0.0021, "seconds", ["0", "0.5", "1", "1.5", "2", "2.5 ms"]),
        (0.5, "share", ["0", "10", "20", "30", "40", "50%"]),
        (0, "count", ["0", "1"]),
    ],
)
def test_ticks_are_round(most: float, unit: str, labels: list[str]) -> None:
    scale = linear(most, 0, 100, unit)  # type: ignore[arg-type]
    assert [label for _, label in scale.ticks] == labels
    assert scale(0) == 0
    assert scale(most) <= 100


def test_a_logarithmic_scale() -> None:
    scale = logarithmic(3, 900, 0, 300)
    assert [value for value, _ in scale.ticks] == [1, 10, 100, 1000]
    assert scale(1) == 0
    assert scale(1000) == pytest.approx(300)
    assert scale(0) == 0


def test_a_logarithmic_scale_of_little() -> None:
    scale = fine_logarithmic(6e-4, 4.2e-3, 0, 300, "seconds")
    assert [label for _, label in scale.ticks] == ["500 µs", "1 ms", "2 ms", "5 ms"]
    assert 0 < scale(6e-4) < scale(4.2e-3) < 300


def test_batches_and_precisions(resnet: Inspection) -> None:
    def candidate(precision: str, batch: int, seconds: float, verdict: Verdict) -> Candidate:
        rest: Any = (batch / seconds, 1 << 28, verdict, None, None, None, [])
        return Candidate("a10", precision, batch, seconds, seconds, seconds, "derived", *rest)

    found = [
        candidate("fp16", 1, 1e-3, "fits"),
        candidate("fp16", 8, 3e-3, "fits"),
        candidate("int8", 8, 2e-3, "tight"),
        candidate("fp32", 64, 9e-3, "does not fit"),
    ]
    chart = CHARTS["sweep"](replace(resnet, sweep=found), 400)
    assert chart is not None
    assert mistakes(chart.svg) == []
    assert "int8 with batch 8 gets most done" in chart.says
    assert len(chart.table.rows) == 3


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0004, "share", "<0.1%"),
        (0.9999, "share", ">99.9%"),
        (999_950, "count", "1 M"),
        (1.5e-6, "seconds", "1.5 µs"),
        (0, "bytes", "0 B"),
    ],
)
def test_figures_are_short(value: float, unit: str, said: str) -> None:
    assert short(value, unit) == said  # type: ignore[arg-type]


def test_a_text_is_shortened_to_what_fits() -> None:
    name = "/encoder/layer.0/attention/self/query/MatMul"
    assert fit(name, width_of(name)) == name
    short_name = fit(name, 100)
    assert width_of(short_name) <= 100
    assert "…" in short_name
    assert short_name.endswith("MatMul")
    assert fit(name, 0) == ""


def test_a_table_of_layers(resnet: Inspection) -> None:
    text = io.StringIO()
    write_csv([resnet], text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(rows[0]) == list(COLUMNS)
    assert sum(int(row["macs"]) for row in rows) == resnet.macs
    convolution = next(row for row in rows if row["op"] == "Conv")
    assert convolution["outputs"] == "1x64x112x112"
    lines = io.StringIO()
    write_jsonl([resnet], lines)
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [each["name"] for each in objects] == [row["name"] for row in rows]


def test_no_name_is_a_formula(resnet: Inspection) -> None:
    layers = [replace(each, name="=HYPERLINK(1)\n") for each in (resnet.every_layer or [])[:1]]
    text = io.StringIO()
    write_csv([replace(resnet, every_layer=layers)], text)
    (row,) = csv.DictReader(io.StringIO(text.getvalue()))
    assert row["name"] == "'=HYPERLINK(1)"


def test_the_command_writes_charts_and_tables(tmp_path: Path) -> None:
    model = materialise("resnet50", tmp_path)
    picture, table = tmp_path / "x.svg", tmp_path / "x.csv"
    outputs = ("-o", f"svg:{picture}", "-o", f"csv:{table}", "--chart", "roofline")
    for _ in range(2):
        done = run_cli("inspect", model, "-t", "a10", "--isolated", *outputs)
        assert done.exit_code == 0, done
    assert "<title>Roofline</title>" in picture.read_text(encoding="utf-8")
    assert table.read_text(encoding="utf-8").startswith("model,index,")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--chart", "roof", "-o", "svg:x.svg"), "did you mean 'roofline'"),
        (("--chart", "roofline", "-o", "svg"), "needs a target"),
        (("--chart", "flow"), "needs -o svg:FILE"),
        (("-o", "png"), "write png:FILE"),
    ],
)
def test_mistakes_of_the_command(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    model = materialise("resnet50", tmp_path)
    done = run_cli("inspect", model, "--isolated", *arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert says in done.stderr


def test_all_charts_are_one_sheet(resnet: Inspection, tmp_path: Path) -> None:
    shown = run_cli("inspect", materialise("resnet50", tmp_path), "--isolated", "-o", "svg")
    root = ET.fromstring(shown.stdout)
    drawn: list[Chart] = charts(resnet)
    assert 1 < len(root.findall(f"{SVG}svg")) <= len(drawn)
