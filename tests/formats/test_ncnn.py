"""Models of ncnn."""

from __future__ import annotations

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
