"""Every way to spoil the clean network that a rule is there to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper

from tests.quantization.clean import CHANNELS, CLASSES, Graph


@dataclass(frozen=True)
class Defect:
    """A change to the clean network, and the rule that must name it."""

    name: str
    plant: Callable[[Graph], object]
    code: str
    runtime: str = "tensorrt"
    at: str = ""
    """The node that must be named."""
    also: tuple[str, ...] = ()
    """Other rules that are right to speak too; none of them as an error."""
    target: str | None = None
    builds: bool | None = None
    """TensorRT for RTX's verdict where it differs from the rule's: its words, and the reason."""
    why: str = ""


def _nonzero_point(graph: Graph) -> None:
    graph.constant("middle_zero", 5, "i1")


def _unsigned_activation(graph: Graph) -> None:
    graph.constant("middle_zero", 128, "u1")


def _unsigned_at_zero(graph: Graph) -> None:
    graph.constant("middle_zero", 0, "u1")


def _unsigned_weight(graph: Graph) -> None:
    shape = (CHANNELS, CHANNELS, 3, 3)
    graph.constant("first_w", np.full(shape, 130), "u1")
    graph.constant("first_wz", np.zeros(CHANNELS), "u1")


def _no_zero_point(graph: Graph) -> None:
    for node in ("middle_q", "middle_dq"):
        del graph[node].input[2]


def _integer_conv(graph: Graph) -> None:
    parameters = ["first_s", "first_z"]
    graph.constant("first_s", 0.1)
    graph.constant("first_z", 0, "i1")
    at = graph.nodes.index(graph["first"])
    graph.nodes[at] = helper.make_node(
        "QLinearConv",
        ["pooled_q", "pooled_scale", "pooled_zero", "first_w", "first_ws", "first_wz", *parameters],
        ["first_int"],
        "first",
        pads=[1] * 4,
    )
    graph.add("DequantizeLinear", ["first_int", *parameters], "first_dq")
    graph.insert(1, "first")
    graph.feed("first_relu", 0, "first_dq")
    graph.nodes.remove(graph["first_wdq"])


def _packed_weight(graph: Graph) -> None:
    _drop_pair(graph, "features")
    graph.nodes.remove(graph["fc_wdq"])
    graph.nodes.remove(graph["logits"])
    graph.constant("packed", np.zeros((CLASSES, 1, 8)), "u1")
    graph.constant("packed_scale", np.full(CLASSES, 0.1))
    graph.nodes.append(
        helper.make_node(
            "MatMulNBits",
            ["reshape", "packed", "packed_scale"],
            ["logits"],
            "logits",
            domain="com.microsoft",
            K=CHANNELS,
            N=CLASSES,
            bits=4,
            block_size=16,
        )
    )
    graph.domains["com.microsoft"] = 1


def _int32_bias(graph: Graph, factor: float = 1.0) -> None:
    from onnx import numpy_helper

    scales = numpy_helper.to_array(graph.initializers["first_ws"]) * np.float32(0.05 * factor)
    graph.constant("first_b", np.arange(CHANNELS), "i4")
    graph.constant("first_bs", scales)
    graph.constant("first_bz", np.zeros(CHANNELS), "i4")
    graph.add("DequantizeLinear", ["first_b", "first_bs", "first_bz"], "first_bdq", axis=0)
    graph.insert(1, "first_wdq")
    graph.feed("first", 2, "first_bdq")


def _bias_off_scale(graph: Graph) -> None:
    _int32_bias(graph, factor=2)


def _sixteen_bits(graph: Graph) -> None:
    graph.opset = 21
    graph.constant("middle_zero", 0, "i2")


def _wrong_axis(graph: Graph) -> None:
    graph["second_wdq"].attribute[0].i = 1


def _wrong_axis_without_bias(graph: Graph) -> None:
    _wrong_axis(graph)
    del graph["second"].input[2]


def _activation_per_channel(graph: Graph) -> None:
    graph.constant("middle_scale", np.linspace(0.02, 0.06, CHANNELS))
    graph.constant("middle_zero", np.zeros(CHANNELS), "i1")
    for node in ("middle_q", "middle_dq"):
        graph[node].attribute.append(helper.make_attribute("axis", 1))


def _scale_as_input(graph: Graph) -> None:
    del graph.initializers["middle_scale"]
    graph.inputs.append(helper.make_tensor_value_info("middle_scale", TensorProto.FLOAT, ()))


def _scale(number: float) -> Callable[[Graph], object]:
    return lambda graph: graph.constant("middle_scale", number)


def _weight_scale(number: float) -> Callable[[Graph], object]:
    scales = np.full(CHANNELS, 0.01)
    scales[5] = number
    return lambda graph: graph.constant("second_ws", scales)


def _fewer_zero_points(graph: Graph) -> None:
    graph.constant("second_wz", 0, "i1")


def _fewer_scales(graph: Graph) -> None:
    graph.constant("second_ws", np.full(CHANNELS // 2, 0.01))
    graph.constant("second_wz", np.zeros(CHANNELS // 2), "i1")


def _other_scale(graph: Graph) -> None:
    graph.constant("other", 0.08)
    graph.feed("middle_dq", 1, "other")


def _old_opset(graph: Graph) -> None:
    graph.opset = 12


def _odd_blocks(graph: Graph) -> None:
    """4-bit weights in blocks of 8."""
    graph.opset = 21
    _drop_pair(graph, "features")
    graph.typed("fc_w", TensorProto.INT4, (CLASSES, CHANNELS), [1] * (CLASSES * CHANNELS))
    graph.constant("fc_ws", np.full((CLASSES, CHANNELS // 8), 0.1))
    del graph["fc_wdq"].input[2]
    del graph["fc_wdq"].attribute[:]
    graph["fc_wdq"].attribute.append(helper.make_attribute("axis", 1))
    graph["fc_wdq"].attribute.append(helper.make_attribute("block_size", 8))


def _float8(graph: Graph) -> None:
    """The last layer in float8."""
    graph.opset = 19
    graph.typed("features_zero", TensorProto.FLOAT8E4M3FN, (), [0.0])
    count = CLASSES * CHANNELS
    graph.typed("fc_w", TensorProto.FLOAT8E4M3FN, (CLASSES, CHANNELS), [0.5] * count)
    graph.typed("fc_wz", TensorProto.FLOAT8E4M3FN, (CLASSES,), [0.0] * CLASSES)


def _float_weight(graph: Graph) -> None:
    graph.constant("second_w", np.full((CHANNELS, CHANNELS, 3, 3), 0.1))
    graph.nodes.remove(graph["second_wdq"])
    graph.feed("second", 1, "second_w")


def _drop_pair(graph: Graph, name: str) -> None:
    graph.drop(f"{name}_dq", f"{name}_q")


def _float_activation(graph: Graph) -> None:
    _drop_pair(graph, "middle")


def _float_skip(graph: Graph) -> None:
    graph.feed("add", 1, "pool")


def _pair_before_activation(graph: Graph) -> None:
    graph.pair("first", "early", 0.04)
    graph.insert(2, "first")
    graph.feed("first_relu", 0, "early_dq")


def _pair_before_addition(graph: Graph) -> None:
    graph.pair("second", "own", 0.05)
    graph.insert(2, "second")
    graph.feed("add", 0, "own_dq")


def _normalization(graph: Graph, after: str) -> None:
    for name, number in (("scale", 1.1), ("shift", 0.1), ("mean", 0.2), ("var", 1.5)):
        graph.constant(f"bn_{name}", np.full(CHANNELS, number))
    graph.add("BatchNormalization", [after, "bn_scale", "bn_shift", "bn_mean", "bn_var"], "bn")


def _pair_before_normalization(graph: Graph) -> None:
    graph.pair("first", "early", 0.04)
    _normalization(graph, "early_dq")
    graph.insert(3, "first")
    graph.feed("first_relu", 0, "bn")


def _unfolded(graph: Graph) -> None:
    _normalization(graph, "first")
    graph.insert(1, "first")
    graph.feed("first_relu", 0, "bn")


def _pair_at_output(graph: Graph) -> None:
    graph.outputs = [graph.pair(graph.outputs[0], "end", 0.1)]


def _pair_for_nobody(graph: Graph) -> None:
    graph.add("Softmax", [graph.pair(graph.outputs[0], "end", 0.1)], "probabilities")
    graph.outputs = ["probabilities"]


def _quantized_twice(graph: Graph) -> None:
    graph.pair("middle_dq", "again", 0.06)
    graph.insert(2, "middle_dq")
    graph.feed("second", 0, "again_dq")


def _flatten(graph: Graph) -> None:
    graph["reshape"].op_type = "Flatten"
    del graph["reshape"].input[1]


def _quantized_softmax(graph: Graph) -> None:
    graph.add("Softmax", ["middle_dq"], "softmax", axis=1)
    graph.pair("softmax", "soft", 0.004)
    graph.insert(3, "middle_dq")
    graph.feed("second", 0, "soft_dq")


def _depthwise_per_tensor(graph: Graph) -> None:
    graph.constant("depthwise_ws", 0.01)
    graph.constant("depthwise_wz", 0, "i1")
    del graph["depthwise_wdq"].attribute[:]


def _float_layer(graph: Graph) -> None:
    _float_weight(graph)
    _float_activation(graph)


def _uncalibrated(graph: Graph) -> None:
    for name in ("in", "pooled", "middle", "sum", "spread", "features"):
        graph.constant(f"{name}_scale", 1.0)


def _rescaled_pool(graph: Graph) -> None:
    graph.pair("stem_relu", "before", 0.04)
    graph.insert(2, "stem_relu")
    graph.feed("pool", 0, "before_dq")


def _concat(graph: Graph) -> None:
    """The sum becomes a Concat that a 1x1 layer takes."""
    graph.pair("second", "own", 0.04)
    graph.insert(2, "second")
    graph["add"].op_type = "Concat"
    graph.feed("add", 0, "own_dq")
    graph["add"].attribute.append(helper.make_attribute("axis", 1))
    shape = (CHANNELS, CHANNELS * 2, 3, 3)
    graph.constant("depthwise_w", np.full(shape, 3), "i1")
    del graph["depthwise"].attribute[:]
    graph["depthwise"].attribute.append(helper.make_attribute("pads", [1] * 4))


def _foreign(domain: str, op: str) -> Callable[[Graph], object]:
    def plant(graph: Graph) -> None:
        graph.constant("quant_scale", 0.1)
        graph.nodes.append(
            helper.make_node(
                op, [graph.outputs[0], "quant_scale"], ["quant"], "quant", domain=domain
            )
        )
        graph.outputs = ["quant"]
        graph.domains[domain] = 1

    return plant


def _written_out(graph: Graph) -> None:
    graph.constant("step", 0.1)
    graph.constant("low", -128.0)
    graph.constant("high", 127.0)
    graph.add("Div", [graph.outputs[0], "step"], "divided")
    graph.add("Round", ["divided"], "rounded")
    graph.add("Clip", ["rounded", "low", "high"], "clipped")
    graph.add("Mul", ["clipped", "step"], "fake")
    graph.outputs = ["fake"]


def _stored_in_float(graph: Graph) -> None:
    shape = (CHANNELS, CHANNELS, 3, 3)
    graph.constant("second_f", np.full(shape, 0.1))
    parameters = ["second_ws", "second_wz"]
    graph.add("QuantizeLinear", ["second_f", *parameters], "second_wq", axis=0)
    graph.insert(1, "middle_dq")
    graph.feed("second_wdq", 0, "second_wq")


def _collapsed(graph: Graph) -> None:
    weight = np.full((CHANNELS, CHANNELS, 3, 3), 127)
    weight[:4] = 2
    graph.constant("second_w", weight, "i1")
    graph.constant("second_ws", 0.01)
    graph.constant("second_wz", 0, "i1")
    del graph["second_wdq"].attribute[:]


def _signed_pool(graph: Graph) -> None:
    graph.constant("pooled_zero", -128, "i1")


def _middle_behind_relu(graph: Graph) -> None:
    graph.constant("middle_zero", 128, "u1")


def _no_pair_behind(graph: Graph) -> None:
    _drop_pair(graph, "second_out")


def _pair_before_implied_relu(graph: Graph) -> None:
    graph.pair("first", "early", 0.04)
    graph.insert(2, "first")
    graph.feed("first_relu", 0, "early_dq")


def _pair_moved_before_relu(graph: Graph) -> None:
    _drop_pair(graph, "middle")
    _pair_before_implied_relu(graph)


def _product_bias_off_scale(graph: Graph) -> None:
    graph.constant("fc_b", np.arange(CLASSES), "i4")
    graph.constant("fc_bs", np.full(CLASSES, 0.01))
    graph.add("DequantizeLinear", ["fc_b", "fc_bs"], "fc_bdq", axis=0)
    graph.insert(1, "fc_wdq")
    graph.feed("logits", 2, "fc_bdq")


def _dynamic_convolution(graph: Graph) -> None:
    graph.nodes.append(
        helper.make_node("DynamicQuantizeLinear", ["x"], ["dq", "ds", "dz"], "dynamic")
    )
    graph.constant("kernel", np.ones((3, 3, 1, 1)), "i1")
    graph.add("ConvInteger", ["dq", "kernel", "dz"], "integer")
    graph.add("Cast", ["integer"], "floats", to=TensorProto.FLOAT)
    graph.nodes = [*graph.nodes[-3:], *graph.nodes[:-3]]
    graph.feed("in_q", 0, graph.add("Mul", ["floats", "ds"], "scaled"))
    graph.insert(1, "floats")


ORT = "onnxruntime"
"""Defects for this runtime are planted in the network as ONNX Runtime wants it."""
DEFECTS = [
    Defect("zero point", _nonzero_point, "QNT001", at="middle_q"),
    Defect("uint8 activation", _unsigned_activation, "QNT002", at="middle_q"),
    Defect(
        "uint8 activation at zero",
        _unsigned_at_zero,
        "QNT002",
        at="middle_q",
        builds=True,
        why="it builds, with int8 in place of uint8: half of the range saturates",
    ),
    Defect("uint8 weight", _unsigned_weight, "QNT003", at="first_wdq"),
    Defect("no zero point", _no_zero_point, "QNT004", at="middle_q"),
    Defect("integer operator", _integer_conv, "QNT005", at="first"),
    Defect("packed weight", _packed_weight, "QNT006", at="logits"),
    Defect("int32 bias", _int32_bias, "QNT007", at="first_bdq"),
    Defect("16-bit activation", _sixteen_bits, "QNT008", at="middle_q"),
    Defect("wrong axis", _wrong_axis, "QNT009", at="second_wdq"),
    Defect("activation per channel", _activation_per_channel, "QNT010", at="middle_q"),
    Defect("scale as an input", _scale_as_input, "QNT011", at="middle_q"),
    Defect("scale 0", _scale(0.0), "QNT012", at="middle_q"),
    Defect("negative scale", _scale(-0.1), "QNT012", at="middle_q"),
    Defect("scale NaN", _scale(float("nan")), "QNT012", at="middle_q"),
    Defect(
        "infinite scale",
        _scale(float("inf")),
        "QNT012",
        at="middle_q",
        builds=True,
        why="it builds, and everything behind that scale is 0 or NaN",
    ),
    Defect("weight scale 0", _weight_scale(0.0), "QNT012", at="second_wdq"),
    Defect("subnormal scale", _scale(1e-40), "QNT013", at="middle_q", also=("QNT208",)),
    Defect("one zero point for all", _fewer_zero_points, "QNT014", at="second_wdq"),
    Defect("half of the scales", _fewer_scales, "QNT014", at="second_wdq"),
    Defect("pair disagrees", _other_scale, "QNT015", at="middle_dq"),
    Defect("old operator set", _old_opset, "QNT016", runtime=ORT, at="stem_wdq"),
    Defect("odd blocks", _odd_blocks, "QNT017", at="fc_wdq"),
    Defect("float8 on Ampere", _float8, "QNT018", at="features_q", target="a10"),
    Defect(
        "int8 on Blackwell Ultra",
        Graph.model,
        "QNT020",
        at="stem",
        target="b300",
        builds=True,
        why="it builds, and runs more slowly than before quantization",
    ),
    Defect("float weight", _float_weight, "QNT101", at="second"),
    Defect("float activation", _float_activation, "QNT102", at="second"),
    Defect("float skip branch", _float_skip, "QNT104", at="add"),
    Defect("Concat of scales", _concat, "QNT105", at="add"),
    Defect("pool rescales", _rescaled_pool, "QNT106", at="pool"),
    Defect("pair before activation", _pair_before_activation, "QNT107", at="early_q"),
    Defect("pair before addition", _pair_before_addition, "QNT126", at="add"),
    Defect("pair before normalization", _pair_before_normalization, "QNT108", at="early_q"),
    Defect("unfolded normalization", _unfolded, "QNT109", runtime=ORT, at="bn"),
    Defect("pair at the output", _pair_at_output, "QNT110", at="end_dq"),
    Defect("pair for nobody", _pair_for_nobody, "QNT111", at="end_q"),
    Defect("quantized twice", _quantized_twice, "QNT112", at="again_q"),
    Defect("Flatten in between", _flatten, "QNT113", runtime=ORT, at="reshape"),
    Defect("bias off scale", _bias_off_scale, "QNT114", runtime=ORT, at="first_bdq"),
    Defect(
        "bias of a product off scale", _product_bias_off_scale, "QNT114", runtime=ORT, at="fc_bdq"
    ),
    Defect("wrong axis, ignored", _wrong_axis_without_bias, "QNT009", runtime=ORT, at="second_wdq"),
    Defect(
        "pair before a Relu that the next implies",
        _pair_before_implied_relu,
        "QNT107",
        runtime=ORT,
        at="early_q",
    ),
    Defect(
        "pair moved before the Relu", _pair_moved_before_relu, "QNT102", runtime=ORT, at="second"
    ),
    Defect("no pair behind", _no_pair_behind, "QNT123", runtime=ORT, at="second"),
    Defect("Relu that no Q implies", _middle_behind_relu, "QNT123", runtime=ORT, at="first"),
    Defect("int8 that branches", _signed_pool, "QNT124", runtime=ORT, at="pooled_dq"),
    Defect("quantized Softmax", _quantized_softmax, "QNT116", at="softmax"),
    Defect("dynamic convolution", _dynamic_convolution, "QNT125", runtime=ORT, at="integer"),
    Defect("depthwise per tensor", _depthwise_per_tensor, "QNT120", at="depthwise"),
    Defect("float layer in between", _float_layer, "QNT121", at="second"),
    Defect("collapsed channels", _collapsed, "QNT122", at="second"),
    Defect("fake quantization", _foreign("aten", "fake_quantize"), "QNT201", at="quant"),
    Defect("Brevitas", _foreign("onnx.brevitas", "Quant"), "QNT202", at="quant"),
    Defect(
        "TensorRT's own",
        _foreign("trt", "TRT_FP8QuantizeLinear"),
        "QNT203",
        runtime=ORT,
        at="quant",
    ),
    Defect("written out", _written_out, "QNT204", at="rounded"),
    Defect("uncalibrated", _uncalibrated, "QNT207", at="in_q"),
    Defect("degenerate range", _scale(1e-12), "QNT208", at="middle_q"),
]
