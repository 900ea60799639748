"""Dynamic shapes: unnamed dims, data-dependent shapes, and shapes that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from modellint.analysis.chains import LONGEST
from modellint.analysis.origins import Origin, Origins
from modellint.checks.api import Context, Hit
from modellint.checks.shapes_baked import CONCATS, ELEMENTWISE, batch_symbols
from modellint.model import Node, Shape, Value, format_shape
from modellint.model.features import OPEN_INPUT
from modellint.operators import Trait, names, with_input

SIZE_INPUTS = with_input("shape", "size")
"""Inputs whose elements determine the size of the output."""
RANK_INPUTS = with_input("shape", "axes")
"""Inputs whose length determines the rank of the output."""
MAKERS = {
    **dict.fromkeys(names(Trait.MAKES_SEQUENCE), "sequence"),
    **dict.fromkeys(names(Trait.MAKES_OPTIONAL), "optional"),
}
"""Ops that create non-tensors from tensors."""


def unnamed_dynamic_dim(context: Context) -> Iterator[Hit]:
    """Inputs of the model with unnamed dims or unknown rank."""
    if context.lacks([OPEN_INPUT]):
        return
    for value in context.model.fed:
        shape = value.declared_shape
        if shape is None:
            yield Hit(value, variant="rank")
        elif None in shape:
            axes = [str(axis) for axis, dim in enumerate(shape) if dim is None]
            yield Hit(value, {"axes": ", ".join(axes), "dims": len(axes)})


def symbol_for_two_dims(context: Context) -> Iterator[Hit]:
    """Inputs with the same symbol for the batch and another dim."""
    if context.lacks([OPEN_INPUT]):
        return
    for value in context.model.fed:
        shape = value.declared_shape or ()
        if len(shape) < 3 or not isinstance(shape[0], str) or shape[0].isdigit():
            continue
        twins = [axis for axis, dim in enumerate(shape) if dim == shape[0]]
        if len(twins) > 1:
            axes = ", ".join(map(str, twins))
            yield Hit(value, {"symbol": shape[0], "axes": axes, "shape": format_shape(shape)})


def batch_dims_named_apart(context: Context) -> Iterator[Hit]:
    """Pairs of batch dims with different symbols that must be equal, since they meet."""
    if context.lacks([OPEN_INPUT]):
        return
    symbols = batch_symbols(context)
    reported: set[frozenset[str]] = set()
    if len(symbols) < 2:
        return
    for node in context.nodes(*ELEMENTWISE, *CONCATS):
        if node.op_type in CONCATS and node.get_int("axis") == 0:
            continue
        for one, other in combinations(_batches(node, symbols), 2):
            pair = frozenset({one, other})
            if len(pair) == 2 and pair not in reported:
                reported.add(pair)
                yield Hit(node, {"one": one, "other": other})


def _batches(node: Node, symbols: frozenset[str]) -> list[str]:
    """Return the batch symbols of the inputs of highest rank."""
    shapes = [value.shape or () for value in node.inputs if value is not None]
    rank = max(map(len, shapes), default=0)
    leading = [shape[0] for shape in shapes if shape and len(shape) == rank]
    return [dim for dim in leading if isinstance(dim, str) and dim in symbols]


def data_dependent_shape(context: Context) -> Iterator[Hit]:
    """Ops with a data-dependent output size."""
    for node in context.nodes(*names(Trait.SIZED_BY_DATA)):
        if context.analysis(Origins).of(node.input(0)) is Origin.DATA:
            yield Hit(node)
    for node in context.nodes(*SIZE_INPUTS):
        for place in SIZE_INPUTS[node.op_type]:
            size, origins = node.input(place), context.analysis(Origins)
            if size is not None and origins.of(size) is Origin.DATA and not size.is_input:
                yield Hit(node, {"size": size.name}, variant="operand")
                break


def resize_to_runtime_size(context: Context) -> Iterator[Hit]:
    """Resizes with scales or sizes computed from data."""
    for node in context.nodes("Resize", "Upsample"):
        for size in node.inputs[1:]:
            if size is not None and context.analysis(Origins).of(size) is Origin.DATA:
                yield Hit(node, {"size": size.name})
                break


def dynamic_rank(context: Context) -> Iterator[Hit]:
    """Nodes from which on the rank is unknown."""
    for node in context.nodes(*RANK_INPUTS):
        data, output = node.input(0), node.output(0)
        if data is None or output is None or data.shape is None or output.shape is not None:
            continue
        length = node.input(RANK_INPUTS[node.op_type][0])
        if length is not None and not _length_is_known(length):
            yield Hit(node, {"axes": length.name})
        elif node.op_type == "Squeeze" and length is None and not node.get_ints("axes"):
            yield Hit(node, {"shape": format_shape(data.shape)}, variant="squeeze")


def _length_is_known(value: Value) -> bool:
    shape = value.shape
    return shape == () or (shape is not None and isinstance(shape[0], int))


def output_rank_unknown(context: Context) -> Iterator[Hit]:
    """Outputs of the model of unknown rank."""
    for value in context.model.outputs:
        if value.type_name == "tensor" and context.shape(value) is None:
            yield Hit(value)


def shape_arithmetic_in_float(context: Context) -> Iterator[Hit]:
    """Sizes that are cast to float, computed with, and cast back."""
    for node in context.nodes("Cast"):
        value, output = node.input(0), node.output(0)
        if value is None or output is None:
            continue
        if context.analysis(Origins).of(value) is not Origin.SHAPE:
            continue
        if value.dtype is None or not value.dtype.is_integer or not _is_float(output):
            continue
        back = _cast_back(output)
        if back is not None:
            steps = {"back": back.label, "dtype": str(output.dtype)}
            yield Hit(node, steps, related=(back,))


def _is_float(value: Value) -> bool:
    return value.dtype is not None and value.dtype.is_float


def _cast_back(value: Value, steps: int = 6) -> Node | None:
    """Return the Cast back to integer of sizes that are computed in float."""
    for use in value.consumers if steps else ():
        output = use.node.output(0)
        if output is None:
            continue
        if use.node.op_type == "Cast" and not _is_float(output):
            return use.node if _is_size(output) else None
        found = _cast_back(output, steps - 1) if _is_float(output) else None
        if found is not None:
            return found
    return None


def _is_size(value: Value, steps: int = 4) -> bool:
    """Return True if a value determines the size of another, possibly after concatenation."""
    for use in value.consumers if steps else ():
        node = use.node
        if use.index in SIZE_INPUTS.get(node.op_type, ()):
            return True
        if node.op_type in ("Resize", "Upsample") and use.index > 0:
            return True
        goes_on = node.op_type in CONCATS or node.op_type in ("Gather", "Unsqueeze")
        output = node.output(0) if goes_on else None
        if output is not None and _is_size(output, steps - 1):
            return True
    return value.is_output


def loop_carry_changes_shape(context: Context) -> Iterator[Hit]:
    """Loops that change the shape of a carried value."""
    for node in context.nodes("Loop"):
        body = node.subgraphs.get("body")
        if body is None:
            continue
        carried = list(zip(body.inputs[2:], body.outputs[1:], strict=False))
        for given, handed_on in carried:
            change = _change(given, handed_on)
            if change:
                yield Hit(node, {"carried": given.name, "change": change})
                break
        else:
            if len(body.outputs) - 1 > len(carried) and not _runs_through(body.outputs[0]):
                yield Hit(node, {"condition": body.outputs[0].name}, variant="length")


def _change(given: Value, handed_on: Value) -> str:
    grown = handed_on.producer
    if grown is not None and grown.op_type in CONCATS and given in grown.inputs:
        return f"grows by Concat '{grown.label}'"
    before, after = given.shape, handed_on.shape
    if before is None or after is None or not _disagree(before, after):
        return ""
    return f"goes from {format_shape(before)} to {format_shape(after)}"


def _disagree(one: Shape, other: Shape) -> bool:
    """Return True if two shapes definitely differ."""
    return len(one) != len(other) or any(
        isinstance(a, int) and isinstance(b, int) and a != b
        for a, b in zip(one, other, strict=True)
    )


def _runs_through(condition: Value) -> bool:
    """Return True if a loop's condition stays true and only the trip count ends it."""
    for _ in range(LONGEST):
        producer = condition.producer
        source = producer.input(0) if producer is not None else None
        if producer is None or source is None or producer.op_type != "Identity":
            break
        condition = source
    return condition.is_constant or condition.is_input


def if_branches_disagree(context: Context) -> Iterator[Hit]:
    """Ifs whose branches return outputs of different rank."""
    for node in context.nodes("If"):
        branches = [node.subgraphs.get(key) for key in ("then_branch", "else_branch")]
        condition = node.input(0)
        if None in branches or (condition is not None and context.is_frozen(condition)):
            continue  # only one branch is built
        then, other = (graph.outputs for graph in branches if graph is not None)
        for one, two in zip(then, other, strict=False):
            if one.shape is not None and two.shape is not None and len(one.shape) != len(two.shape):
                facts = {"then": format_shape(one.shape), "else": format_shape(two.shape)}
                yield Hit(node, facts)
                break


def not_a_tensor(context: Context) -> Iterator[Hit]:
    """Places where sequences, optionals and maps enter the graph."""
    for value in context.model.inputs:
        if value.type_name not in ("tensor", "sparse_tensor"):
            yield Hit(value, {"type": value.type_name}, variant="input")
    for op in context.present(MAKERS):
        for node in context.nodes(op):
            yield Hit(node, {"type": MAKERS[op]})
