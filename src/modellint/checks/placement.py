"""Nodes that a device leaves to another unit, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.checks.repeats import folded, together
from modellint.model import Node
from modellint.placement import UnitPlacement, placement


def nothing_accelerated(context: Context) -> Iterator[Hit]:
    """A model of which the accelerator takes no node."""
    found = context.analysis(placement)
    if found is None or found.accelerated or not found.nodes:
        return
    first = found.nodes[0]
    facts = {
        "unit": found.unit,
        "fallback": found.fallback,
        "nodes": len(found.nodes),
        "op": first.qualified_op,
        "reason": _reason(found, first),
    }
    yield Hit(None, facts)


def many_partitions(context: Context) -> Iterator[Hit]:
    """A model that changes between units again and again."""
    found = context.analysis(placement)
    if found is None or len(found.accelerated) <= context.options["most"]:
        return
    facts = {
        "unit": found.unit,
        "fallback": found.fallback,
        "partitions": len(found.accelerated),
        "crossings": len(found.boundaries),
        "bytes": found.crossing_bytes,
    }
    if not found.merges:
        yield Hit(None, facts)
        return
    best = found.merges[0]
    if best.refusal.cause == "open-dims":
        yield Hit(None, {**facts, "after": best.partitions}, variant="fixed-dims")
        return
    saved = {"after": best.partitions, "reason": best.refusal.words, "op": best.nodes[0].op_type}
    yield from together(best.nodes, {**facts, **saved}, variant="one-change")


def open_dims(context: Context) -> Iterator[Hit]:
    """Open dims that keep nodes off an accelerator."""
    found = context.analysis(placement)
    if found is None or not found.accelerated:
        return
    nodes = [node for node in found.nodes if _cause(found, node) == "open-dims"]
    if nodes:
        facts = {
            "unit": found.unit,
            "fallback": found.fallback,
            "count": len(nodes),
            "reason": _reason(found, nodes[0]),
        }
        yield from together(nodes, facts)


def node_left(context: Context) -> Iterator[Hit]:
    """Operators, types and forms that an accelerator leaves to the fallback."""
    found = context.analysis(placement)
    if found is not None and found.accelerated:
        yield from folded(_left(found))


def _left(found: UnitPlacement) -> Iterator[Hit]:
    for node in found.nodes:
        refusal = found.refusal_of(node)
        if refusal is not None and refusal.cause in ("operator", "type", "form"):
            facts = {"unit": found.unit, "fallback": found.fallback, "reason": refusal.words}
            confidence = "measured" if found.measured else "theoretical"
            yield Hit(node, facts, confidence=confidence)


def partitions(context: Context) -> Iterator[Hit]:
    """The team's limit on partitions."""
    limit = context.options["max-partitions"]
    found = context.analysis(placement) if limit else None
    if found is not None and len(found.accelerated) > limit:
        yield Hit(None, {"unit": found.unit, "found": len(found.accelerated), "limit": limit})


def share(context: Context) -> Iterator[Hit]:
    """The team's limit on work that is not accelerated."""
    limit = context.options["min-share-on-accelerator"]
    found = context.analysis(placement) if limit else None
    if found is not None and found.shares:
        reached = found.shares.get(found.unit, 0.0)
        if reached < limit:
            yield Hit(None, {"unit": found.unit, "found": reached, "limit": limit})


def _cause(found: UnitPlacement, node: Node) -> str:
    refusal = found.refusal_of(node)
    return refusal.cause if refusal is not None else ""


def _reason(found: UnitPlacement, node: Node) -> str:
    refusal = found.refusal_of(node)
    return refusal.words if refusal is not None else ""
