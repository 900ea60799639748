"""Nsight Systems' export to SQLite: kernels, copies, and the layers that ranges name."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from modellint.base.files import open_regular
from modellint.base.paths import real_path
from modellint.profiles.gathering import Event, Gathered, per_inference, times_from
from modellint.profiles.part import RunPart, bare
from modellint.profiles.types import precision_of
from modellint.results.measured import RunDevice, RunLayer, RunRuntime, shown

NANO = 1e-9
MOST_ROWS = 2_000_000
MOST_STEPS = 50_000_000
"""Instructions of SQLite's machine in one query: a hostile file can make one endless."""
_KERNELS = "CUPTI_ACTIVITY_KIND_KERNEL"
_COPIES = "CUPTI_ACTIVITY_KIND_MEMCPY"
_LAUNCHES = "CUPTI_ACTIVITY_KIND_RUNTIME"
_RANGES = "NVTX_EVENTS"
_RUNS = frozenset(("ExecutionContext::enqueue", "ExecutionContext::enqueueV3", "inference"))
_DIRECTIONS = {1: "HtoD", 2: "DtoH", 8: "DtoD"}
WHOLE = "no range marks inferences: its times are those of the whole recording"


def read(path: Path) -> RunPart:
    """Return the run of an export; raise ValueError if it is not one."""
    with open_regular(path):  # and neither a pipe nor a device
        address = f"file:{quote(str(real_path(path)))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.set_progress_handler(_Budget().spent, 100_000)
            return _read(database)
    except sqlite3.Error as error:
        raise ValueError(f"not an export of Nsight Systems: {error}") from error


class _Budget:
    def __init__(self) -> None:
        self._left = MOST_STEPS

    def spent(self) -> bool:
        self._left -= 100_000
        return self._left < 0


def _read(database: sqlite3.Connection) -> RunPart:
    tables = {str(name) for (name,) in _rows(database, "SELECT name FROM sqlite_master")}
    if _KERNELS not in tables:
        raise ValueError("not an export of Nsight Systems with CUDA kernels")
    texts = _texts(database) if "StringIds" in tables else {}
    ranges = _ranges(database, texts) if _RANGES in tables else []
    runs = [(start, end) for start, end, text in ranges if text in _RUNS]
    names = _Naming(ranges, _launches(database) if _LAUNCHES in tables else {})
    events = [*_kernels(database, texts, names)]
    if _COPIES in tables:
        events += _copies(database)
    events.sort(key=lambda event: event.start)
    ends = [start for start, _ in runs[1:]]
    spans = [(start, end) for (start, _), end in zip(runs, [*ends, float("inf")], strict=False)]
    found = per_inference(events, spans)
    layers = tuple(map(_layer, found))
    if not layers:
        raise ValueError("an export of Nsight Systems without kernels")
    run = replace(
        bare("tensorrt" if names.has_layers else "cuda", "nsight-systems"),
        device=_device(database) if "TARGET_INFO_GPU" in tables else RunDevice(kind="gpu"),
        times=times_from([end - start for start, end in runs]),
        layers=layers,
        notes=() if runs else (WHOLE,),
    )
    return RunPart(replace(run, runtime=RunRuntime(run.runtime.name, provider="cuda")))


def _rows(database: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(database.execute(query)):
        if number >= MOST_ROWS:
            raise ValueError(f"more than {MOST_ROWS:,} events")
        yield row


def _texts(database: sqlite3.Connection) -> dict[int, str]:
    return {
        key: shown(value)
        for key, value in _rows(database, "SELECT id, value FROM StringIds")
        if isinstance(key, int)
    }


def _ranges(database: sqlite3.Connection, texts: dict[int, str]) -> list[tuple[float, float, str]]:
    columns = _columns(database, _RANGES)
    text = "text" if "text" in columns else "NULL"
    name = "textId" if "textId" in columns else "NULL"
    query = f"SELECT start, end, {text}, {name} FROM {_RANGES} WHERE end IS NOT NULL"  # noqa: S608
    found = [
        (start * NANO, end * NANO, shown(stated) or texts.get(key, ""))
        for start, end, stated, key in _rows(database, query)
        if _is_span(start, end)
    ]
    return sorted(found)


def _launches(database: sqlite3.Connection) -> dict[int, float]:
    query = f"SELECT correlationId, start FROM {_LAUNCHES}"  # noqa: S608
    return {
        key: start * NANO
        for key, start in _rows(database, query)
        if isinstance(key, int) and isinstance(start, int)
    }


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")}


class _Naming:
    """Names of layers, from the innermost range in which a kernel was launched."""

    def __init__(self, ranges: list[tuple[float, float, str]], launches: dict[int, float]) -> None:
        self._ranges = [each for each in ranges if each[2] and each[2] not in _RUNS]
        self._starts = [start for start, _, _ in self._ranges]
        self._launches = launches
        self.has_layers = any(text in _RUNS for _, _, text in ranges)

    def of(self, correlation: object) -> str:
        launched = self._launches.get(correlation) if isinstance(correlation, int) else None
        if launched is None:
            return ""
        at = bisect_right(self._starts, launched)
        for start, end, text in reversed(self._ranges[max(0, at - 64) : at]):
            if start <= launched <= end:
                return text
        return ""


def _kernels(
    database: sqlite3.Connection, texts: dict[int, str], names: _Naming
) -> Iterator[Event]:
    query = f"SELECT start, end, shortName, gridX, gridY, gridZ, correlationId FROM {_KERNELS}"  # noqa: S608
    for start, end, name, *grid, correlation in _rows(database, query):
        if not _is_span(start, end):
            continue
        kernel = texts.get(name, shown(name))
        layer = names.of(correlation)
        about = (layer or kernel, kernel, tuple(d for d in grid if isinstance(d, int) and d >= 0))
        yield Event(("kernel", *about), start * NANO, (end - start) * NANO, about)


def _copies(database: sqlite3.Connection) -> Iterator[Event]:
    query = f"SELECT start, end, copyKind FROM {_COPIES}"  # noqa: S608
    for start, end, kind in _rows(database, query):
        if _is_span(start, end):
            name = f"Memcpy {_DIRECTIONS.get(kind, '')}".strip()
            yield Event(("copy", name), start * NANO, (end - start) * NANO, (name, name, ()))


def _is_span(start: object, end: object) -> bool:
    return isinstance(start, int) and isinstance(end, int) and 0 <= start <= end < 1 << 63


def _layer(found: Gathered) -> RunLayer:
    name, kernel, grid = found.event.about
    is_copy = found.event.key[0] == "copy"
    return RunLayer(
        name=name,
        op=None,
        seconds=found.seconds,
        fastest=found.fastest,
        calls=found.calls,
        kind="copy" if is_copy else "reformat" if "reformat" in name.lower() else "compute",
        precision=precision_of(kernel) if not is_copy else None,
        kernel=kernel,
        unit="cuda",
        grid=grid,
    )


def _device(database: sqlite3.Connection) -> RunDevice:
    columns = _columns(database, "TARGET_INFO_GPU")
    wanted = [each if each in columns else "NULL" for each in ("name", "smCount", "totalMemory")]
    row = database.execute(f"SELECT {', '.join(wanted)} FROM TARGET_INFO_GPU").fetchone()  # noqa: S608
    name, units, memory = row or (None, None, None)
    return RunDevice(
        name=shown(name) or None,
        kind="gpu",
        units=units if isinstance(units, int) and units > 0 else None,
        memory_bytes=memory if isinstance(memory, int) and memory > 0 else None,
    )
