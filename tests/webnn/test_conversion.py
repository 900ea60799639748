"""Models become WebNN graphs, or it is said what is in the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.targets.deployment import Deployment
from modellint.webnn.builder import BuilderError, results
from modellint.webnn.conversion import convert
from modellint.webnn.graphs import MLGraph, MLOperand
from modellint.webnn.limits import LimitError, measured_limits
from modellint.webnn.writing import listing, write_module
from tests.support import run_cli, save

CNN = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,3,8,8] x) => (float[1,4] y)
<float[4,3,3,3] w = {@W}, float[4,4] g = {@G}>
{
    [conv] a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
    [relu] b = Relu (a)
    [pool] p = GlobalAveragePool (b)
    [shape] s = Shape (p)
    zero = Constant <value = int64[1] {0}> ()
    one = Constant <value = int64[1] {1}> ()
    [first] n = Slice (s, zero, one)
    [minus] rest = Constant <value = int64[1] {-1}> ()
    [target] t = Concat <axis = 0> (n, rest)
    [flat] f = Reshape (p, t)
    [gemm] y = Gemm (f, g)
}
""".replace("@W", ", ".join(["0.5"] * 108)).replace("@G", ", ".join(["0.25"] * 16))


def converted(text: str, folder: Path, **symbols: int) -> MLGraph:
    model = read_model(save(text, folder / "model.onnx"))
    return convert(model, Deployment(symbols=symbols), measured_limits())


def small(body: str, inputs: str, outputs: str) -> str:
    head = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
    return f"{head}\nm ({inputs}) => ({outputs})\n{{\n{body}\n}}"


def methods(graph: MLGraph) -> list[str]:
    assert not graph.obstacles, graph.obstacles
    return [call.method for call in graph.calls]


def test_shapes_are_computed_while_converting(tmp_path: Path) -> None:
    graph = converted(CNN, tmp_path)
    assert methods(graph) == ["conv2d", "relu", "reduceMean", "reshape", "gemm"]
    assert graph.outputs["y"].shape == (1, 4)
    assert graph.calls[0].node == "conv"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("y = Identity (x)", "identity"),
        ("y = Celu <alpha = 2.0> (x)", "mul min elu relu add"),
        ("y = LogSoftmax <axis = 1> (x)", "reduceMax sub reduceLogSumExp sub"),
        ("y = com.microsoft.QuickGelu (x)", "mul sigmoid mul"),
        ('y = Einsum <equation = "ij,kj->ik"> (x, x)', "transpose matmul"),
    ],
)
def test_operators_are_composed(body: str, wanted: str, tmp_path: Path) -> None:
    graph = converted(small(body, "float[4,4] x", "float[4,4] y"), tmp_path)
    assert methods(graph) == wanted.split()


def test_integers_of_64_bits_are_narrowed_where_they_have_to_be(tmp_path: Path) -> None:
    text = small("[halve] y = Div (x, x)", "int64[4] x", "int64[4] y")
    graph = converted(text, tmp_path)
    assert methods(graph) == ["cast", "cast", "div", "cast"]
    assert graph.outputs["y"].dtype == "int64"
    assert graph.narrowed == ["halve"]


@pytest.mark.parametrize(
    ("body", "inputs", "reason"),
    [
        ("y = NonZero (x)", "float[4,4] x", "no such operator"),
        ("y = Relu (x)", "float[n,4] x", "not fixed"),
        ("y = Relu (x)", "double[4,4] x", "no type float64"),
        ("y = Reshape (x, s)", "float[4,4] x, int64[2] s", "computed from the inputs"),
        ("y = AveragePool <kernel_shape = [2, 2, 2]> (x)", "float[1,1,4,4,4] x", "3 spatial"),
    ],
)
def test_what_is_in_the_way_is_named(body: str, inputs: str, reason: str, tmp_path: Path) -> None:
    graph = converted(small(body, inputs, "float[a,b] y"), tmp_path)
    assert [reason in each.reason for each in graph.obstacles] == [True]
    assert graph.obstacles[0].fix


def test_open_dims_take_the_sizes_of_the_deployment(tmp_path: Path) -> None:
    text = small("y = Relu (x)", "float[n,4] x", "float[n,4] y")
    assert converted(text, tmp_path, n=3).outputs["y"].shape == (3, 4)


def test_an_operator_is_held_to_types_ranks_and_shapes() -> None:
    limits = measured_limits()
    a, b = MLOperand("a", "float32", (2, 3)), MLOperand("b", "float32", (2, 3))
    with pytest.raises(BuilderError, match="3 columns and 2 rows"):
        results(limits, "matmul", {"a": a, "b": b})
    with pytest.raises(LimitError, match="does not support int8 as a, only"):
        results(limits, "matmul", {"a": MLOperand("a", "int8", (2, 3)), "b": b})
    with pytest.raises(LimitError, match="does not support 1 dims"):
        results(limits, "matmul", {"a": MLOperand("a", "float32", (3,)), "b": b})
    with pytest.raises(LimitError, match="larger than"):
        results(limits, "expand", {"input": a, "newShape": [1 << 30, 2, 3]})
    assert results(limits, "add", {"a": a, "b": MLOperand("b", "float32", (3,))}) == [
        ("float32", (2, 3))
    ]


def test_a_module_names_where_its_weights_are(tmp_path: Path) -> None:
    graph = converted(CNN, tmp_path)
    module, weights = write_module(graph, tmp_path / "cnn.js", "cnn.onnx")
    stored = np.fromfile(weights, np.float32)
    listed = listing(graph, "cnn.onnx")["constants"]
    for constant, kept in zip(listed, graph.constants, strict=True):
        first = constant["offset"] // 4
        count = constant["bytes"] // 4
        assert constant["offset"] % 64 == 0
        if constant["dataType"] == "float32":
            assert (stored[first : first + count] == kept.read().reshape(-1)).all()  # type: ignore[union-attr]
    text = module.read_text(encoding="utf-8")
    assert 'new URL("cnn.bin", import.meta.url)' in text
    assert "builder.conv2d(t1, constants[0], {padding: [1, 1, 1, 1], strides: [2, 2]" in text


def test_inspect_writes_graphs(tmp_path: Path) -> None:
    model = save(CNN, tmp_path / "cnn.onnx")
    ask = ("inspect", model, "--runtime", "webnn", "--graph")
    done = run_cli(*ask, tmp_path / "cnn.webnn.json")
    assert done.exit_code == 0, done
    assert "5 operators" in done.stderr
    listed = json.loads((tmp_path / "cnn.webnn.json").read_text(encoding="utf-8"))
    assert listed["operators"][0]["operator"] == "conv2d"
    assert run_cli(*ask, tmp_path / "cnn.js").exit_code == 0
    assert run_cli(*ask, tmp_path / "cnn.js").exit_code == 0  # over an earlier one
    (tmp_path / "notes.js").write_text("mine", encoding="utf-8")
    refused = run_cli(*ask, tmp_path / "notes.js")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert run_cli("inspect", model, "--graph", tmp_path / "a.js").exit_code == 2
    assert run_cli(*ask, tmp_path / "a.txt").exit_code == 2


def test_inspect_says_why_there_is_no_module(tmp_path: Path) -> None:
    text = small("[find] y = NonZero (x)", "float[4,4] x", "int64[2,n] y")
    model = save(text, tmp_path / "model.onnx")
    done = run_cli("inspect", model, "--runtime", "webnn", "--graph", tmp_path / "m.js")
    assert done.exit_code == 1
    assert "NonZero 'find': WebNN has no such operator" in done.stderr
    assert not (tmp_path / "m.js").exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "z = Constant <value = int64[2] {99999, 99999}> ()\n y = ConstantOfShape (z)",
            "larger than",
        ),
        ("y = Conv <strides = [1]> (x, x)", "do not fit"),
        ("y = LRN <size = 1000000000> (x)", "size is"),
        ("y = AveragePool <kernel_shape = [0, 0]> (x)", "is 0"),
        ("y = Transpose <perm = [9, 9, 9, 9]> (x)", "axis 9"),
    ],
)
def test_hostile_models_are_refused(body: str, words: str, tmp_path: Path) -> None:
    graph = converted(small(body, "float[2,2,2,2] x", "float[a,b,c,d] y"), tmp_path)
    assert [words in each.reason for each in graph.obstacles] == [True], graph.obstacles


CHANNELS_LAST = """
main (x) => (y)
x float32[?,8,8,2]
w float32[4,3,3,2] = 1
k float32[1,3,3,4] = 1
b float32[4] = 0
a float32[?,4,4,4]
d float32[?,2,2,4]
s int32[4]
zero int32[1] = 0
one int32[1] = 1
rest int32[] = 16
n int32[]
t int32[2]
y float32[?,16]
CONV_2D (x, w, b) => (a) {padding=SAME stride_w=2 stride_h=2 fused_activation_function=RELU6} v1
DEPTHWISE_CONV_2D (a, k, b) => (d) {padding=VALID stride_w=1 stride_h=1 depth_multiplier=1} v1
SHAPE (d) => (s)
STRIDED_SLICE (s, zero, one, one) => (n) {shrink_axis_mask=1}
PACK (n, rest) => (t) {axis=0 values_count=2}
RESHAPE (d, t) => (y)
"""


def of_tflite(text: str, folder: Path, batch: int | None = None) -> MLGraph:
    path = folder / "model.tflite"
    path.write_bytes(encode(text))
    return convert(read_model(path), Deployment(batch=batch), measured_limits())


def test_tflite_models_keep_their_channels_last(tmp_path: Path) -> None:
    graph = of_tflite(CHANNELS_LAST, tmp_path, batch=3)
    assert methods(graph) == ["conv2d", "clamp", "conv2d", "reshape"]
    first, _, second, _ = (call.arguments for call in graph.calls)
    assert (first["inputLayout"], first["filterLayout"]) == ("nhwc", "ohwi")
    assert first["padding"] == [0, 1, 0, 1]
    assert (second["groups"], second["filterLayout"]) == (4, "ihwo")
    assert graph.outputs["y"].shape == (3, 16)


def test_an_open_batch_of_tflite_has_to_be_fixed(tmp_path: Path) -> None:
    graph = of_tflite(CHANNELS_LAST, tmp_path)
    assert [each.reason for each in graph.obstacles] == ["its shape is not fixed"]


def test_integers_that_stand_for_numbers_are_scaled(tmp_path: Path) -> None:
    text = """
    main (x) => (y)
    x int8[1,4] *0.5 @-1
    a int8[1,4] *0.5 @-1
    y int8[1,4] *0.00390625 @-128
    RELU (x) => (a)
    SOFTMAX (a) => (y) {beta=1.0}
    """
    graph = of_tflite(text, tmp_path)
    each = ["dequantizeLinear", "relu", "quantizeLinear"]
    made = [method for method in methods(graph) if method != "reshape"]
    assert made == [*each, each[0], "softmax", each[2]]


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("CONV_2D (x, x, x) => (y) {padding=SAME stride_w=1 stride_h=1}", "it has 2 dims"),
        ("WHILE (x) => (y) {cond_subgraph_index=9 body_subgraph_index=9}", "no such operator"),
        ("GATHER (x, x) => (y) {axis=9}", "axis 9"),
        ("RESHAPE (x, s) => (y)", "is not"),
        ("PAD (x, s) => (y)", "do not fit"),
        ("SPLIT_V (x, s, s) => (y, y)", "do not fit"),
    ],
)
def test_hostile_tflite_models_are_refused(operator: str, words: str, tmp_path: Path) -> None:
    text = f"main (x) => (y)\nx float32[2,2]\ny float32[2,2]\ns int32[2] = 7 -9\n{operator}"
    graph = of_tflite(text, tmp_path)
    assert [words in each.reason for each in graph.obstacles] == [True], graph.obstacles
