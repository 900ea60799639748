"""Fixes of operator sets, file versions and operators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.checks.api import Context, Hit
from modellint.checks.compat import STANDARD_DOMAINS, versions_of
from modellint.fixes.building import main_opset
from modellint.fixes.conditions import opset_of
from modellint.formats.onnx.facts import normal_domain, onnx_facts
from modellint.model import DTYPES, Graph, Model, Node
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    Rewrite,
    SetAttribute,
    SetInput,
    SetOperator,
    SetOpset,
)
from modellint.native.inference import convert_version_apart
from modellint.operators import Trait, having
from modellint.runtimes.kernels import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_RESIZE_WITH_MODES, _FIRST_RESIZE_WITHOUT_REGIONS = 11, 13


def import_opset(context: Context, hit: Hit) -> Fix | None:
    """Import the domain of nodes, if all of them are the same in every version of it."""
    place = hit.place
    if not isinstance(place, Node):
        return None
    domain, outermost = place.domain, place.graph.outermost
    version = _only_version(context.model, domain, outermost)
    if version is None:
        return None
    body = outermost if outermost.called else None
    return Fix((SetOpset(domain, version, body),), f"Imports version {version} of '{domain}'.")


def _only_version(model: Model, domain: str, outermost: Graph) -> int | None:
    """Return a version of a domain if all versions define its operators alike; else None."""
    nodes = [
        node
        for graph in outermost.walk()
        for node in graph.nodes
        if normal_domain(node.domain) == normal_domain(domain)
    ]
    if all(model.function_of(node) is not None for node in nodes):
        return 1  # what a call means is in the file
    if domain not in STANDARD_DOMAINS:
        table = kernels("onnxruntime")
        return 1 if table is not None and table.domains.get(domain) == 1 else None
    versions = {node.op_type: versions_of(node.op_type, domain) for node in nodes}
    if not domain or any(len(known) != 1 for known in versions.values()):
        return None
    return max(known[0] for known in versions.values())


def convert_opset(context: Context, hit: Hit) -> Fix | None:
    """Convert the model to the chosen or nearest operator set that the runtime supports."""
    is_old = hit.variant in _TOO_OLD
    version = hit.facts.get("lowest" if is_old else "highest")
    if hit.variant in ("domain", "unknown") or not isinstance(version, int):
        return None
    highest, chosen = hit.facts.get("highest"), _chosen(context)
    if chosen and isinstance(highest, int) and (version if is_old else 1) <= chosen <= highest:
        version = chosen
    return convert_to(context.model, version)


def _chosen(context: Context) -> int | None:
    """Return the operator set that the user chose: ``--choose opset=17``."""
    stated = context.choices.get("opset", "")
    return int(stated) if stated.isdecimal() else None


_SET_ASIDE = "modellint.later"
"""Domain of operators while onnx converts the others, which it would not do with unknown ones."""
_TOO_OLD = ("old", "unguaranteed")
_QUANTIZERS = frozenset(having(Trait.QUANTIZE, Trait.DEQUANTIZE))


def raise_opset(context: Context, hit: Hit) -> Fix | None:
    """Convert the model to the first operator set that has all of its operators."""
    model, opset = context.model, onnx_facts(context.model).opset
    standard = {node.op_type for node in model.nodes() if not normal_domain(node.domain)}
    versions = {op: versions_of(op, "") for op in standard}
    later = {op: known[0] for op, known in versions.items() if known and known[0] > (opset or 0)}
    place = hit.place
    if not isinstance(place, Node) or place.domain or place.op_type not in later:
        return None
    return convert_to(model, max(*later.values(), _chosen(context) or 0), frozenset(later))


def raise_for_quantization(context: Context, hit: Hit) -> Fix | None:
    """Convert the model to the first operator set whose Q and DQ can do what they are used for."""
    since = hit.facts.get("since")
    if not isinstance(since, int):
        return None
    return convert_to(context.model, max(since, _chosen(context) or 0), _QUANTIZERS)


def once_raised(context: Context, graph: Graph, since: int, fix: Fix | None) -> Fix | None:
    """Return a fix that writes operators of an operator set, or what raises the model's to it.

    The raise needs a choice; the fix itself follows in the next round.
    """
    opset, chosen = main_opset(context, graph), _chosen(context) or 0
    if fix is None or opset >= since:
        return fix
    raised = convert_to(context.model, max(chosen, since)) if opset else None
    if raised is None:
        return None
    edits = raised.edits if chosen >= since else ()
    option = f"opset={since}"
    return Fix(edits, raised.says, "choice", option, fix.tolerance, keeps_finding=True)


def convert_to(model: Model, version: int, later: Collection[str] = ()) -> Fix | None:
    """Convert a model to a version of the default operator set.

    Operators that the present one does not have are meant as in that version.
    """
    facts = onnx_facts(model)
    if facts.opset is None or model.functions or facts.training or model.problems:
        return None
    imported = set(map(normal_domain, facts.opsets))
    if not all(normal_domain(node.domain) in imported for node in model.nodes()):
        return None
    says = f"Converts the model from opset {facts.opset} to {version}."
    known = [node for node in model.nodes() if node.op_type not in later]
    if not any(_changes(node, facts.opset, version) for node in known):
        return Fix((SetOpset("", version),), says)
    if any(graph.sparse for graph in model.graphs()):
        return None
    return Fix((Rewrite(partial(_converted, version=version, later=later)),), says)


def _changes(node: Node, old: int, new: int) -> bool:
    """Return True if one of two versions defines an operator differently, or not at all."""
    if normal_domain(node.domain):
        return False
    known = versions_of(node.op_type, "")
    least, most = sorted((old, new))
    return not known or known[0] > least or any(least < version <= most for version in known)


def _converted(message: Any, version: int, later: Collection[str]) -> Any:
    """Convert a message, and keep what onnx's converter does not know of it."""
    for node in _nodes(message.graph):
        if node.op_type in later and not node.domain:
            node.domain = _SET_ASIDE
    message.opset_import.add(domain=_SET_ASIDE, version=1)
    serialized = convert_version_apart(message.SerializeToString(), version=version)
    converted = type(message).FromString(serialized)
    for node in _nodes(converted.graph):
        if node.domain == _SET_ASIDE:
            node.domain = ""
    del message.opset_import[-1]
    kept = {node.output[0]: node for node in message.graph.node if node.output}
    for node in converted.graph.node:
        before = kept.get(node.output[0]) if node.output else None
        if before is not None and before.op_type == node.op_type:
            node.metadata_props.MergeFrom(before.metadata_props)
    message.graph.CopyFrom(converted.graph)
    for opset in message.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = version
    return message


def _nodes(graph: Any) -> Iterator[Any]:
    """Iterate over the nodes of a graph's message, and of the graphs inside."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def use_successor(context: Context, hit: Hit) -> Fix | None:
    """Write removed operators as those that have taken their place."""
    first = hit.place
    if not isinstance(first, Node):
        return None
    nodes = first.graph.by_op[first.qualified_op]
    if first.op_type == "Scatter":
        edits = [SetOperator(node, "ScatterElements") for node in nodes]
        return Fix(tuple(edits), "Writes Scatter as ScatterElements.")
    if first.op_type == "Upsample" and all(node.input(1) is not None for node in nodes):
        resized = [edit for node in nodes for edit in _resize(node, opset_of(first.graph))]
        return Fix(tuple(resized), "Writes Upsample as Resize.") if resized else None
    return None


def _resize(upsample: Node, opset: int) -> Iterable[GraphEdit]:
    """Iterate over edits that make a Resize of the same meaning; none if there cannot be one."""
    scales = upsample.input(1)
    if opset < _FIRST_RESIZE_WITH_MODES:
        yield SetOperator(upsample, "Resize")
        return
    regions = None if opset >= _FIRST_RESIZE_WITHOUT_REGIONS else "regions"
    if regions is not None:
        yield AddTensor(regions, upsample.graph, DTYPES["float32"], (0,), _nothing)
    yield SetOperator(upsample, "Resize")
    yield SetInput(upsample, 1, regions)
    yield SetInput(upsample, 2, scales)
    yield SetAttribute(upsample, "coordinate_transformation_mode", "asymmetric")
    yield SetAttribute(upsample, "nearest_mode", "floor")


def _nothing() -> NDArray[Any]:
    import numpy as np

    return np.zeros(0, np.float32)


def lower_ir_version(context: Context, hit: Hit) -> Fix | None:
    """State the newest IR version that the runtime takes, if the file needs nothing newer."""
    highest = hit.facts["highest"]
    if not isinstance(highest, int) or _needed_ir(context.model) > highest:
        return None
    edits = (Rewrite(partial(_with_ir_version, version=highest)),)
    return Fix(edits, f"States IR version {highest}, the newest that the runtime supports.")


_IR_OF_TYPES = {
    "float8e4m3fn": 9,
    "float8e4m3fnuz": 9,
    "float8e5m2": 9,
    "float8e5m2fnuz": 9,
    "int4": 10,
    "uint4": 10,
    "float4e2m1": 11,
    "float8e8m0": 12,
    "int2": 13,
    "uint2": 13,
}
"""First IR version with an element type, from the history in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""
_IR_OF_LONE_INITIALIZERS, _IR_OF_SPARSE, _IR_OF_OPTIONAL = 4, 6, 8
_IR_OF_FUNCTIONS, _IR_OF_DEFAULTS, _IR_OF_OVERLOADS = 8, 9, 10


def _needed_ir(model: Model) -> int:
    """Return the lowest IR version that has all that a model consists of."""
    needs = [3, *(_IR_OF_TYPES.get(tensor.dtype.name, 3) for tensor in model.tensors)]
    for graph in model.graphs(functions=True):
        for value in graph.values.values():
            needs.append(_IR_OF_TYPES.get(value.dtype.name, 3) if value.dtype is not None else 3)
            if value.type_name == "optional":
                needs.append(_IR_OF_OPTIONAL)
            if value.is_initializer and not value.is_input:
                needs.append(_IR_OF_LONE_INITIALIZERS)
        if graph.sparse:
            needs.append(_IR_OF_SPARSE)
    for (_, _, overload), body in model.functions.items():
        defaults = onnx_facts(model).functions[body].defaults
        needs += [_IR_OF_FUNCTIONS, _IR_OF_DEFAULTS if defaults else 0]
        needs.append(_IR_OF_OVERLOADS if overload else 0)
    return max(needs)


def _with_ir_version(message: Any, version: int) -> Any:
    message.ir_version = version
    return message
