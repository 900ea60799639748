"""Limits that a team sets itself. An option of 0 means no limit.

Few teams set any, so analyses are imported only for limits that are set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modellint.checks.api import Context, Hit

if TYPE_CHECKING:
    from modellint.placement import UnitPlacement


def parameters(context: Context) -> Iterator[Hit]:
    if context.options["max-params"]:
        from modellint.analysis.cost import ModelCost

        yield from _over(context, "max-params", context.analysis(ModelCost).parameters)


def file_size(context: Context) -> Iterator[Hit]:
    """Check the size of the file and its external weights."""
    if not context.options["max-file-size"]:
        return
    outside = sum(
        tensor.nbytes
        for tensor in context.model.tensors
        if tensor.region is not None and tensor.region.external
    )
    yield from _over(context, "max-file-size", context.model.file_size + outside)


def nodes(context: Context) -> Iterator[Hit]:
    if context.options["max-nodes"]:
        yield from _over(context, "max-nodes", sum(1 for _ in context.model.nodes()))


def macs(context: Context) -> Iterator[Hit]:
    if context.options["max-macs"]:
        from modellint.analysis.cost import ModelCost

        yield from _over(context, "max-macs", context.analysis(ModelCost).known_macs)


def vram(context: Context) -> Iterator[Hit]:
    if context.options["max-vram"]:
        from modellint.analysis.memory import memory

        yield from _over(context, "max-vram", context.analysis(memory).total.expected)


def latency_bound(context: Context) -> Iterator[Hit]:
    if context.options["max-latency-bound"]:
        from modellint.analysis.roofline import roofline

        bound = context.analysis(roofline)
        if bound is not None:
            yield from _over(context, "max-latency-bound", bound.seconds)


def partitions(context: Context) -> Iterator[Hit]:
    limit = context.options["max-partitions"]
    found = _shared_out(context) if limit else None
    if found is not None and len(found.accelerated) > limit:
        yield _misplaced(found, len(found.accelerated), limit)


def share(context: Context) -> Iterator[Hit]:
    """Check the share of work that is accelerated."""
    limit = context.options["min-share-on-accelerator"]
    found = _shared_out(context) if limit else None
    if found is not None and found.shares:
        reached = found.shares.get(found.unit, 0.0)
        if reached < limit:
            yield _misplaced(found, reached, limit)


def _shared_out(context: Context) -> UnitPlacement | None:
    from modellint.checks.placement import shared_out

    return shared_out(context)


def _misplaced(found: UnitPlacement, reached: float, limit: float) -> Hit:
    from modellint.checks.placement import units_of

    return Hit(None, {**units_of(found), "found": reached, "limit": limit})


def _over(context: Context, option: str, found: float) -> Iterator[Hit]:
    limit = context.options[option]
    if limit and found > limit:
        yield Hit(None, {"found": found, "limit": limit, "over": found / limit - 1})
