"""UnitPlacement of a model's nodes: `inspect --placement`."""

from __future__ import annotations

from collections import defaultdict

from modellint.formats.registry import dialect_of
from modellint.model import Node
from modellint.placement import Boundary, Merge, NotTaken, Partition, UnitPlacement, placement
from modellint.results.inspection import Crossing, LeftNodes, Placed, PlacedPart, Saving
from modellint.runtimes import find_runtime
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment


def placed(opened: OpenModel, deployment: Deployment) -> Placed | None:
    """Return where the nodes run; None if the runtime has only one unit."""
    found = opened.under(deployment).get(placement)
    if found is None:
        return None
    return Placed(
        runtime=found.runtime,
        version=found.version,
        measured=found.measured,
        accelerator=found.unit,
        fallback=found.fallback,
        partitions=len(found.accelerated),
        nodes=found.counts,
        macs=dict(found.shares),
        crossing_bytes=found.crossing_bytes,
        parts=[_part(each) for each in found.partitions],
        boundaries=[_crossing(each) for each in found.boundaries],
        left=_left(found),
        savings=[_saving(each) for each in found.merges],
        most_partitions=found.most or None,
    )


def not_placed(opened: OpenModel, deployment: Deployment) -> str:
    """Return why nothing can be predicted of a model; empty if that is not known."""
    runtime = find_runtime(deployment.runtime or "")
    accepted = runtime.input if runtime is not None else None
    if runtime is None or accepted is None or not opened.model.has_graph:
        return ""
    if accepted.takes(opened.model.format, dialect_of(opened.model.format)):
        return ""
    return f"{runtime.title} loads {accepted.title} only. {accepted.advice}"


def _part(part: Partition) -> PlacedPart:
    nodes = part.nodes or part.written_out
    return PlacedPart(part.unit, len(part.nodes), nodes[0].label, nodes[-1].label, part.macs)


def _crossing(crossing: Boundary) -> Crossing:
    return Crossing(
        crossing.value.name,
        crossing.source,
        crossing.reader,
        crossing.nbytes,
        crossing.node.label,
        crossing.refusal.words,
    )


def _left(found: UnitPlacement) -> list[LeftNodes]:
    alike: dict[tuple[str, NotTaken], list[Node]] = defaultdict(list)
    for node in found.nodes:
        refusal = found.refusal_of(node)
        if refusal is not None:
            alike[node.qualified_op, refusal].append(node)
    return [
        LeftNodes(op, len(nodes), nodes[0].label, refusal.cause, refusal.words)
        for (op, refusal), nodes in sorted(alike.items(), key=lambda each: -len(each[1]))
    ]


def _saving(merge: Merge) -> Saving:
    first = merge.nodes[0]
    return Saving(
        first.qualified_op,
        len(merge.nodes),
        first.label,
        merge.refusal.cause,
        merge.refusal.words,
        merge.partitions,
    )
