"""Ops and loops for which there is a faster form."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.cost import cost
from modellint.analysis.fusion import Norms, consuming_nodes, made_by, number
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import unfused
from modellint.checks.fusion_folding import is_activation
from modellint.model import Graph, Node, Value, product, small_integers
from modellint.operators import Trait, names

_ROOTS = {0.5: "Sqrt", -1.0: "Reciprocal", 1.0: "the input itself"}


def einsum(context: Context) -> Iterator[Hit]:
    """An Einsum of two operands that is a matrix product."""
    for node in context.nodes(*names(Trait.CONTRACTION)):
        equation = (node.get_str("equation") or "").replace(" ", "")
        if len(node.inputs) == 2 and _is_matmul(equation):
            facts = {"equation": equation}
            yield from unfused(context, node, [node], facts)


def _is_matmul(equation: str) -> bool:
    """Return True for two operands, no diagonal, and one summed index."""
    given, arrow, wanted = equation.partition("->")
    left, _, right = given.partition(",")
    if not arrow or "." in equation or not left.isalpha() or not right.isalpha():
        return False
    if any(len(set(part)) != len(part) for part in (left, right, wanted)):
        return False
    summed = (set(left) & set(right)) - set(wanted)
    alone = set(left) - set(right), set(right) - set(left)
    kept = all(free <= set(wanted) for free in alone)
    return len(summed) == 1 and kept and min(map(len, alone)) == 1


def slow_power(context: Context) -> Iterator[Hit]:
    """Pow by an exponent for which there is a faster op."""
    roots = {id(norm.root) for norm in context.analysis(Norms).found}
    for node in context.nodes("Pow"):
        exponent, base = number(node.input(1)), node.input(0)
        if exponent is None or base is None or base.is_constant or id(node) in roots:
            continue
        better = "Reciprocal and Sqrt" if exponent == -0.5 else _ROOTS.get(exponent)
        output = node.output()
        if better is not None and output is not None and is_activation(node):
            yield from unfused(context, node, [node], {"exponent": exponent, "better": better})


def countable_loop(context: Context) -> Iterator[Hit]:
    """A Loop or Scan with a small static number of iterations."""
    for node in context.nodes("Loop", "Scan"):
        body = node.subgraphs.get("body")
        rounds = _rounds(context, node, body) if body is not None else None
        if rounds is None or body is None or not 0 < rounds <= context.options["rounds"]:
            continue
        size = rounds * len(body.nodes)
        if 0 < size <= context.options["ops"]:
            facts = {"rounds": rounds, "nodes": len(body.nodes), "unrolled": size}
            yield from unfused(context, node, [node], facts)


def _rounds(context: Context, node: Node, body: Graph) -> int | None:
    """Return the number of iterations; None if data-dependent."""
    if node.op_type == "Scan":
        scanned, axes = node.inputs[-1] if node.inputs else None, node.get_ints("scan_input_axes")
        shape = context.shape(scanned) if scanned is not None else None
        axis = axes[-1] if axes else 0
        length = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
        return length if isinstance(length, int) else None
    count, condition = small_integers(node.input(0)) or (), node.input(1)
    if len(count) != 1 or (condition is not None and number(condition) != 1):
        return None
    carried = body.outputs[0] if body.outputs else None
    return count[0] if carried is not None and _always_true(carried, body) else None


def _always_true(value: Value, body: Graph) -> bool:
    """Return True for a true constant, or a condition that is passed through."""
    if value.is_constant:
        return number(value) == 1
    source = made_by(value, "Identity")
    origin = source.input(0) if source is not None else value
    if origin is not None and origin.is_constant:
        return number(origin) == 1
    return origin is not None and origin in body.inputs


def unrolled_recurrence(context: Context) -> Iterator[Hit]:
    """A recurrent cell unrolled over the time steps."""
    products = ("MatMul", "Gemm")
    if context.lacks(products):
        return
    for graph in context.graphs():
        for value in list(graph.values.values()):
            if value.tensor is None or len(value.tensor.shape) != 2:
                continue
            steps = [n for n in consuming_nodes(value) if n.qualified_op in products]
            if len(steps) >= context.options["steps"]:
                yield from _recurrence(context, value, steps)


def _recurrence(context: Context, weight: Value, steps: list[Node]) -> Iterator[Hit]:
    """Iterate over hits for steps that each depend on the previous one through a gate."""
    cell = _between(steps[0], steps[1])
    gates = sum(node.op_type == "Sigmoid" for node in cell)
    curves = sum(node.op_type == "Tanh" for node in cell)
    if not gates or not curves or len(cell) * len(steps) > 4 * len(weight.graph.nodes):
        return
    facts = {
        "steps": len(steps),
        "kind": "LSTM" if gates >= 3 else "GRU",
        "nodes": len(cell) * len(steps),
        "weight": weight.name,
    }
    yield from unfused(context, steps[0], cell, facts, witness=steps[-1])


def _between(first: Node, second: Node, most: int = 60) -> list[Node]:
    """Return nodes on paths between two steps; empty if the second is independent."""
    ahead: dict[int, Node] = {}
    pending = [first]
    while pending and len(ahead) < most:
        node = pending.pop()
        if id(node) not in ahead and node.index <= second.index:
            ahead[id(node)] = node
            pending.extend(node.successors)
    if id(second) not in ahead:
        return []
    behind: dict[int, Node] = {}
    pending = [second]
    while pending:
        node = pending.pop()
        if id(node) not in behind and id(node) in ahead:
            behind[id(node)] = node
            pending.extend(node.predecessors)
    behind.pop(id(second), None)
    return sorted(behind.values(), key=lambda node: node.index)


def misaligned_channels(context: Context) -> Iterator[Hit]:
    """Channels that are not a multiple of the matrix units' alignment."""
    target, precision = context.deployment.target, context.deployment.precision
    unit = _UNITS.get(precision or "")
    if target is None or unit is None or not target.accelerates(precision or ""):
        return
    if target.vendor != "nvidia":
        return
    for node in context.nodes("Conv", "Gemm", "MatMul"):
        channels = _channels(context, node)
        if channels is None or 0 in channels:
            continue
        padded = [-(-count // unit) * unit for count in channels]
        waste = product(padded) / product(channels) - 1
        if waste < context.options["waste"]:
            continue
        costs = context.analysis(cost)
        share, macs = costs.share([node]), costs.macs_of(node)
        if share is None or macs is None or macs < context.options["macs"]:
            continue
        if share >= context.options["share"]:
            facts = {
                "channels": " × ".join(map(str, channels)),
                "padded": " × ".join(map(str, padded)),
                "unit": unit,
                "waste": waste,
                "share": share,
            }
            yield Hit(node, facts)


_UNITS = {"fp16": 8, "bf16": 8, "int8": 16, "fp8": 16}


def _channels(context: Context, node: Node) -> tuple[int, int] | None:
    """Return the input and output channels of a layer; None for grouped convolutions and stems."""
    weight = node.input(1)
    if weight is None or weight.tensor is None:
        return None
    shape = weight.tensor.shape
    if node.op_type == "Conv":
        if len(shape) < 3 or node.get_int("group", 1) != 1 or shape[1] <= 4:
            return None
        return shape[1], shape[0]
    return (shape[0], shape[1]) if len(shape) == 2 and min(shape) > 4 else None
