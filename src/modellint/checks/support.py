"""Operators and types that a runtime does not support, by the tables in its package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from modellint.base.expressions import late
from modellint.checks.api import Context, Hit
from modellint.checks.compat import RUNTIME_DOMAINS, STANDARD_DOMAINS
from modellint.checks.producers import refused_for_defects
from modellint.checks.repeats import folded
from modellint.formats.onnx.facts import onnx_facts
from modellint.forms.forms import opset_of, refused_form
from modellint.model import Node, Value
from modellint.model.features import FOREIGN_DOMAIN
from modellint.operators import Trait, having, names
from modellint.results.finding import Severity
from modellint.runtimes import find_runtime
from modellint.runtimes.kernels import KernelTable
from modellint.runtimes.support import Support, restrictions, support
from modellint.runtimes.versions import is_known, is_of

MEASURED_ELSEWHERE = having(Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.CAST)
"""Ops whose types depend on inputs and outputs; other rules cover them in detail."""
FOREIGN = {
    "com.microsoft": "",
    "com.microsoft.nchwc": "",
    "com.ms.internal.nhwc": "",
    "ai.onnx.contrib": "",
    "ai.onnx.ml": "classical",
    "ai.onnx.preview": "preview",
    "ai.onnx.preview.training": "preview",
}
"""Domains of operators that run elsewhere, and the message for each."""
ELSEWHERE = frozenset({*RUNTIME_DOMAINS, *STANDARD_DOMAINS[2:]})
"""Domains of operators that some runtime knows."""
NO_TENSORS = late("Sequence|Optional")
"""Operators on non-tensors, which another rule reports once."""
REPORTED = frozenset(names(Trait.INTEGER_PRODUCT, Trait.BLOCK_WEIGHTS, Trait.INTEGER_KERNEL))
"""Operators that other rules report in detail."""
PLAIN_TYPES = frozenset(
    """
    float64 float32 float16 bfloat16 int64 int32 int16 uint64 uint32 uint16 bool string
    """.split()
)
"""Types checked everywhere. Those of 8 bits or fewer often vanish between Q/DQ pairs."""


def operator_unsupported(context: Context) -> Iterator[Hit]:
    """An operator that the runtime does not support in any form."""
    table = _table(context)
    if table is not None:
        asked = {
            op: nodes
            for op, nodes in _by_operator(context).items()
            if op not in REPORTED and not NO_TENSORS.search(op)
        }
        yield from folded(_unsupported(context, table, asked))


def operator_not_converted(context: Context) -> Iterator[Hit]:
    """An operator of any domain that a runtime which runs models whole does not convert.

    Sequences are converted in patterns, not node by node.
    """
    table = _table(context)
    if table is None:
        return
    if _goes_by_type_alone(context):
        yield from folded(_unsupported(context, table, _by_type(context, table)))
        yield from folded(_calls(context, table))
        return
    asked = {**_by_operator(context), **_of_other_domains(context)}
    every = {op: nodes for op, nodes in asked.items() if "Sequence" not in op}
    yield from folded(_unsupported(context, table, every))
    yield from folded(_unlisted(context, table, every))
    yield from folded(_calls(context, table))
    yield from folded(_spelled(context, table))


def _goes_by_type_alone(context: Context) -> bool:
    runtime = find_runtime(context.deployment.runtime or "")
    return runtime is not None and runtime.loading.by_type_alone


def _spelled(context: Context, table: Support) -> Iterator[Hit]:
    """Iterate over nodes that name the domain of ONNX itself, which goes without a name."""
    for node in onnx_facts(context.model).spelled:
        yield by_table(context, table, node, variant="spelled")


def _calls(context: Context, table: Support) -> Iterator[Hit]:
    """Iterate over calls of functions that the model defines, unless they go by a known name."""
    for graph in context.graphs():
        for op, nodes in graph.by_op.items():
            first = nodes[0]
            name = first.op_type if _goes_by_type_alone(context) else op
            if _is_call(context, first) and not table.takes(name):
                yield from (by_table(context, table, node, variant="function") for node in nodes)


def _is_call(context: Context, node: Node) -> bool:
    is_function = context.model.function_of(node) is not None
    return is_function and node.domain not in STANDARD_DOMAINS[:2]


def _unlisted(context: Context, table: Support, asked: Mapping[str, list[Node]]) -> Iterator[Hit]:
    """Iterate over operators that other runtimes know, but that the table does not name."""
    for op, nodes in asked.items():
        if nodes[0].domain in ELSEWHERE and op not in table.operators:
            for node in nodes:
                yield by_table(context, table, node)


def _unsupported(
    context: Context, table: Support, asked: Mapping[str, list[Node]]
) -> Iterator[Hit]:
    for op, nodes in asked.items():
        never = table.takes(op) is False
        entry = table.operators.get(op, {})
        limit, oldest = entry.get("refused-from", math.inf), entry.get("taken-from", 0)
        for node in nodes if never or limit < math.inf or oldest else ():
            if never:
                yield by_table(context, table, node)
            elif (opset := opset_of(node) or 0) >= limit:
                facts = {"opset": opset, "older": limit - 1}
                yield by_table(context, table, node, facts, variant="newer")
            elif 0 < opset < oldest and node.domain in STANDARD_DOMAINS[:2]:
                facts = {"opset": opset, "oldest": oldest}
                yield by_table(context, table, node, facts, variant="older")


def _table(context: Context) -> Support | None:
    """Return the runtime's table, unless it is of the CPU and the model runs elsewhere."""
    deployment = context.deployment
    table = support(deployment.runtime or "", deployment.runtime_version)
    return None if table is not None and table.cpu_only and deployment.is_on_cuda else table


def foreign_operator(context: Context) -> Iterator[Hit]:
    """An operator of another domain, in a model for TensorRT, which looks them up by name."""
    if context.lacks([FOREIGN_DOMAIN]):
        return
    table = _table(context)
    if table is not None:
        yield from folded(_foreign(context, table))


def _foreign(context: Context, table: Support) -> Iterator[Hit]:
    for graph in context.graphs():
        for nodes in graph.by_op.values():
            first = nodes[0]
            kind = FOREIGN.get(first.domain)
            if kind is None or first.qualified_op in REPORTED or table.takes(first.op_type):
                continue
            if context.model.function_of(first) is None:
                yield from (by_table(context, table, node, variant=kind) for node in nodes)


def form_unsupported(context: Context) -> Iterator[Hit]:
    """A form of a supported operator that the runtime refuses."""
    found = list(_refused_forms(context))
    told = refused_for_defects(context) if found else ()
    yield from folded(hit for hit in found if hit.place not in told)


def _refused_forms(context: Context) -> Iterator[Hit]:
    deployment = context.deployment
    known = _restrictions(deployment.runtime or "", deployment.builder, deployment.runtime_version)
    for op in context.present(known):
        for node in context.nodes(op):
            forms = dict.fromkeys([refused_form(context, node, each) for each in known[op]])
            words = " and ".join(filter(None, forms))
            if words and context.model.function_of(node) is None:
                yield Hit(node, {"form": words}, confidence="measured")


@cache
def _restrictions(
    runtime: str, builder: str, version: str | None
) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return the forms that the runtime rejects, and the runtime whose parser it shares."""
    own = restrictions(runtime, version)
    if runtime == builder:
        return own
    found = {op: list(forms) for op, forms in restrictions(builder).items()}
    for op, forms in own.items():
        found.setdefault(op, []).extend(forms)
    return found


def type_unsupported(context: Context) -> Iterator[Hit]:
    """A type that the runtime does not support for this operator."""
    table = _table(context)
    if table is not None:
        yield from folded(_refused_types(context, table))


def _refused_types(context: Context, table: Support) -> Iterator[Hit]:
    deployment = context.deployment
    forms = _restrictions(deployment.runtime or "", deployment.builder, deployment.runtime_version)
    for op, nodes in _by_operator(context).items():
        entry = table.operators.get(op, {})
        if op in MEASURED_ELSEWHERE or table.takes(op) is False:
            continue
        if any("types" in form for form in forms.get(op, ())):
            continue
        refused = table.data_types or PLAIN_TYPES
        refused = refused.intersection(entry.get("not", ()))
        for node in nodes if refused else ():
            value = node.input(entry.get("at", 0))
            type_name = _type(value)
            if type_name in refused and not _is_foldable(node) and _is_plain(value):
                takes = ", ".join(entry.get("types") or sorted(table.data_types))
                yield by_table(context, table, node, {"type": type_name, "takes": takes})


def _by_operator(context: Context) -> dict[str, list[Node]]:
    """Return nodes of the default domain, without calls of the model's own functions."""
    found: dict[str, list[Node]] = {}
    model = context.model
    for graph in context.graphs():
        for nodes in graph.by_op.values():
            first = nodes[0]
            if first.domain in STANDARD_DOMAINS[:2]:
                if model.functions:
                    nodes = [node for node in nodes if model.function_of(node) is None]
                found.setdefault(first.op_type, []).extend(nodes)
    return {op: nodes for op, nodes in found.items() if nodes}


def _of_other_domains(context: Context) -> dict[str, list[Node]]:
    """Return nodes of other domains, by the names that tables give them."""
    found: dict[str, list[Node]] = {}
    model = context.model
    for graph in context.graphs():
        for op, nodes in graph.by_op.items():
            first = nodes[0]
            if first.domain not in STANDARD_DOMAINS[:2] and model.function_of(first) is None:
                found.setdefault(op, []).extend(nodes)
    return found


def _by_type(context: Context, table: Support) -> dict[str, list[Node]]:
    """Return nodes outside of functions that call none, by the names that tables give them.

    These are without a domain where the table has such an operator.
    """
    found: dict[str, list[Node]] = {}
    for graph in context.model.graphs():
        for op, nodes in graph.by_op.items():
            name = nodes[0].op_type
            if not _is_call(context, nodes[0]):
                found.setdefault(name if name in table.operators else op, []).extend(nodes)
    return found


def _type(value: Value | None) -> str | None:
    return value.dtype.name if value is not None and value.dtype is not None else None


def _is_plain(value: Value | None) -> bool:
    """Return False for types of 8 bits or fewer that quantization may have made."""
    if _type(value) in PLAIN_TYPES or value is None:
        return True
    return value.is_input or (value.producer is not None and value.producer.op_type == "Cast")


def _is_foldable(node: Node) -> bool:
    """Return True for arithmetic on constants, which is folded before kernels are selected."""
    return all(value is None or value.is_constant for value in node.inputs)


def by_table(
    context: Context,
    table: Support | KernelTable,
    node: Node,
    facts: Mapping[str, object] = MappingProxyType({}),
    variant: str = "",
) -> Hit:
    """Return a hit by the table, milder if the deployed version is newer than what is known."""
    version = context.deployment.runtime_version or table.version
    is_new = not is_known(context.deployment.runtime or "", version)
    age = "" if is_of(table.version, version) else f" (by the table of {table.version})"
    return Hit(
        node,
        {"version": version, "age": age, "table": table.version, **facts},
        variant=variant,
        severity=Severity.WARNING if is_new else None,
        confidence="measured" if table.measured and not age else "theoretical",
    )
