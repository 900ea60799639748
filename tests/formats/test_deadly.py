"""Models that onnx's C++ library does not survive: they cost neither the run nor other models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.formats.onnx import deadly
from modellint.formats.onnx.build import build
from modellint.formats.onnx.deadly import Danger
from modellint.model import Inference, Model
from modellint.native import inference
from tests.samples import INFO, lint_json, project
from tests.support import run_cli

TABLE = json.loads(Path(deadly.__file__).with_name("deadly.json").read_text())


def untyped(op: str, domain: str = "", version: int = 22, **attributes: Any) -> bytes:
    """Apply an op to an input that has no type."""
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(domain=domain, version=version)
    model.graph.input.add(name="x")
    model.graph.node.append(helper.make_node(op, ["x"], ["y"], domain=domain, **attributes))
    model.graph.output.add(name="y")
    return bytes(model.SerializeToString())


def with_type(op: str, inputs: int = 1, outputs: int = 1, **attributes: Any) -> bytes:
    names = [f"x{index}" for index in range(inputs)]
    results = [f"y{index}" for index in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in names],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def slice_of(*dims: int) -> bytes:
    """Slice the first axis of an input with these dims, which are written as they are."""
    bounds = [
        helper.make_tensor(name, TensorProto.INT64, [1], [number])
        for name, number in (("starts", 0), ("ends", 1), ("axes", 0))
    ]
    graph = helper.make_graph(
        [helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [onnx.ValueInfoProto(name="y")],
        bounds,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def slice_of_dims(step: int) -> bytes:
    """Slice the dims of an input, in steps."""
    bounds = [
        helper.make_tensor(name, TensorProto.INT64, [1], [number])
        for name, number in (("starts", 0), ("ends", 3), ("axes", 0), ("steps", step))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["dims"]),
            helper.make_node("Slice", ["dims", "starts", "ends", "axes", "steps"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "n", 3])],
        [onnx.ValueInfoProto(name="y")],
        bounds,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def sliced(text: str) -> bytes:
    """Slice what a graph makes."""
    bounds = "at = Constant <value_ints = [0]> () to = Constant <value_ints = [1]> ()"
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    model = onnx.parser.parse_model(f"{header} main {text} {bounds} z = Slice (y, at, to) }}")
    return bytes(model.SerializeToString())


WINDOW = "(float[1,3,5,5] x, float[3,3,7,7] w) => (z) { y = Conv <kernel_shape = [7,7]> (x, w)"
STEPS = """(float[1,3,224,224] x) => (z) {
    u = MaxPool <kernel_shape = [200,200]> (x) v = Relu (u) y = MaxPool <kernel_shape = [30,30]> (v)
"""
CUT = """(float[1,3,1,1] x, float[3,3,2,2] w) => (z) {
    y = ConvTranspose <kernel_shape = [2,2], pads = [3,3,3,3]> (x, w)
"""
DIFFERENCE = """(float[2] x) => (z) {
    m = Shape (x) n = Constant <value_ints = [5]> () d = Sub (m, n)
    one = Constant <value_ints = [1]> () y = Expand (one, d)
"""
DEADLY: dict[str, Callable[[], bytes]] = {
    "a slice of a negative dim": lambda: slice_of(-1, 3),
    "a slice of the smallest dim": lambda: slice_of(-(1 << 63), 3),
    "a slice of dims by the longest step": lambda: slice_of_dims((1 << 63) - 1),
    "a slice of dims by steps of 32 bits": lambda: slice_of_dims(1 << 31),
    "a window larger than its input": lambda: sliced(WINDOW),
    "a window larger than what another leaves": lambda: sliced(STEPS),
    "more cut off than there is": lambda: sliced(CUT),
    "a difference as size": lambda: sliced(DIFFERENCE),
    "RegexFullMatch": lambda: untyped("RegexFullMatch", pattern="a"),
    "LabelEncoder-1": lambda: untyped("LabelEncoder", "ai.onnx.ml", 1),
    "LabelEncoder-4": lambda: untyped("LabelEncoder", "ai.onnx.ml", 4, keys_strings=["a"]),
    "DictVectorizer": lambda: untyped("DictVectorizer", "ai.onnx.ml", 1, string_vocabulary=["a"]),
    "EyeLike": lambda: untyped("EyeLike", dtype=1),
    "Split": lambda: with_type("Split", outputs=5, num_outputs=2),
    "a large Split": lambda: with_type("Split", outputs=5, num_outputs=1 << 31),
    "LayerNormalization": lambda: with_type("LayerNormalization", 3, 3, axis=1 << 31),
    "GatherND": lambda: with_type("GatherND", 2, batch_dims=-(1 << 31)),
    "Einsum": lambda: with_type("Einsum", equation=b"\xff\x00"),
    "an Einsum of two ellipses": lambda: with_type("Einsum", equation="......ii->...i"),
}


@pytest.fixture(params=DEADLY)
def serialized(request: pytest.FixtureRequest) -> bytes:
    return DEADLY[request.param]()


def opened(serialized: bytes) -> Model:
    return build(onnx.ModelProto.FromString(serialized))


def test_every_operator_that_kills_has_a_condition() -> None:
    assert {op.partition(":")[0] for op in TABLE["operators"]} <= deadly._CONDITIONS.keys()


def test_a_deadly_model_is_inferred_as_far_as_it_can_be(serialized: bytes) -> None:
    """In this process, which would die."""
    model = opened(serialized)
    assert model.infer().types is not None
    assert "recursion" not in (model.infer().error or "")
    assert not model.died


def test_deadly_models_are_linted(tmp_path: Path) -> None:
    for number, make in enumerate(DEADLY.values()):
        (tmp_path / f"{number}.onnx").write_bytes(make())
    document = lint_json(".", "--no-cache", "--jobs", "1", cwd=tmp_path)
    assert len(document["models"]) == len(DEADLY)
    assert not [each for each in document["findings"] if each["family"] == "internal"]


def test_dims_of_exporters_are_as_good_as_open_ones() -> None:
    model = opened(slice_of(-1, 3))
    model.infer()
    assert model.graph.values["y"].shape == ("unk__0", 3)


def test_a_scalar_of_minus_one_is_no_negative_dim() -> None:
    """Its bytes look like one."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[n,3] x) => (float[?,?] y) {
        m = Constant <value = int64 {-1}> ()
        one = Constant <value_ints = [1]> ()
        none = Constant <value_ints = [0]> ()
        y = Slice (x, none, one, none)
    }
    """
    model = opened(onnx.parser.parse_model(text).SerializeToString())
    assert model.infer().error is None
    assert model.infer_types is not None
    assert model.graph.values["y"].shape == ("unk__0", 3)


@pytest.mark.parametrize("where", ["a branch", "a function", "a sequence"])
def test_negative_dims_inside(where: str) -> None:
    inner = onnx.ModelProto.FromString(slice_of(-1, 3))
    graph = inner.graph
    if where == "a sequence":
        kind = graph.input[0].type
        tensor = onnx.TypeProto.FromString(kind.SerializeToString())
        kind.sequence_type.elem_type.CopyFrom(tensor)
        graph.initializer.add(name="at", data_type=TensorProto.INT64, int64_data=[0])
        graph.node.insert(0, helper.make_node("SequenceAt", ["x", "at"], ["one"]))
        graph.node[1].input[0] = "one"
    elif where == "a branch":
        node = helper.make_node("If", ["c"], ["z"], then_branch=graph, else_branch=graph)
        known = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
        node.attribute[0].g.value_info.extend(graph.input)
        inner.graph.CopyFrom(helper.make_graph([node], "outer", [known, *graph.input], []))
        inner.graph.initializer.extend(graph.initializer)
    else:
        inner.graph.node[0].domain = "own"
        inner.opset_import.add(domain="own", version=1)
        names = ["x", "starts", "ends", "axes"]
        node = helper.make_node("Slice", names, ["y"])
        opsets = [helper.make_opsetid("", 17)]
        function = helper.make_function("own", "Slice", names, ["y"], [node], opsets)
        inner.functions.append(function)
    model = opened(inner.SerializeToString())
    model.infer()
    assert not model.died


def test_windows_are_asked_about_apart_only_where_they_may_be_too_large() -> None:
    proto = onnx.ModelProto.FromString(sliced(WINDOW.replace("5,5", "224,n")))
    danger = danger_in(proto)
    assert not danger.is_apart({})
    assert not danger.is_apart({"x": (8, 3, 7, 7)})
    assert danger.is_apart({"x": (1, 3, 224, 6)})
    model = opened(proto.SerializeToString())
    assert model.infer_types is not None
    assert model.infer_types({"x": (1, 3, 4, 4)}).types is not None
    assert not model.died


def danger_in(proto: onnx.ModelProto) -> Danger:
    serialized = proto.SerializeToString()
    return deadly.danger_of(opened(serialized), proto, serialized)


def test_what_kills_another_process_is_not_asked_again() -> None:
    """A node that reads its own output shows nothing about the type of its input."""
    proto = onnx.ModelProto.FromString(DEADLY["DictVectorizer"]())
    proto.graph.node[0].input[0] = "y"
    assert danger_in(proto).apart
    model = opened(proto.SerializeToString())
    model.infer()
    assert not model.died


@pytest.fixture
def in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known to be deadly, and every model might be."""
    known = Danger(apart=True)
    monkeypatch.setattr(deadly, "_measured", frozenset)
    monkeypatch.setattr("modellint.formats.onnx.infer.danger_of", lambda *_: known)


@pytest.mark.usefixtures("in_doubt")
def test_another_process_infers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    proto = onnx.parser.parse_model(INFO).SerializeToString()
    apart = opened(proto).infer()
    monkeypatch.undo()
    assert apart == opened(proto).infer() != Inference({})


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
@pytest.mark.usefixtures("in_doubt")
def test_the_death_of_another_process_is_a_finding(tmp_path: Path) -> None:
    project(tmp_path, {"a.onnx": INFO, "z.onnx": INFO})
    (tmp_path / "deadly.onnx").write_bytes(DEADLY["RegexFullMatch"]())
    document = lint_json(".", "--no-cache", "--jobs", "1", "--select", "HYG005,NUM", cwd=tmp_path)
    found = [(each["path"], each["code"]) for each in document["findings"]]
    assert {("a.onnx", "HYG005"), ("deadly.onnx", "INT002"), ("z.onnx", "HYG005")} <= set(found)
    (death,) = [each for each in document["findings"] if each["code"] == "INT002"]
    assert "onnx's shape inference was killed by the operating system (SIG" in death["message"]
    assert document["exit"] == 3


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
@pytest.mark.usefixtures("in_doubt")
def test_inspect_says_that_another_process_died(tmp_path: Path) -> None:
    (tmp_path / "deadly.onnx").write_bytes(DEADLY["RegexFullMatch"]())
    result = run_cli("inspect", "deadly.onnx", cwd=tmp_path)
    assert result.exit_code == 3
    assert "onnx's shape inference was killed" in result.stdout + result.stderr


def test_what_onnx_raises_in_another_process_is_raised() -> None:
    with pytest.raises(inference.ApartError, match="parse"):
        inference.infer_shapes_apart(b"\xff", strict=True, propagates=True)


def test_a_stored_minus_one_is_no_negative_dim() -> None:
    minus_one = numpy_helper.from_array(np.array([-1], np.int64))
    proto = onnx.ModelProto.FromString(slice_of(2, 3))
    proto.graph.node.append(helper.make_node("Constant", [], ["n"], value=minus_one))
    serialized = proto.SerializeToString()
    assert danger_in(proto).cleaned(serialized) == serialized
