"""Quantization of formats whose operators compute in the types of their tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.quantization.summary import quantization_summary
from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.targets.deployment import Deployment


@pytest.mark.parametrize(
    ("types", "method", "precision", "weights"),
    [
        (("int8", "int8"), "integer", "int8", "int8"),
        (("int16", "int8"), "integer", "int16", "int8"),
        (("float32", "int8"), "weight-only", "fp32", "int8"),
        (("float32", "int4"), "weight-only", "fp32", "int4"),
        (("float32", "float32"), "none", "fp32", "fp32"),
    ],
)
def test_precision_is_that_of_the_tensors(
    tmp_path: Path, types: tuple[str, str], method: str, precision: str, weights: str
) -> None:
    data, weight = types
    scale = " *0.5" if weight != "float32" else ""
    path = tmp_path / "model.tflite"
    path.write_bytes(
        encode(
            f"main (x) => (y)\nx {data}[1,4] *0.5\nw {weight}[2,4]{scale} = 1\n"
            f"y {data}[1,2] *0.5\nFULLY_CONNECTED (x, w, -) => (y)"
        )
    )
    summary = quantization_summary(read_model(path), Deployment())
    assert (summary.method, summary.precision) == (method, precision)
    assert [layer.weight_precision for layer in summary.layers] == [weights]
    assert not summary.refused  # TensorRT is not asked about such files
