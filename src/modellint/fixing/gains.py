"""Needs of a model before and after its fixes."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.cost import cost
from modellint.analysis.memory import memory
from modellint.analysis.roofline import roofline
from modellint.fixing.changes import size_of
from modellint.model import Model
from modellint.plan import Plan
from modellint.results.fixed import Gain


def gains(before: Model, after: Model, plan: Plan) -> Iterator[Gain]:
    """Iterate over figures of both; time is a bound, and needs a target."""
    old, new = size_of(before), size_of(after)
    yield Gain("nodes", "count", old.nodes, new.nodes)
    yield Gain("weights", "bytes", old.weight_bytes, new.weight_bytes)
    yield Gain("file", "bytes", old.file_bytes, new.file_bytes)
    placed = [each for each in plan.deployments if each.target is not None]
    for deployment in placed or plan.deployments[:1]:
        target = deployment.target_id or ""
        macs = [cost(model, deployment).total.macs for model in (before, after)]
        if macs[0] is not None and macs[1] is not None:
            yield Gain("MACs", "count", macs[0], macs[1], target)
        peaks = [memory(model, deployment).activations.expected for model in (before, after)]
        if all(peaks):
            yield Gain("activations, peak", "bytes", peaks[0], peaks[1], target)
        bounds = [roofline(model, deployment) for model in (before, after)]
        if bounds[0] is not None and bounds[1] is not None:
            yield Gain("time, at least", "seconds", bounds[0].seconds, bounds[1].seconds, target)
