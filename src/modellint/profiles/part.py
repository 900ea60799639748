"""A part of a run, as one file of a profile tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from modellint.base.records import dataclass
from modellint.results.measured import (
    MeasuredRun,
    RunConditions,
    RunDevice,
    RunLayer,
    RunModel,
    RunRuntime,
)


@dataclass(frozen=True, slots=True)
class RunPart:
    """Content of one file: a run, or facts about the layers of another file's."""

    run: MeasuredRun
    facts: Mapping[str, RunLayer] = field(default_factory=dict)
    """Layers by name, without times."""


def joined(parts: list[RunPart]) -> MeasuredRun:
    """Join the parts of one run: what an earlier one lacks, a later one adds."""
    runs = [part.run for part in parts]
    facts = {name: layer for part in parts for name, layer in part.facts.items()}
    first = runs[0]
    layers = next((run.layers for run in runs if run.layers), ())
    return MeasuredRun(
        model=next((run.model for run in runs if run.model.format), first.model),
        runtime=_runtime(runs),
        source="+".join(dict.fromkeys(run.source for run in runs)),
        device=next((run.device for run in runs if run.device != RunDevice()), first.device),
        conditions=next(
            (run.conditions for run in runs if run.conditions != RunConditions()), RunConditions()
        ),
        times=next((run.times for run in runs if run.times is not None), None),
        layers=tuple(_with_facts(layer, facts.get(layer.name)) for layer in layers),
        memory=next((run.memory for run in runs if run.memory is not None), None),
        energy=next((run.energy for run in runs if run.energy is not None), None),
        environment=first.environment,
        created=next((run.created for run in runs if run.created), None),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
    )


def bare(runtime: str, source: str, model: str = "model") -> MeasuredRun:
    """Return a run about which nothing else is known yet."""
    return MeasuredRun(RunModel(model), RunRuntime(runtime), source)


def _runtime(runs: list[MeasuredRun]) -> RunRuntime:
    known = (run.runtime for run in runs if run.runtime.version or run.runtime.provider)
    return next(known, runs[0].runtime)


def _with_facts(layer: RunLayer, told: RunLayer | None) -> RunLayer:
    if told is None:
        return layer
    return replace(
        layer,
        op=told.op or layer.op,
        kind=told.kind if told.kind != "compute" else layer.kind,
        precision=told.precision or layer.precision,
        kernel=told.kernel or layer.kernel,
        nodes=told.nodes or layer.nodes,
        inputs=told.inputs or layer.inputs,
        outputs=told.outputs or layer.outputs,
        produces=told.produces or layer.produces,
    )
