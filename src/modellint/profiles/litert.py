"""Output of LiteRT's benchmarks: benchmark_model's text with its operators, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.profiles.part import RunPart, bare
from modellint.results.measured import RunConditions, RunDevice, RunLayer, RunTimes, shown

MICRO, MILLI = 1e-6, 1e-3
_TIMINGS = re.compile(
    r"(?:Inference timings in us|Timings \(microseconds\)):?[^\n]{0,40}?"
    r"(?:Init: (?P<init>[\d.e+]+), )?First inference: (?P<first>[\d.e+]+), "
    r"Warmup \(avg\): (?P<warm>[\d.e+]+), Inference \(avg\): (?P<mean>[\d.e+]+)"
)
_COUNT = re.compile(
    r"count=(?P<count>\d+) (?:first=\S+ )?curr=\S+ min=(?P<min>\S+) max=(?P<max>\S+) "
    r"avg=(?P<avg>\S+) std=\S+(?: p5=\S+)?(?: median=(?P<median>\S+))?"
)
_TABLE = re.compile(r"=+ Run Order =+")
_END = re.compile(r"=+ Top by ")


def read_json(table: Any, path: Path) -> RunPart | None:
    """Return the run that ``litert-benchmark --result_json`` writes; None for anything else."""
    latency = table.get("latency") if isinstance(table, dict) else None
    if not isinstance(latency, dict) or "median_ms" not in latency:
        return None
    times = RunTimes(
        latency["num_runs"],
        latency["median_ms"] * MILLI,
        mean=latency["avg_ms"] * MILLI,
        minimum=latency["min_ms"] * MILLI,
        first=latency["warmup_first_ms"] * MILLI if latency["num_warmup_runs"] else None,
        load=latency["init_ms"] * MILLI,
    )
    threads = table["num_threads"]
    run = replace(
        bare("tflite", "litert-benchmark", shown(re.split(r"[/\\]", str(table["model"]))[-1])),
        conditions=RunConditions(threads=threads if type(threads) is int and threads > 0 else None),
        times=times,
    )
    return RunPart(run)


def read(text: str, path: Path) -> RunPart | None:
    """Return the run of an output; None for anything else."""
    counts = list(_COUNT.finditer(text))
    whole = _TIMINGS.search(text)
    if not counts and whole is None:
        return None
    layers = tuple(_operators(text.splitlines()))
    run = replace(
        bare("tflite", "litert-benchmark"),
        device=RunDevice(),
        times=_times(counts, whole),
        layers=layers,
    )
    return RunPart(run)


def _times(counts: Sequence[re.Match[str]], whole: re.Match[str] | None) -> RunTimes | None:
    """Return the figures of the last series, which follows the warm-up."""
    first = float(whole["first"]) * MICRO if whole is not None else None
    load = float(whole["init"]) * MICRO if whole is not None and whole["init"] else None
    if counts:
        last = counts[-1]
        mean = float(last["avg"]) * MICRO
        median = float(last["median"]) * MICRO if last["median"] else mean
        return RunTimes(
            int(last["count"]),
            median,
            mean=mean,
            minimum=float(last["min"]) * MICRO,
            first=first,
            load=load,
        )
    assert whole is not None
    mean = float(whole["mean"]) * MICRO
    return RunTimes(1, mean, mean=mean, first=first, load=load)


def _operators(lines: Sequence[str]) -> Iterator[RunLayer]:
    """Iterate over the rows of the last table of operators in their order."""
    starts = [at for at, line in enumerate(lines) if _TABLE.search(line)]
    if not starts:
        return
    names: list[str] = []
    for line in lines[starts[-1] + 1 :]:
        if _END.search(line) or (names and not line.strip()):
            return
        cells = [cell.strip() for cell in line.strip().strip("[]").split("\t") if cell.strip()]
        if not names:
            names = [cell.strip("[]").lower() for cell in cells]
            if "node type" not in names:
                names = []
            continue
        row = dict(zip(names, cells, strict=False))
        yield _operator(row)


def _operator(row: dict[str, str]) -> RunLayer:
    taken = row.get("avg ms") or row.get("avg_ms")
    place, _, number = row.get("name", "").rpartition(":")
    results = place.strip("[]") if number.isdecimal() else row.get("name", "")
    if taken is None:
        raise ValueError("a table of operators without the column 'avg ms'")
    called = row.get("times called", "1")
    return RunLayer(
        name=shown(results),
        op=shown(row["node type"]),
        seconds=float(taken) * MILLI,
        calls=float(called) if called.replace(".", "").isdecimal() else None,
        produces=tuple(shown(each) for each in results.split(";") if each),
    )
