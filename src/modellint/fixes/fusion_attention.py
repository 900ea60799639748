"""Attention's scale and guard, and projections of one input."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.attention import Attentions
from modellint.checks.api import Context, Hit
from modellint.fixes.building import (
    dropped,
    narrowed,
    opset_of,
    readable,
    tolerance_of,
    wide,
    without,
)
from modellint.model import DTYPES, Node, Value
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    Replace,
    SetInput,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_WITH_SIZES = 13
"""The operator set since which Split takes its sizes as an input."""
_INT64 = DTYPES["int64"]


def scale_queries(context: Context, hit: Hit) -> Fix | None:
    """Scale the queries instead of their products with the keys."""
    scale = hit.place
    if not isinstance(scale, Node) or len(scale.inputs) != 2 or not opset_of(context, scale.graph):
        return None
    number = next((v for v in scale.inputs if v is not None and v.is_constant), None)
    scores = next((v for v in scale.inputs if v is not number), None)
    product, result = scores.producer if scores is not None else None, scale.output()
    if number is None or scores is None or product is None or result is None:
        return None
    queries = product.input(0)
    is_plain = product.op_type == "MatMul" and scores.sole_consumer is scale
    if not is_plain or queries is None or number.tensor is None or queries.is_constant:
        return None
    if scale.op_type not in ("Mul", "Div") or (
        scale.op_type == "Div" and scale.input(1) is not number
    ):
        return None
    shape, tolerance = context.shape(queries), tolerance_of(result)
    if shape is None or tolerance is None or number.tensor.elements != 1:
        return None
    if len(number.tensor.shape) > len(shape):
        return None
    scaled = f"{queries.name}_scaled"
    factor, edits = _early(number, scale)
    made = NewNode(scale.op_type, (queries, factor), (scaled,), name=scale.name)
    edits += (
        InsertNodes(scale.graph, (made,), before=product),
        SetInput(product, 0, scaled),
        Replace(result, scores),
    )
    says = f"Scales the queries instead of the scores of '{product.label}'."
    return Fix(edits, says, tolerance=tolerance)


def _early(constant: Value, reader: Node) -> tuple[Operand, tuple[GraphEdit, ...]]:
    """Return a constant that nodes before its reader can read, and what takes the reader out.

    A Constant may only come after them.
    """
    tensor = constant.tensor
    stored = tensor.if_small() if tensor is not None else None
    if constant.producer is None or tensor is None or stored is None:
        return constant, (RemoveNodes((reader,)),)
    name = f"{constant.name}_early"
    added = AddTensor(name, reader.graph, tensor.dtype, tensor.shape, stored.copy)
    return name, (added, *without(reader))


def drop_guard(context: Context, hit: Hit) -> Fix | None:
    """Take out what replaces NaN in the probabilities of rows that are masked in full."""
    block = next(
        (b for b in context.analysis(Attentions).found if b.guard and b.guard[0] is hit.place), None
    )
    if block is None or not opset_of(context, block.softmax.graph):
        return None
    chosen = next((node for node in block.guard if node.op_type == "Where"), None)
    test = next((node for node in block.guard if node.op_type == "IsNaN"), None)
    result = chosen.output() if chosen is not None else None
    if chosen is None or test is None or result is None or chosen.input(0) is not test.output():
        return None
    probabilities = test.input(0)
    if probabilities is None or chosen.input(2) is not probabilities:
        return None
    says = f"Drops the guard after Softmax '{block.softmax.label}'."
    edits: tuple[GraphEdit, ...] = (Replace(result, probabilities), *without(chosen, test))
    if block.masks:
        wanted = context.choices.get("nan-guard") == "drop"
        return Fix(edits if wanted else (), says, "choice", "nan-guard=drop")
    return Fix(edits, says)


def join_projections(context: Context, hit: Hit) -> Fix | None:
    """Multiply by all weights at once, and split the result."""
    data, nodes = hit.place, hit.related
    if not isinstance(data, Value) or len(nodes) < 2:
        return None
    if opset_of(context, nodes[0].graph) < _FIRST_WITH_SIZES:
        return None
    weights = [node.input(1) for node in nodes]
    results = tuple(node.output() for node in nodes)
    if not readable(*weights) or None in results:
        return None
    stored = [weight for weight in weights if weight is not None]
    tensors = [weight.tensor for weight in stored if weight.tensor is not None]
    depth, dtype = tensors[0].shape[0], tensors[0].dtype
    if any(each.dtype is not dtype or each.shape[:1] != (depth,) for each in tensors):
        return None
    if any(len(each.shape) != 2 for each in tensors) or any(v.consumers == [] for v in stored):
        return None
    tolerance = tolerance_of(results[0]) if results[0] is not None else None
    if tolerance is None:
        return None
    sizes = [each.shape[1] for each in tensors]
    first = min(nodes, key=lambda node: node.index)
    base = f"{data.name}_projections"
    weight, whole, parts = f"{base}_weight", base, f"{base}_sizes"
    made = (
        NewNode("MatMul", (data, weight), (whole,), name=base),
        NewNode("Split", (whole, parts), results, {"axis": -1}, name=f"{base}_split"),
    )
    edits: tuple[GraphEdit, ...] = (
        AddTensor(weight, first.graph, dtype, (depth, sum(sizes)), partial(_beside, stored)),
        AddTensor(parts, first.graph, _INT64, (len(sizes),), partial(_integers, sizes)),
        InsertNodes(first.graph, made, before=first),
        RemoveNodes(tuple(nodes)),
        *dropped(stored, nodes),
    )
    says = f"Makes one product of the {len(nodes)} of '{data.name}' and stored weights."
    return Fix(edits, says, tolerance=tolerance)


def _beside(weights: list[Value]) -> NDArray[Any]:
    import numpy as np

    tensor = weights[0].tensor
    made = np.concatenate([wide(weight) for weight in weights], axis=1)
    return narrowed(made, tensor.dtype) if tensor is not None else made


def _integers(numbers: list[int]) -> NDArray[Any]:
    import numpy as np

    return np.array(numbers, "int64")
