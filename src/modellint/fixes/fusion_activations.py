"""Activations and Softmax written out, replaced by their operators."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.analysis.fusion import axes_of
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset, tolerance_of
from modellint.fixes.compat import once_raised
from modellint.model import Attribute, Node, Value
from modellint.model.edits import Fix, NewNode, RemoveNodes, Replace

_HARD_SIGMOID: Mapping[str, Attribute] = {"alpha": 1 / 6, "beta": 0.5}
_SINCE = {"Gelu": 20, "HardSwish": 14, "Mish": 18, "Swish": 24}
"""The operator sets that introduced them."""
_UNCHANGING = ("Cast", "Identity", "Dropout")
_ANY_AXIS = 13
"""The operator set since which Softmax is over one axis."""


def gelu(context: Context, hit: Hit) -> Fix | None:
    return _activation(context, hit, "Gelu")


def tanh_gelu(context: Context, hit: Hit) -> Fix | None:
    return _activation(context, hit, "Gelu", {"approximate": "tanh"})


def swish(context: Context, hit: Hit) -> Fix | None:
    return _activation(context, hit, "Swish")


def hard_swish(context: Context, hit: Hit) -> Fix | None:
    """Replace by HardSwish, or by HardSigmoid if the product with the input is not there."""
    if _is_product(hit):
        return _activation(context, hit, "HardSwish")
    return _activation(context, hit, "HardSigmoid", _HARD_SIGMOID)


def softplus(context: Context, hit: Hit) -> Fix | None:
    return _activation(context, hit, "Mish" if "t" in hit.values else "Softplus")


def sigmoid(context: Context, hit: Hit) -> Fix | None:
    """Replace by Sigmoid, and by a product with it where the input is divided."""
    source, quotient = hit.values.get("x"), hit.values.get("y")
    last = quotient.producer if quotient is not None else None
    if source is None or quotient is None or last is None or not main_opset(context, last.graph):
        return None
    if last.op_type == "Reciprocal" or last.input(0) is not source:
        return _activation(context, hit, "Sigmoid")
    gate = f"{quotient.name}_gate"
    made = (
        NewNode("Sigmoid", (source,), (gate,), name=gate),
        NewNode("Mul", (source, gate), (quotient,), name=last.name),
    )
    says = f"Computes '{quotient.name}' by Sigmoid and Mul."
    return Fix(instead(hit.related, last, *made), says, tolerance=tolerance_of(quotient))


def _activation(
    context: Context, hit: Hit, op: str, attributes: Mapping[str, Attribute] | None = None
) -> Fix | None:
    """Replace a pattern's match with one operator from `x` to `y`."""
    source, result = hit.values.get("x"), hit.values.get("y")
    last = result.producer if result is not None else None
    if source is None or result is None or last is None or source.dtype != result.dtype:
        return None
    made = NewNode(op, (source,), (result,), attributes or {}, name=last.name)
    tolerance = tolerance_of(result)
    if tolerance is None:
        return None
    says = f"Computes '{result.name}' by {op}."
    fix = Fix(instead(hit.related, last, made), says, tolerance=tolerance)
    return once_raised(context, last.graph, _SINCE.get(op, 1), fix)


def _is_product(hit: Hit) -> bool:
    """Return True if the input is a factor of the result."""
    source = hit.values.get("x")
    made = [hit.values.get(name) for name in ("m", "y")]
    makers = [value.producer for value in made if value is not None]
    return any(
        node is not None and node.op_type == "Mul" and source in node.inputs for node in makers
    )


def softmax(context: Context, hit: Hit) -> Fix | None:
    """Replace exponentials and their sum by Softmax, if they are summed along one axis."""
    source, result = hit.values.get("x"), hit.values.get("y")
    last = result.producer if result is not None else None
    if source is None or result is None or last is None:
        return None
    axis = _only_axis(hit.values.get("s"))
    greatest = hit.values.get("m")
    if axis is None or (greatest is not None and _only_axis(greatest) != axis):
        return None
    rank = len(source.shape) if source.shape is not None else None
    opset = main_opset(context, last.graph)
    if opset < _ANY_AXIS:
        if not opset or rank is None or axis % rank != rank - 1:
            return None
        axis = rank - 1
    tolerance = tolerance_of(result)
    if tolerance is None:
        return None
    made = NewNode("Softmax", (source,), (result,), {"axis": axis}, name=last.name)
    says = f"Computes '{result.name}' by Softmax."
    return Fix(instead(hit.related, last, made), says, tolerance=tolerance)


def _only_axis(value: Value | None) -> int | None:
    """Return the axis that a value is reduced along, if there is one, which is kept as 1."""
    node = value.producer if value is not None else None
    axes = axes_of(node) if node is not None else None
    if node is None or axes is None or len(axes) != 1 or node.get_int("keepdims", 1) != 1:
        return None
    return axes[0]


def log_softmax(context: Context, hit: Hit) -> Fix | None:
    """Replace the logarithm of a Softmax with LogSoftmax; nodes in between follow it."""
    result, probabilities = hit.values.get("y"), hit.values.get("s")
    last = result.producer if result is not None else None
    first = probabilities.producer if probabilities is not None else None
    if result is None or last is None or first is None or not main_opset(context, last.graph):
        return None
    tolerance = tolerance_of(result)
    if tolerance is None:
        return None
    says = f"Computes '{result.name}' by LogSoftmax."
    between = hit.values.get("c")
    if between is None:
        made = NewNode("LogSoftmax", first.inputs, (result,), first.attributes, name=last.name)
        return Fix(instead((first, last), last, made), says, tolerance=tolerance)
    return _log_before(first, between, last, result, says, tolerance)


def _log_before(
    first: Node, between: Value, last: Node, result: Value, says: str, tolerance: float
) -> Fix | None:
    """Compute the logarithm before a Cast, Identity or Dropout."""
    node, made = between.producer, first.output()
    if (
        node is None
        or made is None
        or between.sole_consumer is not last
        or node.op_type not in _UNCHANGING
    ):
        return None
    new = NewNode("LogSoftmax", first.inputs, (made,), first.attributes, name=first.name)
    edits = (*instead((), first, new), Replace(result, between), RemoveNodes((last,)))
    return Fix(edits, says, tolerance=tolerance)
