"""Operators and types that a runtime does not take, by the tables in `rules/support/`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from modellint.analysis.quantization.ops import BLOCK_WEIGHT_OPS, INTEGER_OPS
from modellint.base.data import data_dir, read_toml
from modellint.checks.api import Context, Hit
from modellint.checks.compat import STANDARD_DOMAINS, version_key
from modellint.model import AttributeRef, Node
from modellint.model.graph import DEFAULT_DOMAIN
from modellint.operators import Trait, having

MEASURED_ELSEWHERE = having(Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.CAST)
"""Their types say as much of the output as of the input; other rules know more of them."""
NO_TENSORS = re.compile("Sequence|Optional")
"""Operators on what is no tensor."""
PLAIN_TYPES = frozenset({
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "uint64",
    "uint32", "uint16", "bool", "string",
})  # fmt: skip
"""8 bits and fewer often live between quantize and dequantize, where runtimes fuse them away."""


@dataclass(frozen=True, slots=True)
class Support:
    """What one release of a runtime takes."""

    runtime: str
    version: str
    measured: bool
    operators: Mapping[str, Mapping[str, Any]]
    data_types: frozenset[str]
    """All types that the runtime has at all; empty when nobody says."""
    foreign: frozenset[str] = frozenset()
    """Operators of other runtimes, with their domain, that this one has no importer for."""

    def takes(self, op: str) -> bool | None:
        """Whether an operator of the default domain is taken in any form; None when unknown."""
        entry = self.operators.get(op)
        return None if entry is None or "note" in entry else bool(entry["taken"])


@cache
def support(runtime: str) -> Support | None:
    """The table of the runtime's newest release."""
    files = data_dir("rules").joinpath("support").glob(f"{runtime}-[0-9]*.json")
    newest = max(files, key=lambda path: version_key(path.stem.rpartition("-")[2]), default=None)
    if newest is None:
        return None
    table = json.loads(newest.read_text(encoding="utf-8"))
    return Support(
        runtime=table["runtime"],
        version=table["version"],
        measured=table["confidence"] == "measured",
        operators=table["operators"],
        data_types=frozenset(table.get("data-types", ())),
        foreign=frozenset(table.get("foreign", ())),
    )


def operator_unsupported(context: Context) -> Iterator[Hit]:
    """An operator that the runtime takes in no form."""
    table = _table(context)
    if table is None:
        return
    for op, nodes in _by_operator(context).items():
        if NO_TENSORS.search(op):
            continue  # a rule of its own says what is wrong with sequences, and does so once
        never = table.takes(op) is False
        limit = table.operators.get(op, {}).get("refused-from", math.inf)
        for node in nodes if never or limit < math.inf else ():
            opset = _opset(node) or 0
            if never:
                yield Hit(node, _facts(table), confidence=_trust(table))
            elif opset >= limit:
                facts = {**_facts(table), "opset": opset, "older": limit - 1}
                yield Hit(node, facts, variant="newer", confidence=_trust(table))


def _table(context: Context) -> Support | None:
    """The runtime's table, unless it is of the CPU and the model goes elsewhere."""
    table, target = support(context.deployment.runtime or ""), context.deployment.target
    on_gpu = target is not None and target.compute_capability is not None
    return None if table is not None and table.runtime == "onnxruntime" and on_gpu else table


def _opset(node: Node) -> int | None:
    graph = node.graph
    while graph.parent is not None:
        graph = graph.parent.graph
    opsets = graph.function.opsets if graph.function is not None else graph.model.opsets
    return opsets.get(node.domain, opsets.get(DEFAULT_DOMAIN))


def foreign_operator(context: Context) -> Iterator[Hit]:
    """An operator of ONNX Runtime's own in a model for TensorRT."""
    table = support("tensorrt-rtx")  # measured there; TensorRT's own matrix lists none of them
    if table is None:
        return
    known = {*INTEGER_OPS, *BLOCK_WEIGHT_OPS}  # other rules know more of these
    for graph in context.graphs():
        for op, nodes in graph.by_op.items():
            if op in table.foreign - known and context.model.function_of(nodes[0]) is None:
                yield from (
                    Hit(node, {"nodes": len(nodes)}, confidence="measured") for node in nodes
                )


def form_unsupported(context: Context) -> Iterator[Hit]:
    """A form of an operator that TensorRT's parser refuses, though it has the operator."""
    by_operator = _by_operator(context)
    for op, restrictions in _restrictions("tensorrt").items():
        for node in by_operator.get(op, ()):
            forms = [form for each in restrictions if (form := _refused_form(node, each))]
            if forms:
                yield Hit(node, {"form": " and ".join(forms)}, confidence="measured")


@cache
def _restrictions(runtime: str) -> dict[str, list[Mapping[str, Any]]]:
    """By operator."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in read_toml(data_dir("rules") / "support" / "restrictions.toml")[runtime]:
        found.setdefault(entry["op"], []).append(entry)
    return found


def _refused_form(node: Node, restriction: Mapping[str, Any]) -> str:
    """What of a node is refused, in words; empty when it is taken."""
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
        size = math.prod(numbers) if len(numbers) == 2 else 0  # of three dims there is no limit
        return f"a {name} of {size}" if size > restriction["largest"] else ""
    refused = [each for each in values if each not in restriction["only"]]
    return f"{name} {', '.join(map(str, refused))}" if refused else ""


def type_unsupported(context: Context) -> Iterator[Hit]:
    """A type that the runtime does not take at this operator, though it takes others."""
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
                facts = {
                    **_facts(table),
                    "type": type_name,
                    "takes": ", ".join(entry.get("types") or sorted(table.data_types)),
                }
                yield Hit(node, facts, confidence=_trust(table))


def _by_operator(context: Context) -> dict[str, list[Node]]:
    """Nodes of the default domain that are no calls of the model's own functions."""
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
    """Arithmetic on constants is done once, before any kernel is looked for."""
    return all(value is None or value.is_constant for value in node.inputs)


def _facts(table: Support) -> dict[str, object]:
    return {"version": table.version}


def _trust(table: Support) -> str:
    return "measured" if table.measured else "theoretical"
