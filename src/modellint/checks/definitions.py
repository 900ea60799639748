"""Definitions of operators, and what in a node contradicts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any

from modellint.base.records import dataclass
from modellint.checks.compat import find_schema, graphs_with_imports, normal_domain
from modellint.model import Attribute, AttributeRef, Graph, Model, Node, Tensor, Value
from modellint.native import library
from modellint.runtimes.kernels import KernelTable, kernels
from modellint.targets.deployment import Deployment

_SPELT = {"float": "float32", "double": "float64"}
_COMPARED = frozenset(("INT", "INTS", "FLOAT", "FLOATS", "STRING", "STRINGS", "TENSOR", "TENSORS"))
"""Kinds of attributes that are compared. A long string is kept as a tensor."""
_KINDS = {int: "INT", float: "FLOAT", str: "STRING", bytes: "STRING", bool: "INT"}


@dataclass(frozen=True, slots=True)
class Formal:
    """An input or output of an operator."""

    variable: str
    """Name that inputs and outputs of the same type share, or the type itself."""
    types: frozenset[str]
    """Element types that are allowed; empty if others than tensors are allowed as well."""
    is_single: bool = False
    """True if it may not be omitted."""
    binds: bool = True
    """False if each of several values may have a type of its own."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Inputs, outputs and attributes that a node of an operator may have."""

    arity: tuple[tuple[int, int], tuple[int, int]]
    """Least and most inputs, and outputs."""
    inputs: Sequence[Formal]
    outputs: Sequence[Formal]
    attributes: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    """The kind of each attribute, and whether it is required."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A contradiction between a node and its operator: its kind, and facts about it."""

    kind: str
    facts: Mapping[str, object]


@cache
def _standard(op: str, domain: str, version: int) -> Definition | None:
    schema = find_schema(op, domain, version)
    if schema is None:
        return None
    return Definition(
        ((schema.min_input, schema.max_input), (schema.min_output, schema.max_output)),
        tuple(_formal(each) for each in schema.inputs),
        tuple(_formal(each) for each in schema.outputs),
        {
            name: (each.type.name if hasattr(each.type, "name") else str(each.type), each.required)
            for name, each in schema.attributes.items()
        },
    )


def _formal(formal: Any) -> Formal:
    option = formal.option.name
    return Formal(
        formal.type_str,
        _elements(formal.types),
        is_single=option == "Single",
        binds=formal.is_homogeneous,
    )


def _elements(types: Iterable[str]) -> frozenset[str]:
    names = [text.partition("(") for text in types]
    if any(kind != "tensor" for kind, _, _ in names):
        return frozenset()
    return frozenset(_SPELT.get(rest[:-1], rest[:-1]) for _, _, rest in names)


@cache
def _stated(table: KernelTable, domain: str, op: str) -> Definition | None:
    stated = table.stated_signature(domain, op)
    if stated is None:
        return None

    def formals(rows: Sequence[Any]) -> tuple[Formal, ...]:
        return tuple(
            Formal(
                variable,
                frozenset(stated["types"].get(variable, ())),
                is_single=option == "Single",
                binds=option != "Variadic",
            )
            for variable, option in rows[2:]
        )

    (least, most), (fewest, largest) = stated["inputs"][:2], stated["outputs"][:2]
    return Definition(
        ((least, most), (fewest, largest)),
        formals(stated["inputs"]),
        formals(stated["outputs"]),
        {name: (kind, required) for name, (kind, required) in stated["attributes"].items()},
    )


def contradictions(model: Model, deployment: Deployment) -> list[tuple[Node, Mistake]]:
    """Return nodes that their operators' definitions do not allow, each with its first mistake."""
    table = kernels(deployment.runtime or "", deployment.runtime_version)
    found = []
    for graph, imported in graphs_with_imports(model):
        typed = not _is_body(graph)
        for nodes in graph.by_op.values():
            definition = _definition_of(nodes[0], imported, table)
            if definition is None:
                continue
            for node in nodes:
                mistake = next(mistakes(node, definition, typed=typed), None)
                if mistake is not None:
                    found.append((node, mistake))
    return found


def _definition_of(
    node: Node, imported: Mapping[str, int], table: KernelTable | None
) -> Definition | None:
    """Return the definition by the standard, or else by the runtime; None if there is none."""
    domain = normal_domain(node.domain)
    implied = table.domains.get(domain) if table is not None else None
    version = imported.get(domain, implied)
    if version is None or node.graph.model.function_of(node) is not None:
        return None
    if version > _newest_version(domain, version):
        return None
    found = _standard(node.op_type, domain, version)
    return _stated(table, domain, node.op_type) if found is None and table is not None else found


@cache
def _newest_version(domain: str, default: int) -> int:
    """Return the newest version that the definitions at hand contain."""
    _, newest = library().defs.schema_version_map().get(domain, (1, default))
    return int(newest)


def _is_body(graph: Graph) -> bool:
    """Return True for graphs of functions, whose types depend on the call."""
    while graph.parent is not None:
        graph = graph.parent.graph
    return bool(graph.called)


def mistakes(node: Node, definition: Definition, *, typed: bool) -> Iterator[Mistake]:
    """Iterate over what in a node contradicts its operator's definition."""
    yield from _attributes(node, definition)
    yield from _counts(node, definition)
    if typed:
        yield from _types(node, definition)


def _attributes(node: Node, definition: Definition) -> Iterator[Mistake]:
    for name in node.subgraphs:
        if name not in definition.attributes:
            yield Mistake("attribute", {"attribute": name})
    for name, value in node.attributes.items():
        if name not in definition.attributes:
            yield Mistake("attribute", {"attribute": name})
            continue
        expected, found = definition.attributes[name][0], _kind(value)
        is_opaque = found == "TENSOR" and expected == "STRING"
        if found and found != expected and expected in _COMPARED and not is_opaque:
            facts = {"attribute": name, "found": found, "expected": expected}
            yield Mistake("attribute-type", facts)
    for name, (_, required) in definition.attributes.items():
        if required and name not in node.attributes and name not in node.subgraphs:
            yield Mistake("attribute-missing", {"attribute": name})


def _kind(value: Attribute) -> str:
    """Return the kind of an attribute in ONNX's words; empty if it is not known."""
    if isinstance(value, AttributeRef) or value == ():
        return ""
    if isinstance(value, Tensor):
        return "TENSOR"
    if isinstance(value, tuple):
        if isinstance(value[0], Tensor):
            return "TENSORS"
        kind = _KINDS.get(type(value[0]), "")
        return f"{kind}S" if kind else ""
    return _KINDS.get(type(value), "")


def _counts(node: Node, definition: Definition) -> Iterator[Mistake]:
    sides = (
        ("inputs", node.inputs, definition.inputs),
        ("outputs", node.outputs, definition.outputs),
    )
    for (least, most), (side, values, formals) in zip(definition.arity, sides, strict=True):
        if not least <= len(values) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            facts = {"side": side, "found": len(values), "wanted": wanted}
            yield Mistake("count", facts)
        for at, (value, formal) in enumerate(zip(values, formals, strict=False)):
            if value is None and formal.is_single and side == "inputs":
                yield Mistake("omitted", {"side": side, "place": at + 1})


def _types(node: Node, definition: Definition) -> Iterator[Mistake]:
    bound: dict[str, str] = {}
    for at, value in enumerate(node.inputs):
        formal = _at(definition.inputs, at)
        name = _element(value)
        if formal is None or name is None:
            continue
        if formal.types and name not in formal.types:
            yield Mistake("type", {"type": name, "place": at + 1})
        elif formal.binds and bound.setdefault(formal.variable, name) != name:
            facts = {"type": name, "place": at + 1, "other": bound[formal.variable]}
            yield Mistake("types-differ", facts)
    for at, value in enumerate(node.outputs):
        formal = _at(definition.outputs, at)
        declared = value.declared_dtype.name if value is not None and value.declared_dtype else None
        if formal is None or declared is None or value is None or value.type_name != "tensor":
            continue
        expected = bound.get(formal.variable) if formal.binds else None
        only = next(iter(formal.types)) if len(formal.types) == 1 else None
        wanted = expected or only
        if wanted is not None and declared != wanted:
            facts = {"type": declared, "place": at + 1, "other": wanted}
            yield Mistake("output-type", facts)


def _at(formals: Sequence[Formal], at: int) -> Formal | None:
    """Return the formal of a place: the last one may stand for any number of values."""
    return formals[min(at, len(formals) - 1)] if formals else None


def _element(value: Value | None) -> str | None:
    if value is None or value.type_name != "tensor" or value.dtype is None:
        return None
    return None if value.dtype.kind == "undefined" else value.dtype.name
