"""The tables of what runtimes take are whole and current."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx import defs

from modellint.runtimes.support import support
from tests.support import ROOT

TABLES = sorted((ROOT / "src" / "modellint" / "runtimes").glob("*/support-*.json"))


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
