"""Quantization of formats whose operators compute in the types of their tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.quantization.summary import quantization_summary
from modellint.formats import read_model
from modellint.formats.openvino.notation import encode as encode_network
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


UNPACKED = """
x = Parameter f32[1,4]
w = Const {type}[4,2,2]
c = Convert(w) f16[4,2,2] destination_type=f16
z = Const {type}[4,2,1]
d = Convert(z) f16[4,2,1] destination_type=f16
s = Subtract(c, d) f16[4,2,2]
m = Const f16[4,2,1]
q = Multiply(s, m) f16[4,2,2]
shape = Const i64[2]
r = Reshape(q, shape) f16[4,4] special_zero=false
f = Convert(r) f32[4,4] destination_type=f32
y = MatMul(x, f) f32[1,4] transpose_b=true
Result(y)
"""


@pytest.mark.parametrize(("type", "bits"), [("u4", 4), ("u8", 8), ("i32", None)])
def test_weights_that_openvino_unpacks(tmp_path: Path, type: str, bits: int | None) -> None:
    path = tmp_path / "m.xml"
    path.write_bytes(encode_network(UNPACKED.format(type=type)))
    (tmp_path / "m.bin").write_bytes(bytes(256))
    summary = quantization_summary(read_model(path), Deployment())
    assert summary.method == ("weight-only" if bits else "none")
    expected = f"int{bits}" if bits else "fp32"
    assert [each.weight_precision for each in summary.layers] == [expected]
    if bits:
        assert summary.coverage[expected].weight_bytes == 16 * bits // 8
