"""Models that parse but make no sense: analyses answer "unknown", and numbers stay finite."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from modellint.analysis.blocks import blocks
from modellint.analysis.cost import cost
from modellint.analysis.evaluators import SMALL
from modellint.analysis.folding_ops import small_constants
from modellint.analysis.fusion import onward, through
from modellint.analysis.kv_cache import CachePair, _reader, _returned
from modellint.analysis.memory import memory
from modellint.analysis.quantization.onnxruntime import _distance_from_one
from modellint.analysis.quantization.scheme import known_type
from modellint.analysis.roofline import roofline
from modellint.analysis.shape_formulas import is_plausible
from modellint.base.units import format_bytes
from modellint.engine import lint_file
from modellint.formats import read_model
from modellint.inspector import Asked, inspect_model
from modellint.model import Model
from modellint.model.dims import broadcast
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.growth import is_linear

HUGE = 2**62
Array = NDArray[Any]
A10 = Deployment(find_target("a10"), runtime="tensorrt")


def model_of(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str] = (2, 3),
    **arrays: Array,
) -> Model:
    """Read a graph of an input ``x``, an output ``y`` and constants, however wrong it is."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    path = folder / "absurd.onnx"
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    return read_model(path)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


ONE = np.array(1, np.float32)


def floats(numbers: list[float]) -> Array:
    return np.array(numbers, np.float32)


def node(op: str, *inputs: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, ["y"], domain=domain, **attributes)


TEXT = np.array(["many"], object)
UNFOLDABLE: dict[str, tuple[onnx.NodeProto, dict[str, Array]]] = {
    "omitted data": (node("Cast", "", to=7), {}),
    "omitted data with another input": (node("Squeeze", "", "a"), {"a": ints(0)}),
    "omitted operand": (node("Add", "a", ""), {"a": ints(1)}),
    "omitted ends": (node("Slice", "a", "a", ""), {"a": ints(1)}),
    "omitted shape": (node("Reshape", "a", ""), {"a": ints(1)}),
    "an axis twice": (node("Unsqueeze", "a", "b"), {"a": ints(1), "b": ints(0, 0)}),
    "one operand of two": (node("Add", "a"), {"a": ints(1)}),
    "an operand where numpy writes": (node("Add", "a", "a", "a"), {"a": ints(1)}),
    "a condition alone": (node("Where", "a"), {"a": np.array([True])}),
    "strings to multiply": (node("Mul", "t", "a"), {"t": TEXT, "a": ints(HUGE)}),
    "floats as axes": (node("Squeeze", "a", "b"), {"a": ints(1), "b": floats([np.nan])}),
    "floats as shape": (node("Reshape", "a", "b"), {"a": ints(1), "b": floats([np.inf])}),
    "an endless range": (
        node("Range", "a", "b", "c"),
        {"a": ints(-HUGE), "b": ints(HUGE), "c": ints(1)},
    ),
    "a range of nothing": (node("Range", "a", "b", "b"), {"a": ints(1), "b": ints()}),
    "a huge fill": (node("ConstantOfShape", "a"), {"a": ints(HUGE, HUGE)}),
    "a negative fill": (node("ConstantOfShape", "a"), {"a": ints(-1, -1)}),
    "tiled to nothing through everything": (
        node("Tile", "a", "b"),
        {"a": ints(1), "b": ints(2**40, 0)},
    ),
    "cut into more parts than results": (node("Split", "a", num_outputs=2**40), {"a": ints(1, 2)}),
    "an outer sum": (
        node("Add", "a", "b"),
        {"a": np.zeros((400, 1), np.int64), "b": np.zeros((1, 400), np.int64)},
    ),
    "a table looked up too often": (
        node("Gather", "a", "b"),
        {"a": np.zeros((2, 100), np.int64), "b": np.zeros(100, np.int64)},
    ),
}


@pytest.mark.parametrize("case", UNFOLDABLE)
def test_what_cannot_be_folded_is_not(case: str, tmp_path: Path) -> None:
    made, arrays = UNFOLDABLE[case]
    graph = model_of(tmp_path, [made], (2, 3), **arrays).graph
    assert "y" not in small_constants(graph, lambda value: value.declared_shape)


def test_what_can_be_folded_still_is(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["a", "b"], ["c"]),
        helper.make_node("Where", ["d", "c", "a"], ["e"]),
        helper.make_node("Slice", ["e", "b", "f", "", "g"], ["h"]),
        helper.make_node("Split", ["h"], ["i", "y"], num_outputs=2),
    ]
    arrays = {"a": ints(5, 6), "b": ints(1), "d": np.array([True]), "f": ints(-9), "g": ints(-1)}
    graph = model_of(tmp_path, nodes, (2, 3), **arrays).graph
    known = small_constants(graph, lambda value: value.declared_shape)
    assert known["c"].tolist() == [6]
    assert known["e"].tolist() == [6, 6]
    assert known["i"].tolist() == [6]
    assert all(array.size <= SMALL for array in known.values())


def test_no_shape_has_endless_dims_or_a_dim_beyond_any_format() -> None:
    assert is_plausible((1, 2**63 - 1))
    assert not is_plausible((1, 2**63))
    assert not is_plausible((-1, 2))
    assert not is_plausible((1,) * 65)


WRONG_RANKS = {
    "Attention": node("Attention", "x", "x", "x", q_num_heads=0, kv_num_heads=0),
    "MultiHeadAttention": node(
        "MultiHeadAttention", "x", "x", "x", domain="com.microsoft", num_heads=0
    ),
    "GroupQueryAttention": node(
        "GroupQueryAttention", "x", "", "", domain="com.microsoft", num_heads=0, kv_num_heads=0
    ),
    "projections": node(
        "Attention", "x", "x", "x", domain="com.microsoft", num_heads=0, qkv_hidden_sizes=[1]
    ),
    "LSTM": node("LSTM", "x", "x", "x", hidden_size=0),
    "DeformConv": node("DeformConv", "s", "x", "x"),
    "Gemm": node("Gemm", "s", "s", transA=1),
    "Resize": node("Resize", "s", "", "", "a", mode="linear"),
    "Einsum": node("Einsum", "x", "x", equation="ijk,kl->il"),
    "LRN": node("LRN", "x", size=-HUGE),
}


@pytest.mark.parametrize("case", WRONG_RANKS)
def test_shapes_that_an_op_does_not_take_have_no_known_cost(case: str, tmp_path: Path) -> None:
    made = WRONG_RANKS[case]
    model = model_of(tmp_path, [made], s=ONE, a=ints(1, 2, 3))
    model.graph.values["y"].declare(None, (2, 3))
    assert cost(model, Deployment()).total.flops is None


def test_attention_without_dims_has_no_head_size(tmp_path: Path) -> None:
    made = node("MultiHeadAttention", "s", domain="com.microsoft", num_heads=4)
    layers = blocks(model_of(tmp_path, [made], s=ONE), Deployment()).attention_layers
    assert [(layer.query_heads, layer.head_size) for layer in layers] == [(4, None)]


def test_a_product_of_nothing_and_a_stack_of_matrices_are_no_surprise(tmp_path: Path) -> None:
    stack = np.zeros((2, 3, 4), np.float32)
    stack[0, 0, 0] = 1
    wrong = [
        helper.make_node("Mul", ["", ""], ["a"]),
        helper.make_node("Gemm", ["x", "w"], ["y"]),
        helper.make_node("Clip", ["x", "t"], ["b"]),
        helper.make_node("Transpose", ["x"], ["c"], perm=[0, 0]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 9]),
    ]
    model_of(tmp_path, wrong, w=stack, t=TEXT)
    plan = Plan(tuple(load_rules(plugins=False).values()), (A10,))
    found = lint_file(tmp_path / "absurd.onnx", "absurd.onnx", plan).findings
    assert [each.message for each in found if each.is_internal] == []
    looked = inspect_model(tmp_path / "absurd.onnx", "absurd.onnx", Asked((A10,), {}))
    assert [each.message for each in looked.problems if each.kind == "internal"] == []


def test_a_name_of_external_data_can_be_too_long_for_the_system(tmp_path: Path) -> None:
    model_of(tmp_path, [node("Relu", "x")], w=ONE)
    proto = onnx.load(tmp_path / "absurd.onnx")
    stored = proto.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.data_location = onnx.TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="x" * 5000)
    (tmp_path / "absurd.onnx").write_bytes(proto.SerializeToString())
    looked = inspect_model(tmp_path / "absurd.onnx", "absurd.onnx", Asked((A10,), {}))
    assert looked.identity is not None
    assert looked.identity.external_missing == looked.identity.external_files


def test_planning_a_crowd_of_tensors_grows_with_it(tmp_path: Path) -> None:
    @cache
    def crowd(count: int) -> Model:
        names = [f"v{at}" for at in range(count)]
        nodes = [helper.make_node("Conv", ["x", "w"], [name]) for name in names]
        nodes += [helper.make_node("Concat", names, ["y"], axis=1)]
        weight = np.zeros((8, 8, 1, 1), np.float32)
        model = model_of(tmp_path, nodes, (1, 8, 4, 4), w=weight)
        for name in names:
            model.graph.values[name].declare(None, (1, 8, 4, 4))
        return model

    def plan(count: int) -> None:
        assert memory(crowd(count), A10).total.expected > count * 8 * 4 * 4

    assert is_linear(plan, 200)


def test_numbers_beyond_any_machine_end_below_infinity(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "x"], ["z"])],
        "body",
        [],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [HUGE, HUGE])],
    )
    for at in range(20):  # loops in loops, each as long as a number can say
        outputs = body.output
        inner = helper.make_node("Loop", ["n", ""], ["z"], name=f"l{at}", body=body)
        body = helper.make_graph([inner], f"b{at}", [], outputs)
    model = model_of(tmp_path, [*body.node], shape=(HUGE, HUGE), n=ints(HUGE))
    total = cost(model, A10).total
    for number in (total.flops, total.macs, total.bytes_moved):
        assert number is None or math.isfinite(float(number))
    estimate = memory(model, A10).total
    assert estimate.low <= estimate.expected <= estimate.high
    bound = roofline(model, A10)
    assert bound is None or math.isfinite(bound.seconds)
    assert json.dumps(estimate.high).isdigit()
    assert len(format_bytes(estimate.high)) < 20


def test_chains_that_are_cycles_end(tmp_path: Path) -> None:
    cycle = [
        helper.make_node("Identity", ["b"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Concat", ["c", "x"], ["d"], axis=0),
        helper.make_node("Concat", ["d", "x"], ["c"], axis=0),
        helper.make_node("QuantizeLinear", ["x", "s", "q"], ["p"]),
        helper.make_node("QuantizeLinear", ["x", "s", "p"], ["q"]),
        helper.make_node("Reshape", ["g", "n"], ["f"]),
        helper.make_node("Reshape", ["f", "n"], ["g"]),
        helper.make_node("Add", ["d", "g"], ["y"]),
    ]
    model = model_of(tmp_path, cycle, s=ONE, n=ints(2, 3))
    values = model.graph.values
    assert through(values["a"]) is not None
    assert onward(values["a"]) is not None
    assert known_type(values["p"]) is None
    assert memory(model, A10).total.expected >= 0


def test_paths_that_branch_at_every_node_are_walked_once(tmp_path: Path) -> None:
    names = ["x", *(f"v{at}" for at in range(40)), "z"]
    nodes = [helper.make_node("Where", [one] * 3, [other]) for one, other in pairwise(names)]
    values = model_of(tmp_path, nodes).graph.values
    start = values["x"].consumers[0].node
    assert _reader(CachePair(values["x"], values["z"], start, values["x"])) is None
    assert _returned(values["x"]) is None


def test_a_bias_scale_that_vanishes_next_to_the_products_is_far_from_them() -> None:
    assert _distance_from_one(0.0) == math.inf
    assert _distance_from_one(0.5) == 2.0


def test_shapes_of_more_dims_than_an_array_are_broadcast() -> None:
    assert broadcast((2,) + (1,) * 60, (3,)) == (2, *(1,) * 59, 3)
    assert broadcast((1, 0), (5, 1)) == (5, 0)
    with pytest.raises(ValueError, match="do not match"):
        broadcast((2,), (3,))


def test_types_along_a_long_chain_of_zero_points(tmp_path: Path) -> None:
    chain = [
        helper.make_node("QuantizeLinear", ["x", "s", f"q{at + 1}"], [f"q{at}"])
        for at in range(3000)
    ]
    model = model_of(tmp_path, chain, s=ONE)
    assert known_type(model.graph.values["q0"]) is None
