"""Leftovers of exports that serve no purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modellint.base.paths import LOCAL_PATH
from modellint.checks.api import Context, Hit
from modellint.formats.onnx.facts import DEFAULT_DOMAIN, onnx_facts
from modellint.model import Graph, Node
from modellint.model.features import FUNCTIONS, NODE_METADATA, STORED
from modellint.operators import Trait, having
from modellint.results.finding import Severity
from modellint.runtimes import find_runtime

_WRITERS = having(Trait.WRITES_STATE)
EVERYBODYS_DOMAINS = ("ai.onnx", "com.microsoft", "com.ms.internal.nhwc", "org.pytorch.aten")
"""Optimizers, above all ONNX Runtime's, add these imports to all models; they are harmless."""


def unused_initializer(context: Context) -> Iterator[Hit]:
    """Stored tensors that nothing reads."""
    if context.lacks([STORED]):
        return
    for graph in context.graphs():
        for value in graph.initializers:
            if value.consumers or value.is_output or value.tensor is None:
                continue
            size = value.tensor.nbytes
            heavy = size >= context.options["heavy-bytes"]
            yield Hit(value, {"size": size}, severity=None if heavy else Severity.INFO)


def dead_node(context: Context) -> Iterator[Hit]:
    """Nodes that no output of the graph depends on, reported at the last of each chain."""
    for graph in context.graphs():
        live = _live_nodes(graph)
        dead = [node for node in graph.nodes if id(node) not in live and not _is_shadowed(node)]
        for node in dead:
            if not any(True for _ in node.successors) and not _is_overwritten(node):
                behind = _count_behind(node, live)
                yield Hit(node, {"nodes": behind}, count=behind)


def _is_shadowed(node: Node) -> bool:
    """Return True if another node produces a value of the same name, which is the real mistake."""
    values = node.graph.values
    return any(value is not None and values.get(value.name) is not value for value in node.outputs)


def _live_nodes(graph: Graph) -> set[int]:
    """Return nodes that an output of the graph, or a subgraph's node, depends on."""
    pending = [value.producer for value in graph.outputs if value.producer is not None]
    pending += [node for node in graph.nodes if node.op_type in _WRITERS]
    if graph.subgraphs:
        pending += filter(_serves_subgraphs, graph.nodes)
    live: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) not in live:
            live.add(id(node))
            pending.extend(node.predecessors)
    return live


def _serves_subgraphs(node: Node) -> bool:
    """Return True if a subgraph reads a result, or if all that it does is in its subgraphs."""
    if node.subgraphs and not node.outputs:
        return True
    uses = (use for value in node.outputs if value is not None for use in value.consumers)
    return any(use.node.graph is not node.graph for use in uses)


def _is_overwritten(node: Node) -> bool:
    """Return True if another node makes a value of the same name, which is then the one read."""
    values = node.graph.values
    return any(value is not None and values.get(value.name) is not value for value in node.outputs)


def _count_behind(last: Node, live: set[int]) -> int:
    seen: set[int] = set()
    pending = [last]
    while pending:
        node = pending.pop()
        if id(node) not in seen and id(node) not in live:
            seen.add(id(node))
            pending.extend(node.predecessors)
    return len(seen)


def duplicate_node_name(context: Context) -> Iterator[Hit]:
    """Names that several nodes of one graph share."""
    runtime = find_runtime(context.deployment.runtime or "")
    refused = runtime is not None and runtime.loading.unique_node_names
    for graph in context.graphs():
        names = [node.name for node in graph.nodes if node.name]
        if len(names) == len(set(names)):
            continue
        counts = Counter(names)
        seen: set[str] = set()
        for node in graph.nodes:
            if counts[node.name] > 1 and node.name not in seen:
                seen.add(node.name)
                others = [other for other in graph.nodes if other.name == node.name]
                yield Hit(
                    node,
                    {"nodes": counts[node.name]},
                    variant="refused" if refused else "",
                    severity=Severity.ERROR if refused else None,
                    count=counts[node.name],
                    related=tuple(others[:4]),
                )


def unused_input(context: Context) -> Iterator[Hit]:
    """Inputs of the model that no node reads."""
    for value in context.model.inputs:
        if not value.consumers and not value.is_output and not value.is_constant:
            yield Hit(value)


def output_without_work(context: Context) -> Iterator[Hit]:
    """Outputs of the model that are stored constants or unchanged inputs."""
    for value in context.model.outputs:
        if value.is_constant:
            yield Hit(value)
        elif value.is_input:
            yield Hit(value, variant="input")


def unused_opset_import(context: Context) -> Iterator[Hit]:
    """Imported operator sets that no node uses."""
    facts = onnx_facts(context.model)
    if facts.session is not None:
        return  # ONNX Runtime lists all that it knows
    used = {node.domain for node in context.nodes()}
    used |= {node.domain for graph in facts.training for node in graph.nodes}
    unused = sorted(
        domain
        for domain in set(facts.opsets) - used
        if domain != DEFAULT_DOMAIN and not domain.startswith(EVERYBODYS_DOMAINS)
    )
    if unused:
        yield Hit(None, {"domains": unused})


def unused_function(context: Context) -> Iterator[Hit]:
    """Model-local functions that nothing calls."""
    if context.lacks([FUNCTIONS]):
        return
    called = {(node.domain, node.op_type, node.overload) for node in context.nodes()}
    for key, body in context.model.functions.items():
        if key not in called:
            facts = {"function": body.called, "nodes": len(body.nodes)}
            yield Hit(body, facts)


def missing_metadata(context: Context) -> Iterator[Hit]:
    """Metadata that the team requires and that the model lacks."""
    model = context.model
    known = {
        "producer": model.producer_name,
        "producer-version": model.producer_version,
        "graph-name": model.graph.name,
        **model.metadata,
    }
    missing = [key for key in context.options["required"] if not known.get(key, "").strip()]
    if missing:
        yield Hit(None, {"missing": missing})


def default_graph_name(context: Context) -> Iterator[Hit]:
    """Main graphs with an exporter's default name."""
    graph = context.model.graph
    if graph.name in context.options["names"]:
        yield Hit(graph, {"name": graph.name})


def overlong_names(context: Context) -> Iterator[Hit]:
    """Graphs with overlong names, reported at the longest."""
    limit = context.options["longest"]
    for graph in context.graphs():
        names = [node.name for node in graph.nodes] + list(graph.values)
        long = [name for name in names if len(name) > limit]
        if long:
            longest = max(long, key=len)
            facts = {"names": len(long), "length": len(longest), "size": sum(map(len, long))}
            yield Hit(graph, facts, count=len(long))


def local_paths_left_in(context: Context) -> Iterator[Hit]:
    """Node metadata with paths of the machine that exported the model."""
    if context.lacks([NODE_METADATA]):
        return
    for graph in context.graphs():
        nodes = [node for node in graph.nodes if _path_in(node)]
        if nodes:
            size = sum(len(text) for node in nodes for text in node.metadata.values())
            facts = {"nodes": len(nodes), "size": size, "path": _path_in(nodes[0])}
            yield Hit(nodes[0], facts, count=len(nodes))


def _path_in(node: Node) -> str:
    """Return the first local path in the node's metadata."""
    for text in node.metadata.values():
        found = LOCAL_PATH.search(text)
        if found:
            return found[0]
    return ""
