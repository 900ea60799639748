"""Samples of weights tell what is stored, not where it lies in memory."""

from __future__ import annotations

import onnx

from modellint.differ.samples import sample_of
from modellint.formats.onnx.build import build
from modellint.model import Tensor


def strings(*texts: str) -> Tensor:
    encoded = [text.encode() for text in texts]
    kind = onnx.TensorProto.STRING
    stored = onnx.TensorProto(name="t", data_type=kind, dims=[len(texts)], string_data=encoded)
    graph = onnx.helper.make_graph([], "g", [], [], [stored])
    (tensor,) = build(onnx.helper.make_model(graph)).tensors
    return tensor


def test_strings_are_compared_by_their_characters() -> None:
    kept = strings("first", "second")
    assert sample_of(kept) == sample_of(strings("first", "second")) != b""
    assert sample_of(kept) != sample_of(strings("first", "third"))
