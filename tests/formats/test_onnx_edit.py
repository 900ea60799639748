"""Edits of ONNX files change what they say, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from modellint.formats import read_model
from modellint.formats.onnx.edit import write_fixed
from modellint.formats.protobuf import write_varint
from modellint.model import DTYPES, Model, Node, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveFunction,
    RemoveNodes,
    RemoveOutput,
    RemoveTensor,
    Rename,
    Reorder,
    Replace,
    Rewrite,
    SetAttribute,
    SetInput,
    SetMetadata,
    SetOperator,
    SetOpset,
    SetShape,
    SetTensor,
    SetType,
)
from tests.exports import EXPORTS, exports
from tests.support import save

CHAIN = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) <float[2] w = {1, 2}>
{
    [one] a = Identity (x)
    [two] b = Add (a, w)
    [three] y = Identity (b)
}
"""
BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
main (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}>
{
    [same] a = Identity (x)
    [choice] y = If (c) <
        then_branch = yes () => (float[2] p) { [inner] p = Add (a, w) },
        else_branch = no () => (float[2] q) { q = Neg (a) }
    >
}
"""
CALLS = """
<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
main (float[2] x) => (float[2] y) { [call] y = own.twice (x) }

<domain: "own", opset_import: ["" : 17]>
twice (x) => (y) { [inner] h = Identity (x) [sum] y = Add (h, h) }
"""

Edits = Callable[[Model], Iterable[GraphEdit]]


def edited(text: str, folder: Path, *edits: Edits) -> Model:
    """The model of a text with fixes carried out together, one for each function."""
    model = read_model(save(text, folder / "model.onnx"))
    target = folder / "edited.onnx"
    target.unlink(missing_ok=True)
    write_fixed(model, [Fix(tuple(make(model)), "") for make in edits], target)
    onnx.checker.check_model(target)
    return read_model(target)


def node(model: Model, name: str) -> Node:
    return next(each for each in model.nodes(functions=True) if each.name == name)


def value(model: Model, name: str) -> Value:
    return model.graph.values[name]


def floats(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, dtype=np.float32)


def written(model: Model) -> list[str]:
    """The nodes of the main graph: ``two: Add(x, w) -> y``."""
    return [line(each) for each in model.graph.nodes]


def line(each: Node) -> str:
    inputs = ", ".join(v.name if v is not None else "" for v in each.inputs)
    outputs = ", ".join(v.name if v is not None else "" for v in each.outputs)
    return f"{each.name}: {each.op_type}({inputs}) -> {outputs}"


# What no edit touches


@pytest.mark.parametrize("name", exports())
def test_without_edits_every_byte_stays(name: str, tmp_path: Path) -> None:
    path = EXPORTS / f"{name}.onnx"
    write_fixed(read_model(path), [], tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", exports()[::3])
def test_one_edit_changes_only_its_message(name: str, tmp_path: Path) -> None:
    path = EXPORTS / f"{name}.onnx"
    model = read_model(path)
    some = model.graph.nodes[len(model.graph.nodes) // 2]
    write_fixed(model, [Fix((Rename(some, "another_name"),), "")], tmp_path / "new.onnx")
    old, new = path.read_bytes(), (tmp_path / "new.onnx").read_bytes()
    tail = _shared(old[::-1], new[::-1])
    changed = new[_shared(old, new) : len(new) - tail]
    proto = onnx.load_from_string(new).graph.node[some.index]
    assert len(changed) <= len(proto.SerializeToString()) + len("<length>")


def _shared(one: bytes, other: bytes) -> int:
    """Length of what two files begin with, apart from the lengths of the messages around."""
    pairs = zip(one[64:], other[64:], strict=False)
    return 64 + next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def test_unknown_fields_survive(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(CHAIN)
    unknown = write_varint(999 << 3 | 2) + b"\x04kept"
    serialized = [each.SerializeToString() for each in proto.graph.node]
    whole = proto.SerializeToString()
    for content in serialized:
        grown = content + unknown
        whole = whole.replace(
            b"\x0a" + write_varint(len(content)) + content,
            b"\x0a" + write_varint(len(grown)) + grown,
        )
    grown_graph = len(proto.graph.SerializeToString()) + 3 * len(unknown)
    old_graph = b"\x3a" + write_varint(len(proto.graph.SerializeToString()))
    path = tmp_path / "model.onnx"
    path.write_bytes(whole.replace(old_graph, b"\x3a" + write_varint(grown_graph)) + unknown)
    model = read_model(path)
    write_fixed(
        model, [Fix((SetInput(node(model, "two"), 0, value(model, "x")),), "")], tmp_path / "n"
    )
    kept = (tmp_path / "n").read_bytes()
    assert kept.count(unknown) == 3  # of the nodes `two` and `three`, and of the file
    assert written(read_model(tmp_path / "n"))[0] == "two: Add(x, w) -> b"


def test_external_data_is_neither_read_nor_copied(tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    with weights.open("wb") as file:
        file.truncate(100 << 30)
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> main (float[1] x) => (float[1] y)'
        " { a = Identity (x) [sum] y = Add (a, w) }"
    )
    tensor = proto.graph.initializer.add(name="w", data_type=1, dims=[25 << 30])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    model = read_model(save(proto, tmp_path / "model.onnx"))
    same = node(model, "sum").input(0)
    assert same is not None
    write_fixed(model, [Fix((Replace(same, value(model, "x")),), "")], tmp_path / "new.onnx")
    new = read_model(tmp_path / "new.onnx")
    assert written(new) == ["sum: Add(x, w) -> y"]
    assert new.weight_bytes == 100 << 30


def test_large_payloads_of_the_file_move_along(tmp_path: Path) -> None:
    numbers = np.arange(3 << 20, dtype=np.float32)
    proto = onnx.parser.parse_model(CHAIN)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(numbers, "large"))
    model = read_model(save(proto, tmp_path / "model.onnx"))
    edits = (
        Rename(value(model, "large"), "renamed"),
        RemoveTensor(value(model, "w")),
        Replace(value(model, "w"), value(model, "x")),
    )
    write_fixed(model, [Fix(edits, "")], tmp_path / "new.onnx")
    (stored,) = onnx.load(tmp_path / "new.onnx").graph.initializer
    assert stored.name == "renamed"
    assert np.array_equal(onnx.numpy_helper.to_array(stored), numbers)


# Nodes and values


def test_a_chain_of_replacements_is_followed(tmp_path: Path) -> None:
    model = edited(
        CHAIN,
        tmp_path,
        lambda m: [RemoveNodes((node(m, "one"),)), Replace(value(m, "a"), value(m, "x"))],
        lambda m: [RemoveNodes((node(m, "three"),)), Replace(value(m, "y"), value(m, "b"))],
    )
    assert written(model) == ["two: Add(x, w) -> y"]


def test_an_output_that_is_replaced_by_an_input_keeps_its_name(tmp_path: Path) -> None:
    model = edited(
        CHAIN,
        tmp_path,
        lambda m: [RemoveNodes((node(m, "three"),)), Replace(value(m, "y"), value(m, "x"))],
    )
    assert written(model) == ["Identity: Identity(x) -> y"]
    assert model.tensors == []


def test_what_nothing_reads_any_longer_goes_as_well(tmp_path: Path) -> None:
    model = edited(CHAIN, tmp_path, lambda m: [Replace(value(m, "b"), value(m, "x"))])
    assert written(model) == ["three: Identity(x) -> y"]
    assert not model.graph.initializers


def test_new_nodes_get_names_of_their_own(tmp_path: Path) -> None:
    def insert(model: Model) -> list[GraphEdit]:
        before = node(model, "three")
        negated = NewNode("Neg", (value(model, "b"),), ("a",), name="one")
        again = NewNode("Mul", ("a", "w"), ("z",), name="again")
        halves = AddTensor("w", model.graph, DTYPES["float32"], (1,), lambda: floats(0.5))
        return [
            halves,
            InsertNodes(model.graph, (negated, again), before),
            Replace(value(model, "b"), "z"),
        ]

    assert written(edited(CHAIN, tmp_path, insert)) == [
        "one: Identity(x) -> a",
        "two: Add(a, w) -> b",
        "one_2: Neg(b) -> a_2",
        "again: Mul(a_2, w_2) -> z",
        "three: Identity(z) -> y",
    ]


def test_a_new_node_takes_the_place_of_others(tmp_path: Path) -> None:
    def fuse(model: Model) -> list[GraphEdit]:
        gone = (node(model, "two"), node(model, "three"))
        like = node(model, "two")
        sub = NewNode(
            "Sub", (value(model, "a"), value(model, "w")), (value(model, "y"),), like=like
        )
        return [RemoveNodes(gone), InsertNodes(model.graph, (sub,), gone[0])]

    assert written(edited(CHAIN, tmp_path, fuse))[1] == ": Sub(a, w) -> y"


def test_subgraphs_read_what_a_value_is_replaced_by(tmp_path: Path) -> None:
    model = edited(
        BRANCHES,
        tmp_path,
        lambda m: [RemoveNodes((node(m, "same"),)), Replace(value(m, "a"), value(m, "x"))],
        lambda m: [SetTensor(value(m, "w"), DTYPES["float32"], (2,), lambda: floats(3, 4))],
    )
    assert line(node(model, "inner")) == "inner: Add(x, w) -> p"
    tensor = value(model, "w").tensor
    assert tensor is not None
    assert list(tensor.small_numbers()) == [3, 4]


def test_nodes_in_functions_are_edited_and_their_tensors_become_constants(tmp_path: Path) -> None:
    def change(model: Model) -> list[GraphEdit]:
        body = node(model, "inner").graph
        one = AddTensor("one", body, DTYPES["float32"], (1,), lambda: floats(1))
        h = body.values["h"]
        return [
            one,
            RemoveNodes((node(model, "inner"),)),
            Replace(h, body.values["x"], (h.consumers[0],)),
            SetInput(node(model, "sum"), 1, "one"),
        ]

    model = edited(CALLS, tmp_path, change)
    (body,) = model.functions.values()
    assert [line(each) for each in body.nodes] == [": Constant() -> one", "sum: Add(x, one) -> y"]


def test_renaming_reaches_every_mention(tmp_path: Path) -> None:
    renamed = edited(
        BRANCHES,
        tmp_path,
        lambda m: [
            Rename(value(m, "a"), "new"),
            Rename(m.graph, "net"),
            Rename(value(m, "y"), "z"),
        ],
    )
    assert line(node(renamed, "inner")) == "inner: Add(new, w) -> p"
    assert renamed.graph.name == "net"
    assert [each.name for each in renamed.outputs] == ["z"]


def test_attributes_types_metadata_and_opsets(tmp_path: Path) -> None:
    text = CHAIN.replace("b = Add (a, w)", "b = Gather <axis = 0> (a, i)").replace(
        "w = {1, 2}>", "w = {1, 2}, int64[2] i = {0, 1}>"
    )
    model = edited(
        text,
        tmp_path,
        lambda m: [
            SetAttribute(node(m, "two"), "axis", -1),
            SetMetadata(node(m, "two"), "from", "here"),
            SetMetadata(None, "about", "it"),
            SetOpset("", 18),
            SetOpset("own", 1),
            SetShape(value(m, "x"), ("N",)),
            SetShape(value(m, "y"), ("N",)),
            SetShape(value(m, "b"), (2,)),
            SetType(value(m, "b"), DTYPES["float32"]),
            SetOperator(node(m, "one"), "Relu"),
        ],
    )
    assert node(model, "two").attributes == {"axis": -1}
    assert node(model, "two").metadata == {"from": "here"}
    assert model.metadata == {"about": "it"}
    assert value(model, "x").declared_shape == ("N",)
    assert value(model, "b").declared_shape == (2,)
    assert node(model, "one").op_type == "Relu"


def test_nodes_are_put_into_another_order(tmp_path: Path) -> None:
    unsorted = CHAIN.replace("[one] a = Identity (x)\n", "").replace(
        "[three]", "[one] a = Identity (x) [three]"
    )
    path = save(unsorted, tmp_path / "model.onnx")
    model = read_model(path)
    order = tuple(model.graph.ordered)
    write_fixed(model, [Fix((Reorder(model.graph, order),), "")], tmp_path / "new.onnx")
    assert [each.name for each in read_model(tmp_path / "new.onnx").graph.nodes] == [
        "one",
        "two",
        "three",
    ]


def test_functions_and_outputs_are_dropped(tmp_path: Path) -> None:
    text = CALLS.replace("[call] y = own.twice (x)", "[call] y = Neg (x) z = Abs (x)").replace(
        "(float[2] y) {", "(float[2] y, float[2] z) {", 1
    )
    model = edited(
        text,
        tmp_path,
        lambda m: [RemoveFunction(body) for body in m.functions.values()],
        lambda m: [RemoveOutput(value(m, "z"))],
    )
    assert not model.functions
    assert [each.name for each in model.outputs] == ["y"]


def test_a_rewritten_file_gets_its_payloads_back(tmp_path: Path) -> None:
    numbers = np.arange(4000, dtype=np.int64)
    proto = onnx.parser.parse_model(CHAIN)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(numbers, "large"))
    typed = proto.graph.initializer.add(name="typed", data_type=1, dims=[2000])
    typed.float_data.extend([0.5] * 2000)

    def transform(model: onnx.ModelProto) -> onnx.ModelProto:
        model.producer_name = "rewritten"
        return model

    model = read_model(save(proto, tmp_path / "model.onnx"))
    write_fixed(model, [Fix((Rewrite(transform),), "")], tmp_path / "new.onnx")
    new = onnx.load(tmp_path / "new.onnx")
    assert new.producer_name == "rewritten"
    assert np.array_equal(onnx.numpy_helper.to_array(new.graph.initializer[1]), numbers)
    assert list(new.graph.initializer[2].float_data) == [0.5] * 2000


@pytest.mark.parametrize(
    "dtype", ["int4", "uint4", "bool", "float16", "bfloat16", "string", "int2"]
)
def test_tensors_of_every_kind_are_written(dtype: str, tmp_path: Path) -> None:
    kind = DTYPES[dtype]
    elements = (
        np.array([1, 0, 1], dtype=kind.numpy) if dtype != "string" else np.array(["é", "", "b"])
    )
    model = read_model(save(CHAIN, tmp_path / "model.onnx"))
    edit = AddTensor("new", model.graph, kind, (3,), lambda: elements)
    write_fixed(model, [Fix((edit,), "")], tmp_path / "new.onnx")
    new = read_model(tmp_path / "new.onnx")
    tensor = value(new, "new").tensor
    assert tensor is not None
    assert not new.problems
    found = tensor.numpy()
    assert found is not None
    shown = [each.decode() if isinstance(each, bytes) else each for each in found.tolist()]
    assert shown == elements.tolist()


def test_files_before_ir_4_get_constants_instead_of_inputs(tmp_path: Path) -> None:
    def insert(model: Model) -> list[GraphEdit]:
        two = AddTensor("two", model.graph, DTYPES["float32"], (1,), lambda: floats(2))
        return [two, SetInput(node(model, "two"), 1, "two")]

    old = CHAIN.replace("ir_version: 8", "ir_version: 3").replace('"" : 17', '"" : 8')
    proto = onnx.parser.parse_model(old)
    proto.graph.input.add(name="w").type.CopyFrom(proto.graph.input[0].type)
    model = read_model(save(proto, tmp_path / "old.onnx"))
    write_fixed(model, [Fix(tuple(insert(model)), "")], tmp_path / "new.onnx")
    onnx.checker.check_model(tmp_path / "new.onnx")
    new = read_model(tmp_path / "new.onnx")
    assert written(new)[::2] == [": Constant() -> two_2", "two: Add(a, two_2) -> b"]
    assert [each.name for each in new.inputs] == ["x"]


# What cannot be done


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (lambda m: [RemoveNodes((node(m, "one"),))], "'a' would be missing"),
        (lambda m: [RemoveTensor(value(m, "w"))], "'w' would be missing"),
        (lambda m: [Replace(value(m, "a"), "nowhere")], "'nowhere' is not made"),
        (
            lambda m: [
                Replace(value(m, "a"), value(m, "b")),
                Replace(value(m, "b"), value(m, "a")),
            ],
            "would replace itself",
        ),
        (
            lambda m: [InsertNodes(m.graph, (NewNode("Neg", (), (value(m, "b"),)),))],
            "'b' would be made twice",
        ),
    ],
)
def test_edits_that_do_not_hold_together_are_refused(
    edits: Edits, said: str, tmp_path: Path
) -> None:
    with pytest.raises(EditError, match=said):
        edited(CHAIN, tmp_path, edits)


def test_a_name_that_means_something_else_inside_is_refused(tmp_path: Path) -> None:
    text = BRANCHES.replace("q = Neg (a)", "x = Neg (a) q = Neg (x)")
    with pytest.raises(EditError, match="cannot be read in a subgraph"):
        edited(
            text,
            tmp_path,
            lambda m: [RemoveNodes((node(m, "same"),)), Replace(value(m, "a"), value(m, "x"))],
        )


def test_a_file_that_has_changed_is_left_alone(tmp_path: Path) -> None:
    path = save(CHAIN, tmp_path / "model.onnx")
    model = read_model(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(EditError, match="has changed"):
        write_fixed(model, [], tmp_path / "new.onnx")
