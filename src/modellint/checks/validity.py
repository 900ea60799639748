"""Graphs that contradict themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.checks.definitions import contradictions
from modellint.checks.producers import known_defect
from modellint.finding import Severity
from modellint.model import Contradiction, Model, Node

FOUND_BY_TENSORRT = re.compile(
    r"[Ii]ncompatible dimensions|expected to have rank|axis must be|mismatch in unification"
    r"|Number of (?:elements|input)|must be 2-dim|must be 1 instead|length|should be 1 when"
    r"|subgraphs produce|must have either"
)
"""Contradictions that TensorRT's parser finds too. It ignores types that the file records."""


def shapes_contradict(context: Context) -> Iterator[Hit]:
    """A node with invalid inputs, or whose output is recorded with a different shape."""
    found = context.model.infer_strictly().contradiction
    if found is None or not any(context.nodes(found.op_type)):
        return  # nothing, or a node of an operator's own body
    node = _find(context.model, found)
    if node is not None and any(node is other for other, _ in context.analysis(contradictions)):
        return  # which another rule reports
    if node is not None and any(node is hit.place for hit in known_defect(context)):
        return  # which the rule of known defects explains
    label = node.label if node is not None else found.node
    place = f"{found.op_type} '{label}'" if label else f"A node {found.op_type}"
    facts = {"place": place, "detail": found.detail.rstrip(".")}
    if found.recorded:
        yield Hit(node, facts, variant="recorded", severity=Severity.WARNING)
    elif context.for_tensorrt and not FOUND_BY_TENSORRT.search(found.detail):
        yield Hit(node, facts, severity=Severity.WARNING)
    else:
        yield Hit(node, facts)


def contradicts_operator(context: Context) -> Iterator[Hit]:
    """A node that its operator's definition does not allow."""
    severity = Severity.WARNING if context.for_tensorrt else None  # it reads what it knows
    for node, mistake in context.analysis(contradictions):
        yield Hit(node, mistake.facts, variant=mistake.kind, severity=severity)


def _find(model: Model, contradiction: Contradiction) -> Node | None:
    """Return the node of a contradiction, unless ambiguous."""
    nodes = [
        node
        for node in model.nodes(functions=True)
        if node.op_type == contradiction.op_type and node.name == contradiction.node
    ]
    return nodes[0] if len(nodes) == 1 else None
