"""Data movement: transposes, copies, casts."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from modellint.analysis.fusion import consuming_nodes, made_by
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, is_moot, unfused
from modellint.formats.onnx.facts import normal_domain, onnx_facts
from modellint.model import Node, Shape, Value, small_integers
from modellint.operators import Trait, having, names
from modellint.runtimes.kernels import kernels

_BLOCKERS = frozenset(names(Trait.STOPS_TRANSPOSE))
_BETWEEN = _BLOCKERS.union(names(Trait.CROSSED_BY_TRANSPOSE))
_TRANSPOSES = names(Trait.TRANSPOSE)
_LONGEST_ISLAND = 6
_VIEWS = names(Trait.RESHAPES)
_BROADCASTING = (*names(Trait.BROADCASTS), "Max", "Min", "PRelu", "GreaterOrEqual", "LessOrEqual")
_NARROW = frozenset({"float16", "bfloat16"})
_WIDENED = having(Trait.WIDENED)


def transposed_island(context: Context) -> Iterator[Hit]:
    """Inverse Transposes around ops that they cannot be moved across."""
    for first in context.nodes(*_TRANSPOSES):
        inside = _island(context, first)
        if inside is None:
            continue
        *between, last = inside
        breaker = next((node for node in between if node.op_type in _BLOCKERS), None)
        if breaker is None:
            continue
        linear = breaker.op_type == "MatMul" and _stored(breaker.input(1))
        if linear and context.for_tensorrt:
            continue
        facts = {"first": first.label, "last": last.label, "breaker": breaker.label}
        yield from unfused(
            context,
            breaker,
            [first, last],
            {**facts, "nodes": len(between)},
            variant="linear" if linear else "",
            vanishes=True,
            witness=last,
        )


def _island(context: Context, first: Node) -> list[Node] | None:
    """Return the nodes between a Transpose and its inverse, and the inverse."""
    nodes, value = [], first.output()
    for _ in range(_LONGEST_ISLAND):
        node = value.sole_consumer if value is not None else None
        if node is None or value is None:
            return None
        nodes.append(node)
        if node.op_type in _TRANSPOSES:
            return nodes if len(nodes) > 1 and _cancel(context, first, node) else None
        others = [v for v in node.inputs if v is not None and v is not value]
        if node.qualified_op not in _BETWEEN or not all(map(_stored, others)):
            return None
        value = node.output()
    return None


def _cancel(context: Context, first: Node, second: Node) -> bool:
    one, two = _perm(context, first), _perm(context, second)
    if one is None or two is None or not sorted(one) == sorted(two) == list(range(len(one))):
        return False
    return all(one[axis] == place for place, axis in enumerate(two))


def _perm(context: Context, node: Node) -> tuple[int, ...] | None:
    perm, value = node.get_ints("perm"), node.input(0)
    if perm is not None or value is None:
        return perm
    shape = context.shape(value)
    return tuple(reversed(range(len(shape)))) if shape is not None else None


def view_chain(context: Context) -> Iterator[Hit]:
    """Consecutive ops that only reshape the same data."""
    for last in context.nodes(*sorted(_VIEWS)):
        if any(node.qualified_op in _VIEWS for node in consuming_nodes(last.output())):
            continue
        chain, value = [last], last.input(0)
        while (node := made_by(value, *_VIEWS)) is not None:
            if value is None or value.sole_consumer is None:
                break
            chain.append(node)
            value = node.input(0)
        if len(chain) > 1:
            ops = " → ".join(node.op_type for node in reversed(chain))
            stopped = () if {node.op_type for node in chain} == {"Reshape"} else (ORT,)
            facts = {"nodes": len(chain), "chain": ops, "first": chain[-1].label}
            yield from unfused(context, last, chain[::-1], facts, stopped=stopped)


def needless_expand(context: Context) -> Iterator[Hit]:
    """An Expand whose consumers broadcast by themselves."""
    if is_moot(context):
        return
    for expand in context.nodes("Expand"):
        output, source = expand.output(), expand.input(0)
        if output is None or source is None or source.is_constant or output.is_output:
            continue
        users = consuming_nodes(output)
        if not users or any(user.qualified_op not in _BROADCASTING for user in users):
            continue
        wide = context.shape(output)
        if wide is None or context.shape(source) == wide:
            continue
        if all(_is_as_wide_without(context, user, output, wide) for user in users):
            facts = {"taker": users[0].label, "op": users[0].op_type}
            yield from unfused(context, expand, [expand], facts, vanishes=True)


def _is_as_wide_without(context: Context, user: Node, expanded: Value, wide: Shape) -> bool:
    """Return True if another operand already has all dims that the Expand adds."""
    shapes = [context.shape(v) for v in user.inputs if v is not None and v is not expanded]
    return None not in wide and any(
        shape is not None and len(shape) >= len(wide) and shape[len(shape) - len(wide) :] == wide
        for shape in shapes
    )


def focus(context: Context) -> Iterator[Hit]:
    """Every second row and column in four Slices, joined as channels."""
    for concat in context.nodes("Concat"):
        if len(concat.inputs) != 4 or concat.get_int("axis") not in (1, -3):
            continue
        chains = [_strided(value) for value in concat.inputs]
        sources = {id(source) for chain in chains if chain for source, _ in [chain]}
        if None in chains or len(sources) != 1:
            continue
        slices = {id(node): node for chain in chains if chain for node in chain[1]}
        nodes = sorted(slices.values(), key=lambda node: node.index)
        stopped = (ORT,) if len(nodes) > 4 else ()
        facts = {"nodes": len(nodes) + 1}
        yield from unfused(context, concat, [*nodes, concat], facts, stopped=stopped)


def _strided(value: Value | None) -> tuple[Value, list[Node]] | None:
    """Return the image that is sliced with a step of 2 in both directions, and the Slices."""
    nodes: list[Node] = []
    steps = 1
    while (node := made_by(value, "Slice")) is not None and len(nodes) < 2:
        by = small_integers(node.input(4)) or ()
        if any(step not in (1, 2) for step in by):
            return None
        steps *= prod(by)
        nodes.append(node)
        value = node.input(0)
    return (value, nodes) if value is not None and nodes and steps == 4 else None


def split_joined_again(context: Context) -> Iterator[Hit]:
    """A Split whose parts are concatenated again in the same order."""
    if is_moot(context):
        return
    for concat in context.nodes("Concat"):
        split = made_by(concat.inputs[0] if concat.inputs else None, "Split")
        if split is None or len(split.outputs) < 2 or concat.inputs != split.outputs:
            continue
        if _axis(context, split) != _axis(context, concat):
            continue
        alone = all(v is not None and v.sole_consumer is concat for v in split.outputs)
        facts = {"split": split.label, "parts": len(split.outputs)}
        gone = [split, concat] if alone else [concat]
        yield from unfused(context, concat, gone, facts, vanishes=True)


def _axis(context: Context, node: Node) -> int | None:
    axis, value = node.get_int("axis", 0), node.input(0)
    shape = context.shape(value) if value is not None else None
    return axis % len(shape) if axis is not None and shape else axis


def cast_island(context: Context) -> Iterator[Hit]:
    """One op in float32 between Casts from and to half precision."""
    if is_moot(context):
        return
    for back in context.nodes("Cast"):
        node = next(back.predecessors, None)
        if node is None or node.op_type in _WIDENED or node.op_type == "Cast":
            continue
        narrow, wide = _dtype(context, back.output()), _dtype(context, back.input(0))
        if narrow not in _NARROW or wide != "float32":
            continue
        if _is_cast_anyway(context, node, narrow):
            continue
        computed = [v for v in node.inputs if v is not None and not v.is_constant]
        casts = [c for v in computed if (c := made_by(v, "Cast")) is not None]
        widened = [c for c in casts if _dtype(context, c.input(0)) == narrow]
        if not computed or len(widened) != len(computed) or not _feeds_only(node, back):
            continue
        gone = [*(c for c in widened if len(consuming_nodes(c.output())) == 1), back]
        facts = {"op": node.op_type, "narrow": narrow, "casts": len(widened) + 1}
        yield from unfused(context, node, gone, facts, vanishes=True, witness=back)


def _is_cast_anyway(context: Context, node: Node, narrow: str) -> bool:
    """Return True if the runtime inserts the Casts itself, for want of a narrow kernel."""
    deployment = context.deployment
    if deployment.is_on_cuda:
        return False
    table = kernels(deployment.runtime or "", deployment.runtime_version)
    domain = normal_domain(node.domain)
    if table is None or domain not in table.domains:
        return False
    opset = onnx_facts(context.model).opsets.get(domain, table.domains[domain])
    return not table.has_kernel(
        domain, node.op_type, opset, lambda place: narrow if place == "0" else None
    )


def _feeds_only(first: Node, second: Node) -> bool:
    output = first.output()
    return output is not None and output.sole_consumer is second


def _dtype(context: Context, value: Value | None) -> str | None:
    dtype = context.dtype(value) if value is not None else None
    return dtype.name if dtype is not None else None


def _stored(value: Value | None) -> bool:
    return value is not None and value.is_constant
