"""What could be folded into the weights of a convolution or a linear layer."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import ints, made_by, number, onward, other_input, takers, through
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, constant_shape, unfused
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Node, Shape, Value, is_static

_CONVS = ("Conv", "ConvTranspose")
_AFFINE = frozenset({"Mul", "Div", "Add", "Sub"})
_POOLS = ("MaxPool", "AveragePool")
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Abs", "Exp", "Softmax")


def batchnorm_after_linear(context: Context) -> Iterator[Hit]:
    """A BatchNormalization behind Gemm, or MatMul and Add, with constant weights."""
    for norm in context.nodes("BatchNormalization"):
        value = norm.input(0)
        layer = _linear_layer(context, value)
        if layer is None or norm.get_int("training_mode", 0) or not _all_constant(norm.inputs[1:]):
            continue
        stopped = () if [node.op_type for node in layer] == ["MatMul"] else (ORT,)
        facts = {"layer": layer[0].label, "between": layer[-1].op_type}
        yield from unfused(context, norm, [layer[-1], norm], facts, stopped=stopped)


def channel_scale(context: Context) -> Iterator[Hit]:
    """A constant per channel that a convolution's output is multiplied by, or added to."""
    for conv in context.nodes(*_CONVS):
        output = conv.output()
        node = output.sole_consumer if output is not None else None
        if output is None or node is None or node.qualified_op not in _AFFINE:
            continue
        if not _all_constant(conv.inputs[1:]):
            continue
        constant = other_input(node, output)
        reversed_ = node.op_type in ("Sub", "Div") and node.input(1) is output
        if constant is None or not constant.is_constant or reversed_:
            continue
        rank = _rank(context, output)
        if rank is None or not _is_per_channel(constant, rank):
            continue
        reason = _channel_blocker(conv, node, output, constant, rank)
        facts = {"conv": conv.label, "layer": conv.op_type, "reason": reason}
        stopped = (ORT,) if reason else ()
        yield from unfused(context, node, [conv, node], facts, variant=reason, stopped=stopped)


def _channel_blocker(conv: Node, node: Node, output: Value, constant: Value, rank: int) -> str:
    """Why ONNX Runtime's ConvMulFusion and ConvAddFusion pass over it."""
    if conv.op_type == "ConvTranspose":
        return "transposed"
    if node.op_type in ("Div", "Sub"):
        return "op"
    if node.input(1) is output:
        return "order"
    shape = constant.tensor.shape if constant.tensor is not None else ()
    if len(shape) not in (rank, rank - 1) and not (node.op_type == "Mul" and shape == ()):
        return "shape"
    return ""


def _is_per_channel(constant: Value, rank: int) -> bool:
    """One number, or one for each channel: all other dims, counted from the last, are 1."""
    if constant.tensor is None:
        return False
    shape = constant.tensor.shape
    spatial = rank - 2
    return len(shape) <= rank and all(
        dim == 1 for place, dim in enumerate(reversed(shape)) if place != spatial
    )


def separate_bias(context: Context) -> Iterator[Hit]:
    """The Add of a stored bias behind a MatMul with a stored weight."""
    if (onnx_facts(context.model).opset or 0) < 13:
        return  # ONNX Runtime's AttentionFusion takes many of them, by rules of its own
    for matmul in context.nodes("MatMul"):
        output, data, weight = matmul.output(), matmul.input(0), matmul.input(1)
        add = output.sole_consumer if output is not None else None
        if add is None or add.op_type != "Add" or data is None or not _is_constant(context, weight):
            continue
        # As the file says it: what the deployment knows, the runtime does not know when it loads.
        bias, shape = other_input(add, output), data.shape
        tensor = bias.tensor if bias is not None else None
        if tensor is None or shape is None or tensor.elements != _columns(context, [matmul]):
            continue
        reason = _bias_blocker(shape, tensor.shape, taken=_takes_bias(add))
        if reason is not None:
            facts = {"matmul": matmul.label, "rank": len(tensor.shape)}
            stopped = (ORT,) if reason else ()
            yield from unfused(context, add, [matmul, add], facts, variant=reason, stopped=stopped)


def _bias_blocker(data: Shape, bias: tuple[int, ...], *, taken: bool) -> str | None:
    """What ONNX Runtime's MatMulAddFusion passes over; None where another pass takes the Add."""
    if taken:
        return None
    if len(bias) > (2 if len(data) == 2 else 1):
        return "rank"
    return "open" if len(data) > 2 and not is_static(data) else ""


def _takes_bias(add: Node) -> bool:
    """Whether the Add goes into BiasGelu, FastGelu or SkipLayerNormalization instead."""
    users = takers(add.output())
    return any(
        user.op_type in ("Add", "Gelu", "LayerNormalization", "Erf", "Tanh")
        or (user.op_type in ("Mul", "Div", "Pow") and len(users) > 1)
        for user in users
    )


def linear_scale(context: Context) -> Iterator[Hit]:
    """A constant that the output of a linear layer is multiplied by, or divided by."""
    for node in context.nodes("Mul", "Div"):
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
        constant = other_input(node, value)
        if value is None or constant is None or constant.tensor is None:
            continue
        if node.op_type == "Div" and node.input(1) is value:
            continue
        layer = _linear_layer(context, value)
        if layer is None or any(dim != 1 for dim in constant.tensor.shape[:-1]):
            continue
        columns = _columns(context, layer)
        if constant.tensor.elements not in (1, columns):
            continue
        bare = layer[-1].op_type == "MatMul" and constant.tensor.elements == 1
        facts = {"layer": layer[0].label, "between": layer[-1].op_type}
        yield from unfused(context, node, [layer[-1], node], facts, stopped=() if bare else (ORT,))


def _linear_layer(context: Context, value: Value | None) -> list[Node] | None:
    """Gemm, MatMul, or MatMul and Add with stored weights, whose output nobody else takes."""
    if value is None or value.sole_consumer is None:
        return None
    gemm = made_by(value, "Gemm")
    if gemm is not None:
        return [gemm] if _all_constant(gemm.inputs[1:]) else None
    matmul = made_by(value, "MatMul")
    if matmul is not None:
        return [matmul] if _is_constant(context, matmul.input(1)) else None
    add = made_by(value, "Add")
    for operand in add.inputs if add is not None else ():
        matmul = made_by(operand, "MatMul")
        if matmul is None or add is None or operand is None or operand.sole_consumer is None:
            continue
        bias = other_input(add, operand)
        if _is_constant(context, matmul.input(1)) and _is_constant(context, bias):
            return [matmul, add]
    return None


def _columns(context: Context, layer: list[Node]) -> int | None:
    shape = constant_shape(context, layer[0].input(1))
    if shape is None or len(shape) != 2:
        return None
    return shape[0 if layer[0].get_int("transB", 0) else 1]


def pad_before_window(context: Context) -> Iterator[Hit]:
    """Zeros around an image that the convolution or pooling behind could add by itself."""
    for pad in context.nodes("Pad"):
        pads = pad.get_ints("pads") or ints(pad.input(1))
        fill = pad.input(2)
        zero = number(fill) == 0 if fill is not None else pad.get_float("value", 0.0) == 0
        if not zero or pad.get_str("mode", "constant") != "constant" or pads is None:
            continue
        output = pad.output()
        users = takers(onward(output)) if output is not None else []
        windows = [n for n in users if n.qualified_op in (*_CONVS[:1], *_POOLS)]
        if not windows or len(windows) != len(users) or not _is_spatial(pad, pads):
            continue
        if any(node.op_type == "MaxPool" for node in windows) and not _never_negative(pad.input(0)):
            continue  # a maximum is padded with the least number, not with zeros
        reason, breaker = _pad_blocker(pad, windows)
        facts = {"window": windows[0].label, "op": windows[0].op_type, "takers": len(windows)}
        yield from unfused(
            context,
            breaker,
            [pad],
            {**facts, "pad": pad.label},
            variant=reason,
            vanishes=True,
            stopped=(ORT,) if reason else (),
            witness=pad,
        )


def _pad_blocker(pad: Node, windows: list[Node]) -> tuple[str, Node]:
    """What ONNX Runtime's PadFusion passes over."""
    if len(windows) > 1:
        return "shared", pad
    if windows[0].op_type == "MaxPool":
        return "maximum", pad
    automatic = windows[0].get_str("auto_pad", "NOTSET") != "NOTSET"
    if automatic:
        return "auto_pad", windows[0]
    return ("axes", pad) if pad.input(3) is not None else ("", pad)


def _never_negative(value: Value | None) -> bool:
    """Zeros around such a value cannot change a maximum."""
    value = through(value)
    if made_by(value, *_NEVER_NEGATIVE) is not None:
        return True
    clip = made_by(value, "Clip")
    if clip is None:
        return False
    least = number(clip.input(1)) if len(clip.inputs) > 1 else clip.get_float("min", -1.0)
    return least is not None and least >= 0


def _is_spatial(pad: Node, pads: tuple[int, ...]) -> bool:
    """Nothing is cut off, and nothing added to batch or channels."""
    if any(amount < 0 for amount in pads) or not any(pads):
        return False
    axes = pad.input(3)
    if axes is not None:
        known = ints(axes)
        return known is not None and all(axis >= 2 for axis in known)
    half = len(pads) // 2
    return not any((*pads[:2], *pads[half : half + 2]))


def _rank(context: Context, value: Value) -> int | None:
    shape = context.shape(value)
    return len(shape) if shape is not None else None


def _is_constant(context: Context, value: Value | None) -> bool:
    return constant_shape(context, through(value)) is not None


def _all_constant(values: tuple[Value | None, ...]) -> bool:
    return all(value is None or value.is_constant for value in values)
