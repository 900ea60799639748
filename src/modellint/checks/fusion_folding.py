"""Computations that can be folded, shared or simplified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import nbytes
from modellint.analysis.duplicates import Repeated, equal_tensors
from modellint.analysis.folding import Folding, folding
from modellint.analysis.shapes import DeployedTypes
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, is_moot, unfused
from modellint.model import DType, Graph, Model, Node, Value, element_count, is_static
from modellint.model.features import STORED
from modellint.operators import Trait, names
from modellint.results.finding import Severity
from modellint.targets.deployment import Deployment

_BOTH = (ORT, "tensorrt")
_SHAPE_MAKERS = frozenset(names(Trait.READS_SHAPE))
_NO_WORK = ("Constant", "Identity")


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
        if not any(is_activation(node) for node in cluster):
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


def is_activation(node: Node) -> bool:
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
