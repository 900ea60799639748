"""ONNX Runtime's profile: JSON that a session with `enable_profiling` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modellint.profiles.gathering import Event, Gathered, own_seconds, per_inference, times_from
from modellint.profiles.part import RunPart
from modellint.profiles.types import precision_of
from modellint.results.measured import (
    MeasuredRun,
    RunDevice,
    RunLayer,
    RunModel,
    RunRuntime,
    RunTimes,
    shown,
)

CPU = "CPUExecutionProvider"
SUFFIX = "_kernel_time"
_WITH_GRAPHS = frozenset(("If", "Loop", "Scan"))
_COPIES = frozenset(("MemcpyFromHost", "MemcpyToHost"))
_REFORMATS = frozenset(("ReorderInput", "ReorderOutput"))
MICRO = 1e-6


def is_profile(table: object) -> bool:
    return isinstance(table, list) and any(
        isinstance(each, dict) and each.get("cat") in ("Session", "Node") and "dur" in each
        for each in table[:50]
    )


def read(table: Any, path: Path) -> RunPart | None:
    """Return the run of a profile; None for anything else."""
    if not is_profile(table):
        return None
    layers = layers_of(table)
    if not layers:
        raise ValueError("a profile of ONNX Runtime without any operator that ran")
    run = MeasuredRun(
        RunModel("model"),
        RunRuntime("onnxruntime", provider=provider_of(layers)),
        "onnxruntime-profile",
        device=RunDevice(kind="cpu" if provider_of(layers) == CPU else None),
        times=times_of(table),
        layers=layers,
    )
    return RunPart(run)


def layers_of(table: Sequence[Any]) -> tuple[RunLayer, ...]:
    """Return the operators of an inference, in the order in which they ran first.

    The first inference, which allocates memory, is left out if there are others.
    """
    runs = _runs(table)
    events = sorted(_events(table), key=lambda event: event.start)
    if any(event.about.get("op_name") in _WITH_GRAPHS for event in events):
        own_seconds(events)
    return tuple(map(_layer, per_inference(events, runs)))


def times_of(table: Sequence[Any]) -> RunTimes | None:
    """Return the time of an inference: with the cost of profiling."""
    return times_from([end - start for start, end in _runs(table)])


def provider_of(layers: Sequence[RunLayer]) -> str | None:
    """Return the provider that takes most of the time."""
    taken: dict[str, float] = {}
    for layer in layers:
        if layer.unit:
            taken[layer.unit] = taken.get(layer.unit, 0.0) + layer.seconds
    return max(taken, key=lambda unit: taken[unit], default=None)


def _runs(table: Sequence[Any]) -> list[tuple[float, float]]:
    found = [
        (each["ts"] * MICRO, (each["ts"] + each["dur"]) * MICRO)
        for each in table
        if _is_event(each) and each.get("name") == "model_run"
    ]
    found.sort()
    return found[1:] if len(found) > 1 else found


def _events(table: Sequence[Any]) -> Iterator[Event]:
    for each in table:
        if not _is_event(each) or each.get("cat") != "Node":
            continue
        name = str(each.get("name", ""))
        about = each.get("args")
        if not name.endswith(SUFFIX) or not isinstance(about, dict):
            continue
        key = (shown(name.removesuffix(SUFFIX)), str(about.get("node_index")))
        yield Event(key, each["ts"] * MICRO, each["dur"] * MICRO, about)


def _is_event(each: object) -> bool:
    return (
        isinstance(each, dict)
        and type(each.get("ts")) in (int, float)
        and type(each.get("dur")) in (int, float)
        and 0 <= each["dur"] < 1e15
        and abs(each["ts"]) < 1e18
    )


def _layer(found: Gathered) -> RunLayer:
    about: Mapping[str, Any] = found.event.about
    op = shown(about.get("op_name")) or None
    inputs, types = _shapes(about.get("input_type_shape"))
    outputs, _ = _shapes(about.get("output_type_shape"))
    return RunLayer(
        name=found.event.key[0],
        op=op,
        seconds=found.seconds,
        fastest=found.fastest,
        calls=found.calls,
        kind="copy" if op in _COPIES else "reformat" if op in _REFORMATS else "compute",
        precision=next(filter(None, map(precision_of, types)), None),
        unit=shown(about.get("provider")) or None,
        inputs=inputs,
        outputs=outputs,
    )


def _shapes(stated: object) -> tuple[tuple[tuple[int, ...], ...], list[str]]:
    """Return shapes and types: ``[{"float": [1, 64]}]``."""
    shapes, types = [], []
    for each in stated if isinstance(stated, list) else ():
        if not isinstance(each, dict) or len(each) != 1:
            continue
        ((name, dims),) = each.items()
        if isinstance(dims, list) and all(type(dim) is int and dim >= 0 for dim in dims):
            shapes.append(tuple(dims))
            types.append(str(name))
    return tuple(shapes), types
