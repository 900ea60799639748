"""Operators and types without a kernel, in a runtime that lists what it registers."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks import support
from modellint.checks.api import Context, Hit
from modellint.checks.compat import (
    STANDARD_DOMAINS,
    graphs_with_imports,
    is_known_operator,
    registered,
)
from modellint.checks.repeats import folded
from modellint.checks.support import by_table
from modellint.formats.onnx.facts import normal_domain
from modellint.forms.forms import type_at
from modellint.model import Graph, Node
from modellint.runtimes.kernels import Answer, KernelTable


def operator_unsupported(context: Context) -> Iterator[Hit]:
    """An operator that the runtime does not register, or that has no kernel at its version."""
    yield from folded(_unsupported(context))


def _unsupported(context: Context) -> Iterator[Hit]:
    for table, domain, opset, nodes in _operators(context):
        answer = table.ask(domain, nodes[0].op_type, opset, lambda place: None)
        if answer == "unregistered":
            # Another rule reports what the standard itself does not contain.
            if domain not in STANDARD_DOMAINS or is_known_operator(nodes[0], opset):
                for node in nodes:
                    yield by_table(context, table, node, variant="unregistered")
        elif answer == "no-kernel" and not context.deployment.is_on_cuda:
            facts, variant = _nearest(table, domain, opset, nodes[0].op_type)
            for node in nodes:
                yield by_table(context, table, node, facts, variant)


def _nearest(table: KernelTable, domain: str, opset: int, op: str) -> tuple[dict[str, object], str]:
    """Return which operator sets have a kernel: newer ones, older ones, or none."""
    first, last = table.first_version(domain, op), table.last_version(domain, op)
    if first is not None and opset < first:
        return {"opset": opset, "newer": first}, "older"
    if last is not None:
        return {"opset": opset, "older": last}, "newer"
    return {"opset": opset}, ""


def type_unsupported(context: Context) -> Iterator[Hit]:
    """An operator that has kernels, but none for the types of a node."""
    if not context.deployment.is_on_cuda:
        yield from folded(_refused_types(context))


def _refused_types(context: Context) -> Iterator[Hit]:
    for table, domain, opset, nodes in _operators(context):
        for node in nodes:
            if _answer(table, domain, opset, node) == "no-type":
                facts, variant = _refused_type(table, domain, opset, node)
                yield by_table(context, table, node, facts, variant)


def form_unsupported(context: Context) -> Iterator[Hit]:
    """A form of an operator that its kernel on the CPU refuses."""
    if not context.deployment.is_on_cuda:
        yield from support.form_unsupported(context)


def _answer(table: KernelTable, domain: str, opset: int, node: Node) -> Answer:
    return table.ask(domain, node.op_type, opset, lambda place: type_at(node, place))


def _refused_type(
    table: KernelTable, domain: str, opset: int, node: Node
) -> tuple[dict[str, object], str]:
    """Return the first type that no kernel takes; else it is the combination of types."""
    for place in table.places(domain, node.op_type, opset):
        found, taken = type_at(node, place), table.types(domain, node.op_type, opset, place)
        if found is not None and found not in taken:
            return {"type": found, "takes": ", ".join(taken)}, ""
    types = [type_at(node, str(at)) or "" for at in range(len(node.inputs))]
    return {"type": ", ".join(dict.fromkeys(filter(None, types)))}, "combination"


def _operators(context: Context) -> Iterator[tuple[KernelTable, str, int, list[Node]]]:
    """Iterate over the operators of domains that the runtime knows, each with its nodes."""
    table = registered(context)
    if table is None:
        return
    for graph, imported in graphs_with_imports(context.model):
        for nodes in graph.by_op.values():
            domain = normal_domain(nodes[0].domain)
            known = domain in table.domains and context.model.function_of(nodes[0]) is None
            if known and not _is_uncalled(graph):
                yield table, domain, imported.get(domain, table.domains[domain]), nodes


def _is_uncalled(graph: Graph) -> bool:
    """Return True for functions that the main graph does not call itself.

    Which ones others call is not followed: a call may be in a branch that is never reached.
    """
    called = graph.outermost.called
    return bool(called) and called not in graph.model.graph.by_op
