"""The tables of what runtimes take: what a measurement finds again today."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from modellint.probes.backends import known_backends
from modellint.runtimes.support import support
from tests.support import ROOT

AGAIN = {
    "tensorrt-rtx": ["Abs", "Det", "MatMul", "NonZero", "OneHot", "Relu", "Where"],
    "onnxruntime": ["Abs", "Clip", "Det", "ImageDecoder", "OneHot", "RoiAlign", "Sin"],
}
"""Operators that are taken, refused, taken for some types, and taken in older versions only."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "tools" / "measure_support.py"
    spec = importlib.util.spec_from_file_location("measure_support", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("runtime", AGAIN)
def test_a_measurement_finds_the_same_again(runtime: str, tool: ModuleType) -> None:
    backend, table = known_backends()[runtime], support(runtime)
    assert table is not None
    if backend.module is None:
        pytest.skip(f"{backend.title} is not installed: {backend.install}")
    if backend.version != table.version:
        pytest.skip(f"the table is of {backend.title} {table.version}, here is {backend.version}")
    tests = {op: found for op, found in tool.cases().items() if op in AGAIN[runtime]}
    assert len(tests) == len(AGAIN[runtime])
    measured = tool.measure(tool.RUNTIMES[runtime](), tests)
    for op, found in measured.items():
        assert _without_note(tool._entry(found)) == _without_note(table.operators[op]), op


def _without_note(entry: Any) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "note"}
