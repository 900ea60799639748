"""Output of `inspect --quant`, for people and for programs."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import onnx
import pytest

from modellint.analysis.quantization import (
    QuantizationMap,
    QuantizationSummary,
    find_islands,
    quantization_summary,
)
from modellint.checks.quantization_common import effect
from modellint.formats import read_model
from modellint.report.options import Options
from modellint.report.quantization import write
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.analysis.kept import graph
from tests.quantization import defects
from tests.quantization.clean import Graph, clean
from tests.support import EXAMPLES

A10 = Deployment(find_target("a10"), runtime="tensorrt")


def summary(graph: Graph, folder: Path, deployment: Deployment = A10) -> QuantizationSummary:
    path = folder / "model.onnx"
    onnx.save(graph.model(), path)
    return quantization_summary(read_model(path), deployment)


def text(found: QuantizationSummary, *, verbose: bool = False) -> str:
    stream = io.StringIO()
    write(found.to_json(), stream, Options(color="never", width=120, verbose=verbose))
    return stream.getvalue()


def map_of(graph: Graph, folder: Path, deployment: Deployment = A10) -> QuantizationMap:
    path = folder / "model.onnx"
    onnx.save(graph.model(), path)
    return QuantizationMap(read_model(path), deployment)


def test_clean_network(tmp_path: Path) -> None:
    found = summary(clean(), tmp_path)
    assert found.method == "QDQ"
    assert found.precision == "int8"
    assert set(found.coverage) == {"int8"}
    assert found.coverage["int8"].macs_share == 1
    assert found.schemes["activations"] == {"int8, per-tensor, symmetric": 6}
    assert found.schemes["weights"] == {"int8, per-channel (axis 0), symmetric": 5}
    assert found.islands == ()
    assert found.score == 100


def test_shares_and_bytes_add_up(tmp_path: Path) -> None:
    graph = clean()
    defects._float_layer(graph)
    found = summary(graph, tmp_path)
    assert set(found.coverage) == {"int8", "fp32"}
    assert sum(part.ops for part in found.coverage.values()) == 5
    assert sum(part.macs_share or 0 for part in found.coverage.values()) == pytest.approx(1)
    assert found.coverage["fp32"].weight_bytes == 16 * 16 * 9 * 4
    (island,) = found.islands
    assert island.node == "second"
    assert island.products == 1
    assert island.slowdown == pytest.approx(4), "int8 at 250 against TF32 at 62.5 on the A10"
    assert found.score == 100 - round(100 * (island.macs_share or 0))


def test_effect_names_share_and_slowdown(tmp_path: Path) -> None:
    graph = clean()
    defects._float_layer(graph)
    quantization = map_of(graph, tmp_path)
    (island,) = find_islands(quantization)
    facts = effect(quantization, island.ops)
    second = 16 * 16 * 9 * 8 * 8
    total = 16 * 3 * 9 * 256 + 2 * second + 16 * 9 * 64 + 16 * 16
    assert facts["share"] == pytest.approx(second / total)
    assert facts["slowdown"] == pytest.approx(4)
    assert facts["effect"] == (
        f"; {second / total:.1%} of the model's MACs leave int8 for fp32, "
        "which peaks 4.0× lower on NVIDIA A10"
    )


def test_where_values_travel(tmp_path: Path) -> None:
    quantization = map_of(clean(), tmp_path)
    found = {value.name: name for value, name in quantization.value_precisions().items()}
    assert found["x"] == "int8", "an input that is quantized at once is read as int8"
    assert found["middle_dq"] == "int8", "merged into the layer behind it"
    assert found["first_relu"] == "int8", "written by the layer before it"
    assert found["second"] == "fp32", "inside the kernel that adds and activates"
    assert found["logits"] == "fp32"


def test_json_is_json(tmp_path: Path) -> None:
    form = summary(clean(), tmp_path).to_json()
    assert json.loads(json.dumps(form)) == form
    assert {"method", "coverage", "islands", "layers", "score", "deductions", "gains"} <= set(form)


def test_text_says_the_same(tmp_path: Path) -> None:
    graph = clean()
    defects._float_layer(graph)
    found = summary(graph, tmp_path)
    shown = text(found)
    assert f"Coverage  {found.score} of 100" in shown
    assert "float layers between quantized ones" in shown
    assert "Largest gains" in shown
    assert "4.0×" in shown
    assert "depthwise" not in shown
    assert "depthwise" in text(found, verbose=True), "every layer is listed"


def test_pairs_to_move_are_listed(tmp_path: Path) -> None:
    graph = clean()
    defects._float_activation(graph)
    found = summary(graph, tmp_path)
    (move,) = found.to_json()["moves"]
    assert move["layers"] == ["second"]
    (edit,) = move["edits"]
    assert (edit["action"], edit["value"], edit["form"]) == ("insert", "first_relu", "calibrate")
    shown = " ".join(text(found).split())
    assert "Pairs to move 1. Insert a pair after Relu 'first_relu': 147 k MACs (35.5%)" in shown
    assert "Pairs to move" not in text(summary(clean(), tmp_path))


def test_the_readiness_of_a_float_model_is_shown(tmp_path: Path) -> None:
    graph = clean()
    for name in ("in", "pooled", "middle", "sum", "spread", "features"):
        defects._drop_pair(graph, name)
    for name in ("stem", "first", "second", "depthwise", "fc"):
        graph.initializers[f"{name}_w"] = graph.constant_of(f"{name}_w", "f4")
        graph.drop(f"{name}_wdq")
    shown = text(summary(graph, tmp_path))
    assert "none: all products run in fp32" in shown
    assert "Readiness" in shown


def test_names_are_harmless(tmp_path: Path) -> None:
    graph = clean()
    defects._float_layer(graph)
    graph["second"].name = "[red]\x1b[31mname\u202e"
    shown = text(summary(graph, tmp_path))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]" in shown, "brackets are no markup"


def test_model_without_layers(tmp_path: Path) -> None:
    path = tmp_path / "empty.onnxtxt"
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    path.write_text(f"{header}\nmain (float[1] x) => (float[1] y) {{ y = Relu (x) }}")
    found = quantization_summary(read_model(path), A10)
    assert found.score is None
    assert "Nothing to quantize" in text(found)


def test_what_tensorrt_refuses_scores_nothing() -> None:
    model = read_model(EXAMPLES / "qat_residual.onnx")
    refused = quantization_summary(model, Deployment(runtime="tensorrt"))
    assert refused.score == 0
    assert [each.kind for each in refused.deductions] == ["refused-zero-point"]
    elsewhere = quantization_summary(model, Deployment())
    assert elsewhere.score == 100
    assert "which TensorRT refuses (2 nodes)" in text(elsewhere)
    assert not quantization_summary(model, Deployment(runtime="onnxruntime")).refused


@pytest.mark.parametrize(
    ("body", "weights", "score", "stored"),
    [
        ("y = com.microsoft.MoE<k=2>(x, r, u, , d)", "float[4,32,16] u, float[4,16,32] d", 0, 4),
        (
            "y = com.microsoft.QMoE<k=2>(x, r, u, s, , d, t)",
            "uint8[4,32,8] u, float[4,32] s, uint8[4,16,16] d, float[4,16] t",
            100,
            0.5,
        ),
    ],
)
def test_experts_are_layers(body: str, weights: str, score: int, stored: float) -> None:
    names = [each.strip() for each in re.split(r",(?! ?\d)", weights)]
    given = ", ".join(f'{name} = ["location": "w.bin"]' for name in names)
    model = graph(body, "float[2,16] x, float[2,4] r", "float[2,16] y", weights=given)
    found = quantization_summary(model, Deployment())
    assert (found.score, len(found.layers)) == (score, 1)
    assert found.layers[0].macs == 2 * 2 * 2 * 16 * 32
    assert sum(each.weight_bytes for each in found.coverage.values()) == stored * 4 * 2 * 16 * 32
