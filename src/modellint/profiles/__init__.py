"""Reads what profilers write, and finds the nodes of a model in it.

>>> read_run([Path("times.json"), Path("profile.json"), Path("layers.json")])   # one run
>>> read_runs([Path("runs/"), Path("run.json")])                                # many
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from modellint.base.errors import UsageError
from modellint.base.files import MOST_JSON, open_regular, read_text
from modellint.base.rebuild import require_typed
from modellint.profiles import registry
from modellint.profiles.part import RunPart, joined
from modellint.results.measured import (
    KIND,
    MeasuredRun,
    parse_json,
    require_possible,
    run_from_json,
)

SQLITE = b"SQLite format 3\0"
FORMATS = (
    "ONNX Runtime's profile, trtexec's times, profile or layers, PyTorch's or perfetto's trace, "
    "OpenVINO's counters, LiteRT's benchmark, Nsight Systems' SQLite export"
)


def read_run(paths: Sequence[Path]) -> MeasuredRun:
    """Read one run, which may be spread over files; raise UsageError if they contain none."""
    parts = [_part(path) for path in paths]
    run = _checked(joined(parts) if len(parts) > 1 else parts[0].run, paths[0])
    if run.times is None and not run.layers:
        names = ", ".join(map(str, paths))
        raise UsageError(f"{names}: no times; also give the file with the layer times")
    return run


def _checked(run: MeasuredRun, path: Path) -> MeasuredRun:
    """Return the run if all in it is possible: a profile is not trusted."""
    try:
        require_typed(run)
        require_possible(run)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return run


def read_runs(paths: Sequence[Path]) -> list[MeasuredRun]:
    """Read runs from files of one or several, and from registries."""
    found: list[MeasuredRun] = []
    for path in paths:
        if path.is_dir():
            inside = registry.files_of(path)
            if not inside:
                raise UsageError(f"{path}: no runs in this folder")
            found += [run for file in inside for run in _runs_in(file)]
        else:
            found += _runs_in(path)
    return found


def _runs_in(path: Path) -> list[MeasuredRun]:
    lines = list(_lines_of_runs(path))
    return lines or [read_run([path])]


def _lines_of_runs(path: Path) -> Iterator[MeasuredRun]:
    """Iterate over the runs in a file of several, one in each line."""
    head = _head(path)
    text = "" if head[:16] == SQLITE or _is_trace(head) else _text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(f'"{KIND}"' in line[:200] for line in lines[:2]):
        return
    for number, line in enumerate(lines, 1):
        yield _our_own(line, f"{path}:{number}")


def _our_own(text: str, place: str) -> MeasuredRun:
    try:
        return run_from_json(parse_json(text))
    except ValueError as error:
        raise UsageError(f"{place}: not a run: {error}") from error


def _part(path: Path) -> RunPart:
    """Read one file; raise UsageError with one sentence whatever is wrong with it."""
    try:
        head = _head(path)
        if head[:16] == SQLITE:
            from modellint.profiles import nsight

            return nsight.read(path)
        if _is_trace(head):
            from modellint.profiles import perfetto

            return perfetto.read(path)
        return _from_text(path, _text(path))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError) as error:
        reason = str(error) if isinstance(error, ValueError) else "its fields have the wrong types"
        raise UsageError(f"{path}: {reason}") from error


def _is_trace(head: bytes) -> bool:
    """Return True for a perfetto trace: a packet, whose numbers no text contains."""
    return head[:1] == b"\n" and b"\1" in head and head.lstrip()[:1] not in (b"{", b"[")


def _from_text(path: Path, text: str) -> RunPart:
    if text.lstrip()[:1] not in ("{", "["):
        return _from_lines(path, text)
    try:
        table = parse_json(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if isinstance(table, dict) and table.get("kind") == KIND:
        try:
            return RunPart(run_from_json(table))
        except ValueError as error:
            raise ValueError(f"not a run: {error}") from None
    for read in _readers():
        part = read(table, path)
        if part is not None:
            return part
    raise ValueError(f"not a supported profile: {FORMATS}")


def _readers() -> tuple[Callable[[Any, Path], RunPart | None], ...]:
    """Return the readers of JSON, each of which returns None for other formats."""
    from modellint.profiles import chrome, litert, onnxruntime, openvino, trtexec

    return (onnxruntime.read, trtexec.read, openvino.read, litert.read_json, chrome.read)


def _from_lines(path: Path, text: str) -> RunPart:
    from modellint.profiles import litert, openvino

    for read in (openvino.read_report, litert.read):
        part = read(text, path)
        if part is not None:
            return part
    raise ValueError(f"not a supported profile: {FORMATS}")


def _head(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(4096) or b""
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _text(path: Path) -> str:
    try:
        return read_text(path, MOST_JSON)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: neither text nor a SQLite database") from error


def write_json(runs: Sequence[MeasuredRun]) -> str:
    """Return runs as JSON: one with indents, several one to a line."""
    if len(runs) == 1:
        return json.dumps(runs[0].to_json(), indent=2, allow_nan=False) + "\n"
    return "".join(json.dumps(run.to_json(), allow_nan=False) + "\n" for run in runs)
