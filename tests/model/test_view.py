"""The view of a model: who makes and takes each value, in which scope, of which type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modellint.formats.onnx.build import build as read_proto
from modellint.formats.onnx.facts import onnx_facts
from modellint.formats.onnx.text import read_text
from modellint.model import AttributeRef, Graph, Model, Node, bind, element_count, format_shape
from tests.support import model_from_text

NESTED = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (bool c, float[n, 4] x) => (float[n, 4] y)
    {
        shared = Relu (x)
        hidden = Neg (x)
        [branch] y = If (c) <
            then_branch = then () => (float[n, 4] t) {
                hidden = Abs (shared)
                [inner] deep = If (c) <
                    then_branch = a () => (float[n, 4] u) { u = Add (hidden, shared) },
                    else_branch = b () => (float[n, 4] v) { v = Identity (hidden) }
                >
                t = Add (deep, hidden)
            },
            else_branch = other () => (float[n, 4] e) { e = Add (hidden, x) }
        >
    }
"""


def view(text: str) -> Model:
    model = read_text(text)
    assert model.has_graph, model.problems
    return model


def main_graph(model: Model) -> Graph:
    return model.graph


def only(model: Model, op: str, graph: str) -> Node:
    (node,) = [node for node in model.nodes(op) if node.graph.name == graph]
    return node


def test_outer_values_are_visible_inside_and_shadowed_by_inner_ones() -> None:
    model = view(NESTED)
    outer, hidden = only(model, "Relu", "main"), only(model, "Neg", "main")
    inner = only(model, "Abs", "then")
    deep = only(model, "Add", "a")
    assert deep.inputs == (inner.output(), outer.output())
    assert only(model, "Add", "other").inputs[0] is hidden.output()
    takers = {use.node.graph.name for use in outer.outputs[0].consumers}  # type: ignore[union-attr]
    assert takers == {"then", "a"}
    assert [use.node.graph.name for use in hidden.outputs[0].consumers] == ["other"]  # type: ignore[union-attr]


def test_paths_name_where_a_graph_hangs() -> None:
    model = view(NESTED)
    assert [graph.path for graph in model.graphs()] == [
        "main",
        "main/branch.then_branch",
        "main/branch.then_branch/inner.then_branch",
        "main/branch.then_branch/inner.else_branch",
        "main/branch.else_branch",
    ]


def test_a_name_resolves_from_the_inside_out() -> None:
    model = view(NESTED)
    deepest = only(model, "Add", "a").graph
    assert deepest.resolve("hidden") is only(model, "Abs", "then").output()
    assert deepest.resolve("x") is main_graph(model).inputs[1]
    assert deepest.resolve("nobody") is None


def test_twins_are_distinguished_by_their_place() -> None:
    branch = "then_branch = t () => (float[4] a) { a = Neg (x) }, else_branch = e () => (float[4] b) { b = Abs (x) }"  # noqa: E501
    model = view(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        main (bool c, float[4] x) => (float[4] y, float[4] z) {{
            [same] y = If (c) <{branch}>
            [same] z = If (c) <{branch}>
        }}
    """)
    paths = [graph.path for graph in model.graphs()]
    assert len(set(paths)) == 5
    assert "main/same#1.then_branch" in paths


def test_types_are_inferred_in_branches_too() -> None:
    model = view(
        NESTED.replace("hidden = Neg", "outer = Neg").replace("e = Add (hidden", "e = Add (x")
    )
    for node in model.nodes():  # nothing is shadowed: of what is, onnx infers no types
        for value in node.outputs:
            assert value is not None
            assert value.shape == ("n", 4)
            assert str(value.dtype) == "float32"


FUNCTIONS = """
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    main (float[n, 4] x) => (float[n, 4] y)
    {
        h = local.scaled <alpha = 0.5> (x)
        y = local.scaled (h)
    }
    <domain: "local", opset_import: ["" : 17]>
    scaled <alpha: float = 2.0> (a) => (b)
    {
        s = Elu <alpha: float = @alpha> (a)
        b = Add (s, a)
    }
"""


def test_functions_can_be_seen_through() -> None:
    model = view(FUNCTIONS)
    first, second = main_graph(model).nodes
    body = model.function_of(first)
    assert body is not None
    assert body is model.function_of(second)
    assert body.called == "local.scaled"
    assert body.path == "function:local.scaled"
    function = onnx_facts(model).functions[body]
    (elu,) = body.by_op["Elu"]
    assert elu.attributes["alpha"] == AttributeRef("alpha")
    assert elu.get_float("alpha", 1.0) is None, "only a call knows"
    assert function.attribute(first, elu.attributes["alpha"]) == 0.5
    assert function.attribute(second, elu.attributes["alpha"]) == 2.0
    assert function.arguments(first) == {"a": main_graph(model).inputs[0]}
    assert [node.op_type for node in model.nodes("Elu")] == []
    assert [node.op_type for node in model.nodes("Elu", functions=True)] == ["Elu"]
    assert second.outputs[0].shape == ("n", 4)  # type: ignore[union-attr]


RESHAPED = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[batch, 3, h, w] x) => (float[batch, pixels] y)
    <int64[1] minus = {-1}>
    {
        shape = Shape <end = 1> (x)
        target = Concat <axis = 0> (shape, minus)
        flat = Reshape (x, target)
        y = Relu (flat)
    }
"""


def test_inference_propagates_shape_arithmetic_and_takes_bindings() -> None:
    model = view(RESHAPED)
    flat = main_graph(model).values["flat"]
    assert flat.shape is not None
    assert flat.shape[0] == "batch"
    assert model.infer_types is not None
    types = model.infer_types({"x": (2, 3, 8, 8)}).types
    assert types["main", "flat"][1] == (2, 192)
    assert types["main", "y"][1] == (2, 192)
    assert flat.shape[0] == "batch", "what one deployment binds, another does not see"


def test_asking_for_a_shape_leaves_what_the_file_declares() -> None:
    model = view("""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2, 3] x) => (float[2, 3] y) { h = Relu (x)  y = Relu (h) }
    """)
    value = main_graph(model).values["h"]
    assert (value.known_shape, value.known_dtype) == (None, None)
    assert (value.shape, str(value.dtype)) == ((2, 3), "float32")
    assert (value.declared_shape, value.declared_dtype) == (None, None)
    assert (value.known_shape, str(value.known_dtype)) == ((2, 3), "float32")


def test_failed_inference_is_a_fact() -> None:
    model = view("""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2, 3] x, float[4, 5] w) => (float[2, 5] y) { [product] y = MatMul (x, w) }
    """)
    assert main_graph(model).values["y"].shape == (2, 5)
    failed = model.infer_strictly()
    assert failed.error is not None
    assert failed.contradiction is not None
    assert failed.contradiction.node == "product"
    assert not failed.contradiction.recorded
    assert model.infer().error is None


LONG = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[SHAPE] x) => (float[n] y) { l = Reshape (x, all) a = Add (l, l) y = Mul (a, a) }
"""


@pytest.mark.skipif(sys.platform == "win32", reason="does not say how much memory was taken")
@pytest.mark.parametrize("shape", ["16000000", "4000, 4000"])
def test_inference_keeps_no_list_of_millions_of_elements(shape: str) -> None:
    text = LONG.replace("SHAPE", shape).replace(" { ", " <int64[1] all = {-1}> { ")
    script = f"""if True:
        import resource, sys
        from modellint.formats.onnx.text import read_text
        model = read_text({text!r})
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        assert model.graph.values["a"].shape == (16000000,)
        assert model.infer_strictly().contradiction is None
        taken = (peak() - before) * (1 if sys.platform == "darwin" else 1024)
        assert taken < 300e6, taken
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_sparse_initializer_contradicts_nothing() -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("w_indices", TensorProto.INT64, [2], [1, 3])
    proto = model_from_text("""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1, 4] x) => (float[1, 1] y) { y = MatMul (x, w) }
    """)
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 1]))
    model = read_proto(proto)
    assert model.infer_strictly().contradiction is None


def test_a_function_that_calls_itself_is_not_inferred() -> None:
    model = view("""
        <ir_version: 8, opset_import: ["" : 17, "f" : 1]>
        main (float[n] x) => (float[n] y) { y = f.loop (x) }
        <domain: "f", opset_import: ["" : 17, "f" : 1]>
        loop (a) => (b) { b = f.loop (a) }
    """)
    assert [problem.kind for problem in model.problems] == ["recursive-function"]
    assert "calls itself" in (model.infer().error or "")


def test_training_graphs_are_apart() -> None:
    proto = model_with_training()
    model = read_proto(proto)
    assert [node.op_type for node in model.nodes()] == ["Relu"]
    assert [[node.op_type for node in graph.nodes] for graph in onnx_facts(model).training] == [
        ["Neg"],
        ["Abs"],
    ]
    assert not model.problems


def model_with_training() -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graphs = [
        helper.make_graph([helper.make_node(op, ["x"], ["y"])], op, [x], [y])
        for op in ("Relu", "Neg", "Abs")
    ]
    proto = helper.make_model(graphs[0], ir_version=8)
    info = proto.training_info.add()
    info.initialization.CopyFrom(graphs[1])
    info.algorithm.CopyFrom(graphs[2])
    return proto


def test_metadata_and_producer() -> None:
    proto = model_with_training()
    proto.producer_name, proto.producer_version = "exporter", "1.2"
    proto.metadata_props.add(key="note", value="ü")
    proto.graph.node[0].metadata_props.add(key="pkg", value="layer1")
    model = read_proto(proto)
    assert (model.producer_name, model.producer_version) == ("exporter", "1.2")
    assert model.metadata == {"note": "ü"}
    assert main_graph(model).nodes[0].metadata == {"pkg": "layer1"}


def test_what_contradicts_itself_is_noted_once_each() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    nodes = [
        helper.make_node("Add", ["x", "nobody"], ["a"]),
        helper.make_node("Add", ["later", "x"], ["b"]),
        helper.make_node("Relu", ["x"], ["later"]),
        helper.make_node("Neg", ["x"], ["a"]),
    ]
    weights = [helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0]) for _ in range(2)]
    graph = helper.make_graph(nodes, "main", [x], [], weights)
    model = read_proto(helper.make_model(graph, ir_version=8), Path("model.onnx"))
    assert sorted((problem.kind, problem.value) for problem in model.problems) == [
        ("duplicate-initializer", "w"),
        ("duplicate-value", "a"),
        ("undefined-value", "nobody"),
        ("unsorted-graph", "later"),
    ]


def test_the_index_of_ops_is_in_file_order() -> None:
    model = view(NESTED)
    graph = main_graph(model)
    assert set(graph.by_op) == {"Relu", "Neg", "If"}
    assert [node.index for nodes in graph.by_op.values() for node in nodes] == [0, 1, 2]


@pytest.mark.parametrize(
    ("shape", "text", "count"),
    [
        (None, "?", None),
        ((), "scalar", 1),
        ((2, 3), "2×3", 6),
        ((0, 3), "0×3", 0),
        (("n", 3), "n×3", None),
        ((None, 3), "?×3", None),
        (("unk__12", 3), "?×3", None),
    ],
)
def test_shapes(shape: tuple[int | str | None, ...] | None, text: str, count: int | None) -> None:
    assert format_shape(shape) == text
    assert element_count(shape) == count
    assert bind(shape, {}) == shape


def test_binding_replaces_only_what_is_named() -> None:
    assert bind(("n", None, 3, "m"), {"n": 2}) == (2, None, 3, "m")


def test_tensors_are_compared_by_what_they_are() -> None:
    model = view("""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}>
        { y = Add (x, w) }
    """)
    w, v = model.tensors
    assert w != v
    np.testing.assert_array_equal(w.if_small(), [1, 2])


def test_inference_outweighs_a_recorded_shape_that_it_contradicts() -> None:
    """Also where the file states all dims; where inference says nothing, the file is believed."""
    model = view("""
        <ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
        main (float[2,3] x) => (float[9,9] y, float[n,m] z)
        <float[200,300] h, float[3,2] t, float[4,5] k>
        {
            h = Relu (x)
            t = Sigmoid (h)
            y = Tanh (t)
            k = com.example.Pad (h)
            z = Relu (k)
        }
    """)
    shapes = {name: value.shape for name, value in main_graph(model).values.items()}
    assert shapes == {
        **dict.fromkeys("xhty", (2, 3)),
        **dict.fromkeys("kz", (4, 5)),
    }
    assert main_graph(model).values["h"].declared_shape == (200, 300)
