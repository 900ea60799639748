"""Computations that can be folded, shared or simplified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import nbytes
from modellint.analysis.duplicates import Repeated, equal_tensors
from modellint.analysis.folding import Folding, folding
from modellint.analysis.fusion import Norms, consuming_nodes, made_by, number
from modellint.analysis.shapes import DeployedTypes
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, is_moot, unfused
from modellint.model import (
    DType,
    Graph,
    Model,
    Node,
    Value,
    element_count,
    is_static,
    product,
)
from modellint.model.features import STORED
from modellint.operators import Trait, names
from modellint.results.finding import Severity
from modellint.targets.deployment import Deployment

_BOTH = (ORT, "tensorrt")
_SHAPE_MAKERS = frozenset(names(Trait.READS_SHAPE))
_NO_WORK = ("Constant", "Identity")
_ROOTS = {0.5: "Sqrt", -1.0: "Reciprocal", 1.0: "the input itself"}


def constant_subgraph(context: Context) -> Iterator[Hit]:
    """Ops on constants only: one hit per graph, and one for each whose result grows."""
    graphs = [graph for graph in context.model.graphs() if any(map(_is_a_start, graph.nodes))]
    if not graphs:
        return
    constants = context.analysis(folding)
    for graph in graphs:
        folded = [node for node in graph.nodes if constants.is_folded(node)]
        folded = [node for node in folded if node.op_type not in _NO_WORK]
        folded = [node for node in folded if not _is_shape_arithmetic(node)]
        ends = [node for node in folded if not all(map(constants.is_folded, node.successors))]
        growing = [node for node in ends if _growth(context, node) >= context.options["bytes"]]
        for node in growing:
            made: Node | Value = node.output() or node  # to be folded is its fate, not its defence
            facts: dict[str, object] = {"growth": _growth(context, node), "node": node.label}
            facts |= {"op": node.op_type, "nodes": 1}
            yield from unfused(
                context, made, [node], facts, variant="growth", stopped=_BOTH, folded=True
            )
        if ends:
            facts = {"nodes": len(folded), "first": folded[0].label}
            yield from unfused(context, ends[0], folded, facts, vanishes=True, folded=True)


def _is_a_start(node: Node) -> bool:
    """Return True for an op on stored constants, where a foldable subgraph starts."""
    if node.op_type in ("Identity", "DequantizeLinear") or not node.inputs:
        return False
    return all(value is None or value.is_constant for value in node.inputs)


def _is_shape_arithmetic(node: Node) -> bool:
    output = node.output()
    dtype = output.dtype if output is not None else None
    return dtype is None or not dtype.is_float


def _growth(context: Context, node: Node) -> int:
    """Return the bytes by which a folded result is larger than its inputs."""
    types = context.analysis(DeployedTypes)
    made = [nbytes(v, types, None) or 0 for v in node.outputs if v is not None]
    given = [nbytes(v, types, None) or 0 for v in node.inputs if v is not None]
    return sum(made) - sum(given)


def repeated_subgraph(context: Context) -> Iterator[Hit]:
    """Repeated computations on the same inputs."""
    if is_moot(context):
        return
    repeated = context.analysis(Repeated)
    for cluster in repeated.clusters:
        moved = [context.analysis(cost).bytes_moved_by(node) for node in cluster]
        if not any(_is_activation(node) for node in cluster):
            continue
        if None not in moved and sum(m for m in moved if m is not None) < context.options["bytes"]:
            continue
        last = cluster[-1]
        facts = {"nodes": len(cluster), "twin": repeated.twins[id(last)].label}
        yield from unfused(context, last, cluster, facts, vanishes=True)


def arithmetic_left_over(context: Context) -> Iterator[Hit]:
    """Arithmetic on integers whose results are known, or have been computed before."""
    if is_moot(context):
        return
    known = _known_arithmetic(context)
    if len(known) >= context.options["ops"]:
        facts: dict[str, object] = {"nodes": len(known), "first": known[0].label}
        yield Hit(known[0], facts, count=len(known), related=tuple(known))
    folded = context.analysis(_as_loaded)
    twins = context.analysis(Repeated).twins
    for graph in context.model.graphs():
        repeated = [
            node
            for node in graph.nodes
            if id(node) in twins and _is_arithmetic(node) and not folded.is_folded(node)
        ]
        if len(repeated) >= context.options["ops"]:
            facts = {"nodes": len(repeated), "first": repeated[0].label}
            yield Hit(repeated[0], facts, "repeated", count=len(repeated), related=tuple(repeated))


def _known_arithmetic(context: Context) -> list[Node]:
    """Return operations of the main graph that make integers of what the file states alone."""
    graph = context.model.graph
    if not _SHAPE_MAKERS & graph.by_op.keys() and not any(map(_is_a_start, graph.nodes)):
        return []
    folded = context.analysis(_as_loaded)
    known = [
        node
        for node in graph.ordered
        if folded.is_folded(node)
        and node.op_type not in _NO_WORK
        and _is_arithmetic(node)
        and not any(_may_be_given(value) for value in node.inputs)
    ]
    ends = small_ends(known, folded, context.options["bytes"])
    return known if any(True for _ in ends) else []


def _may_be_given(value: Value | None) -> bool:
    """Return True for a stored constant that is the default of an input."""
    return value is not None and value.is_input and value.is_constant


def small_ends(nodes: Sequence[Node], folded: Folding, most: int) -> Iterator[Value]:
    """Iterate over results of foldable nodes that running ones read, up to a size in bytes."""
    for node in nodes:
        for value in node.outputs:
            if value is None or value.dtype is None or value.is_output:
                continue
            elements = element_count(value.shape)
            if elements and value.dtype.nbytes(elements) <= most and _is_needed(value, folded):
                yield value


def _is_needed(value: Value, folded: Folding) -> bool:
    return any(not folded.is_folded(use.node) for use in value.consumers)


def _is_arithmetic(node: Node) -> bool:
    """Return True for an operation that makes integers or truth values."""
    output = node.output()
    dtype = output.dtype if output is not None else None
    return dtype is not None and (dtype.is_integer or dtype.name == "bool")


def _is_activation(node: Node) -> bool:
    output = node.output()
    dtype = output.dtype if output is not None else None
    return dtype is not None and dtype.is_float


def duplicate_weight(context: Context) -> Iterator[Hit]:
    """Stored tensors with the same elements."""
    if context.lacks([STORED]):
        return
    total = max(context.model.weight_bytes, 1)
    for equal in equal_tensors(context.model, context.options["bytes"]):
        first, *others = equal.tensors
        size = first.nbytes * len(others)
        share = size / total
        yield Hit(
            _value_of(context, others[0].name) or others[0],
            {
                "copies": len(others) + 1,
                "names": [first.name, *(tensor.name for tensor in others)],
                "size": size,
                "share": share,
                "read": equal.read,
            },
            variant="sampled" if equal.read < 1 else "",
            severity=None if share >= context.options["share"] else Severity.INFO,
        )


def _value_of(context: Context, name: str) -> Value | None:
    return context.model.graph.values.get(name)


def shape_arithmetic(context: Context) -> Iterator[Hit]:
    """Ops that compute shapes in every run, because an input's dims are open."""
    if context.lacks(_SHAPE_MAKERS):
        return
    graph = context.model.graph
    symbols = _open_dims(graph)
    if not symbols or not _SHAPE_MAKERS & graph.by_op.keys():
        return
    constants = context.analysis(_as_loaded)
    running = [node for node in _shape_nodes(graph) if not constants.is_folded(node)]
    if len(running) >= context.options["ops"]:
        share = len(running) / len(graph.nodes)
        facts = {"nodes": len(running), "part": share, "symbols": sorted(symbols)}
        variant = "fixed" if _is_fixed(context, symbols) else ""
        yield Hit(next(iter(symbols.values())), facts, count=len(running), variant=variant)


def _as_loaded(model: Model, deployment: Deployment) -> Folding:
    """Return what is constant in the file, independent of the deployment."""
    return folding(model, Deployment())


def _is_fixed(context: Context, symbols: dict[str, Value]) -> bool:
    """Return True if the deployment sets all of the dims."""
    return all(is_static(context.shape(value)) for value in symbols.values())


def _open_dims(graph: Graph) -> dict[str, Value]:
    """Return the inputs' symbols, with the first input of each."""
    symbols: dict[str, Value] = {}
    for value in graph.inputs:
        for dim in value.declared_shape or ():
            if isinstance(dim, str) and not value.is_constant:
                symbols.setdefault(dim, value)
    return symbols


def _shape_nodes(graph: Graph) -> list[Node]:
    """Return Shape nodes and computations on them, up to their use as arguments."""
    found: dict[int, Node] = {}
    for node in graph.nodes:
        if node.qualified_op in _SHAPE_MAKERS or (
            any(id(before) in found for before in node.predecessors) and _makes_integers(node)
        ):
            found[id(node)] = node
    return list(found.values())


def _makes_integers(node: Node) -> bool:
    output = node.output()
    dtype: DType | None = output.dtype if output is not None else None
    return dtype is not None and dtype.is_integer


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
        if better is not None and output is not None and _is_activation(node):
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
    count, condition = number(node.input(0)), node.input(1)
    if count is None or (condition is not None and number(condition) != 1):
        return None
    carried = body.outputs[0] if body.outputs else None
    return int(count) if carried is not None and _always_true(carried, body) else None


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
