"""The run schema: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modellint.base.errors import UsageError
from modellint.profiles import read_runs, registry, write_json
from modellint.results.measured import (
    MeasuredRun,
    RunConditions,
    RunLayer,
    RunMemory,
    RunModel,
    RunRuntime,
    RunTimes,
    run_from_json,
)
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "run.schema.json").read_text())
RUN = MeasuredRun(
    RunModel("net.onnx", "onnx"),
    RunRuntime("onnxruntime", "1.32.0"),
    "bench",
    conditions=RunConditions(2, {"x": (2, 3), "scalar": ()}, "fp32", 1),
    times=RunTimes(10, 0.002, rounds=(0.0019, 0.0021)),
    layers=(
        RunLayer("a", "Conv", 0.0015, 1.0, inputs=((2, 3), (4,)), outputs=((2, 4),)),
        RunLayer("b", "Relu", 0.0005, produces=("y",)),
    ),
    memory=RunMemory(1 << 20),
    created="2026-11-29T21:43:00Z",
)


def test_a_run_is_read_as_it_was_written() -> None:
    written = json.loads(write_json([RUN]))
    jsonschema.validate(written, SCHEMA)
    assert run_from_json(written) == RUN


def broken(**changes: Any) -> dict[str, Any]:
    return {**json.loads(write_json([RUN])), **changes}


@pytest.mark.parametrize(
    "table",
    [
        [],
        {},
        broken(version=2),
        broken(more=1),
        broken(layers=[{"name": "a", "op": None, "seconds": -1}]),
        broken(layers=[{"name": "a", "op": None, "seconds": float("inf")}]),
        broken(layers=[{"name": "a", "op": None, "seconds": 10**400}]),
        broken(layers=[{"name": "a", "op": None, "seconds": "1"}]),
        broken(layers=[{"name": "a", "op": None, "seconds": 1, "inputs": [["x"]]}]),
        broken(layers=[{"name": "a"}]),
        broken(layers=[3]),
        broken(times=[]),
        broken(conditions={"shapes": {"x": 1}}),
        broken(model=None),
    ],
)
def test_anything_else_is_refused(table: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - all of them, whatever they say
        run_from_json(table)


def test_a_registry_takes_runs_of_several_writers(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: registry.add(RUN, folder), range(24)))
    assert len(set(paths)) == 24
    runs = read_runs([folder])
    assert len({run.id for run in runs}) == 24
    assert sorted(folder.iterdir()) == sorted(paths)
    with pytest.raises(UsageError, match="no runs"):
        read_runs([tmp_path])


def test_several_runs_are_one_to_a_line(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(write_json([RUN, RUN]))
    assert read_runs([file]) == [RUN, RUN]
    file.write_text(write_json([RUN, RUN]).replace('"net.onnx"', "3", 1))
    with pytest.raises(UsageError, match=r"runs\.jsonl:1: not a run"):
        read_runs([file])
