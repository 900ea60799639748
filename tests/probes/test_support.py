"""The tables of what runtimes take: whole, current, and what a measurement finds again today."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from onnx import defs

from modellint.probes.backends import known_backends
from modellint.runtimes.support import support
from tests.support import ROOT

TABLES = sorted((ROOT / "src" / "modellint" / "runtimes").glob("*/support-*.json"))
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


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_table_is_whole(path: Path) -> None:
    table = json.loads(path.read_text(encoding="utf-8"))
    assert path.parent.name == table["runtime"].replace("-", "_")
    assert table["version"].startswith(path.stem.rpartition("-")[2])
    assert table["confidence"] in ("measured", "theoretical")
    assert table["source"].startswith("https://")
    assert len(table["operators"]) > 100
    for op, entry in table["operators"].items():
        assert isinstance(entry["taken"], bool), op
        assert not set(entry.get("types", ())) & set(entry.get("not", ())), op
        assert entry["taken"] or not entry.get("types"), op


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx", "onnxruntime"])
def test_the_rules_find_their_table(runtime: str) -> None:
    table = support(runtime)
    assert table is not None
    assert table.takes("Relu") is True
    assert table.takes("NoSuchOperator") is None
    known = {schema.name for schema in defs.get_all_schemas_with_history()}
    legacy = {"ImageScaler", "ParametricSoftplus", "ScaledTanh"}  # of the times before ONNX 1.0
    microsoft = {
        "MultiHeadAttention",
        "SimplifiedLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    }
    assert set(table.operators) - legacy - microsoft <= known


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
