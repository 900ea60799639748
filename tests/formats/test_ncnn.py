"""Models of ncnn."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from modellint.formats import read_model

NET = """7767517
4 5
Input       in    0 1 a
Convolution conv  1 1 a b 0=8 1=3 -23309=2,0.5,1 17=2.5e-1
Split       split 1 2 b c d
Eltwise     add   2 1 c d e 0=1
"""


def test_layers_have_their_blobs_and_parameters(tmp_path: Path) -> None:
    path = tmp_path / "net.param"
    path.write_text(NET)
    model = read_model(path)
    assert (model.format, model.problems) == ("ncnn", [])
    conv, split, add = model.graph.nodes
    assert conv.attributes == {"0": 8, "1": 3, "9": (0.5, 1), "17": 0.25}
    assert [each.name for each in split.outputs if each is not None] == ["c", "d"]
    assert add.qualified_op == "ncnn.Eltwise"
    assert [each.name for each in model.inputs] == ["a"]
    assert [each.name for each in model.outputs] == ["e"]


@pytest.mark.parametrize(
    "text",
    [
        "7767517\n",
        "7767517\n1\n",
        "7767517\n0 0\n",
        "7767517\n5 5\nInput a 0 1 a\n",
        "7767517\n1 1\nInput\n",
        "7767517\n1 1\nInput a 0 9 a\n",
        "7767517\n1 1\nInput a -1 1 a\n",
        "7767517\n1 1\nInput a x 1 a\n",
    ],
)
def test_a_damaged_file_is_corrupt(text: str, tmp_path: Path) -> None:
    path = tmp_path / "net.param"
    path.write_text(text)
    assert [each.kind for each in read_model(path).problems] == ["corrupt"]


SIZES = json.loads(Path(__file__).with_name("ncnn_weights.json").read_bytes())
"""Bytes of weights that ncnn needs to load a layer, from `tools/record_ncnn_weights.py`."""


@pytest.mark.parametrize("layer", SIZES)
def test_layers_have_as_many_bytes_of_weights_as_ncnn_loads(layer: str, tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    kind, _, parameters = layer.partition(" ")
    inputs = "0 1" if kind == "MemoryData" else "1 1 x"
    path.write_text(f"7767517\n2 2\nInput in 0 1 x\n{kind} l {inputs} y {parameters}\n")
    weights = path.with_suffix(".bin")
    weights.write_bytes(bytes(SIZES[layer]))
    model = read_model(path)
    assert model.problems == []
    ends = [each.region.offset + each.region.length for each in model.tensors if each.region]
    assert max(ends, default=0) == SIZES[layer]
    if SIZES[layer]:
        weights.write_bytes(bytes(SIZES[layer] - 4))
        assert [each.kind for each in read_model(path).problems] == ["external-short"]


def test_weights_are_stored_in_several_ways(tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    path.write_text(
        "7767517\n5 5\nInput in 0 1 x\nInnerProduct half 1 1 x a 0=1 2=3\n"
        "InnerProduct byte 1 1 a b 0=1 2=1\nInnerProduct codes 1 1 b c 0=1 2=2\n"
        "InnerProduct whole 1 1 c d 0=1 2=1\n"
    )
    path.with_suffix(".bin").write_bytes(
        struct.pack("<I3eH", 0x01306B47, 1, 2, 3, 0)
        + struct.pack("<Ib3x", 0x000D4B38, -7)
        + struct.pack("<I256f4B", 1, *range(256), 5, 6, 0, 0)
        + struct.pack("<If", 0, 2.5)
    )
    half, byte, codes, whole = read_model(path).tensors
    assert [half.name, half.dtype.name, half.shape] == ["half.weight", "float16", (1, 3)]
    elements = [each.numpy() for each in (half, byte, whole)]
    assert [each.tolist() for each in elements if each is not None] == [
        [[1, 2, 3]],
        [[-7]],
        [[2.5]],
    ]
    assert (codes.dtype.name, codes.nbytes) == ("float32", 1028)


@pytest.mark.parametrize(
    "layer", ["Gemm 5=1 8=6 9=5 18=1", "MultiHeadAttention 18=1", "LSTM 1=9", "PReLU 0=-3"]
)
def test_weights_of_unknown_size_end_the_reading(layer: str, tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    kind, _, parameters = layer.partition(" ")
    path.write_text(f"7767517\n2 2\nInput in 0 1 x\n{kind} l 1 1 x y {parameters}\n")
    path.with_suffix(".bin").write_bytes(bytes(100))
    model = read_model(path)
    assert (model.problems, model.tensors) == ([], [])
