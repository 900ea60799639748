"""Traces in Chrome's format: those of PyTorch's profiler, and perfetto's as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.profiles.gathering import Event, Gathered, own_seconds, per_inference, times_from
from modellint.profiles.part import RunPart, bare
from modellint.profiles.types import precision_of
from modellint.results.measured import RunDevice, RunLayer, RunRuntime, shown

MICRO = 1e-6
_STEP = re.compile(r"ProfilerStep#\d+")
_INFERENCES = frozenset(("model_run", "inference", "Invoke"))
_KERNELS = frozenset(("kernel", "gpu_op"))
_COPIES = frozenset(("gpu_memcpy", "gpu_memset"))
_OPERATORS = frozenset(("cpu_op", "Operator"))
_OF_TORCH = frozenset(("cpu_op", "kernel", "gpu_memcpy", "python_function", "cuda_runtime"))
WHOLE = "the trace marks no inferences: its times are those of the whole trace"


def read(table: Any, path: Path) -> RunPart | None:
    """Return the run of a trace; None for anything else."""
    listed = table.get("traceEvents") if isinstance(table, dict) else table
    if not isinstance(listed, list) or not any(_is_whole(each) for each in listed):
        return None
    events = [each for each in listed if _is_whole(each)]
    is_torch = any(each.get("cat") in _OF_TORCH for each in events)
    runs = _inferences(events)
    on_gpu = [each for each in events if each.get("cat") in _KERNELS | _COPIES]
    chosen = on_gpu or _on_cpu(events, is_torch)
    # What a GPU runs ends later than the step that started it.
    spans = _stretched(runs) if on_gpu else runs
    found = per_inference([_event(each) for each in chosen] if on_gpu else _own(chosen), spans)
    layers = tuple(_layer(each) for each in found if each.seconds)
    if not layers:
        raise ValueError("a trace without operators or kernels")
    run = replace(
        bare("pytorch" if is_torch else "unknown", "pytorch-trace" if is_torch else "trace"),
        device=_device(table, bool(on_gpu)),
        times=times_from([end - start for start, end in runs]),
        layers=layers,
        notes=() if runs else (WHOLE,),
    )
    if is_torch:
        run = replace(run, runtime=RunRuntime("pytorch", provider="cuda" if on_gpu else "cpu"))
    return RunPart(run)


def _is_whole(each: object) -> bool:
    """Return True for an event with a beginning and a duration."""
    return (
        isinstance(each, dict)
        and each.get("ph") == "X"
        and type(each.get("ts")) in (int, float)
        and type(each.get("dur")) in (int, float)
        and 0 <= each["dur"] < 1e15
        and abs(each["ts"]) < 1e18
        and isinstance(each.get("name"), str)
    )


def _inferences(events: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Return the spans that mark inferences; of several kinds of marks, the steps of a profiler."""
    steps = [each for each in events if _STEP.fullmatch(each["name"])]
    marks = steps or [each for each in events if each["name"] in _INFERENCES]
    return sorted((each["ts"] * MICRO, (each["ts"] + each["dur"]) * MICRO) for each in marks)


def _stretched(runs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    ends = [start for start, _ in runs[1:]]
    return [(start, end) for (start, _), end in zip(runs, [*ends, float("inf")], strict=True)]


def _on_cpu(events: Sequence[Mapping[str, Any]], is_torch: bool) -> list[Mapping[str, Any]]:
    if is_torch:
        return [each for each in events if each.get("cat") in _OPERATORS]
    return [
        each
        for each in events
        if not _STEP.fullmatch(each["name"]) and each["name"] not in _INFERENCES
    ]


def _own(chosen: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Return events with the time that none inside them takes, by thread."""
    threads: dict[object, list[Event]] = {}
    for each in chosen:
        threads.setdefault((str(each.get("pid")), str(each.get("tid"))), []).append(_event(each))
    for events in threads.values():
        own_seconds(events)
    return sorted((e for events in threads.values() for e in events), key=lambda each: each.start)


def _event(each: Mapping[str, Any]) -> Event:
    about = each.get("args")
    about = about if isinstance(about, dict) else {}
    key = (shown(each["name"]), str(about.get("Input Dims")), str(each.get("cat")))
    return Event(key, each["ts"] * MICRO, each["dur"] * MICRO, about)


def _layer(gathered: Gathered) -> RunLayer:
    name, _, category = gathered.event.key
    about: Mapping[str, Any] = gathered.event.about
    types = about.get("Input type")
    is_copy = category in _COPIES or "Memcpy" in name
    found = map(precision_of, types if isinstance(types, list) else ())
    return RunLayer(
        name=name,
        op=name.removeprefix("aten::") if name.startswith("aten::") else None,
        seconds=gathered.seconds,
        fastest=gathered.fastest,
        calls=gathered.calls,
        kind="copy" if is_copy else "compute",
        precision=next(filter(None, found), None),
        kernel=name if category in _KERNELS else None,
        unit="cuda" if category in _KERNELS | _COPIES else None,
        inputs=_dims(about.get("Input Dims")),
        grid=_grid(about.get("grid")),
    )


def _dims(stated: object) -> tuple[tuple[int, ...], ...]:
    shapes = stated if isinstance(stated, list) else []
    return tuple(
        tuple(dims)
        for dims in shapes
        if isinstance(dims, list) and dims and all(type(d) is int and d >= 0 for d in dims)
    )


def _grid(stated: object) -> tuple[int, ...]:
    if not isinstance(stated, list) or not all(type(d) is int and d >= 0 for d in stated[:3]):
        return ()
    return tuple(stated[:3])


def _device(table: object, on_gpu: bool) -> RunDevice:
    listed = table.get("deviceProperties") if isinstance(table, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    if not on_gpu or not isinstance(first, dict):
        return RunDevice(kind="gpu" if on_gpu else "cpu")
    units, memory = first.get("numSms"), first.get("totalGlobalMem")
    return RunDevice(
        name=shown(first.get("name")) or None,
        kind="gpu",
        units=units if type(units) is int and units > 0 else None,
        memory_bytes=memory if type(memory) is int and memory > 0 else None,
    )
