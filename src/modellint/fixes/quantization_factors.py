"""Pairs of Q and DQ with different parameters, which are a factor and an offset in disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Converter, QuantizationMap
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset, narrowed, tolerance_of
from modellint.fixes.conditions import computed
from modellint.model import Node
from modellint.model.edits import AddTensor, Fix, NewNode, Operand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

_OFFER = "pairs=same|factor"


def agree(context: Context, hit: Hit) -> Fix | None:
    """Dequantize by the quantizer's parameters, and write the difference as Mul and Add.

    Whether they meant anything is for the user to say: ``pairs=factor`` keeps it.
    """
    dq = context.analysis(QuantizationMap).converter(
        hit.place if isinstance(hit.place, Node) else None
    )
    q = dq.undoes if dq is not None else None
    if dq is None or q is None or not main_opset(context, dq.node.graph):
        return None
    kinds = {each.scheme.granularity for each in (q, dq)}
    is_crossed = len({each.scheme.axis for each in (q, dq)}) > 1 and "tensor" not in kinds
    if is_crossed or not kinds <= {"tensor", "channel"}:
        return None
    chosen = context.choices.get("pairs", "")
    label = dq.node.label
    if chosen == "factor":
        return _with_factor(context, q, dq)
    says = f"Dequantizes by the parameters of '{q.node.label}' at '{label}'."
    edits = instead((dq.node,), dq.node, _same(q, dq, dq.output)) if chosen == "same" else ()
    return Fix(edits, says, "choice", _OFFER, changes_outputs=True)


def _same(q: Converter, dq: Converter, output: Operand) -> NewNode:
    """Return a dequantizer with the quantizer's parameters."""
    inputs = tuple(dq.node.inputs[:1]) + tuple(q.node.inputs[1:3])
    axis = {"axis": q.scheme.axis} if q.scheme.granularity == "channel" else {}
    return NewNode(dq.node.op_type, inputs, (output,), axis, like=dq.node)


def _with_factor(context: Context, q: Converter, dq: Converter) -> Fix | None:
    """Return the fix that computes the same by a Mul, an Add, or both."""
    parts, shape = _factor_and_offset(q, dq), context.shape(dq.output)
    tolerance, dtype = tolerance_of(dq.output), dq.output.dtype
    if parts is None or shape is None or tolerance is None or dtype is None:
        return None
    value: Operand = f"{dq.output.name}_same"
    made = [_same(q, dq, value)]
    tensors: list[AddTensor] = []
    for op, numbers, idle in (("Mul", parts[0], 1.0), ("Add", parts[1], 0.0)):
        if bool((numbers == idle).all()):
            continue
        axis = (dq if dq.scheme.granularity == "channel" else q).scheme.axis % max(len(shape), 1)
        sizes = (-1, *[1] * (len(shape) - axis - 1)) if numbers.size > 1 else ()
        stored = narrowed(numbers.reshape(sizes), dtype)
        name = f"{dq.output.name}_{op.lower()}"
        tensors.append(computed(name, dq.node.graph, stored, dtype))
        made.append(NewNode(op, (value, name), (f"{name}_result",)))
        value = f"{name}_result"
    last = made[-1]
    made[-1] = NewNode(last.op_type, last.inputs, (dq.output,), last.attributes, like=last.like)
    says = f"Writes the remaining effect of DequantizeLinear '{dq.node.label}' as Mul and Add."
    edits = (*tensors, *instead((dq.node,), dq.node, *made))
    return Fix(edits, says, "choice", _OFFER, tolerance)


def _factor_and_offset(q: Converter, dq: Converter) -> tuple[Numbers, Numbers] | None:
    """Return what undone numbers are multiplied by, and what is added: n * t - u * t is
    (n * s - z * s) * (t / s) + (z - u) * t."""
    import numpy as np

    scales = q.scheme.scales, dq.scheme.scales
    if scales[0] is None or scales[1] is None or not bool((scales[0] != 0).all()):
        return None
    points: list[Numbers] = []
    for scheme in (q.scheme, dq.scheme):
        numbers = scheme.zero_points if scheme.zero_point is not None else np.zeros(1)
        if numbers is None:
            return None
        points.append(numbers.astype("float64").reshape(-1))
    s, t = (each.astype("float64").reshape(-1) for each in scales if each is not None)
    if len({each.size for each in (s, t, *points)} - {1}) > 1:
        return None
    return t / s, (points[0] - points[1]) * t
