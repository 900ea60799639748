"""Attention's scale and guard, and projections of one input."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.attention import AttentionBlock, Attentions
from modellint.analysis.fusion import number, operands
from modellint.checks.api import Context, Hit
from modellint.fixes.building import (
    instead,
    main_opset,
    narrowed,
    readable,
    tolerance_of,
    wide,
)
from modellint.fixes.compat import once_raised
from modellint.fixes.conditions import is_settled
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
_FIRST_ATTENTION = 23
_INT64 = DTYPES["int64"]


def scale_queries(context: Context, hit: Hit) -> Fix | None:
    """Scale the queries instead of their products with the keys."""
    scale = hit.place
    if (
        not isinstance(scale, Node)
        or len(scale.inputs) != 2
        or not main_opset(context, scale.graph)
    ):
        return None
    constant = next((v for v in scale.inputs if v is not None and v.is_constant), None)
    scores = next((v for v in scale.inputs if v is not constant), None)
    product, result = scores.producer if scores is not None else None, scale.output()
    if constant is None or scores is None or product is None or result is None:
        return None
    queries = product.input(0)
    is_plain = product.op_type == "MatMul" and scores.sole_consumer is scale
    if not is_plain or queries is None or constant.tensor is None or queries.is_constant:
        return None
    if scale.op_type not in ("Mul", "Div") or (
        scale.op_type == "Div" and scale.input(1) is not constant
    ):
        return None
    shape, tolerance = context.shape(queries), tolerance_of(result)
    if shape is None or tolerance is None or constant.tensor.elements != 1:
        return None
    if len(constant.tensor.shape) > len(shape):
        return None
    scaled = f"{queries.name}_scaled"
    factor, edits = _early(constant, scale)
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
    return name, (added, RemoveNodes((reader,)))


def drop_guard(context: Context, hit: Hit) -> Fix | None:
    """Take out what replaces NaN in the probabilities of rows that are masked in full."""
    block = next(
        (b for b in context.analysis(Attentions).found if b.guard and b.guard[0] is hit.place), None
    )
    if block is None or not main_opset(context, block.softmax.graph):
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
    edits: tuple[GraphEdit, ...] = (Replace(result, probabilities), RemoveNodes((chosen, test)))
    if block.masks:
        wanted = context.choices.get("nan-guard") == "drop"
        return Fix(edits if wanted else (), says, "choice", "nan-guard=drop")
    return Fix(edits, says)


def use_operator(context: Context, hit: Hit) -> Fix | None:
    """Replace plain attention by the operator, whose kernels are not the same everywhere."""
    block = next((b for b in context.analysis(Attentions).found if b.softmax is hit.witness), None)
    if block is None:
        return None
    scaling, mask = _scaling(block), _mask(block)
    queries, keys, values = block.scores.input(0), block.scores.input(1), block.result.input(1)
    result, probabilities = block.result.output(), block.softmax.output()
    if scaling is None or queries is None or keys is None or values is None or result is None:
        return None
    if block.after or block.result.input(0) is not probabilities or block.shared is not None:
        return None
    if len(block.between) != len(block.masks) + len(block.scales) or len(block.masks) > 1:
        return None
    if block.masks and mask is None:
        return None
    if any(len(context.shape(value) or ()) != 4 for value in (queries, keys, values, result)):
        return None
    if block.softmax.get_int("axis", -1) not in (-1, 3) or tolerance_of(result) is None:
        return None
    made, upright = _upright(keys)
    node = NewNode(
        "Attention",
        (queries, upright, values, *((mask,) if mask is not None else ())),
        (result,),
        {"scale": scaling},
        name=block.result.name,
    )
    nodes = list(block.nodes)
    if keys.producer is not None and upright is not keys:
        nodes.insert(0, keys.producer)
    edits = instead(nodes, block.result, *made, node)
    wanted = context.choices.get("attention") == "operator"
    says = f"Computes the attention around Softmax '{block.softmax.label}' by Attention."
    offer = "attention=operator"
    fix = Fix(edits if wanted else (), says, "choice", offer, tolerance_of(result))
    return once_raised(context, block.softmax.graph, _FIRST_ATTENTION, fix)


def _scaling(block: AttentionBlock) -> float | None:
    """Return the factor of the scores before any mask; None if it is not plain."""
    factor = 1.0
    for node in block.scales:
        constant = next((v for v in node.inputs if v is not None and v.is_constant), None)
        stored = number(constant)
        is_first = not block.masks or node.index < block.masks[0].index
        if stored is None or not is_settled(constant) or not is_first:
            return None
        if node.op_type == "Mul":
            factor *= stored
        elif node.op_type == "Div" and node.input(1) is constant and stored:
            factor /= stored
        else:
            return None
    return factor


def _mask(block: AttentionBlock) -> Value | None:
    """Return what is added to the scores; None if it is masked otherwise."""
    node = block.masks[0] if len(block.masks) == 1 else None
    if node is None or node.op_type != "Add":
        return None
    inside = {id(each.output()) for each in (block.scores, *block.between)}
    for scores, mask in operands(node):
        if id(scores) in inside and id(mask) not in inside:
            return mask if mask.dtype == scores.dtype else None
    return None


def _upright(keys: Value) -> tuple[tuple[NewNode, ...], Operand]:
    """Return the keys with their sizes on the last axis, and the node that turns them."""
    turned = keys.producer
    perm = turned.get_ints("perm") if turned is not None and turned.op_type == "Transpose" else None
    source = turned.input(0) if turned is not None else None
    if source is not None and perm == (0, 1, 3, 2):
        return (), source
    name = f"{keys.name}_upright"
    if source is not None and perm == (0, 2, 3, 1):
        return (NewNode("Transpose", (source,), (name,), {"perm": (0, 2, 1, 3)}, name=name),), name
    return (NewNode("Transpose", (keys,), (name,), {"perm": (0, 1, 3, 2)}, name=name),), name


def join_projections(context: Context, hit: Hit) -> Fix | None:
    """Multiply by all weights at once, and split the result."""
    data, nodes = hit.place, hit.related
    if not isinstance(data, Value) or len(nodes) < 2:
        return None
    if main_opset(context, nodes[0].graph) < _FIRST_WITH_SIZES:
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
    )
    says = f"Merges the {len(nodes)} products of '{data.name}' and stored weights."
    return Fix(edits, says, tolerance=tolerance)


def _beside(weights: list[Value]) -> NDArray[Any]:
    import numpy as np

    tensor = weights[0].tensor
    made = np.concatenate([wide(weight) for weight in weights], axis=1)
    return narrowed(made, tensor.dtype) if tensor is not None else made


def _integers(numbers: list[int]) -> NDArray[Any]:
    import numpy as np

    return np.array(numbers, "int64")
