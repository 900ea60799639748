"""Fixes of leftovers of exports."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

from modellint.analysis.fusion import number
from modellint.base.paths import LOCAL_PATH
from modellint.checks.api import Context, Hit
from modellint.fixes.conditions import (
    bypass,
    is_droppable,
    is_read,
    is_settled,
    keeps_shape,
    opset_of,
)
from modellint.model import Graph, Node, Value
from modellint.model.edits import (
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveFunction,
    RemoveInput,
    RemoveNodes,
    RemoveOutput,
    RemoveTensor,
    Rename,
    SetMetadata,
    SetOpset,
)

_FIRST_WITHOUT_MODE = 7
"""Opset since which Dropout does nothing unless it says that it trains."""
_DIGEST = 12
_INPUTS_OF_NORM = 5


def drop_initializer(context: Context, hit: Hit) -> Fix | None:
    """Drop an initializer that nothing reads, unless a caller may be passing it."""
    value = hit.place
    if not isinstance(value, Value) or not is_droppable(value):
        return None
    return Fix((RemoveTensor(value),), f"Removes initializer '{value.name}'.")


def drop_dead_nodes(context: Context, hit: Hit) -> Fix | None:
    """Take out a node whose results nothing reads, and those that only it needs."""
    if not isinstance(hit.place, Node):
        return None
    edits = (RemoveNodes((hit.place,)),)
    return Fix(edits, f"Removes {hit.place.op_type} '{hit.place.label}', which computes nothing.")


def rename_nodes(context: Context, hit: Hit) -> Fix | None:
    """Give all but the first node of a name a name of its own."""
    first = hit.place
    if not isinstance(first, Node):
        return None
    taken = {node.name for node in context.nodes()}
    others = [node for node in first.graph.nodes if node.name == first.name and node is not first]
    edits = map(Rename, others, _free_names(first.name, taken))
    return Fix(tuple(edits), f"Numbers the nodes named '{first.name}'.")


def _free_names(name: str, taken: Collection[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        if f"{name}_{number}" not in taken:
            yield f"{name}_{number}"


def drop_identities(context: Context, hit: Hit) -> Fix | None:
    """Let consumers of an Identity read its input."""
    return _without("Identity", _nodes_of(hit))


def drop_views(context: Context, hit: Hit) -> Fix | None:
    """Let consumers of a view of the same shape read its input."""
    same = [node for node in _nodes_of(hit) if keeps_shape(node)]
    return _without("view", same)


def drop_dropout(context: Context, hit: Hit) -> Fix | None:
    """Let consumers of a Dropout read its input, if no caller can make it drop anything."""
    return _without("Dropout", [node for node in _nodes_of(hit) if _is_idle(node)])


def _is_idle(dropout: Node) -> bool:
    if opset_of(dropout.graph) < _FIRST_WITHOUT_MODE:
        return dropout.get_int("is_test", 0) == 1
    training = dropout.input(2)
    return training is None or (is_settled(training) and number(training) == 0)


def _nodes_of(hit: Hit) -> list[Node]:
    places = hit.places or (hit.place,)
    return [place for place in places if isinstance(place, Node)]


def _without(op: str, nodes: Sequence[Node]) -> Fix | None:
    """Bypass nodes that return their first input, if all of them can be."""
    edits: list[GraphEdit] = []
    for node in nodes:
        bypassed = bypass(node, node.input(0))
        if bypassed is None:
            return None
        edits += bypassed
    names = ", ".join(f"'{node.label}'" for node in nodes)
    return Fix(tuple(edits), f"Removes {op} {names}.") if edits else None


def drop_input(context: Context, hit: Hit) -> Fix | None:
    """Take an input that nothing reads out of the interface."""
    value = hit.place
    if not isinstance(value, Value):
        return None
    wanted = context.choices.get("unused-inputs") == "drop"
    edits = (RemoveInput(value),) if wanted else ()
    says = f"Removes input '{value.name}', which callers may no longer pass."
    return Fix(edits, says, option="unused-inputs=drop", changes_interface=True)


def drop_output(context: Context, hit: Hit) -> Fix | None:
    """Take an output that no node computes out of the interface."""
    value = hit.place
    if not isinstance(value, Value) or not any(map(_is_computed, context.model.outputs)):
        return None
    wanted = context.choices.get("idle-outputs") == "drop"
    edits: tuple[GraphEdit, ...] = (RemoveOutput(value),)
    if value.producer is None and is_droppable(value) and not value.consumers:
        edits += (RemoveTensor(value),)
    says = f"Removes output '{value.name}', which callers may no longer ask for."
    return Fix(edits if wanted else (), says, option="idle-outputs=drop", changes_interface=True)


def _is_computed(output: Value) -> bool:
    return not output.is_constant and not output.is_input


def drop_imports(context: Context, hit: Hit) -> Fix | None:
    """Drop the imports of operator sets that neither nodes nor functions belong to."""
    domains = hit.facts["domains"]
    defined = {domain for domain, _, _ in context.model.functions}
    if not isinstance(domains, list) or defined & set(domains):
        return None
    edits = tuple(SetOpset(domain, None) for domain in domains)
    return Fix(edits, f"Drops the import of {', '.join(map(repr, domains))}.")


def drop_function(context: Context, hit: Hit) -> Fix | None:
    """Drop a function that nothing calls."""
    if not isinstance(hit.place, Graph):
        return None
    return Fix((RemoveFunction(hit.place),), f"Removes function '{hit.place.called}'.")


def name_graph(context: Context, hit: Hit) -> Fix | None:
    """Name a graph after its file, unless that is a default, too."""
    name, graph = context.model.path.stem, hit.place
    if not isinstance(graph, Graph) or not name or name in context.options["names"]:
        return None
    return Fix((Rename(graph, name),), f"Names the graph '{name}', after the file.")


def shorten_names(context: Context, hit: Hit) -> Fix | None:
    """Shorten names inside of a graph to their beginning and a digest."""
    graph, limit = hit.place, context.options["longest"]
    if not isinstance(graph, Graph) or limit <= _DIGEST:
        return None
    named: list[Node | Value] = [*graph.nodes, *graph.values.values()]
    long = [each for each in named if len(each.name) > limit]
    if any(isinstance(each, Value) and _is_interface(each) for each in long):
        return None
    edits = tuple(Rename(each, _shortened(each.name, limit)) for each in long)
    return Fix(edits, f"Shortens {len(edits)} names to {limit} characters.")


def _is_interface(value: Value) -> bool:
    """Return True for an input or output of the model, which callers pass by name."""
    return value.graph.parent is None and (value.is_input or value.is_output)


def _shortened(name: str, limit: int) -> str:
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: limit - _DIGEST - 1]}_{digest}"


def forget_local_paths(context: Context, hit: Hit) -> Fix | None:
    """Drop the entries of nodes' metadata that contain paths of the exporting machine."""
    if not isinstance(hit.place, Node):
        return None
    edits = tuple(
        SetMetadata(node, key, None)
        for node in hit.place.graph.nodes
        for key, text in node.metadata.items()
        if LOCAL_PATH.search(text)
    )
    return Fix(edits, f"Drops {len(edits)} metadata entries with local paths.")


def stop_training(context: Context, hit: Hit) -> Fix | None:
    """Switch a node from training to inference."""
    node = hit.place
    if not isinstance(node, Node):
        return None
    edits = bypass(node, node.input(0)) if node.op_type == "Dropout" else _with_statistics(node)
    if edits is None:
        return None
    wanted = context.choices.get("training") == "stop"
    says = f"Switches {node.op_type} '{node.label}' to inference."
    return Fix(edits if wanted else (), says, option="training=stop", changes_outputs=True)


def _with_statistics(norm: Node) -> tuple[GraphEdit, ...] | None:
    """Let a BatchNormalization normalize with its stored statistics, and return only that."""
    output, *others = norm.outputs
    if output is None or len(norm.inputs) != _INPUTS_OF_NORM or any(map(is_read, others)):
        return None
    mode = {"training_mode": 0} if "training_mode" in norm.attributes else {}
    replaced = NewNode(
        "BatchNormalization", norm.inputs, (output,), mode, name=norm.name, like=norm
    )
    return (RemoveNodes((norm,)), InsertNodes(norm.graph, (replaced,), before=norm))
