"""The difference that fixes make, line by line: for people to look over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from modellint.base.units import format_bytes
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Graph, Model, Node, Value, format_shape
from modellint.results.fixed import Change, ModelSize

Lines = dict[tuple[str, str], str]
"""Details by kind and name."""


def changes(before: Model, after: Model, rewritten: Collection[str] = ()) -> Iterator[Change]:
    """Iterate over the differences; `rewritten` names tensors with other elements."""
    yield from _between("", _of_file(before), _of_file(after))
    old = {graph.path: graph for graph in before.graphs(functions=True)}
    new = {graph.path: graph for graph in after.graphs(functions=True)}
    for path in dict.fromkeys((*old, *new)):
        one, other = (_of_graph(graphs[path]) if path in graphs else {} for graphs in (old, new))
        for name in rewritten:
            if ("tensor", name) in one and one["tensor", name] == other.get(("tensor", name)):
                other["tensor", name] += ", other elements"
        yield from _between(path, one, other)


def size_of(model: Model) -> ModelSize:
    nodes = sum(len(graph.nodes) for graph in model.graphs(functions=True))
    return ModelSize(nodes, model.weight_bytes, model.file_size)


def _between(graph: str, before: Lines, after: Lines) -> Iterator[Change]:
    for (what, name), detail in before.items():
        now = after.get((what, name))
        if now is None:
            yield Change("removed", graph, what, name, detail)
        elif now != detail:
            yield Change("changed", graph, what, name, *_without_same_end(now, detail))
    for (what, name), detail in after.items():
        if (what, name) not in before:
            yield Change("added", graph, what, name, detail)


def _without_same_end(now: str, before: str) -> tuple[str, str]:
    """Leave out attributes that are the same."""
    head, mark, tail = now.rpartition(" <")
    if mark and before.endswith(f"{mark}{tail}"):
        return head, before.removesuffix(f"{mark}{tail}")
    return now, before


def _of_file(model: Model) -> Lines:
    facts = onnx_facts(model)
    lines = {("opset", domain or "ai.onnx"): str(n) for domain, n in facts.opsets.items()}
    return lines | {("metadata", key): text for key, text in model.metadata.items()}


def _of_graph(graph: Graph) -> Lines:
    lines: Lines = {}
    for value in graph.inputs:
        if not value.is_constant:
            lines["input", value.name] = _type(value)
    for value in graph.initializers:
        if value.tensor is not None:
            lines["tensor", value.name] = f"{_type(value)}, {format_bytes(value.tensor.nbytes)}"
    for node in graph.nodes:
        lines[_key(node, lines)] = _node(node)
    for value in graph.outputs:
        lines["output", value.name] = _type(value)
    lines |= {("metadata", key): text for key, text in graph.metadata.items()}
    return lines


def _key(node: Node, known: Mapping[tuple[str, str], str]) -> tuple[str, str]:
    key = node.qualified_op, node.label
    if key not in known:
        return key
    made = next((value.name for value in node.outputs if value is not None), "")
    return node.qualified_op, f"{node.label} ({made or node.index})"


def _node(node: Node) -> str:
    inputs = ", ".join(value.name if value is not None else "-" for value in node.inputs)
    outputs = ", ".join(value.name if value is not None else "-" for value in node.outputs)
    said = [f"{key}={value!s}" for key, value in node.attributes.items() if _is_short(value)]
    said += [f"{key}: {text}" for key, text in node.metadata.items()]
    return " ".join(filter(None, (inputs, "→", outputs, f"<{', '.join(said)}>" if said else "")))


def _is_short(value: object) -> bool:
    return isinstance(value, (int, float, str, tuple)) and len(str(value)) <= 60


def _type(value: Value) -> str:
    if value.tensor is not None:
        return f"{value.tensor.dtype} {format_shape(value.tensor.shape)}"
    return f"{value.declared_dtype or '?'} {format_shape(value.declared_shape)}"
