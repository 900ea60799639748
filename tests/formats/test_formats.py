"""The descriptions of the formats, and what is derived from them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modellint.formats.format import Format
from modellint.formats.registry import file_pattern, formats, looks_like_data


def test_names_and_suffixes_are_unique() -> None:
    names = [each.name for each in formats()]
    suffixes = [suffix for each in formats() for suffix in each.all_suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)


def test_every_format_can_be_recognised() -> None:
    for each in formats():
        assert each.is_read is (each.signature is None), each.name
        assert bool(each.tells) is each.is_read, each.name


@pytest.mark.parametrize(
    ("name", "is_chosen"),
    [
        ("a/model.onnx", True),
        ("MODEL.ONNX", True),
        ("model.onnxtext", True),
        ("model.onnxtxt", True),
        ("model.onnx.data", True),
        ("model.onnx_data", True),
        ("model.onnx_data_1", True),
        ("model.gguf", True),
        ("pytorch_model.bin", True),
        ("net.pt", True),
        ("net.h5", True),
        ("a/saved_model.pb", True),
        ("net.xml", False),
        ("model.onnx.py", False),
        ("census_data", False),
        ("layers.json", False),
        ("onnx", False),
    ],
)
def test_hook_chooses_models_and_their_data(name: str, is_chosen: bool) -> None:
    assert bool(re.search(file_pattern(), name)) is is_chosen


def test_data_is_known_by_its_name() -> None:
    named = ["x.data", "X.DATA", "model.onnx_data", "model.onnx_data_3", "x.bin", "data", "x.json"]
    assert [looks_like_data(Path(each)) for each in named] == [True] * 4 + [False] * 3


def test_companions_are_named_after_their_model() -> None:
    format = Format("toy", "Toy", (".toy",), companions=("{stem}.bin", "{name}.part*"))
    model = Path("a/net[1].toy")
    names = ["a/net[1].bin", "a/net[1].toy.part7", "b/net[1].bin", "a/net1.bin", "a/net[1].toy"]
    assert [format.companion_of(model, Path(each)) for each in names] == [True, True] + [False] * 3
