"""Work of TFLite's operators, whose tensors and weights have another layout, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.cost import cost
from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.targets.deployment import Deployment


@pytest.mark.parametrize(
    ("text", "macs"),
    [
        # 8x8 places, 3x3 kernel, 3 channels in, 16 out
        ("x[1,8,8,3] w[16,3,3,3]=0 y[1,8,8,16] CONV_2D(x,w)", 8 * 8 * 16 * 3 * 3 * 3),
        # two groups: each output sees 2 of the 4 channels
        ("x[1,8,8,4] w[16,3,3,2]=0 y[1,8,8,16] CONV_2D(x,w)", 8 * 8 * 16 * 3 * 3 * 2),
        # each output channel sees one input channel, with a multiplier of 2
        ("x[1,8,8,3] w[1,5,5,6]=0 y[1,4,4,6] DEPTHWISE_CONV_2D(x,w)", 4 * 4 * 6 * 5 * 5),
        ("x[1,4,8,8,3] w[2,3,3,3,5]=0 y[1,3,6,6,5] CONV_3D(x,w)", 3 * 6 * 6 * 5 * 2 * 3 * 3 * 3),
        # each input element is spread over 3x3 places of 5 channels
        ("s[4] w[5,3,3,7]=0 x[1,4,4,7] y[1,8,8,5] TRANSPOSE_CONV(s,w,x)", 4 * 4 * 7 * 3 * 3 * 5),
        # the rows are flattened first: 2 of 12 elements
        ("x[2,3,4] w[10,12]=0 y[2,10] FULLY_CONNECTED(x,w)", 2 * 12 * 10),
        ("x[2,3,4] w[10,4]=0 y[2,3,10] FULLY_CONNECTED(x,w)", 2 * 3 * 4 * 10),
        ("x[5,3,4] w[5,4,6] y[5,3,6] BATCH_MATMUL(x,w)", 5 * 3 * 4 * 6),
        ("x[5,4,3] w[5,4,6] y[5,3,6] BATCH_MATMUL(x,w){adj_x=1}", 5 * 3 * 4 * 6),
        # two steps of three rows: 4 -> 5 features, each kept for 6 steps
        ("x[2,4] w[5,4]=0 t[5,6]=0 b[5]=0 s[2,30] y[2,5] SVDF(x,w,t,b,s)", 2 * (5 * 4 + 5 * 6)),
        ("x[1,8,8,3] y[1,4,4,3] MAX_POOL_2D(x){filter_width=2 filter_height=2}", 0),
        ("x[1,8] y[1,8] LOGISTIC(x)", 0),
    ],
)
def test_multiply_accumulates(tmp_path: Path, text: str, macs: int) -> None:
    tensors, _, node = text.rpartition("y[")
    shape, _, node = node.partition("] ")
    op, _, rest = node.partition("(")
    listed = [*tensors.split(), f"y[{shape}]"]
    lines = [each.replace("[", " float32[").replace("=0", " = 0") for each in listed]
    inputs, _, options = rest.partition(")")
    model = f"main (x) => (y)\n{chr(10).join(lines)}\n{op} ({inputs}) => (y) {options}"
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(model))
    counted = cost(read_model(path), Deployment())
    assert counted.total.macs == macs


def test_operations_of_a_window(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(
        encode(
            "main (x) => (y)\nx float32[1,8,8,3]\ny float32[1,4,4,3]\n"
            "AVERAGE_POOL_2D (x) => (y) {filter_width=2 filter_height=3}"
        )
    )
    assert cost(read_model(path), Deployment()).total.flops == 4 * 4 * 3 * 6
