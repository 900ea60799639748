"""Graphs that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.checks.compat import is_skipped
from modellint.checks.definitions import contradictions
from modellint.checks.leniency import (
    is_found_by_tensorrt,
    is_overlooked,
    refused_by_tensorrt,
    told_as_form,
)
from modellint.checks.producers import refused_for_defects
from modellint.model import Contradiction, Model, Node
from modellint.results.finding import Severity


def shapes_contradict(context: Context) -> Iterator[Hit]:
    """A node with invalid inputs, or whose output is recorded with a different shape."""
    found = context.model.infer_strictly().contradiction
    if found is None or not any(context.nodes(found.op_type)):
        return  # nothing, or a node of an operator's own body
    nodes = _find(context.model, found)
    if any(is_skipped(each, context.deployment.runtime) for each in nodes):
        return
    node = nodes[0] if len(nodes) == 1 else None
    if node is not None and _is_told(context, node):
        return
    label = node.label if node is not None else found.node
    place = f"{found.op_type} '{label}'" if label else f"A node {found.op_type}"
    facts = {"place": place, "detail": found.detail.rstrip(".")}
    if found.recorded:
        yield Hit(node, facts, variant="recorded", severity=Severity.WARNING)
    elif (context.for_tensorrt and not is_found_by_tensorrt(found)) or is_overlooked(
        found, context.deployment.runtime or ""
    ):
        yield Hit(node, facts, severity=Severity.WARNING)
    else:
        yield Hit(node, facts)


def _is_loaded(context: Context, found: Contradiction) -> bool:
    if context.for_tensorrt:
        return not is_found_by_tensorrt(found)
    return is_overlooked(found, context.deployment.runtime or "")


def _is_told(context: Context, node: Node) -> bool:
    """Return True if another rule says why the runtime refuses a node."""
    if node in refused_for_defects(context):
        return True
    told = (found for other, found in context.analysis(contradictions) if other is node)
    return any(not context.for_tensorrt or refused_by_tensorrt(node, found) for found in told)


def contradicts_operator(context: Context) -> Iterator[Hit]:
    """A node that its operator's definition does not allow."""
    for node, found in context.analysis(contradictions):
        if not context.for_tensorrt:
            yield Hit(node, found[0].facts, variant=found[0].kind)
        elif refused := refused_by_tensorrt(node, found):
            yield Hit(node, refused[0].facts, variant=refused[0].kind)
        elif not told_as_form(node, found[0]):
            yield Hit(node, found[0].facts, variant=found[0].kind, severity=Severity.WARNING)


def _find(model: Model, contradiction: Contradiction) -> list[Node]:
    """Return the nodes that may contain a contradiction."""
    return [
        node
        for node in model.nodes(functions=True)
        if node.op_type == contradiction.op_type and node.name == contradiction.node
    ]
