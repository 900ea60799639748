"""OpenVINO's performance counters, as benchmark_app reports them in CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.profiles.part import RunPart, bare
from modellint.profiles.types import precision_of
from modellint.results.measured import (
    RunConditions,
    RunDevice,
    RunLayer,
    RunRuntime,
    RunTimes,
    shown,
)

MILLI = 1e-3
_COLUMNS = ("layerName", "execStatus", "layerType", "execType")
_REAL_TIME = "realTime (ms)"
_REFORMATS = frozenset(("Reorder", "Convert", "Transpose_Reorder"))


def read(table: Any, path: Path) -> RunPart | None:
    """Return the run of a JSON report; None for anything else."""
    if not isinstance(table, dict):
        return None
    results, counters = table.get("execution_results"), table.get("avg_performance")
    if isinstance(results, dict):
        return _results(results, _mapping(table.get("configuration_setup")))
    if isinstance(counters, dict):
        return _counters([_of_json(each) for each in counters.get("nodes", ())])
    if isinstance(table.get("detailed_performance"), list):
        return _counters([_of_json(each) for each in _detailed(table["detailed_performance"])])
    return None


def read_report(text: str, path: Path) -> RunPart | None:
    """Return the run of a CSV report; None for anything else."""
    lines = text.splitlines()
    if lines and lines[0].startswith(";".join(_COLUMNS)):
        return _counters([_of_csv(lines[0], line) for line in lines[1:] if _is_counter(line)])
    if any(line.strip() == "Execution results" for line in lines[:200]):
        pairs = dict(line.split(";", 1) for line in lines if line.count(";") == 1)
        return _results(pairs, pairs)
    return None


def is_reformat(kind: str) -> bool:
    """Return True for a kind of layer that only changes type or layout."""
    return kind in _REFORMATS


def _results(results: Mapping[str, Any], setup: Mapping[str, Any]) -> RunPart:
    median = _number(results.get("latency (ms)"))
    if median is None:
        raise ValueError("a report of benchmark_app without a latency")
    batch = _number(setup.get("batch size"))
    times = RunTimes(
        int(_number(results.get("total number of iterations")) or 1),
        median * MILLI,
        mean=_seconds(results.get("avg latency")),
        minimum=_seconds(results.get("min latency")),
        first=_seconds(results.get("first inference time (ms)")),
        load=_seconds(results.get("compile model time (ms)")),
    )
    device = shown(setup.get("target device"))
    run = replace(
        bare("openvino", "openvino-report"),
        runtime=RunRuntime("openvino", provider=device or None),
        device=_device(device),
        conditions=RunConditions(batch=int(batch) if batch is not None else None),
        times=times,
    )
    return RunPart(run)


def _device(name: str) -> RunDevice:
    kind = name.partition(".")[0].lower()
    return RunDevice(kind=kind if kind in ("cpu", "gpu", "npu") else None)


def _counters(rows: list[Mapping[str, Any]]) -> RunPart:
    layers = tuple(_layer(row) for row in rows if str(row["status"]).endswith("EXECUTED"))
    if not layers:
        raise ValueError("performance counters of OpenVINO without a layer that was executed")
    return RunPart(replace(bare("openvino", "openvino-counters"), layers=layers))


def _layer(row: Mapping[str, Any]) -> RunLayer:
    seconds = _seconds(row["time"])
    if seconds is None:
        raise ValueError(f"{row['time']!r} is not a time")
    kind = shown(row["kind"])
    kernel = shown(row["kernel"])
    return RunLayer(
        name=shown(row["name"]),
        op=kind or None,
        seconds=seconds,
        calls=1.0,
        kind="reformat" if is_reformat(kind) else "compute",
        precision=precision_of(kernel),
        kernel=kernel or None,
    )


def _of_csv(head: str, line: str) -> Mapping[str, Any]:
    names = [name.strip() for name in head.split(";")]
    count = len(names) - 1
    values = line.rsplit(";", count)  # a layer's name may hold the separator
    row = dict(zip(names, values, strict=False))
    if _REAL_TIME not in row:
        raise ValueError(f"performance counters of OpenVINO without {_REAL_TIME}")
    return {
        "name": row["layerName"],
        "status": row["execStatus"],
        "kind": row["layerType"],
        "kernel": row["execType"],
        "time": row[_REAL_TIME],
    }


def _of_json(node: Any) -> Mapping[str, Any]:
    return {
        "name": node["name"],
        "status": node["status"],
        "kind": node["node_type"],
        "kernel": node.get("exec_type", ""),
        "time": node["real_time"],
    }


def _detailed(requests: list[Any]) -> Iterator[Any]:
    yield from requests[0]["nodes"] if requests else ()


def _is_counter(line: str) -> bool:
    return line.count(";") >= len(_COLUMNS) and not line.startswith("Total;")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(text: object) -> float | None:
    number = _number(text)
    return number * MILLI if number is not None else None


def _number(text: object) -> float | None:
    try:
        number = float(str(text))
    except ValueError:
        return None
    return number if 0 <= number < 1e15 else None
