"""Pairs of models that differ by rule: what is found is exactly what differs."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto, numpy_helper

from modellint.analysis.quantization import QuantizationMap
from modellint.differ.matching import match_models
from modellint.differ.nodes import node_difference
from modellint.differ.precisions import precision_difference
from modellint.differ.weights import weight_difference
from modellint.formats import read_model
from modellint.model import Model
from modellint.results.difference import NodeDifference
from modellint.targets.deployment import Deployment
from tests.diff.answers import answer_of
from tests.diff.pairs import RULES, SMALL, Expected, in_half, name_nodes, quantized
from tests.exports import EXPORTS
from tests.support import model_from_text, save

NETWORKS = {
    "convolutional": SMALL / "convolutional_torchscript.onnx",
    "encoder": SMALL / "encoder_torchscript.onnx",
    "squeezenet": EXPORTS / "squeezenet1_0.onnx",
}
INAPPLICABLE = {
    ("squeezenet", "Gemms written out"),
    ("squeezenet", "one weight"),
    ("squeezenet", "one weight, disguised"),
    ("encoder", "Gemms written out"),
}
"""Rules that a network has nothing for."""


@cache
def original(network: str) -> ModelProto:
    model = onnx.load(NETWORKS[network], load_external_data=False)
    name_nodes(model)
    return model


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", NETWORKS)
def test_exactly_what_differs_is_found(network: str, rule: str, tmp_path: Path) -> None:
    changed = ModelProto()
    changed.CopyFrom(original(network))
    expected = RULES[rule](changed, random.Random(f"{network} {rule}"))
    assert (expected is None) == ((network, rule) in INAPPLICABLE)
    if expected is not None:
        old, new = tmp_path / "old.onnx", tmp_path / "new.onnx"
        onnx.save(original(network), old)
        onnx.save(changed, new)
        assert answer_of(old, new) == expected


# --- Two exporters -------------------------------------------------------------------------------


def nodes_of(old: Path, new: Path) -> NodeDifference:
    return node_difference(match_models(read_model(old), read_model(new)), converted=False)


def test_a_transformer_of_another_exporter_is_the_same() -> None:
    old, new = SMALL / "encoder_torchscript.onnx", SMALL / "encoder_dynamo.onnx"
    nodes = nodes_of(old, new)
    assert nodes.is_same
    assert [(each.old, each.new, each.count) for each in nodes.rewritten] == [
        (["Div", "Erf", "Add", "Mul", "Mul"], ["Gelu"], 2)
    ]


def test_a_convolutional_network_of_another_exporter_is_the_same() -> None:
    old, new = SMALL / "convolutional_torchscript.onnx", SMALL / "convolutional_dynamo.onnx"
    nodes = nodes_of(old, new)
    assert nodes.is_same
    assert [(each.old, each.new, each.count) for each in nodes.rewritten] == [
        (["Flatten"], ["Reshape"], 1)
    ]


CLASSIFIER = """
<ir_version: 8, opset_import: ["" : 18]>
main (float[1,2,4,4] x) => (float[1,3] y)
<float[3,2,1,1] w = {2,4,6,8,10,12}, float[3] c = {1,2,3}>
{ conv = Conv (x, w, c)  mean = GlobalAveragePool (conv)  y = Flatten (mean) }
"""
AGAIN = """
<ir_version: 8, opset_import: ["" : 18]>
main (float[1,2,4,4] x) => (float[1,3] y)
<float[3,2,1,1] w = {1,2,3,4,5,6}, float[3] s = {2,2,2}, float[3] b = {1,2,3},
 float[3] u = {0,0,0}, float[3] v = {1,1,1}, int64[2] axes = {-1,-2}, int64[2] shape = {1,3}>
{
    conv = Conv (x, w)
    norm = BatchNormalization <epsilon = 0.0000001> (conv, s, b, u, v)
    mean = ReduceMean (norm, axes)
    y = Reshape (mean, shape)
}
"""


@pytest.mark.parametrize(
    ("line", "wrong", "changed", "weights"),
    [
        ("", "", [], 0),
        ("{2,2,2}", "{2,2,3}", [], 1),
        ("{-1,-2}", "{-1,-3}", ["axes"], 0),
    ],
)
def test_what_exporters_write_differently_is_the_same(
    line: str, wrong: str, changed: list[str], weights: int, tmp_path: Path
) -> None:
    """A folded normalization, a mean over the axes of space, and another shape."""
    old = read_model(save(model_from_text(CLASSIFIER), tmp_path / "old.onnx"))
    new = read_model(save(model_from_text(AGAIN.replace(line, wrong)), tmp_path / "new.onnx"))
    found = match_models(old, new)
    nodes = node_difference(found, converted=False)
    assert [what.name for each in nodes.changed for what in each.attributes] == changed
    assert [*nodes.replaced, *nodes.added, *nodes.removed] == []
    differing = weight_difference(found, old, new, 1 << 20)
    assert len(differing.changed) == weights
    assert differing.equal == 2 - weights
    assert [*differing.added, *differing.removed] == []


# --- Other types and smaller layers --------------------------------------------------------------


def both(network: str, new: ModelProto, folder: Path) -> tuple[Model, Model]:
    paths = folder / "old.onnx", folder / "new.onnx"
    onnx.save(original(network), paths[0])
    onnx.save(new, paths[1])
    return read_model(paths[0]), read_model(paths[1])


def copy_of(network: str) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(original(network))
    return copy


@pytest.mark.parametrize("network", ["convolutional", "encoder"])
def test_half_precision_changes_types_alone(network: str, tmp_path: Path) -> None:
    old, new = both(network, in_half(copy_of(network)), tmp_path)
    found = match_models(old, new)
    nodes = node_difference(found, converted=True)
    assert nodes.is_same
    weights = weight_difference(found, old, new, 1 << 20)
    assert not weights.changed
    assert weights.types == {"float32 -> float16": weights.matched}


@pytest.mark.parametrize("recipe", ["int8", "uint8", "weights"])
@pytest.mark.parametrize("network", ["convolutional", "encoder"])
def test_quantization_changes_precisions_alone(network: str, recipe: str, tmp_path: Path) -> None:
    old, new = both(network, quantized(copy_of(network), recipe), tmp_path)
    found = match_models(old, new)
    assert node_difference(found, converted=True).is_same
    maps = QuantizationMap(old, Deployment()), QuantizationMap(new, Deployment())
    precisions = precision_difference(found, maps)
    assert precisions is not None
    layers = [op for op in maps[0].ops if op.has_weight]
    assert len(precisions.changed) == len(layers)
    wanted = "fp32, weights int8" if recipe == "weights" else "int8"
    assert {(each.old, each.new) for each in precisions.changed} == {("fp32", wanted)}
    left = {each.why for each in precisions.left}
    products = any(not op.has_weight for op in maps[0].ops)
    assert bool(left) == products


def test_a_pruned_network_has_smaller_weights_in_the_same_places(tmp_path: Path) -> None:
    pruned = copy_of("convolutional")
    narrow = 0
    for tensor in pruned.graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        kept = tuple(slice(6 if size == 8 else size) for size in numbers.shape)
        if numbers[kept].shape != numbers.shape:
            narrow += 1
            tensor.CopyFrom(numpy_helper.from_array(numbers[kept].copy(), tensor.name))
    old, new = both("convolutional", pruned, tmp_path)
    found = match_models(old, new)
    assert node_difference(found, converted=False).is_same
    assert len(weight_difference(found, old, new, 1 << 20).changed) == narrow


def test_expected_is_empty_for_equal_models() -> None:
    path = SMALL / "encoder_dynamo.onnx"
    assert answer_of(path, path) == Expected()
