"""One network in two formats: layouts, fused activations and paddings are seen through."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from modellint.differ.matched import Matching
from modellint.differ.matching import match_models
from modellint.differ.nodes import node_difference
from modellint.differ.weights import weight_difference
from modellint.formats import read_model
from modellint.formats.openvino.notation import encode as openvino
from modellint.formats.tflite.notation import encode as tflite
from tests.diff.conversions import ALTERATIONS
from tests.diff.pairs import name_nodes
from tests.support import model_from_text, run_cli, save

ONNX = """
<ir_version: 9, opset_import: ["" : 18]>
main (float[1,3,8,8] x) => (float[1,4] y)
<float[8,3,3,3] w, float[8] b, float[8,1,3,3] d, float[4,8] v, float[4] c>
{
    padded = Conv <pads = [0,0,1,1], strides = [2,2]> (x, w, b)
    active = Relu (padded)
    deep = Conv <pads = [1,1,1,1], group = 8> (active, d)
    mean = GlobalAveragePool (deep)
    flat = Flatten (mean)
    y = Gemm <transB = 1> (flat, v, c)
}
"""
TFLITE = """
main (image) => (label)
image float32[1,8,8,3]
w float32[8,3,3,3] = 0
b float32[8] = 0
d float32[1,3,3,8] = 0
v float32[4,8] = 0
c float32[4] = 0
p int32[4,2] = 0 0 0 1 0 1 0 0
around float32[1,9,9,3]
one float32[1,4,4,8]
two float32[1,4,4,8]
axes int32[2] = 1 2
mean float32[1,8]
label float32[1,4]
PAD (image, p) => (around)
CONV_2D (around, w, b) => (one) {padding=VALID stride_w=2 stride_h=2 fused_activation_function=RELU}
DEPTHWISE_CONV_2D (one, d, -) => (two) {padding=SAME stride_w=1 stride_h=1 depth_multiplier=1}
MEAN (two, axes) => (mean)
FULLY_CONNECTED (mean, v, c) => (label)
"""
OPENVINO = """
net version=11
x = Parameter f32[1,3,8,8]
w = Const f32[8,3,3,3] offset=0
conv = Convolution(x, w) f32[1,8,4,4] strides=2,2 pads_begin=1,1 pads_end=1,1 dilations=1,1
b = Const f32[1,8,1,1] offset=864
biased = Add(conv, b) f32[1,8,4,4]
active = ReLU(biased) f32[1,8,4,4]
d = Const f32[8,1,1,3,3] offset=896
deep = GroupConvolution(active, d) f32[1,8,4,4] strides=1,1 pads_begin=1,1 pads_end=1,1
Result(deep)
"""


def match(tmp_path: Path, other: bytes, name: str, text: str = ONNX) -> Matching:
    old = save(model_from_text(text), tmp_path / "model.onnx")
    new = tmp_path / name
    new.write_bytes(other)
    (tmp_path / "model.bin").write_bytes(bytes(1 << 12))
    return match_models(read_model(old), read_model(new))


def operators(found: Matching) -> list[tuple[str, str, str]]:
    return [(pair.old.op, pair.old.main.op_type, pair.new.main.op_type) for pair in found.pairs]


def test_onnx_and_tflite(tmp_path: Path) -> None:
    found = match(tmp_path, tflite(TFLITE), "model.tflite")
    assert operators(found) == [
        ("Conv", "Conv", "CONV_2D"),
        ("Conv", "Conv", "DEPTHWISE_CONV_2D"),
        ("ReduceMean", "GlobalAveragePool", "MEAN"),
        ("MatMul", "Gemm", "FULLY_CONNECTED"),
    ]
    assert [*found.removed, *found.added, *found.replaced] == []
    assert changes(found) == []


def test_onnx_and_openvino(tmp_path: Path) -> None:
    found = match(tmp_path, openvino(OPENVINO), "model.xml")
    assert operators(found) == [
        ("Conv", "Conv", "Conv"),
        ("Conv", "Conv", "GroupConvolution"),
    ]
    assert len(found.pairs[0].new.nodes) == 3
    assert found.added == []


def changes(found: Matching) -> list[tuple[str, str]]:
    """Operators that changed, and what of them."""
    changed = node_difference(found, converted=False).changed
    return [(each.new.op_type, what.name) for each in changed for what in each.attributes]


@pytest.mark.parametrize(
    ("line", "wrong", "changed"),
    [
        ("function=RELU}", "function=NONE}", [("CONV_2D", "activation")]),
        ("function=RELU}", "function=RELU6}", [("CONV_2D", "bounds")]),
        ("stride_w=2 stride_h=2", "stride_w=1 stride_h=1", [("CONV_2D", "strides")]),
        ("0 0 0 1 0 1 0 0", "0 0 0 2 0 2 0 0", []),
        ("0 0 0 1 0 1 0 0", "0 0 1 0 1 0 0 0", [("CONV_2D", "pads")]),
        ("padding=SAME", "padding=VALID", [("DEPTHWISE_CONV_2D", "pads")]),
        ("axes int32[2] = 1 2", "axes int32[2] = 1 3", [("MEAN", "axes")]),
        ("float32[1,3,3,8] = 0", "float32[1,1,3,8] = 0", [("DEPTHWISE_CONV_2D", "kernel_shape")]),
    ],
)
def test_what_means_something_else_is_named(
    tmp_path: Path, line: str, wrong: str, changed: list[tuple[str, str]]
) -> None:
    """The second line that is added after even sizes is not read with a stride of 2."""
    found = match(tmp_path, tflite(TFLITE.replace(line, wrong)), "model.tflite")
    assert changes(found) == [(f"tflite.{op}", what) for op, what in changed]


NUMBERS = ",".join(map(str, range(24)))
OPERATORS = f"""
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,4,9,9] x) => (float[1,4,1,1] y)
<float[4,2,3,1] w = {{{NUMBERS}}}>
{{
    conv = Conv <pads = [1,0,1,0], group = 2> (x, w)
    half = Constant <value_float = 0.5> ()
    scaled = Mul (conv, half)
    leaky = LeakyRelu <alpha = 0.2> (scaled)
    mean = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], strides = [2,2]> (leaky)
    sum = ReduceMean <axes = [2,3]> (mean)
    y = Softmax <axis = 1> (sum)
}}
"""


def test_conversions_of_openvino_are_the_same_but_for_what_is_altered(tmp_path: Path) -> None:
    openvino_itself = pytest.importorskip("openvino")
    model = model_from_text(OPERATORS)
    name_nodes(model)
    old = save(model, tmp_path / "model.onnx")
    openvino_itself.save_model(openvino_itself.convert_model(old), tmp_path / "model.xml")
    read = read_model(tmp_path / "model.xml")
    assert changes(match_models(read, read_model(old))) == []
    asked = 0
    for name, alter in ALTERATIONS.items():
        changed = type(model).FromString(model.SerializeToString())
        altered = alter(changed, random.Random(name))
        if altered is not None:
            asked += 1
            new = read_model(save(changed, tmp_path / "altered.onnx"))
            found = node_difference(match_models(read, new), converted=False).changed
            assert [(e.new.name, a.name) for e in found for a in e.attributes] == [altered], name
    assert asked >= 7


NORMALIZED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,2,4,4] x) => (float[1,3,4,4] y)
<float[3,2,1,1] w = {1,2,3,4,5,6}, float[3] s = {1,2,3}, float[3] b = {4,5,6},
 float[3] u = {0.1,0.2,0.3}, float[3] v = {1,0.5,2}>
{
    conv = Conv (x, w)
    norm = BatchNormalization (conv, s, b, u, v)
    gate = HardSigmoid <alpha = 0.16666667, beta = 0.5> (norm)
    y = Mul (norm, gate)
}
"""


def test_weights_are_the_same_with_a_normalization_folded_into_them(tmp_path: Path) -> None:
    openvino_itself = pytest.importorskip("openvino")
    old = save(model_from_text(NORMALIZED), tmp_path / "model.onnx")
    openvino_itself.save_model(openvino_itself.convert_model(old), tmp_path / "model.xml")
    other = save(model_from_text(NORMALIZED.replace("{1,2,3}", "{1,2,4}")), tmp_path / "other.onnx")
    new = read_model(tmp_path / "model.xml")
    for path, changed in ((old, 0), (other, 2)):
        found = match_models(read_model(path), new)
        assert [(pair.old.op, len(pair.old.nodes)) for pair in found.pairs] == [
            ("Conv", 2),
            ("HardSwish", 2),
        ]
        assert [*found.removed, *found.added, *found.replaced] == []
        weights = weight_difference(found, found.old, found.new, 1 << 20)
        assert (len(weights.changed), weights.added, weights.removed) == (changed, [], [])


SLOPED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,1,2,2] x) => (float[1,2,2,2] y) <float[2,1,1,1] w = {3,6}, float[2] b = {1,-1}>
{
    conv = Conv (x, w, b)
    y = HardSigmoid <alpha = 0.5, beta = 0.25> (conv)
}
"""
CLIPPED = """
main (x) => (y)
x float32[1,2,2,1]
w float32[2,1,1,1] = 1.5 3
b float32[2] = 0.75 -0.25
c float32[1,2,2,2]
y float32[1,2,2,2]
CONV_2D (x, w, b) => (c) {padding=VALID stride_w=1 stride_h=1}
RELU_0_TO_1 (c) => (y)
"""


@pytest.mark.parametrize(
    ("written", "instead", "changed"),
    [("", "", 0), ("1.5 3", "1.5 4", 1), ("0.75 -0.25", "0.75 0.25", 1)],
)
def test_the_slope_of_a_hard_sigmoid_may_be_in_the_weights_before_it(
    tmp_path: Path, written: str, instead: str, changed: int
) -> None:
    found = match(tmp_path, tflite(CLIPPED.replace(written, instead)), "model.tflite", SLOPED)
    assert [*found.removed, *found.added, *found.replaced, *changes(found)] == []
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert (weights.matched, len(weights.changed)) == (2, changed)


def test_the_slope_may_be_an_input(tmp_path: Path) -> None:
    openvino_itself = pytest.importorskip("openvino")
    old, new = tmp_path / "model.xml", tmp_path / "model.tflite"
    model = openvino_itself.convert_model(save(model_from_text(SLOPED), tmp_path / "model.onnx"))
    openvino_itself.save_model(model, old, compress_to_fp16=False)
    new.write_bytes(tflite(CLIPPED))
    found = match_models(read_model(old), read_model(new))
    assert [*found.removed, *found.added, *found.replaced] == []
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert (weights.matched, weights.changed) == (2, [])


def test_a_layer_that_is_read_without_its_hard_sigmoid_has_no_slope(tmp_path: Path) -> None:
    text = SLOPED.replace("[1,2,2,2] y)", "[1,2,2,2] y, float[1,2,2,2] z)")
    text = text.replace("(conv)", "(conv)\n z = Neg (conv)")
    clipped = CLIPPED.replace("(y)\n", "(y, z)\n", 1) + "z float32[1,2,2,2]\nNEG (y) => (z)\n"
    found = match(tmp_path, tflite(clipped), "model.tflite", text)
    assert [step.op for step in found.removed] == ["HardSigmoid"]


def test_a_clip_to_other_bounds_is_no_hard_sigmoid(tmp_path: Path) -> None:
    other = CLIPPED.replace("RELU_0_TO_1", "RELU6")
    found = match(tmp_path, tflite(other), "model.tflite", SLOPED)
    assert [step.op for step in found.removed] == ["HardSigmoid"]


def test_weights_are_compared_in_any_order_of_dims(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = {"w": (8, 3, 3, 3), "b": (8,), "d": (8, 1, 3, 3), "v": (4, 8), "c": (4,)}
    numbers = {name: random.normal(size=shape) for name, shape in shapes.items()}
    text, other = ONNX, TFLITE
    for name, kept in numbers.items():
        sizes = ",".join(map(str, shapes[name]))
        listed = ",".join(f"{each:.6f}" for each in kept.reshape(-1))
        text = text.replace(f"float[{sizes}] {name}", f"float[{sizes}] {name} = {{{listed}}}")
        order = {"w": (0, 2, 3, 1), "d": (1, 2, 3, 0)}.get(name, tuple(range(kept.ndim)))
        stored = " ".join(f"{each:.6f}" for each in kept.transpose(order).reshape(-1))
        zeros = re.compile(rf"^({name} float32\[.*?\]) = 0$", re.MULTILINE)
        other = zeros.sub(rf"\1 = {stored}", other)
    old = save(model_from_text(text), tmp_path / "model.onnx")
    new = tmp_path / "model.tflite"
    new.write_bytes(tflite(other))
    shown = run_cli("diff", old, new, "-o", "json", "--isolated", "--fail-on", "never")
    assert shown.exit_code == 0, shown
    told = json.loads(shown.stdout)
    assert told["weights"]["changed"] == []
    assert told["weights"]["equal"] == 5
    aspects = {(each["what"], each["aspect"], each["breaking"]) for each in told["interface"]}
    assert ("input", "shape", False) in aspects
    assert not any(breaking for _, _, breaking in aspects)
    assert told["nodes"]["replaced"] == told["nodes"]["changed"] == []


@pytest.mark.parametrize("pads", ["1,1", "0,0"])
def test_what_is_not_compared_between_formats_is_said(tmp_path: Path, pads: str) -> None:
    """Nothing says that the networks are the same, in any format of output."""
    old = save(
        model_from_text(
            """
            <ir_version: 9, opset_import: ["" : 18]>
            main (float[1,2,8,8] x) => (float[1,2,8,8] y)
            { y = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (x) }
            """
        ),
        tmp_path / "model.onnx",
    )
    new = tmp_path / "model.xml"
    new.write_bytes(
        openvino(
            f"""
net version=11
x = Parameter f32[1,2,8,8]
y = MaxPool(x) f32[1,2,8,8] kernel=3,3 strides=1,1 pads_begin={pads} pads_end={pads}
Result(y)
"""
        )
    )
    (tmp_path / "model.bin").write_bytes(b"")
    for output in ("full", "concise", "markdown", "json"):
        shown = run_cli("diff", old, new, "--isolated", "--fail-on", "never", "-o", output).stdout
        assert "the same network" not in shown
        assert ("pads" in shown) == (pads == "0,0"), output
        assert "quantization parameters" in " ".join(shown.split()), output


FOLDED = {
    "gemm": ("float[3,2] w = {1,2,3,4,5,6}", "a = Gemm <transB = 1> (x, w, c)"),
    "matmul": ("float[2,3] w = {1,3,5,2,4,6}", "m = MatMul (x, w) a = Add (m, c)"),
    "dropout": (
        "float[2,3] w = {1,3,5,2,4,6}, float ratio = {0.5}",
        "m = MatMul (x, w) d = Dropout (m, ratio) a = Add (d, c)",
    ),
}
"""Ways to write a product, whose weight TFLite stores transposed."""
WHOLE = """
main (x) => (y)
x float32[4,2]
w float32[3,2] = 2 4 9 12 20 24
c float32[3] = 14 24 36
y float32[4,3]
FULLY_CONNECTED (x, w, c) => (y)
"""


@pytest.mark.parametrize(("scale", "changed"), [("{2,3,4}", 0), ("{2,3,5}", 2)])
@pytest.mark.parametrize("name", FOLDED)
def test_the_scale_after_a_product_is_folded_along_its_output_channels(
    tmp_path: Path, name: str, scale: str, changed: int
) -> None:
    stored, product = FOLDED[name]
    text = f"""
<ir_version: 8, opset_import: ["" : 17]>
m (float[4,2] x) => (float[4,3] y)
<{stored}, float[1,3] c = {{7,8,9}}, float[3] gamma = {scale}> {{ {product} y = Mul (a, gamma) }}
"""
    found = match(tmp_path, tflite(WHOLE), "model.tflite", text)
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert (len(weights.changed), weights.added, weights.removed) == (changed, [], [])


CONVOLVED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,2,4,4] x) => (float[1,3,4,4] y)
<float[3,2,1,1] w = {2,4,9,12,20,24}, float[3] c = {14,24,36}> { y = Conv (x, w, c) }
"""
APART = """
net version=11
x = Parameter f32[1,2,4,4]
w = Const f32[3,2,1,1] offset=0
conv = Convolution(x, w) f32[1,3,4,4] strides=1,1 pads_begin=0,0 pads_end=0,0 dilations=1,1
b = Const f32[1,3,1,1] offset=24
biased = Add(conv, b) f32[1,3,4,4]
s = Const f32[1,3,1,1] offset=36
scaled = Multiply(biased, s) f32[1,3,4,4]
Result(scaled)
"""


def test_a_bias_is_folded_whatever_its_rank(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_bytes(openvino(APART))
    np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4], "f4").tofile(tmp_path / "model.bin")
    old = save(model_from_text(CONVOLVED), tmp_path / "model.onnx")
    found = match_models(read_model(old), read_model(tmp_path / "model.xml"))
    assert [(pair.old.op, len(pair.new.nodes)) for pair in found.pairs] == [("Conv", 3)]
    assert [*found.removed, *found.added, *found.replaced] == []
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert (weights.changed, weights.added, weights.removed) == ([], [], [])


def test_a_factor_along_another_axis_is_folded_into_nothing(tmp_path: Path) -> None:
    scaled = "float[1,1,1,4] gamma = {1,2,3,4}"
    text = SCALED.replace("float[1,3,1,1] gamma = {1e-6,2e-6,4e-6}", scaled)
    found = match(tmp_path, tflite(WRITTEN_OUT), "model.tflite", text)
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert (weights.matched, weights.equal, weights.changed) == (4, 2, [])


SCALED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,4,4,2] x) => (float[1,3,4,4] y)
<float[2] s = {1,2}, float[2] b = {3,4}, float[3,2,1,1] w = {1,2,3,4,5,6}, float[3] c = {7,8,9},
 float[1,3,1,1] gamma = {1e-6,2e-6,4e-6},
 float root = {1.4142135}, float one = {1}, float half = {0.5}>
{
    norm = LayerNormalization <axis = -1, epsilon = 0.001> (x, s, b)
    scaled = Div (norm, root)
    erf = Erf (scaled)
    more = Add (erf, one)
    product = Mul (norm, more)
    gelu = Mul (product, half)
    first = Transpose <perm = [0,3,1,2]> (gelu)
    conv = Conv (first, w, c)
    y = Mul (conv, gamma)
}
"""
WRITTEN_OUT = """
main (x) => (y)
x float32[1,4,4,2]
s float32[2] = 1 2
b float32[2] = 3 4
last int32[1] = 3
epsilon float32[] = 0.001
inverse float32[] = 0.70710677
one float32[] = 1
w float32[3,1,1,2] = 5e-7 1e-6 3e-6 4e-6 1e-5 1.2e-5
c float32[3] = 7e-6 1.6e-5 3.6e-5
mean float32[1,4,4,1]
squares float32[1,4,4,2]
variance float32[1,4,4,1]
sum float32[1,4,4,1]
root float32[1,4,4,1]
scale float32[1,4,4,2]
scaled float32[1,4,4,2]
moved float32[1,4,4,2]
shift float32[1,4,4,2]
norm float32[1,4,4,2]
small float32[1,4,4,2]
erf float32[1,4,4,2]
more float32[1,4,4,2]
twice float32[1,4,4,2]
y float32[1,4,4,3]
MEAN (x, last) => (mean) {keep_dims=1}
SQUARED_DIFFERENCE (x, mean) => (squares)
MEAN (squares, last) => (variance) {keep_dims=1}
ADD (variance, epsilon) => (sum)
RSQRT (sum) => (root)
MUL (root, s) => (scale)
MUL (x, scale) => (scaled)
MUL (mean, scale) => (moved)
SUB (b, moved) => (shift)
ADD (scaled, shift) => (norm)
MUL (norm, inverse) => (small)
FlexErf:custom (small) => (erf)
ADD (erf, one) => (more)
MUL (norm, more) => (twice)
CONV_2D (twice, w, c) => (y) {padding=VALID stride_w=1 stride_h=1}
"""


@pytest.mark.parametrize(
    ("was", "now", "changed"),
    [
        ("{3,4}", "{3,4}", []),
        ("{1e-6,2e-6,4e-6}", "{1e-6,2e-6,5e-6}", ["weights"]),
        ("{1,2,3,4,5,6}", "{1,2,3,4,5,7}", ["weights"]),
        ("epsilon = 0.001", "epsilon = 0.01", ["nodes"]),
        ("half = {0.5}", "half = {0.25}", ["nodes"]),
    ],
)
def test_normalizations_and_gelus_that_a_converter_writes_out_are_the_same(
    tmp_path: Path, was: str, now: str, changed: list[str]
) -> None:
    """A half of the Gelu and the scale of the layer are in the weight that is between them."""
    old = save(model_from_text(SCALED.replace(was, now)), tmp_path / "model.onnx")
    new = tmp_path / "model.tflite"
    new.write_bytes(tflite(WRITTEN_OUT))
    found = match_models(read_model(old), read_model(new))
    nodes = node_difference(found, converted=False)
    weights = weight_difference(found, found.old, found.new, 1 << 20)
    assert [
        *([] if nodes.is_same else ["nodes"]),
        *(["weights"] if weights.changed else []),
    ] == changed
    assert (weights.added, weights.removed) == ([], []) or "half" in was
