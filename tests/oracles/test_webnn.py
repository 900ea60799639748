"""A real browser takes, builds and computes WebNN graphs as is predicted and exported."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from measure_placement import Agreement, predicted, usual_sizes
from measure_webnn import WebNNPage
from onnx import numpy_helper

from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.webnn.builder import BuilderError, results
from modellint.webnn.graphs import MLOperand
from modellint.webnn.javascript import positional
from modellint.webnn.limits import LimitError, measured_limits
from tests.exports import materialise
from tests.oracles.support import ask, web_packages
from tests.oracles.tflite_models import TEXTS
from tests.support import save

CLOSE = 1e-4
GRAPHS = ["resnet18", "mobilenet_v3_large", "whisper_tiny_encoder", "segformer_b0"]
"""A CNN, a mobile one, a transformer, and one that resizes."""
PARTS: Mapping[str, int] = {
    "lstm_tagger": 1,
    "mobilenet_v2": 1,
    "mobilenet_v3_large": 1,
    "resnet18": 1,
    "segformer_b0": 1,
    "shufflenet_v2_x1_0": 1,
    "squeezenet1_0": 1,
    "swin_t": 1,
    "t5_small_encoder": 1,
    "whisper_tiny_encoder": 1,
}
CHANNELS_LAST: Mapping[str, str] = {
    **{name: TEXTS[name] for name in ("block", "float", "open batch", "expanded")},
    "one channel": """
        main (x) => (y)
        x int8[1,8,8,1] *0.5 @-1
        w int8[1,3,3,4] *0.5,0.25,0.5,0.25 @0 axis 3 = 1
        b int32[4] *0.25,0.125,0.25,0.125 = 0
        y int8[1,4,4,4] *0.5 @-1
        DEPTHWISE_CONV_2D (x, w, b) => (y) {padding=SAME stride_w=2 stride_h=2 depth_multiplier=4}
        """,
    "moved": """
        main (x) => (y)
        x float32[1,8,8,4]
        zero int32[] = 0
        blocks int32[2] = 2 2
        edges int32[2,2] = 0 0 0 0
        a float32[4,4,4,4]
        b float32[1,8,8,4]
        starts int32[4] = 0 -1 1 0
        ends int32[4] = 0 0 8 3
        steps int32[4] = 1 -2 3 1
        c float32[4,3,3]
        d float32[4,3,6]
        sizes int32[2] = 8 12
        e float32[1,4,3,6]
        f float32[1,8,12,6]
        g float32[1,8,12,6]
        axes int32[2] = 1 2
        y float32[1,6]
        SPACE_TO_BATCH_ND (x, blocks, edges) => (a)
        BATCH_TO_SPACE_ND (a, blocks, edges) => (b)
        STRIDED_SLICE (b, starts, ends, steps) => (c) {begin_mask=0 end_mask=2 shrink_axis_mask=1}
        CONCATENATION (c, c) => (d) {axis=-1 fused_activation_function=NONE} v1
        EXPAND_DIMS (d, zero) => (e)
        RESIZE_BILINEAR (e, sizes) => (f) {align_corners=0 half_pixel_centers=1} v3
        LEAKY_RELU (f) => (g) {alpha=0.1}
        MEAN (g, axes) => (y) {keep_dims=0}
        """,
}
"""TFLite models, whose channels come last: in integers, in floats, with an open batch."""
AROUND = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,8] x) => (float[1,8] y)
{
    [relu] a = Relu (x)
    [acosh] b = Acosh (a)
    [tanh] y = Tanh (b)
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[WebNNPage]:
    found = web_packages()
    with WebNNPage.start(found.program) as started:
        yield started


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_computes_what_onnx_runtime_does(
    name: str, page: WebNNPage, tmp_path: Path
) -> None:
    path = materialise(name, tmp_path, random=True)
    ran = page.run(read_model(path), usual_sizes(path))
    assert not ran.error, (ran.error, ran.graph.obstacles[:3])
    assert ran.worst < CLOSE


def test_a_graph_with_quantized_weights_does_too(page: WebNNPage, tmp_path: Path) -> None:
    path = materialise("squeezenet1_0", tmp_path, random=True)
    quantized = with_quantized_weights(path, tmp_path / "quantized.onnx")
    ran = page.run(read_model(quantized), usual_sizes(path))
    assert not ran.error, (ran.error, ran.graph.obstacles[:3])
    assert "dequantizeLinear" in {call.method for call in ran.graph.calls}
    assert ran.worst < CLOSE


@pytest.mark.parametrize("name", sorted(CHANNELS_LAST))
def test_a_tflite_model_computes_what_litert_does(
    name: str, page: WebNNPage, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(CHANNELS_LAST[name]))
    ran = page.run(read_model(path), {})
    assert not ran.error, (ran.error, ran.graph.obstacles[:3])
    assert ran.worst < CLOSE


def with_quantized_weights(path: Path, target: Path) -> Path:
    """Store each kernel in 8 bits with a scale per output channel."""
    model = onnx.load(path)
    for tensor in list(model.graph.initializer):
        kernel = numpy_helper.to_array(tensor)
        if kernel.ndim != 4:
            continue
        name, scale = tensor.name, np.abs(kernel).max(axis=(1, 2, 3)) / 127
        stored = np.round(kernel / scale[:, None, None, None]).astype(np.int8)
        zero = np.zeros(len(scale), np.int8)
        model.graph.initializer.remove(tensor)
        parts = {"q": stored, "s": scale.astype(np.float32), "z": zero}
        for kind, content in parts.items():
            model.graph.initializer.append(numpy_helper.from_array(content, f"{name}/{kind}"))
        inputs = [f"{name}/{kind}" for kind in parts]
        made = onnx.helper.make_node("DequantizeLinear", inputs, [name], axis=0)
        model.graph.node.insert(0, made)
    onnx.save(model, target)
    return target


def test_the_limits_are_those_of_the_browser(page: WebNNPage) -> None:
    found = page.limits()
    limits = measured_limits()
    assert limits.browser == page.version.replace("/", " ")
    for method in found.keys() - {"maxTensorByteLength", "preferredInputLayout"}:
        for name, stated in found[method].items():
            if isinstance(stated, dict) and "dataTypes" in stated:
                assert limits.types(method, name) == stated["dataTypes"], (method, name)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_nodes_are_placed_as_is_predicted(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path, random=True)
    sizes = usual_sizes(path)
    answer = ask("webnn", path, symbols=sizes)
    if "parts" not in answer:
        pytest.skip(str(answer["remarks"]))
    assert answer["parts"] == PARTS[name]
    mine = predicted(path, "webnn", sizes)
    assert mine is not None
    assert len(mine.accelerated) == PARTS[name]
    assert {node.op_type for node in mine.nodes if mine.refusal_of(node)} == {
        op for _, op in answer["left"]
    }


def test_what_webnn_leaves_is_reported(tmp_path: Path) -> None:
    path = save(AROUND, tmp_path / "around.onnx")
    answer = ask("webnn", path)
    assert answer["status"] == "accepted", answer
    assert answer["placement"] == {"WebNNExecutionProvider": 2, "CPUExecutionProvider": 1}
    assert answer["left"] == [["acosh", "Acosh"]]
    mine = predicted(path, "webnn", {})
    agreement = Agreement()
    assert mine is not None
    parts = [["relu", "tanh"], *[[]] * (answer["parts"] - 1)]
    agreement.add("around", mine, {"starts": True, "partitions": parts, "left": ["acosh"]})
    assert not agreement.differences


# Validation of operators.

TYPES = ("float32", "float16", "int32", "int64", "uint8", "int8")
Make = Callable[[random.Random], tuple[str, dict[str, Any]]]


def operand(choice: random.Random, shape: list[int], dtype: str = "") -> dict[str, Any]:
    return {"dataType": dtype or choice.choice(TYPES), "shape": shape}


def sizes(choice: random.Random, rank: int) -> list[int]:
    return [choice.choice((1, 2, 3, 4)) for _ in range(rank)]


def binary(choice: random.Random) -> tuple[str, dict[str, Any]]:
    method = choice.choice("add sub mul div max min pow equal greater logicalAnd".split())
    dtype = choice.choice(TYPES)
    a = sizes(choice, choice.randint(0, 6))
    b = [choice.choice((dim, dim, 1, 2)) for dim in a[choice.randint(0, len(a)) :]]
    other = dtype if choice.random() < 0.8 else ""
    return method, {"a": operand(choice, a, dtype), "b": operand(choice, b, other)}


def unary(choice: random.Random) -> tuple[str, dict[str, Any]]:
    method = choice.choice("abs ceil cos erf exp gelu relu sigmoid softplus tanh neg sign".split())
    return method, {"input": operand(choice, sizes(choice, choice.randint(0, 8)))}


def reduction(choice: random.Random) -> tuple[str, dict[str, Any]]:
    rank = choice.randint(0, 5)
    axes = [choice.randint(0, 5) for _ in range(choice.randint(0, 3))]
    method = choice.choice("reduceSum reduceMax reduceMean reduceL2 reduceProduct".split())
    keeps = choice.random() < 0.5
    given = operand(choice, sizes(choice, rank))
    return method, {"input": given, "axes": axes, "keepDimensions": keeps}


def matmul(choice: random.Random) -> tuple[str, dict[str, Any]]:
    a = sizes(choice, choice.randint(1, 6))
    b = [choice.choice((dim, 1)) for dim in a]
    b[-2:] = [choice.choice((a[-1], 2)), 3] if len(a) > 1 else [a[0]]
    dtype = choice.choice(("float32", "float16", "int32"))
    return "matmul", {"a": operand(choice, a, dtype), "b": operand(choice, b, dtype)}


def gemm(choice: random.Random) -> tuple[str, dict[str, Any]]:
    a, b = sizes(choice, 2), sizes(choice, 2)
    given = {"a": operand(choice, a, "float32"), "b": operand(choice, b, "float32")}
    flips = {"aTranspose": choice.random() < 0.5, "bTranspose": choice.random() < 0.5}
    c = {"c": operand(choice, sizes(choice, choice.randint(0, 2)), "float32")}
    return "gemm", {**given, **flips, **(c if choice.random() < 0.5 else {})}


def conv(choice: random.Random) -> tuple[str, dict[str, Any]]:
    groups = choice.choice((1, 1, 2))
    channels = choice.choice((2, 4))
    shape = [1, channels, choice.randint(1, 9), choice.randint(1, 9)]
    kernel = [
        choice.choice((2, 3, 4)),
        channels // groups,
        choice.randint(1, 4),
        choice.randint(1, 4),
    ]
    options = {
        "padding": [choice.randint(0, 2) for _ in range(4)],
        "strides": [choice.randint(1, 3) for _ in range(2)],
        "dilations": [choice.randint(1, 2) for _ in range(2)],
        "groups": groups,
    }
    dtype = choice.choice(("float32", "float32", "float16", "int8"))
    given = {"input": operand(choice, shape, dtype), "filter": operand(choice, kernel, dtype)}
    return "conv2d", {**given, **options}


def pool(choice: random.Random) -> tuple[str, dict[str, Any]]:
    given = operand(choice, [1, 2, choice.randint(1, 9), choice.randint(1, 9)], "float32")
    options = {
        "windowDimensions": [choice.randint(1, 4) for _ in range(2)],
        "strides": [choice.randint(1, 3) for _ in range(2)],
    }
    return choice.choice(("maxPool2d", "averagePool2d")), {"input": given, **options}


def reshape(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(0, 6))
    wanted = list(shape)
    choice.shuffle(wanted)
    if wanted and choice.random() < 0.3:
        wanted[0] += 1
    return "reshape", {"input": operand(choice, shape), "newShape": wanted}


def slicing(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(1, 6))
    starts = [choice.randint(0, dim) for dim in shape]
    lengths = [choice.randint(0, dim) for dim in shape]
    return "slice", {"input": operand(choice, shape), "starts": starts, "sizes": lengths}


def concat(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(1, 4))
    other = [choice.choice((dim, dim, 2)) for dim in shape]
    dtype = choice.choice(TYPES)
    inputs = [operand(choice, shape, dtype), operand(choice, other, dtype)]
    return "concat", {"inputs": inputs, "axis": choice.randint(0, 4)}


def transpose(choice: random.Random) -> tuple[str, dict[str, Any]]:
    rank = choice.randint(0, 7)
    order = list(range(rank))
    choice.shuffle(order)
    if order and choice.random() < 0.2:
        order[0] = order[-1]
    return "transpose", {"input": operand(choice, sizes(choice, rank)), "permutation": order}


def gather(choice: random.Random) -> tuple[str, dict[str, Any]]:
    given = operand(choice, sizes(choice, choice.randint(0, 4)))
    indices = operand(choice, sizes(choice, choice.randint(0, 3)))
    return "gather", {"input": given, "indices": indices, "axis": choice.randint(0, 4)}


def where(choice: random.Random) -> tuple[str, dict[str, Any]]:
    dtype, shape = choice.choice(TYPES), sizes(choice, choice.randint(0, 5))
    return "where", {
        "condition": operand(choice, shape, choice.choice(("uint8", "uint8", "int32"))),
        "trueValue": operand(choice, shape[1:], dtype),
        "falseValue": operand(choice, [choice.choice((1, 2, dim)) for dim in shape], dtype),
    }


def layer_norm(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(0, 5))
    axes = [choice.randint(0, 5) for _ in range(choice.randint(0, 2))]
    scale = [shape[axis] for axis in axes if axis < len(shape)]
    given = operand(choice, shape, "float32")
    return "layerNormalization", {
        "input": given,
        "axes": axes,
        "scale": operand(choice, scale, choice.choice(("float32", "float32", "float16"))),
    }


def quantization(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(0, 5))
    part = [choice.choice((1, dim)) for dim in shape]
    kind = choice.choice(("int8", "uint8", "int32"))
    return "dequantizeLinear", {
        "input": operand(choice, shape, kind),
        "scale": operand(choice, part, "float32"),
        "zeroPoint": operand(choice, part if choice.random() < 0.8 else [], kind),
    }


def split(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(1, 4))
    axis = choice.randint(0, 3)
    size = shape[axis] if axis < len(shape) else 2
    first = choice.randint(0, size)
    return "split", {"input": operand(choice, shape), "splits": [first, size - first], "axis": axis}


def expand(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(0, 5))
    wanted = [*sizes(choice, 1), *[dim if dim > 1 else choice.choice((1, 3)) for dim in shape]]
    return "expand", {"input": operand(choice, shape), "newShape": wanted[choice.randint(0, 1) :]}


def padding(choice: random.Random) -> tuple[str, dict[str, Any]]:
    shape = sizes(choice, choice.randint(1, 5))
    ends = {
        name: [choice.randint(0, 3) for _ in shape]
        for name in ("beginningPadding", "endingPadding")
    }
    mode = choice.choice(("constant", "edge", "reflection"))
    return "pad", {"input": operand(choice, shape), **ends, "mode": mode}


MAKERS: tuple[Make, ...] = (
    binary,
    unary,
    reduction,
    matmul,
    gemm,
    conv,
    pool,
    reshape,
    slicing,
    concat,
    transpose,
    gather,
    where,
    layer_norm,
    quantization,
    split,
    expand,
    padding,
)
ROUNDS = 60
BUILD = """(async cases => {
    const context = await navigator.ml.createContext({deviceType: "cpu"});
    return cases.map(([method, order, given]) => {
        const builder = new MLGraphBuilder(context);
        let count = 0;
        const made = value => Array.isArray(value) && value[0]?.dataType ? value.map(made)
            : value?.dataType ? builder.input("i" + count++, value) : value;
        try {
            const all = Object.fromEntries(Object.entries(given).map(([k, v]) => [k, made(v)]));
            const first = order.map(name => all[name]);
            for (const name of order) delete all[name];
            const found = builder[method](...first, all);
            return [].concat(found).map(each => [each.dataType, [...each.shape]]);
        } catch (error) { return String(error); }
    });
})"""


def test_operators_are_validated_as_the_browser_does(page: WebNNPage) -> None:
    choice = random.Random(13)
    cases = [make(choice) for _ in range(ROUNDS) for make in MAKERS]
    told = [[method, positional(method, given), given] for method, given in cases]
    answers = page.evaluate(f"{BUILD}({json.dumps(told)})")
    differing = []
    for (method, given), answer in zip(cases, answers, strict=True):
        mine = validated(method, given)
        if isinstance(mine, str) != isinstance(answer, str) or (
            not isinstance(mine, str) and mine != answer
        ):
            differing.append(f"{method} {json.dumps(given)}: {mine}, the browser: {answer}")
    assert sum(not isinstance(answer, str) for answer in answers) > len(cases) // 4
    assert not differing, "\n".join(differing[:20]) + f"\n{len(differing)} of {len(cases)}"


def validated(method: str, given: Mapping[str, Any]) -> list[Any] | str:
    try:
        found = results(measured_limits(), method, {k: _operands(v) for k, v in given.items()})
    except (BuilderError, LimitError) as error:
        return str(error)
    return [[dtype, list(shape)] for dtype, shape in found]


def _operands(value: Any) -> Any:
    if isinstance(value, dict):
        return MLOperand("", value["dataType"], tuple(value["shape"]))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_operands(each) for each in value]
    return value
