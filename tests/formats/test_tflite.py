"""TFLite files: what is read of them, and what is said of broken ones."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.tflite.facts import tflite_facts
from modellint.formats.tflite.notation import encode
from modellint.model import Model

CONV = """
main (x) => (y)
x int8[?,4,4,3] *0.5 @-1
w int8[2,1,1,3] *0.1,0.2 axis 0 = 1 2 3 4 5 6
b int32[2] *0.05,0.1 = 0
y int8[?,2,4,2] *0.25
CONV_2D (x, w, b) => (y) {padding=VALID stride_w=1 stride_h=2 fused_activation_function=RELU6} v3
signature serving (image=x) => (label=y)
metadata min_runtime_version 1.14.0
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return _read(tmp_path, CONV)


def _read(folder: Path, text: str) -> Model:
    path = folder / "model.tflite"
    path.write_bytes(encode(text))
    return read_model(path)


def test_nodes_have_their_options_and_version(model: Model) -> None:
    (node,) = model.graph.nodes
    assert (node.domain, node.op_type, node.metadata) == ("tflite", "CONV_2D", {"version": "3"})
    assert node.attributes["padding"] == "VALID"
    assert node.attributes["stride_h"] == 2
    assert node.attributes["dilation_h_factor"] == 1
    assert node.attributes["fused_activation_function"] == "RELU6"
    assert [value.name for value in node.inputs if value is not None] == ["x", "w", "b"]


def test_tensors_stay_in_the_file_and_dims_may_be_open(model: Model) -> None:
    x, w = model.graph.values["x"], model.graph.values["w"]
    assert (x.declared_shape, w.tensor is not None) == ((None, 4, 4, 3), True)
    assert w.tensor is not None
    assert w.tensor.region is not None
    stored = w.tensor.numpy()
    assert stored is not None
    assert stored.tolist() == [[[[1, 2, 3]]], [[[4, 5, 6]]]]


def test_quantization_and_signatures_are_facts(model: Model) -> None:
    facts = tflite_facts(model)
    scheme = facts.quantization[model.graph.values["w"]]
    assert scheme.scales == pytest.approx((0.1, 0.2))
    assert scheme.axis == 0
    assert facts.quantization[model.graph.values["x"]].zero_points == (-1,)
    (signature,) = facts.signatures
    assert (signature.key, signature.graph) == ("serving", model.graph)
    assert [*signature.inputs, *signature.outputs] == ["image", "label"]
    assert model.metadata["min_runtime_version"] == "1.14.0"


def test_subgraphs_belong_to_the_nodes_that_call_them(tmp_path: Path) -> None:
    model = _read(
        tmp_path,
        """
        main (c, x) => (y)
        c bool[]
        x float32[2]
        y float32[2]
        IF (c, x) => (y) {then_subgraph_index=1 else_subgraph_index=2}
        then (a) => (b)
        a float32[2]
        b float32[2]
        NEG (a) => (b)
        else (a) => (a)
        a float32[2]
        decode (a) => (a)
        a float32[2]
        """,
    )
    (node,) = model.graph.nodes
    assert {key: graph.name for key, graph in node.subgraphs.items()} == {
        "then": "then",
        "else": "else",
    }
    assert [graph.path for graph in model.functions.values()] == ["function:decode"]
    assert not model.problems


def test_custom_operators_keep_their_names(tmp_path: Path) -> None:
    text = "main (x) => (y)\nx float32[2]\ny float32[2]\nFlexErf:custom (x) => (y)"
    (node,) = _read(tmp_path, text).graph.nodes
    assert (node.domain, node.op_type) == ("tflite.custom", "FlexErf")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("NEG (#7) => (y)", "tensor 7 as input of node 0"),
        ("NEG (x) => (-)", "tensor -1 as output of node 0"),
        ("IF (x) => (y) {then_subgraph_index=4 else_subgraph_index=0}", "subgraph 4 in node 0"),
        ("NEG (x) => (y)\nsignature s (a=#9) => (b=y)", "tensor 9 in signature 's'"),
    ],
)
def test_what_does_not_exist_is_a_problem(tmp_path: Path, text: str, detail: str) -> None:
    model = _read(tmp_path, f"main (x) => (y)\nx float32[2]\ny float32[2]\n{text}")
    problems = [str(each.facts) for each in model.problems if each.kind == "invalid-reference"]
    assert len(problems) == 1
    assert detail in problems[0]


def test_every_truncation_is_a_problem_and_never_a_crash(tmp_path: Path) -> None:
    whole = encode(CONV)
    path = tmp_path / "model.tflite"
    for length in range(8, len(whole), 7):
        path.write_bytes(whole[:length])
        assert read_model(path).problems, length


def test_shared_tables_cost_no_more_than_the_size_of_the_file(tmp_path: Path) -> None:
    """A thousand subgraphs that are all the same one, with a thousand nodes that are all one."""
    count = 1000
    shared = struct.pack("<I", count) + b"".join(
        struct.pack("<I", 4 * (count - at)) for at in range(count)
    )
    subgraph = struct.pack("<6HiI", 12, 8, 0, 0, 0, 4, 12, 4)
    node = struct.pack("<2Hi", 4, 4, 4)
    root = struct.pack("<5HxxiI", 10, 8, 0, 0, 4, 12, 4)
    head = struct.pack("<I4s", 8 + 12, b"TFL3")
    first = _led_to(shared, 12)
    second = _led_to(shared, 4)
    path = tmp_path / "model.tflite"
    path.write_bytes(head + root + first + subgraph + second + node)
    (problem,) = read_model(path).problems
    assert "than a file of its size" in str(problem.facts["detail"])


def _led_to(vector: bytes, distance: int) -> bytes:
    offsets = struct.unpack(f"<{len(vector) // 4}I", vector)
    return struct.pack(f"<{len(offsets)}I", offsets[0], *(each + distance for each in offsets[1:]))


def test_weights_behind_the_flatbuffer_stay_unread(tmp_path: Path) -> None:
    """Past 2 GB no offset of a flatbuffer reaches; a buffer then says where it lies."""
    from modellint.formats.flatwriter import Fields, Number, Numbers, flatbuffer

    rows, columns = 1 << 20, 25_000
    size, start = rows * columns, 1 << 16
    root: Fields = {
        0: Number("I", 3),
        1: [{0: Number("b", 9), 3: Number("i", 9)}],
        2: [
            {
                0: [
                    {0: Numbers("i", [1, columns]), 3: "x"},
                    {
                        0: Numbers("i", [rows, columns]),
                        1: Number("b", 9),
                        2: Number("I", 1),
                        3: "w",
                    },
                    {0: Numbers("i", [1, rows]), 3: "y"},
                ],
                1: Numbers("i", [0]),
                2: Numbers("i", [2]),
                3: [{1: Numbers("i", [0, 1]), 2: Numbers("i", [2])}],
            }
        ],
        4: [{}, {1: Number("Q", start), 2: Number("Q", size)}],
    }
    path = tmp_path / "large.tflite"
    path.write_bytes(flatbuffer(b"TFL3", root))
    os.truncate(path, start + size)
    model = read_model(path)
    assert not model.problems
    assert model.weight_bytes == size
    assert tflite_facts(model).buffers.beyond == 1
    os.truncate(path, start + size - 1)
    assert [each.kind for each in read_model(path).problems] == ["truncated"]


def test_what_nothing_writes_is_a_problem_except_where_a_custom_operator_works_in_it(
    tmp_path: Path,
) -> None:
    text = "main (x) => (y)\nx float32[2]\ny float32[2]\nz float32[2]\n"
    problems = _read(tmp_path, f"{text}ADD (x, z) => (y)").problems
    assert [each.kind for each in problems] == ["undefined-value"]
    assert not _read(tmp_path, f"{text}ethos-u:custom (x, z) => (y)").problems


def test_operators_that_move_elements_to_the_batch_change_its_size(tmp_path: Path) -> None:
    text = """main (x) => (z)
x float32[?,4,4,2]
b int32[2] = 2 2
p int32[2,2] = 0 0 0 0
s int32[2] = -1 8
y float32[?,2,2,2]
r float32[?,2,2,2]
z float32[?,8]
SPACE_TO_BATCH_ND (x, b, p) => (y)
RELU (y) => (r)
RESHAPE (r, s) => (z)"""
    model = _read(tmp_path, text)
    assert model.infer_types is not None
    shapes = {
        name: kind[1] for (_, name), kind in model.infer_types({"x": (3, 4, 4, 2)}).types.items()
    }
    assert shapes == {"x": (3, 4, 4, 2), "y": (12, 2, 2, 2), "r": (12, 2, 2, 2), "z": (12, 8)}


def test_an_open_batch_sizes_all_that_follows_in_proportion(tmp_path: Path) -> None:
    text = (
        "main (x) => (y)\nx float32[?,4]\ny float32[?,2]\ns int32[2] = -1 2\nRESHAPE (x, s) => (y)"
    )
    path = tmp_path / "model.tflite"
    whole = encode(text.replace("y float32[?,2]", "y float32[2,2]"))
    path.write_bytes(whole)
    model = read_model(path)
    assert model.infer_types is not None
    assert model.infer_types({"x": (3, 4)}).types == {
        ("main", "x"): (model.inputs[0].declared_dtype, (3, 4))
    }
    assert model.infer_types({"x": ("N", 4)}).types == {}
