"""Pairs of models that differ by rule: what is found is exactly what differs."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from modellint.analysis.quantization import QuantizationMap
from modellint.diff.matching import match_models
from modellint.diff.nodes import node_difference
from modellint.diff.precisions import precision_difference
from modellint.diff.weights import weight_difference
from modellint.difference import NodeDifference
from modellint.formats import read_model
from modellint.model import Model
from modellint.targets.deployment import Deployment
from tests.diff.answers import answer_of
from tests.diff.pairs import RULES, Expected, name_nodes
from tests.exports import EXPORTS

SMALL = EXPORTS.parent / "diff"
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


def test_a_convolutional_network_of_another_exporter_reshapes_where_it_flattened() -> None:
    old, new = SMALL / "convolutional_torchscript.onnx", SMALL / "convolutional_dynamo.onnx"
    nodes = nodes_of(old, new)
    assert [(pair.old.op_type, pair.new.op_type) for pair in nodes.replaced] == [
        ("Flatten", "Reshape")
    ]
    assert not nodes.changed
    assert not nodes.added
    assert not nodes.removed


# --- Other types and smaller layers --------------------------------------------------------------


def in_half(model: ModelProto) -> ModelProto:
    """All floats in half precision, with Casts at both ends."""
    graph = model.graph
    for tensor in graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        if numbers.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(numbers.astype(np.float16), tensor.name))
    is_float = graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    first, last = graph.input[0].name if is_float else "", graph.output[0].name
    for node in graph.node:
        node.input[:] = [f"{first}-half" if name and name == first else name for name in node.input]
        node.output[:] = [f"{last}-half" if name == last else name for name in node.output]
    half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    begin = helper.make_node("Cast", [first], [f"{first}-half"], to=half)
    end = helper.make_node("Cast", [f"{last}-half"], [last], to=full)
    nodes = [*([begin] if is_float else []), *graph.node, end]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    return model


def quantized(model: ModelProto, recipe: str) -> ModelProto:
    """Each layer reads its input and its weight from int8, or only its weight."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for at, node in enumerate(graph.node):
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in stored:
            _quantize_weight(graph, node, stored[node.input[1]], at, nodes)
            if recipe != "weights":
                _pair(graph, node, at, nodes, np.uint8 if recipe == "uint8" else np.int8)
        nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    return model


def _add(graph: onnx.GraphProto, name: str, numbers: np.ndarray) -> str:
    graph.initializer.append(numpy_helper.from_array(numbers, name))
    return name


def _quantize_weight(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    tensor: onnx.TensorProto,
    at: int,
    nodes: list[onnx.NodeProto],
) -> None:
    numbers = numpy_helper.to_array(tensor)
    scale = np.float32(np.abs(numbers).max() / 127)
    whole = np.round(numbers / scale).astype(np.int8)
    inputs = [
        _add(graph, f"weight-{at}", whole),
        _add(graph, f"scale-{at}", np.array(scale)),
        _add(graph, f"zero-{at}", np.array(0, np.int8)),
    ]
    nodes.append(helper.make_node("DequantizeLinear", inputs, [f"dequantized-{at}"]))
    node.input[1] = f"dequantized-{at}"


def _pair(
    graph: onnx.GraphProto, node: onnx.NodeProto, at: int, nodes: list[onnx.NodeProto], dtype: type
) -> None:
    parameters = [
        _add(graph, f"step-{at}", np.array(0.05, np.float32)),
        _add(graph, f"offset-{at}", np.array(128 if dtype is np.uint8 else 0, dtype)),
    ]
    whole, back = f"whole-{at}", f"back-{at}"
    nodes.append(helper.make_node("QuantizeLinear", [node.input[0], *parameters], [whole]))
    nodes.append(helper.make_node("DequantizeLinear", [whole, *parameters], [back]))
    node.input[0] = back


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
