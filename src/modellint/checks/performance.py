"""Bottlenecks according to the roofline of the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modellint.analysis.roofline import TimeBound, most_moved, roofline
from modellint.checks.api import Context, Hit
from modellint.model import Model
from modellint.targets.deployment import Deployment

SHORTEST = 1e-5
"""Lower bound on the seconds of a run: the call alone takes a GPU 14 us
(`analysis/latency/coefficients.toml`)."""


def memory_bound(context: Context) -> Iterator[Hit]:
    """Models that wait for memory most of the time, and longer than for launches."""
    if _moves_little(context.model, context.deployment):
        return
    bound = context.analysis(roofline)
    if bound is None or not bound.seconds or bound.memory_share < context.options["share"]:
        return
    if _waits_for_launches(context):
        return
    slowest = max(bound.nodes, key=lambda node: node.memory_seconds)
    facts = {
        "share": bound.memory_share,
        "intensity": bound.intensity or 0.0,
        "ridge": bound.ridge,
        "moved": bound.nbytes,
        "slowest": slowest.node.label,
    }
    yield Hit(slowest.node, facts)


def _moves_little(model: Model, deployment: Deployment) -> bool:
    """Return True if memory moves all that nodes read and write in less time than a call takes."""
    target = deployment.target
    if target is None or not target.memory.bandwidth:
        return True
    return most_moved(model, deployment) < SHORTEST * target.memory.bandwidth


def _waits_for_launches(context: Context) -> bool:
    """Return True if launching kernels is expected to take longer than memory does."""
    from modellint.analysis.latency import latency

    time = context.analysis(latency)
    return time is not None and time.overhead > time.memory


def batch_too_small(context: Context) -> Iterator[Hit]:
    """Batches so small that the device waits for weights, which larger batches would share."""
    batch = context.deployment.batch
    bound = context.analysis(roofline) if batch is not None else None
    if batch is None or bound is None or not bound.seconds:
        return
    double = _at_batch(context.model, context.deployment, 2 * batch)
    if double is None or not double.seconds:
        return
    gain = 2 * bound.seconds / double.seconds
    if gain >= context.options["gain"]:
        yield Hit(None, {"batch": batch, "double": 2 * batch, "gain": gain - 1})


def _at_batch(model: Model, deployment: Deployment, batch: int) -> TimeBound | None:
    return roofline(model, replace(deployment, batch=batch))
