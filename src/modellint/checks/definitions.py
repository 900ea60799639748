"""Definitions of operators, and what in a node contradicts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from modellint.base.records import dataclass
from modellint.checks.compat import find_schema, graphs_with_imports, is_skipped
from modellint.formats.onnx.facts import normal_domain
from modellint.model import Attribute, AttributeRef, Graph, Model, Node, Tensor, Value
from modellint.model.dtypes import UNDEFINED
from modellint.native import library
from modellint.runtimes.kernels import KernelTable, kernels
from modellint.targets.deployment import Deployment

_SPELT = {"float": "float32", "double": "float64"}
_COMPARED = frozenset(("INT", "INTS", "FLOAT", "FLOATS", "STRING", "STRINGS", "TENSOR", "TENSORS"))
"""Kinds of attributes that are compared. A long string is kept as a tensor."""
_KINDS = {int: "INT", float: "FLOAT", str: "STRING", bytes: "STRING", Tensor: "TENSOR"}


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
    attributes: Mapping[str, str]
    """The kind of each attribute."""
    required: Sequence[str]
    """Attributes that have to be given."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A contradiction between a node and its operator: its kind, and facts about it."""

    kind: str
    facts: Mapping[str, object]
    is_gap: bool = False
    """True if something is missing, rather than other or more than allowed."""


@cache
def _standard(op: str, domain: str, version: int) -> Definition | None:
    schema = find_schema(op, domain, version)
    if schema is None:
        return None
    return Definition(
        ((schema.min_input, schema.max_input), (schema.min_output, schema.max_output)),
        tuple(_formal(each) for each in schema.inputs),
        tuple(_formal(each) for each in schema.outputs),
        {name: each.type.name for name, each in schema.attributes.items()},
        tuple(name for name, each in schema.attributes.items() if each.required),
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
        {name: kind for name, (kind, _) in stated["attributes"].items()},
        tuple(name for name, (_, required) in stated["attributes"].items() if required),
    )


def contradictions(model: Model, deployment: Deployment) -> list[tuple[Node, Sequence[Mistake]]]:
    """Return nodes that their operators' definitions do not allow, each with its mistakes."""
    table = kernels(deployment.runtime or "", deployment.runtime_version)
    found: list[tuple[Node, Sequence[Mistake]]] = []
    for graph, imported in graphs_with_imports(model):
        typed = not _is_body(graph)
        for nodes in graph.by_op.values():
            definition = _definition_of(nodes[0], imported, table)
            if definition is None:
                continue
            for node in nodes:
                made = list(mistakes(node, definition, typed=typed))
                if made and not is_skipped(node, deployment.runtime):
                    found.append((node, made))
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
    return bool(graph.outermost.called)


def mistakes(node: Node, definition: Definition, *, typed: bool) -> Iterator[Mistake]:
    """Iterate over what in a node contradicts its operator's definition."""
    yield from _attributes(node, definition)
    yield from _counts(node, definition)
    if typed:
        yield from _types(node, definition)


def _attributes(node: Node, definition: Definition) -> Iterator[Mistake]:
    known, given = definition.attributes, node.attributes
    for name in node.subgraphs:
        if name not in known:
            yield Mistake("attribute", {"attribute": name})
    for name, value in given.items():
        if name not in known:
            yield Mistake("attribute", {"attribute": name})
            continue
        expected, found = known[name], _KINDS.get(type(value)) or _kind(value)
        is_opaque = found == "TENSOR" and expected == "STRING"
        if found != expected and found and expected in _COMPARED and not is_opaque:
            facts = {"attribute": name, "found": found, "expected": expected}
            yield Mistake("attribute-type", facts)
    for name in definition.required:
        if name not in given and name not in node.subgraphs:
            yield Mistake("attribute-missing", {"attribute": name}, is_gap=True)


def _kind(value: Attribute) -> str:
    """Return the kind of an attribute of several elements; empty if it is not known."""
    if isinstance(value, AttributeRef) or not isinstance(value, tuple) or not value:
        return ""
    kind = _KINDS.get(type(value[0]))
    return f"{kind}S" if kind else ""


def _counts(node: Node, definition: Definition) -> Iterator[Mistake]:
    (least, most), (fewest, largest) = definition.arity
    usual = least <= len(node.inputs) <= most and fewest <= len(node.outputs) <= largest
    if usual and None not in node.inputs:
        return
    sides = (("inputs", len(node.inputs)), ("outputs", len(node.outputs)))
    for (least, most), (side, found) in zip(definition.arity, sides, strict=True):
        if not least <= found <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            facts = {"side": side, "found": found, "wanted": wanted}
            yield Mistake("count", facts, is_gap=found < least)
    if None in node.inputs:
        for at, (value, formal) in enumerate(zip(node.inputs, definition.inputs, strict=False)):
            if value is None and formal.is_single:
                yield Mistake("omitted", {"place": at + 1}, is_gap=True)


def _types(node: Node, definition: Definition) -> Iterator[Mistake]:
    bound: dict[str, str] = {}
    for at, value in enumerate(node.inputs[: definition.arity[0][1]]):
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
    dtype = value.dtype if value is not None and value.type_name == "tensor" else None
    return None if dtype is None or dtype is UNDEFINED else dtype.name
