"""What could be folded into the weights of a convolution or a linear layer."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import ints, made_by, number, onward, other_input, takers, through
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, constant_shape, unfused
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Node, Shape, Value, is_static

_CONVS = ("Conv", "ConvTranspose")
_POOLS = ("MaxPool", "AveragePool")
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Abs", "Exp", "Softmax")


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


def _is_constant(context: Context, value: Value | None) -> bool:
    return constant_shape(context, through(value)) is not None
