"""Tables of integers of which nothing is said that was not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from modellint.checks import tables
from tests.samples import codes
from tests.support import model_from_text

TABLE = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[4096,1] x) => (float[2048,1] y) <int64[1] table = {0}> { y = Gather (x, table) }
"""


def stored_apart(folder: Path) -> Path:
    model = model_from_text(TABLE)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.arange(2048), "table"))
    path = folder / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="data", size_threshold=0)
    return path


def test_a_table_that_is_not_there_is_not_said_to_fit_into_32_bits(tmp_path: Path) -> None:
    path = stored_apart(tmp_path)
    assert codes(path, "--select", "NUM016") == ["NUM016"]
    (tmp_path / "data").unlink()
    assert codes(path, "--select", "NUM016") == []


def test_a_very_large_table_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LARGEST", 1 << 10)
    assert codes(stored_apart(tmp_path), "--select", "NUM016") == []
