"""Fixes of computations that can be done once, shared or simplified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modellint.analysis.duplicates import Repeated, same_in_full
from modellint.analysis.folding import folding
from modellint.analysis.fusion import number
from modellint.base.applicability import Applicability
from modellint.base.errors import ModellintError
from modellint.checks.api import Context, Hit
from modellint.checks.fusion_folding import small_ends
from modellint.fixes.conditions import (
    bypass,
    computed,
    integers,
    is_droppable,
    is_read,
    is_settled,
    opset_of,
)
from modellint.fixes.shapes import fix_dims
from modellint.model import (
    Model,
    Node,
    Tensor,
    Value,
    element_count,
    is_static,
    small_constant,
    small_integers,
)
from modellint.model.edits import (
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveNodes,
    RemoveTensor,
    Replace,
    SetInput,
)
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHAPE_OPS = having(Trait.READS_SHAPE)
_CHANCE = having(Trait.RANDOM, Trait.DROPS)
_KNOWN_DOMAINS = ("", "ai.onnx.ml", "com.microsoft")
"""Domains for which the operators that depend on more than their inputs are known."""
_FIRST_WITH_SLICE_INPUTS = 10
_LAST = 2**63 - 1
"""End of a Slice that goes on to the last element."""
_MOST_COMPUTED, _MOST_ADDED = 1 << 28, 1 << 20
"""Maximum bytes of computed constants, and by how much these may exceed what they replace."""
_ROUNDING = 1e-4
"""Largest change by another order of rounding, relative to the largest element."""


def keep_first_result(context: Context, hit: Hit) -> Fix | None:
    """Let consumers of a repeated computation read the first one's results."""
    twins = context.analysis(Repeated).twins
    edits: list[GraphEdit] = []
    for node in hit.related:
        twin = twins.get(id(node))
        if twin is None or not _is_reproducible(context.model, node):
            return None
        for mine, theirs in zip(node.outputs, twin.outputs, strict=True):
            if mine is None or not is_read(mine):
                continue
            if theirs is None:
                return None
            edits.append(Replace(mine, theirs))
    if not edits:
        return None
    edits.append(RemoveNodes(hit.related))
    last = hit.related[-1]
    return Fix(tuple(edits), f"Uses the earlier result that '{last.label}' repeats.")


def _is_reproducible(model: Model, node: Node) -> bool:
    """Return True if a node gives the same for the same inputs, as far as is known."""
    calls = model.function_of(node) is not None
    return node.domain in _KNOWN_DOMAINS and not calls and node.op_type not in _CHANCE


def share_weight(context: Context, hit: Hit) -> Fix | None:
    """Let all nodes read one of several equal initializers, and drop the others."""
    named = hit.facts["names"]
    values = context.model.graph.values
    equal = [values.get(name) for name in named] if isinstance(named, list) else []
    if None in equal or not all(_is_sharable(value) for value in equal if value is not None):
        return None
    first, *others = [value for value in equal if value is not None]
    if not all(_equal_in_full(first, other) for other in others):
        return None
    edits: list[GraphEdit] = []
    for other in others:
        edits += (Replace(other, first), RemoveTensor(other))
    return Fix(tuple(edits), f"Stores '{first.name}' once.")


def _is_sharable(value: Value) -> bool:
    return value.producer is None and is_droppable(value) and not value.is_output


def _equal_in_full(one: Value, other: Value) -> bool:
    return (
        one.tensor is not None
        and other.tensor is not None
        and one.name not in one.graph.sparse
        and other.name not in other.graph.sparse
        and same_in_full(one.tensor, other.tensor)
    )


def store_constants(context: Context, hit: Hit) -> Fix | None:
    """Store what nodes compute from constants alone, unless it is much larger than those."""
    model = context.model
    if not all(node.graph is model.graph for node in hit.related):
        return None
    constant = _computable(model)
    if not all(id(node) in constant for node in hit.related):
        return None
    ends = list(_ends(hit.related, constant))
    if any(not is_static(end.shape) or end.is_output for end in ends):
        return None
    made, freed = sum(map(_stored, ends)), sum(map(_stored, _freed(hit.related)))
    if not made or made > min(_MOST_COMPUTED, freed + _MOST_ADDED):
        return None
    return _with_stored(model, ends, len(hit.related))


def store_arithmetic(context: Context, hit: Hit) -> Fix | None:
    """Store known integers, or let consumers of repeated ones read the first."""
    if hit.variant == "repeated":
        return keep_first_result(context, hit)
    model = context.model
    constant = _computable(model)
    known = [node for node in hit.related if id(node) in constant]
    ends = list(small_ends(known, context.analysis(folding), context.options["bytes"]))
    return _with_stored(model, ends, len(known)) if ends else None


def _with_stored(model: Model, ends: Sequence[Value], count: int) -> Fix | None:
    """Store values that depend on no input, as the runtime computes them."""
    arrays = _computed(model, [end.name for end in ends])
    makers = {id(end.producer): end.producer for end in ends if end.producer is not None}
    edits: list[GraphEdit] = [RemoveNodes(tuple(makers.values()))]
    for end in ends:
        array, dtype = arrays.get(end.name), end.dtype
        if array is None or dtype is None or array.dtype != dtype.numpy:
            return None
        name = f"{end.name}_computed"
        edits += (
            computed(name, model.graph, array, dtype),
            Replace(end, name),
        )
    says = f"Stores the results of {count} ops on constants."
    return Fix(tuple(edits), says, "exact")


def _computable(model: Model) -> set[int]:
    """Return the nodes of the main graph that depend only on data in the file."""
    folded = folding(model, Deployment())
    found: set[int] = set()
    for node in model.graph.ordered:
        known = (
            value is None or is_settled(value) or id(value.producer) in found
            for value in node.inputs
        )
        if folded.is_folded(node) and (node.op_type in _SHAPE_OPS or all(known)):
            found.add(id(node))
    return found


def _ends(nodes: Sequence[Node], constant: set[int]) -> Iterator[Value]:
    """Iterate over results of nodes that others read, which are not constant."""
    for node in nodes:
        for value in node.outputs:
            if value is None:
                continue
            if value.is_output or any(id(use.node) not in constant for use in value.consumers):
                yield value


def _freed(nodes: Sequence[Node]) -> Iterator[Value]:
    """Iterate over initializers that only these nodes read."""
    inside = {id(node) for node in nodes}
    read = {id(value): value for node in nodes for value in node.inputs if value is not None}
    for value in read.values():
        users = {id(use.node) for use in value.consumers}
        if value.is_initializer and is_droppable(value) and users <= inside:
            yield value


def _stored(value: Value) -> int:
    """Return the bytes of a value of static shape."""
    elements = element_count(value.shape)
    return value.dtype.nbytes(elements) if value.dtype is not None and elements else 0


def _computed(model: Model, names: list[str]) -> Mapping[str, NDArray[Any]]:
    """Return the runtime's results for values that depend on no input; empty if it has none."""
    from modellint.execution import Way, made_up, run

    try:
        executed = run(model.path, model.format, [made_up(model)], Way(captured=tuple(names)))
    except ModellintError:
        return {}
    return executed.runs[0].outputs


def multiply_matrices(context: Context, hit: Hit) -> Fix | None:
    """Write an Einsum as a MatMul between Transposes."""
    node = hit.place
    if not isinstance(node, Node) or len(node.inputs) != 2 or node.output() is None:
        return None
    equation = (node.get_str("equation") or "").replace(" ", "")
    given, _, wanted = equation.partition("->")
    left, _, right = given.partition(",")
    plan = _plan(left, right, wanted)
    ranks = [len(value.shape) for value in node.inputs if value is not None and value.shape]
    if plan is None or ranks != [len(left), len(right)] or not _agree(node, left, right):
        return None
    first, second, made = plan
    nodes: list[NewNode] = []
    operands = (
        _transposed(nodes, node.inputs[0], left, first, "left"),
        _transposed(nodes, node.inputs[1], right, second, "right"),
    )
    output = node.output()
    if made == wanted:
        nodes.append(NewNode("MatMul", operands, (output,), name=node.name))
    else:
        nodes.append(NewNode("MatMul", operands, ("product",), name=node.name))
        perm = tuple(made.index(axis) for axis in wanted)
        nodes.append(NewNode("Transpose", ("product",), (output,), {"perm": perm}))
    edits = (RemoveNodes((node,)), InsertNodes(node.graph, tuple(nodes), before=node))
    says = f"Writes Einsum '{node.label}' as a MatMul."
    return Fix(edits, says, tolerance=_ROUNDING)


def _plan(left: str, right: str, wanted: str) -> tuple[str, str, str] | None:
    """Return the axes of both operands of a MatMul, and of its result."""
    (summed,) = (set(left) & set(right)) - set(wanted)
    batch = "".join(axis for axis in wanted if axis in left and axis in right)
    rows = "".join(axis for axis in left if axis not in right)
    columns = "".join(axis for axis in right if axis not in left)
    if len(rows) == len(columns) == 1:
        return batch + rows + summed, batch + summed + columns, batch + rows + columns
    if not batch and len(columns) == 1:  # the first operand's further axes are a batch
        return rows + summed, summed + columns, rows + columns
    return None


def _agree(node: Node, left: str, right: str) -> bool:
    """Return True if axes of one name surely have one size: a MatMul cannot stretch them all."""
    one, other = (value.shape if value is not None else None for value in node.inputs)
    if one is None or other is None:
        return False
    sizes = dict(zip(left, one, strict=True))
    return all(
        sizes.get(axis, dim) == dim and dim is not None
        for axis, dim in zip(right, other, strict=True)
    )


def _transposed(
    nodes: list[NewNode], value: Value | None, axes: str, wanted: str, name: str
) -> Value | str | None:
    """Return an operand with its axes in the wanted order, made by a node that is added."""
    if axes == wanted:
        return value
    perm = tuple(axes.index(axis) for axis in wanted)
    nodes.append(NewNode("Transpose", (value,), (name,), {"perm": perm}))
    return name


def use_simpler_op(context: Context, hit: Hit) -> Fix | None:
    """Write a Pow as the op that its exponent stands for."""
    node = hit.place
    exponent = number(node.input(1)) if isinstance(node, Node) else None
    if not isinstance(node, Node) or not is_settled(node.input(1)) or not _keeps_rank(node):
        return None
    if exponent == 1.0:
        edits = bypass(node, node.input(0))
        return Fix(edits, f"Removes Pow '{node.label}' by 1.") if edits is not None else None
    steps = _STEPS.get(exponent or 0.0)
    if steps is None or node.output() is None:
        return None
    nodes = []
    source: Value | str | None = node.input(0)
    for op in steps[:-1]:
        nodes.append(NewNode(op, (source,), ("step",)))
        source = "step"
    nodes.append(NewNode(steps[-1], (source,), (node.output(),), name=node.name))
    edits = (RemoveNodes((node,)), InsertNodes(node.graph, tuple(nodes), before=node))
    return Fix(edits, f"Writes Pow '{node.label}' as {' and '.join(steps)}.", tolerance=_ROUNDING)


_STEPS = {0.5: ("Sqrt",), -1.0: ("Reciprocal",), -0.5: ("Sqrt", "Reciprocal")}


def _keeps_rank(node: Node) -> bool:
    """Return True if the second operand, of one element, does not add axes to the first."""
    base, exponent = node.input(0), node.input(1)
    shapes = [value.shape if value is not None else None for value in (base, exponent)]
    if shapes[1] is None or element_count(shapes[1]) != 1:
        return False
    return not shapes[1] or (shapes[0] is not None and len(shapes[0]) >= len(shapes[1]))


def slice_range(context: Context, hit: Hit) -> Fix | None:
    """Read consecutive indices by a Slice."""
    node = hit.place
    indices = node.input(1) if isinstance(node, Node) else None
    found = small_integers(indices) if is_settled(indices) else None
    if not isinstance(node, Node) or not found:
        return None
    first, last = found[0], found[-1] + 1
    if opset_of(node.graph) < _FIRST_WITH_SLICE_INPUTS:
        return None
    arguments = {"start": first, "end": last or _LAST, "axis": node.get_int("axis", 0) or 0}
    tensors = [integers(name, node.graph, (value,)) for name, value in arguments.items()]
    slice_ = NewNode("Slice", (node.input(0), *arguments), (node.output(),), name=node.name)
    edits: list[GraphEdit] = [RemoveNodes((node,)), *tensors]
    edits.append(InsertNodes(node.graph, (slice_,), before=node))
    return Fix(tuple(edits), f"Writes Gather '{node.label}' as a Slice.")


def assign_by_mask(context: Context, hit: Hit) -> Fix | None:
    """Write a ScatterND of one number at the elements that a mask selects as a Where."""
    scatter = hit.place
    by = next((node for node in hit.related if node.op_type == "NonZero"), None)
    mask = by.input(0) if by is not None else None
    data = scatter.input(0) if isinstance(scatter, Node) else None
    if not isinstance(scatter, Node) or mask is None or data is None or data.dtype is None:
        return None
    shape, filler = mask.shape, _filler(scatter.input(2))
    if shape is None or None in shape or shape != data.shape or filler is None:
        return None
    if mask.dtype is None or mask.dtype.name != "bool":
        return None
    stored = computed("filler", scatter.graph, filler, data.dtype)
    where = NewNode("Where", (mask, "filler", data), (scatter.output(),), name=scatter.name)
    insertion = InsertNodes(scatter.graph, (where,), before=scatter)
    says = f"Writes ScatterND '{scatter.label}' by a mask as a Where."
    trust: Applicability = "safe" if is_static(shape) else "exact"
    return Fix((RemoveNodes((scatter,)), stored, insertion), says, trust)


def _filler(updates: Value | None) -> NDArray[Any] | None:
    """Return the only number of some updates, as an array without dims."""
    import numpy as np

    maker = updates.producer if updates is not None else None
    if maker is not None and maker.op_type == "ConstantOfShape":
        stated = maker.attributes.get("value")
        if stated is None:
            return np.zeros((), np.float32)
        stored = stated.numpy() if isinstance(stated, Tensor) else None
    else:
        source = maker.input(0) if maker is not None and maker.op_type == "Expand" else updates
        stored = small_constant(source) if is_settled(source) else None
    if stored is None or not stored.size or not (stored == stored.reshape(-1)[0]).all():
        return None
    number: NDArray[Any] = stored.reshape(-1)[:1].reshape(())
    return number


def add_bias(context: Context, hit: Hit) -> Fix | None:
    """Let a bias have one dim, be part of a Gemm, or follow an input whose dims are known."""
    if hit.variant == "open":
        return fix_dims(context, hit)
    add = hit.place
    product = next((node for node in hit.related if node.op_type == "MatMul"), None)
    if not isinstance(add, Node) or product is None:
        return None
    place = 1 if add.input(0) is product.output() else 0
    bias, left = add.input(place), product.input(0)
    stored = bias.tensor if bias is not None and is_settled(bias) else None
    elements = stored.numpy() if stored is not None else None
    if stored is None or elements is None or left is None or not left.shape:
        return None
    flat = computed("bias", add.graph, elements.reshape(-1), stored.dtype)
    if hit.variant == "rank" and len(left.shape) >= len(stored.shape):
        return Fix((flat, SetInput(add, place, flat.name)), f"Flattens the bias of '{add.label}'.")
    if len(left.shape) != 2:
        return None
    gemm = NewNode("Gemm", (left, product.input(1), flat.name), (add.output(),), name=product.name)
    insertion = InsertNodes(add.graph, (gemm,), before=add)
    says = f"Merges MatMul '{product.label}' and the bias after it into a Gemm."
    return Fix((RemoveNodes((add, product)), flat, insertion), says, "numbers", tolerance=_ROUNDING)
