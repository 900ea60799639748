"""Nodes that a device leaves to another unit, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modellint.analysis.borders import borders
from modellint.analysis.cost import cost
from modellint.base.units import format_bytes
from modellint.checks.api import Context, Hit
from modellint.checks.repeats import folded, together
from modellint.formats.registry import dialect_of
from modellint.formats.registry import title_of as format_title
from modellint.model import Node
from modellint.results.finding import Severity
from modellint.runtimes import find_runtime, title_of
from modellint.runtimes.support import support

if TYPE_CHECKING:
    from modellint.placement import Link, NotTaken, Partition, UnitPlacement

OWN = ("operator", "type", "form")
"""Causes that are about a node itself, not about its dims or its neighbors."""

_WEIGHTS = ("gguf", "safetensors")
"""Formats without a graph that some runtimes load as models."""


def nothing_accelerated(context: Context) -> Iterator[Hit]:
    """A model without a node that the accelerator runs."""
    found = shared_out(context)
    if found is None or found.accelerated or not found.nodes:
        return
    if context.deployment.is_on_dla and _cause(found, found.nodes[0]) == "open-dims":
        return  # which another rule reports
    first, count = found.nodes[0], len(found.nodes)
    facts = {
        **units_of(found),
        "nodes": count,
        "whole": "The model's only node runs" if count == 1 else f"All {count} nodes run",
        "op": first.qualified_op,
        "reason": _reason(found, first),
    }
    is_certain = found.measured or _cause(found, first) in ("type", "precision")
    yield Hit(None, facts, severity=None if is_certain else Severity.WARNING)


def refused_whole(context: Context) -> Iterator[Hit]:
    """Nodes that a runtime neither runs nor leaves to another unit, so the model does not run."""
    found = _placement(context)
    if found is not None:
        yield from folded(_refused(found))


def _refused(found: UnitPlacement) -> Iterator[Hit]:
    severity = None if found.measured else Severity.WARNING
    for node in found.nodes:
        reason = _reason(found, node)
        if reason and (not found.fallback or _cause(found, node) == "refused"):
            facts = {"runtime": title_of(found.runtime), "reason": reason}
            confidence = "measured" if found.measured else "theoretical"
            yield Hit(node, facts, severity=severity, confidence=confidence)


def many_partitions(context: Context) -> Iterator[Hit]:
    """A model that changes between units again and again."""
    found = shared_out(context)
    if found is None or len(found.accelerated) <= context.options["most"]:
        return
    facts = {
        **units_of(found),
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
    found = _reported_here(context)
    if found is None or not found.accelerated:
        return
    nodes = [node for node in found.nodes if _cause(found, node) == "open-dims"]
    if nodes:
        facts = {
            **units_of(found),
            "count": len(nodes),
            "reason": _reason(found, nodes[0]),
        }
        yield from together(nodes, facts)


def node_left(context: Context) -> Iterator[Hit]:
    """Operators, types and forms that an accelerator leaves to the fallback."""
    found = _reported_here(context)
    if found is not None and found.accelerated:
        yield from folded(_left(found))


def pad_left(context: Context) -> Iterator[Hit]:
    """Pads left to the fallback that could be written with operators that are not."""
    found = shared_out(context)
    if found is None or not found.accelerated:
        return
    for node in found.nodes:
        refusal = found.refusal_of(node)
        if refusal is not None and _is_rewritable(found, node, refusal):
            facts = {
                **units_of(found),
                "reason": refusal.words,
                "mode": node.get_str("mode", ""),
            }
            yield Hit(node, facts)


def _is_rewritable(found: UnitPlacement, node: Node, refusal: NotTaken) -> bool:
    """Return True for a Pad that the accelerator would run as Slices and Concats."""
    if node.op_type != "Pad" or refusal.cause not in ("operator", "form") or not borders(node):
        return False
    table = support(found.runtime, found.version)
    return table is not None and all(table.takes(op) is True for op in ("Slice", "Concat"))


def _left(found: UnitPlacement) -> Iterator[Hit]:
    for node in found.nodes:
        refusal = found.refusal_of(node)
        if refusal is None or _is_rewritable(found, node, refusal):
            continue
        if refusal.cause in OWN:
            facts = {**units_of(found), "reason": _by_whom(found, refusal)}
            confidence = "measured" if found.measured else "theoretical"
            yield Hit(node, facts, confidence=confidence)


def little_accelerated(context: Context) -> Iterator[Hit]:
    """A model that runs on the accelerator only for a small part of its work."""
    found = shared_out(context)
    if found is None or not found.accelerated or not found.shares:
        return
    share = found.shares.get(found.unit, 0.0)
    if share < context.options["least"]:
        costs = context.analysis(cost)
        refused = (node for node in found.nodes if found.refusal_of(node) is not None)
        left = [node for node in refused if costs.macs_of(node)]
        facts = {**units_of(found), "share": share, "reason": _reason(found, left[0])}
        is_reported = all(_cause(found, node) in OWN for node in left)  # by the rule on such nodes
        yield from together(left, facts, variant="reported" if is_reported else "")


def cut_in_two(context: Context) -> Iterator[Hit]:
    """Nodes on the fallback between two large parts of the accelerator."""
    found = shared_out(context)
    if found is None or not found.shares:
        return
    cuts = list(_cuts(found, context.options["least"]))
    if len(cuts) == 1:
        refused, before, after = cuts[0]
        facts = {
            **units_of(found),
            "reason": _reason(found, refused[0]),
            "before": before,
            "after": after,
        }
        yield from together(refused, facts)


def _cuts(found: UnitPlacement, least: float) -> Iterator[tuple[list[Node], float, float]]:
    """Iterate over refused nodes between two parts, with the shares of work of both."""
    from modellint.placement import links

    for link in links(found):
        before = [part for part in link.before if _share(found, part) >= least]
        after = [part for part in link.after if _share(found, part) >= least]
        refused = [node for node in link.partition.nodes if _cause(found, node) in OWN]
        if refused and before and after and before[0] is not after[0]:
            yield refused, _share(found, before[0]), _share(found, after[0])


def _share(found: UnitPlacement, part: Partition) -> float:
    """Return the part's share of all MACs that the accelerator computes."""
    whole = sum(each.macs or 0 for each in found.accelerated)
    return (part.macs or 0) / whole if whole else 0.0


def small_islands(context: Context) -> Iterator[Hit]:
    """Parts of the accelerator that multiply nothing, between parts of the fallback.

    Nodes that the runtime puts there itself have no values, and are not in the file.
    """
    found = shared_out(context)
    if found is None or len(found.accelerated) < 2:
        return
    from modellint.placement import links

    small = [link for link in links(found) if _is_island(found, link)]
    nodes = [node for link in small for node in link.partition.nodes if node.outputs]
    copied = sum(link.nbytes or 0 for link in small)
    facts = {
        **units_of(found),
        "parts": len(small),
        "copied": f": {format_bytes(copied)} are copied" if copied else "",
    }
    yield from together(nodes, facts)


def _is_island(found: UnitPlacement, link: Link) -> bool:
    part = link.partition
    return part.unit == found.unit and part.macs == 0 and bool(link.before and link.after)


def format_not_loaded(context: Context) -> Iterator[Hit]:
    """A file of another format than the only one that the runtime loads."""
    runtime, model = find_runtime(context.deployment.runtime or ""), context.model
    if runtime is None or runtime.input is None or is_loaded(context):
        return
    is_named = not context.deployment.is_assumed("runtime")
    if runtime.input.if_named and not is_named:
        return
    if not model.has_graph and not (is_named and model.format in _WEIGHTS):
        return
    facts = {
        "runtime": runtime.title,
        "loads": runtime.input.title,
        "format": format_title(model.format),
        "advice": runtime.input.advice,
    }
    if runtime.input.is_end:
        yield Hit(None, facts, "end", Severity.ERROR if is_named else None)
    elif model.has_graph:
        yield Hit(None, facts)


def is_loaded(context: Context) -> bool:
    """Return False if the runtime is known not to load the file's format."""
    runtime, format = find_runtime(context.deployment.runtime or ""), context.model.format
    if runtime is None or runtime.input is None:
        return True
    return runtime.input.takes(format, dialect_of(format))


def no_webnn_graph(context: Context) -> Iterator[Hit]:
    """Nodes and operands in the way of a graph that a page builds itself."""
    if not context.options["direct"]:
        return
    from modellint.webnn.conversion import convert
    from modellint.webnn.limits import measured_limits

    graph = convert(context.model, context.deployment, measured_limits())
    named = {node.label: node for node in context.model.graph.nodes}
    for each in graph.obstacles:
        facts = {"name": each.node, "operator": each.op, "reason": each.reason, "advice": each.fix}
        yield Hit(named.get(each.node), facts)


def _reported_here(context: Context) -> UnitPlacement | None:
    """Return the placement, unless other rules report the nodes that are left."""
    return None if context.deployment.is_on_dla else shared_out(context)


def shared_out(context: Context) -> UnitPlacement | None:
    """Return the placement if another unit runs the nodes that the accelerator leaves."""
    found = _placement(context)
    if found is None or not found.fallback:
        return None
    is_built = not any(_cause(found, node) == "refused" for node in found.nodes)
    return found if is_built else None


def _placement(context: Context) -> UnitPlacement | None:
    """Return the placement, without looking at the model if the runtime has only one unit."""
    runtime = find_runtime(context.deployment.runtime or "")
    if runtime is None or runtime.placing is None:
        return None
    if runtime.placing.only_on_dla and not context.deployment.is_on_dla:
        return None
    from modellint.placement import placement  # for few runtimes

    return context.analysis(placement)


def units_of(found: UnitPlacement) -> dict[str, object]:
    """Return the units as messages name them, at the beginning of a sentence and inside one."""
    unit = f"{found.article}{found.unit}"
    return {"unit": unit, "Unit": unit[0].upper() + unit[1:], "fallback": found.fallback}


def _cause(found: UnitPlacement, node: Node) -> str:
    refusal = found.refusal_of(node)
    return refusal.cause if refusal is not None else ""


def _reason(found: UnitPlacement, node: Node) -> str:
    refusal = found.refusal_of(node)
    return _by_whom(found, refusal) if refusal is not None else ""


def _by_whom(found: UnitPlacement, refusal: NotTaken) -> str:
    """Return a reason, and whose list says so if it was not measured."""
    if found.measured or refusal.cause not in OWN:
        return refusal.words
    title = title_of(found.runtime)
    return f"{refusal.words}, by the published list for {title} ({found.version})"
