"""Operators and types that a runtime does not support, by the tables in its package."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from modellint.analysis.quantization.ops import BLOCK_WEIGHT_OPS, INTEGER_OPS
from modellint.checks.api import Context, Hit
from modellint.checks.compat import STANDARD_DOMAINS
from modellint.finding import Severity
from modellint.formats.onnx.facts import DEFAULT_DOMAIN, onnx_facts
from modellint.model import AttributeRef, Node
from modellint.operators import Trait, having
from modellint.runtimes.support import Support, restrictions, support
from modellint.runtimes.versions import is_known, is_of
from modellint.targets.deployment import Deployment

MEASURED_ELSEWHERE = having(Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.CAST)
"""Ops whose types depend on inputs and outputs; other rules cover them in detail."""
NO_TENSORS = re.compile("Sequence|Optional")
"""Operators on non-tensors."""
PLAIN_TYPES = frozenset(
    """
    float64 float32 float16 bfloat16 int64 int32 int16 uint64 uint32 uint16 bool string
    """.split()
)
"""Checked types. Types of 8 bits or fewer often disappear between quantize and dequantize."""


def operator_unsupported(context: Context) -> Iterator[Hit]:
    """An operator that the runtime does not support in any form."""
    table = _table(context)
    if table is None:
        return
    for op, nodes in _by_operator(context).items():
        if NO_TENSORS.search(op):
            continue  # another rule reports sequences, once
        never = table.takes(op) is False
        limit = table.operators.get(op, {}).get("refused-from", math.inf)
        for node in nodes if never or limit < math.inf else ():
            opset = _opset(node) or 0
            if never:
                yield _hit(context, table, node)
            elif opset >= limit:
                facts = {"opset": opset, "older": limit - 1}
                yield _hit(context, table, node, facts, variant="newer")


def _table(context: Context) -> Support | None:
    """Return the runtime's table, unless it is of the CPU and the model runs elsewhere."""
    deployment, target = context.deployment, context.deployment.target
    table = support(deployment.runtime or "", deployment.runtime_version)
    on_gpu = target is not None and target.compute_capability is not None
    return None if table is not None and table.cpu_only and on_gpu else table


def _opset(node: Node) -> int | None:
    opsets = onnx_facts(node.graph.model).opsets_of(node.graph)
    return opsets.get(node.domain, opsets.get(DEFAULT_DOMAIN))


def foreign_operator(context: Context) -> Iterator[Hit]:
    """An ONNX Runtime operator in a model for TensorRT."""
    table = support("tensorrt-rtx")  # measured there; TensorRT's own matrix lists none of them
    if table is None:
        return
    known = {*INTEGER_OPS, *BLOCK_WEIGHT_OPS}  # other rules cover these in detail
    for graph in context.graphs():
        for op, nodes in graph.by_op.items():
            if op in table.foreign - known and context.model.function_of(nodes[0]) is None:
                yield from (
                    Hit(node, {"nodes": len(nodes)}, confidence="measured") for node in nodes
                )


def form_unsupported(context: Context) -> Iterator[Hit]:
    """A form of a supported operator that TensorRT's parser refuses."""
    by_operator = _by_operator(context)
    for op, refusals in _restrictions(context.deployment).items():
        for node in by_operator.get(op, ()):
            forms = [form for each in refusals if (form := _refused_form(node, each))]
            if forms:
                yield Hit(node, {"form": " and ".join(forms)}, confidence="measured")


def _restrictions(deployment: Deployment) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return what the runtime refuses, or else what the one whose parser it shares does."""
    runtime = deployment.runtime or ""
    own = restrictions(runtime, deployment.runtime_version)
    return own or restrictions(deployment.builder)


def _refused_form(node: Node, restriction: Mapping[str, Any]) -> str:
    """Describe the part of a node that is refused; empty if it is accepted."""
    if "output" in restriction:
        place = restriction["output"]
        return f"output {place + 1}" if node.output(place) is not None else ""
    name = restriction["attribute"]
    value = node.attributes.get(name)
    values = value if isinstance(value, tuple) else (value,)
    if value is None or isinstance(value, AttributeRef):
        return ""
    if "largest" in restriction:
        numbers = [each for each in values if isinstance(each, int)]
        size = math.prod(numbers) if len(numbers) == 2 else 0  # there is no limit for three dims
        return f"a {name} of {size}" if size > restriction["largest"] else ""
    refused = [each for each in values if each not in restriction["only"]]
    return f"{name} {', '.join(map(str, refused))}" if refused else ""


def type_unsupported(context: Context) -> Iterator[Hit]:
    """A type that the runtime does not support for this operator."""
    table = _table(context)
    if table is None:
        return
    for op, nodes in _by_operator(context).items():
        entry = table.operators.get(op, {})
        if op in MEASURED_ELSEWHERE or table.takes(op) is False:
            continue
        refused = PLAIN_TYPES.intersection(entry.get("not", ()))
        if table.data_types:
            refused |= PLAIN_TYPES - table.data_types
        for node in nodes if refused else ():
            type_name = _type(node, entry.get("at", 0))
            if type_name in refused and not _is_foldable(node):
                takes = ", ".join(entry.get("types") or sorted(table.data_types))
                yield _hit(context, table, node, {"type": type_name, "takes": takes})


def _by_operator(context: Context) -> dict[str, list[Node]]:
    """Return nodes of the default domain, without calls of the model's own functions."""
    found: dict[str, list[Node]] = {}
    for node in context.nodes():
        is_standard = node.domain in STANDARD_DOMAINS[:2]
        if is_standard and context.model.function_of(node) is None:
            found.setdefault(node.op_type, []).append(node)
    return found


def _type(node: Node, at: int) -> str | None:
    value = node.input(at)
    return value.dtype.name if value is not None and value.dtype is not None else None


def _is_foldable(node: Node) -> bool:
    """Return True for arithmetic on constants, which is folded before kernels are selected."""
    return all(value is None or value.is_constant for value in node.inputs)


def _hit(
    context: Context,
    table: Support,
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
