"""Fixes of numbers that are wider than needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.weights import FLOAT16_MAX, FLOAT16_ZERO
from modellint.checks.api import Context, Hit
from modellint.checks.tables import narrowed_uses
from modellint.fixes.building import instead, main_opset, readable, reading, wide
from modellint.fixes.conditions import is_droppable, is_settled
from modellint.model import DTYPES, Node, Tensor, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    SetAttribute,
    SetInput,
    SetTensor,
    SetType,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DOUBLE, _FLOAT, _INT64 = 11, 1, 7
"""Numbers of the types in attributes."""
_EPSILON = 1e-5
"""PyTorch's default, which fp16 can represent."""
_EPSILON_EFFECT = 1e-3
_LINEAR = ("MatMul", "Gemm", "Conv", "ConvTranspose")
_ROUNDING = 1e-4
"""Largest change by computing in float32, relative to the largest element."""


def narrow_doubles(context: Context, hit: Hit) -> Fix | None:
    """Compute in float32 instead of float64 from here on, if callers do not see it."""
    place = hit.place
    start = place.output() if isinstance(place, Node) else place
    if not isinstance(start, Value):
        return None
    values = _connected(start)
    if not all(_is_inner(value) for value in values):
        return None
    edits: list[GraphEdit] = []
    for value in values:
        narrowed = list(_narrowed(value))
        edits += narrowed
        if value.tensor is not None and not narrowed:
            return None
    makers = {id(value.producer): value.producer for value in values if value.producer is not None}
    for node in makers.values():
        edits += _told(node)
    says = f"Computes in float32 instead of float64 from '{start.name}' on."
    return Fix(tuple(edits), says, tolerance=_ROUNDING)


def clamp(context: Context, hit: Hit) -> Fix | None:
    """Store the largest numbers of fp16 instead of larger ones, which mask all the same."""
    node = hit.place
    name = hit.facts.get("constant")
    inputs = node.inputs if isinstance(node, Node) else ()
    value = next((v for v in inputs if v is not None and v.name == name), None)
    stored = value.tensor.if_small() if value is not None and value.tensor is not None else None
    if value is None or value.tensor is None or stored is None or not is_settled(value):
        return None
    if value.name in value.graph.sparse or value.is_output:
        return None
    tensor = value.tensor
    says = f"Clamps '{value.name}' to what fp16 can represent."
    edit = SetTensor(value, tensor.dtype, tensor.shape, partial(_clamped, stored))
    return Fix((edit,), says)


def _clamped(stored: NDArray[Any]) -> NDArray[Any]:
    """Clamp finite numbers; infinities stay."""
    import numpy as np

    made: NDArray[Any] = np.where(
        np.isfinite(stored), np.clip(stored, -FLOAT16_MAX, FLOAT16_MAX), stored
    ).astype(stored.dtype)
    return made


def raise_epsilon(context: Context, hit: Hit) -> Fix | None:
    """Add an epsilon that fp16 can represent."""
    edits: list[GraphEdit] = []
    for node in hit.places or (hit.place,):
        if not isinstance(node, Node) or not main_opset(context, node.graph):
            continue
        for index, value in enumerate(node.inputs):
            if value is None or value.tensor is None or not is_settled(value):
                continue
            stored = value.tensor.if_small()
            if stored is None or not 0 < abs(stored).max() <= FLOAT16_ZERO:
                continue
            tensor = value.tensor
            elements = partial(_filled, tensor.shape, str(stored.dtype))
            edits += reading(
                node, index, f"{value.name}_fp16", tensor.dtype, tensor.shape, elements
            )
    if not edits:
        return None
    return Fix(tuple(edits), f"Adds {_EPSILON:g} instead of less.", tolerance=_EPSILON_EFFECT)


def _filled(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.full(shape, _EPSILON, dtype)


def scale_down(context: Context, hit: Hit) -> Fix | None:
    """Divide an overflowing weight by a power of two, and multiply the inputs of its layers."""
    value, largest = hit.place, hit.facts.get("number")
    if not isinstance(value, Value) or not isinstance(largest, float) or value.is_output:
        return None
    tensor, readers = value.tensor, value.consumers
    if tensor is None or tensor.dtype.name != "float32" or not readable(value):
        return None
    if value.producer is not None or not math.isfinite(largest) or value.name in value.graph.sparse:
        return None
    if not all(use.index == 1 and use.node.op_type in _LINEAR for use in readers):
        return None
    if any(use.node.graph is not value.graph for use in readers):
        return None
    power = math.ceil(math.log2(abs(largest) / FLOAT16_MAX))
    factor = f"{value.name}_factor"
    edits: list[GraphEdit] = [
        SetTensor(value, tensor.dtype, tensor.shape, partial(_divided, value, power)),
        AddTensor(factor, value.graph, tensor.dtype, (), partial(_power, power)),
    ]
    for number, use in enumerate(readers):
        data = use.node.input(0)
        if data is None or not main_opset(context, use.node.graph):
            return None
        name = f"{data.name}_scaled_{number}"
        made = NewNode("Mul", (data, factor), (name,), name=name)
        edits += [InsertNodes(value.graph, (made,), before=use.node), SetInput(use.node, 0, name)]
    return Fix(tuple(edits), f"Divides '{value.name}' by {2**power}, and multiplies its inputs.")


def _divided(value: Value, power: int) -> NDArray[Any]:
    import numpy as np

    made: NDArray[Any] = np.ldexp(wide(value), -power).astype("float32")
    return made


def _power(power: int) -> NDArray[Any]:
    import numpy as np

    return np.array(2.0**power, "float32")


def swap_bounds(context: Context, hit: Hit) -> Fix | None:
    """Let the lower bound of a Clip be the upper one, and the other way round."""
    clip = hit.place
    if not isinstance(clip, Node):
        return None
    low, high = clip.input(1), clip.input(2)
    edits: tuple[GraphEdit, ...] = (SetInput(clip, 1, high), SetInput(clip, 2, low))
    if low is None and high is None:
        stated = clip.get_float("min"), clip.get_float("max")
        edits = (SetAttribute(clip, "min", stated[1]), SetAttribute(clip, "max", stated[0]))
    elif low is None or high is None:
        return None
    wanted = context.choices.get("crossed-bounds") == "swap"
    says = f"Swaps the bounds of Clip '{clip.label}'."
    return Fix(edits if wanted else (), says, option="crossed-bounds=swap", changes_outputs=True)


def _connected(start: Value) -> list[Value]:
    """Return the doubles that a value is computed from or with."""
    found = {id(start): start}
    pending = [start]
    while pending:
        value = pending.pop()
        nodes = [use.node for use in value.consumers]
        nodes += [value.producer] if value.producer is not None else []
        for near in (each for node in nodes for each in (*node.inputs, *node.outputs)):
            if near is not None and _is_double(near) and id(near) not in found:
                found[id(near)] = near
                pending.append(near)
    return list(found.values())


def _is_double(value: Value) -> bool:
    return value.dtype is not None and value.dtype.name == "float64"


def _is_inner(value: Value) -> bool:
    """Return True for a tensor of the main graph that callers neither pass nor get."""
    passed = value.is_input and not is_settled(value)
    users = (use.node for use in value.consumers)
    plain = value.type_name == "tensor" and value.graph is value.graph.model.graph
    inner = all(node.graph is value.graph and not node.subgraphs for node in users)
    return plain and inner and not passed and not value.is_output


def _narrowed(value: Value) -> Iterator[GraphEdit]:
    """Iterate over the edits of a stored constant or a stated type; none if it is out of range."""
    tensor = value.tensor
    if tensor is None:
        if value.declared_dtype is not None:
            yield SetType(value, DTYPES["float32"])
        return
    stored = tensor.numpy()
    if stored is None or not _fits(stored) or value.name in value.graph.sparse:
        return
    elements = partial(_as_float, stored)
    yield SetTensor(value, DTYPES["float32"], tensor.shape, elements)


def _told(node: Node) -> Iterator[GraphEdit]:
    """Iterate over the edits of attributes that say which type a node makes."""
    for name in ("to", "dtype", "output_dtype"):
        if node.attributes.get(name) == _DOUBLE:
            yield SetAttribute(node, name, _FLOAT)
    filler = node.attributes.get("value")
    if node.op_type == "ConstantOfShape" and isinstance(filler, Tensor):
        stored = filler.numpy()
        if stored is not None:
            yield SetAttribute(node, "value", _float_tensor(stored))


def _float_tensor(stored: NDArray[Any]) -> Tensor:
    made = _as_float(stored)
    return Tensor(
        "", DTYPES["float32"], made.shape, made.nbytes, small=True, read=partial(_as_float, stored)
    )


def _as_float(stored: NDArray[Any]) -> NDArray[Any]:
    made: NDArray[Any] = stored.astype("float32")
    return made


def _fits(stored: NDArray[Any]) -> bool:
    """Return True if finite numbers stay finite."""
    import numpy as np

    return bool((np.isfinite(_as_float(stored)) == np.isfinite(stored)).all())


def narrow_table(context: Context, hit: Hit) -> Fix | None:
    """Store a table of integers in 32 bits, and widen what nodes select from it."""
    table = hit.place
    uses = narrowed_uses(table) if isinstance(table, Value) else None
    if not isinstance(table, Value) or table.tensor is None or uses is None:
        return None
    if not is_droppable(table) or not table.tensor.read:
        return None
    narrow = DTYPES["int32"]
    edits: list[GraphEdit] = [
        SetTensor(table, narrow, table.tensor.shape, partial(_in_32_bits, table))
    ]
    for node in dict.fromkeys(use.node for use in uses):
        made = node.output()
        if made is None or not main_opset(context, node.graph):
            return None
        name = f"{made.name}_narrow"
        select = NewNode(node.op_type, node.inputs, (name,), like=node)
        widen = NewNode("Cast", (name,), (made,), {"to": _INT64}, name=f"{made.name}_widened")
        edits += instead((node,), node, select, widen)
    return Fix(tuple(edits), f"Stores '{table.name}' in 32 bits.")


def _in_32_bits(table: Value) -> NDArray[Any]:
    stored = table.tensor.numpy() if table.tensor is not None else None
    if stored is None:
        raise EditError(f"the elements of '{table.name}' cannot be read")
    made: NDArray[Any] = stored.astype("int32")
    if (made != stored).any():
        raise EditError(f"a number of '{table.name}' does not fit into 32 bits")
    return made
