"""Valid protobufs with absurd content: the reader types what it lets in, or leaves it out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from modellint.engine import lint_file
from modellint.formats import read_model
from modellint.formats.onnx.standins import _BLOCKED, _STANDINS, BLOCKED, MICROSOFT
from modellint.model import HIGHEST_RANK, MOST, AttributeRef, Model, Problem, Tensor
from modellint.plan import Plan
from modellint.results.finding import Finding
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.formats.wire import field, number_field
from tests.growth import grows_less
from tests.support import model_from_text

A10 = find_target("a10")
PLAN = Plan(
    rules=tuple(load_rules(plugins=False).values()),
    deployments=(
        Deployment(),
        Deployment(target=A10, runtime=A10.default_runtime, precision="int8", batch=4),
    ),
)
INVALID = b"\xff\xfe\x80\xed\xa0\x80"
"""Not UTF-8, as long as its stand-in in what onnx's messages would not take otherwise."""
PLACEHOLDER = "name~~"
ESCAPED = r"\xff\xfe\x80\xed\xa0\x80"


def lint(content: bytes | onnx.ModelProto, folder: Path) -> list[Finding]:
    """Lint a file with all rules, none of which may crash."""
    path = folder / "model.onnx"
    data = content if isinstance(content, bytes) else content.SerializeToString()
    path.write_bytes(data.replace(PLACEHOLDER.encode(), INVALID))
    findings = list(lint_file(path, path.name, PLAN).findings)
    crashes = [finding.message for finding in findings if finding.is_internal]
    assert not crashes, crashes
    return findings


def read(folder: Path) -> Model:
    return read_model(folder / "model.onnx")


def problems(folder: Path, kind: str) -> list[Problem]:
    return [problem for problem in read(folder).problems if problem.kind == kind]


def model_of(text: str) -> onnx.ModelProto:
    """A model from text, of which `name` stands for a name that is not UTF-8."""
    return model_from_text(text.replace("NAME", PLACEHOLDER.replace("~", "_")))


NAMED = """
    <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "local" : 1]>
    main (float[n, 4] x) => (float[n, 4] y)
    <float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, bool c = {1}>
    {
        a = com.microsoft.FusedMatMul <transA = 0> (x, w)
        b = local.twice <alpha = 2.0> (a)
        y = If (c) <
            then_branch = then () => (float[n, 4] t) { t = com.microsoft.Gelu (b) },
            else_branch = other () => (float[n, 4] e) { e = Neg (b) }
        >
    }
    <domain: "local", opset_import: ["" : 17]>
    twice <alpha> (p) => (q) { s = Elu <alpha = @alpha> (p)  q = Add (s, s) }
"""


def strings(message: object, path: str = "") -> Iterator[tuple[object, str, int | None]]:
    """All text fields of a message: the message, the field, and the place in a list."""
    for descriptor, value in message.ListFields():  # type: ignore[attr-defined]
        is_list = hasattr(value, "extend")
        if descriptor.type == descriptor.TYPE_MESSAGE:
            for inner in value if is_list else [value]:
                yield from strings(inner)
        elif descriptor.type == descriptor.TYPE_STRING:
            for place in range(len(value)) if is_list else [None]:
                yield message, descriptor.name, place


def _get(message: object, name: str, place: int | None) -> str:
    value = getattr(message, name)
    text: str = value if place is None else value[place]
    return text


def _set(message: object, name: str, place: int | None, text: str) -> None:
    if place is None:
        setattr(message, name, text)
    else:
        getattr(message, name)[place] = text


HOSTILE = [PLACEHOLDER, "", "\0", "a\nb", "\u202e", "\x1b[31m", "x" * 999]
TEXTS = sorted({_get(*each) for each in strings(model_from_text(NAMED))})


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_any_name_may_be_anything(name: str, hostile: str, tmp_path: Path) -> None:
    """A name is one everywhere in the model, and then only at one place of those."""
    everywhere = model_from_text(NAMED)
    for place in [each for each in strings(everywhere) if _get(*each) == name]:
        _set(*place, hostile)
    lint(everywhere, tmp_path)
    once = model_from_text(NAMED)
    _set(*next(each for each in strings(once) if _get(*each) == name), hostile)
    lint(once, tmp_path)


def test_names_that_are_not_unicode_are_the_same_everywhere(tmp_path: Path) -> None:
    model = model_from_text(NAMED)
    for place in [each for each in strings(model) if _get(*each) in ("a", "b", "x", "w")]:
        _set(*place, PLACEHOLDER + _get(*place))
    codes = {finding.code for finding in lint(model, tmp_path)}
    graph = read(tmp_path).graph
    assert "FIL009" not in codes
    assert not read(tmp_path).problems
    assert graph.inputs[0].name == f"{ESCAPED}x"
    names = [value.name for value in graph.nodes[0].inputs if value is not None]
    assert names == [f"{ESCAPED}x", f"{ESCAPED}w"]
    assert graph.nodes[0].outputs[0] is graph.nodes[1].inputs[0]
    assert graph.values[f"{ESCAPED}a"].shape == ("n", 4)  # inference sees the same names


@pytest.mark.parametrize("domain", [MICROSOFT, BLOCKED])
@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("attributes", ["none", "of another type", "huge", "negative", "a graph"])
def test_stand_ins_leave_unusual_nodes_alone(
    domain: str, count: int, attributes: str, tmp_path: Path
) -> None:
    """All that have stand-ins, in one model: with fewer inputs, or attributes, than they need."""
    values: dict[str, object] = {
        "none": None,
        "of another type": "two",
        "huge": MOST,
        "negative": -(2**63),
        "a graph": helper.make_graph([], "inner", [], []),
    }
    names = "num_heads kv_num_heads K N axis transA transB transBatchA kernel_shape perm".split()
    given = {} if attributes == "none" else dict.fromkeys(names, values[attributes])
    ops = {MICROSOFT: _STANDINS, BLOCKED: _BLOCKED}[domain]
    inputs = [f"i{at}" for at in range(count)]
    nodes = [
        helper.make_node(op, inputs, outputs, domain=domain, **given)  # type: ignore[arg-type]
        for op in ops
        for outputs in ([], [f"{op}{count}"], [f"{op}{count}{at}" for at in range(4)])
    ]
    kinds = [helper.make_tensor_value_info(name, 1, ["n", 8, 8]) for name in inputs]
    graph = helper.make_graph(nodes, "g", kinds, [])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    lint(helper.make_model(graph, opset_imports=imports), tmp_path)


KINDS = {number: name for name, number in AttributeProto.AttributeType.items()}


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.get)
@pytest.mark.parametrize(
    ("op", "name"),
    [
        ("Conv", "kernel_shape"),
        ("Constant", "value"),
        ("Constant", "value_int"),
        ("Constant", "value_ints"),
        ("Constant", "value_float"),
        ("Constant", "value_floats"),
        ("Constant", "value_string"),
        ("Constant", "value_strings"),
        ("Constant", "sparse_value"),
        ("Softmax", "axis"),
        ("ConstantOfShape", "value"),
        ("Transpose", "perm"),
        ("Cast", "to"),
        ("If", "then_branch"),
        ("LSTM", "hidden_size"),
        ("LSTM", "activations"),
        ("Einsum", "equation"),
    ],
)
def test_attributes_of_any_type(kind: int, op: str, name: str, tmp_path: Path) -> None:
    node = onnx.NodeProto(op_type=op, input=["x"] * 3, output=["y"])
    attribute = node.attribute.add(name=name, type=kind)
    lint(model_with(node), tmp_path)  # of that type, and empty
    attribute.f, attribute.i, attribute.s = float("nan"), -(2**63), b"\xff"
    attribute.t.CopyFrom(TensorProto(data_type=7, dims=[1], int64_data=[-1]))
    attribute.g.CopyFrom(model_from_text(NAMED).graph)
    attribute.floats.extend([float("inf"), 1e38])
    attribute.ints.extend([-1, 0, MOST])
    attribute.strings.extend([b"", b"\xff"])
    attribute.tensors.add().CopyFrom(attribute.t)
    attribute.graphs.add().CopyFrom(attribute.g)
    attribute.graphs.add()
    attribute.sparse_tensor.dims.extend([-1, MOST])
    lint(model_with(node), tmp_path)


def test_constants_of_another_type_are_absent(tmp_path: Path) -> None:
    kinds = {
        "value_int": 1.5,
        "value_ints": [1.5],
        "value_float": "a",
        "value_floats": ["a"],
        "value_string": 3,
        "value_strings": [3],
    }
    nodes = [onnx.NodeProto(op_type="Constant", output=[name]) for name in kinds]
    for node, (name, value) in zip(nodes, kinds.items(), strict=True):
        node.attribute.append(helper.make_attribute(name, value))
    lint(model_with(*nodes), tmp_path)
    assert not any(value.is_constant for value in read(tmp_path).graph.values.values())


def test_a_stored_constant_has_its_own_type(tmp_path: Path) -> None:
    model = model_of("""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2, 3] w) => (float[6] y) <int64[6] w = {1, 2, 3, 4, 5, 6}> { y = Identity (w) }
    """)
    lint(model, tmp_path)
    weight = read(tmp_path).graph.values["w"]
    assert weight.tensor is not None
    assert (str(weight.dtype), weight.shape) == ("int64", (6,))


def model_with(*nodes: onnx.NodeProto, tensors: tuple[TensorProto, ...] = ()) -> onnx.ModelProto:
    kinds = [helper.make_tensor_value_info("x", 1, ["n", 4, 8, 8])]
    graph = helper.make_graph(nodes, "g", kinds, [], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


DIMS = [
    [-1],
    [0],
    [MOST],
    [MOST] * 3,
    [-MOST, -MOST],
    [2**62] * 64,
    [1] * 65,
    [0, MOST, MOST],
    [2**62] * 20_000,
    [-1, 0],
    [1] * 32,
    [],
]


@pytest.mark.parametrize("dims", DIMS, ids=[f"{dims[:2]}{len(dims)}" for dims in DIMS])
@pytest.mark.parametrize("data_type", [0, 1, 7, 8, 9, 16, 22])
def test_tensors_of_any_shape_and_type(dims: list[int], data_type: int, tmp_path: Path) -> None:
    kind = helper.make_tensor_type_proto(data_type, None)
    for dim in dims:
        kind.tensor_type.shape.dim.add().dim_value = dim
    for payload in ({}, {"raw_data": b"\1"}, {"int32_data": [-1]}, {"float_data": [float("nan")]}):
        plain = TensorProto(dims=dims, data_type=data_type, name="w", **payload)
        model = model_with(
            *(
                onnx.NodeProto(op_type=op, input=["x", "w", "w"], output=[op])
                for op in "Add Reshape QuantizeLinear Slice Gather MatMul Conv Expand Clip".split()
            ),
            onnx.NodeProto(op_type="MatMul", input=["sparse", "other"], output=["z"]),
            tensors=(plain,),
        )
        sparse = model.graph.sparse_initializer.add(dims=dims)
        sparse.values.CopyFrom(TensorProto(dims=[1], data_type=data_type, name="sparse", **payload))
        sparse.indices.CopyFrom(TensorProto(dims=[1], data_type=7, int64_data=[0]))
        model.graph.input.add(name="other").type.CopyFrom(kind)
        lint(model, tmp_path)
        for tensor in read(tmp_path).tensors:
            assert 0 <= tensor.nbytes <= MOST
            assert 0 <= tensor.elements <= MOST
            assert len(tensor.shape) <= HIGHEST_RANK
            elements = tensor.numpy()
            assert elements is None or elements.shape == tensor.shape


@pytest.mark.parametrize("op", ["Expand", "Reshape", "ConstantOfShape"])
def test_results_have_no_more_dims_than_are_possible(op: str, tmp_path: Path) -> None:
    """Inference gives the result a dim for each element of the argument: gigabytes of them."""
    node = onnx.NodeProto(op_type=op, input=["x", "sizes"][-1 if op == "ConstantOfShape" else 0 :])
    node.output.append("y")

    def lint_for(dims: int) -> None:
        model = model_with(node)
        model.graph.input.append(helper.make_tensor_value_info("sizes", 7, [dims]))
        model.opset_import[0].version = 21
        lint(model, tmp_path)

    assert grows_less(lint_for, 4, 1 << 32, limit=100)


@pytest.mark.parametrize("dims", [[4, 1 << 32], [8, 1 << 40, 0]])
def test_channels_that_are_not_there_take_no_memory(dims: list[int], tmp_path: Path) -> None:
    weight = TensorProto(name="w", dims=dims, data_type=1, float_data=[1] * (8 * (0 not in dims)))
    node = onnx.NodeProto(op_type="MatMul", input=["x", "w"], output=["y"])
    lint(model_with(node, tensors=(weight,)), tmp_path)


def test_sparse_tensors_take_no_more_memory_than_their_file_suggests(tmp_path: Path) -> None:
    sparse = field(1, number_field(1, 1) + number_field(2, 1) + field(9, bytes(4)) + field(8, b"s"))
    sparse += field(2, number_field(1, 1) + number_field(2, 7) + field(9, bytes(8)))
    lint(number_field(1, 8) + field(7, field(15, sparse + number_field(3, 1 << 26))), tmp_path)
    (tensor,) = read(tmp_path).tensors
    assert tensor.numpy() is None


NUMBERS = ["1_0", "\u0663", " 1", "+1", "-1", "1.0", "0x1", "1" * 20, "9" * 5000, "\u00b2"]


@pytest.mark.parametrize("entry", ["offset", "length"])
@pytest.mark.parametrize("number", NUMBERS)
def test_external_data_at_odd_numbers(entry: str, number: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(1000))
    lint(model_with(tensors=(external_tensor("w.bin", **{entry: number}),)), tmp_path)
    assert read(tmp_path).tensors[0].region is None
    assert len(problems(tmp_path, "invalid-tensor")) == 1


def external_tensor(location: str, **entries: str) -> TensorProto:
    tensor = TensorProto(dims=[1], data_type=1, name="w", data_location="EXTERNAL")
    for key, value in {"location": location, "length": "4", "offset": "0", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_a_pointer_longer_than_its_tensor_is_no_weight(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 9\n"
    (tmp_path / "w.bin").write_text(pointer)
    lint(model_with(tensors=(external_tensor("w.bin"),)), tmp_path)
    (tensor,) = read(tmp_path).tensors
    assert tensor.region is None
    assert tensor.numpy() is None
    (problem,) = problems(tmp_path, "lfs-pointer")
    assert problem.facts["location"] == "w.bin"


def test_a_model_with_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"m\xff.onnx")
    path.write_bytes(model_with(tensors=(external_tensor("w.bin"),)).SerializeToString())
    (tmp_path / "other.onnx").write_bytes(b"x")
    path.with_name(f"{path.name}.data").write_bytes(bytes(2 << 20))
    kinds = [problem.kind for problem in read_model(path).problems]
    assert kinds == ["external-missing", "external-leftover"]


@pytest.mark.parametrize("version", [-(2**63), -1, 0, 2**31 - 1, 2**31, 2**63 - 1])
def test_opset_versions(version: int, tmp_path: Path) -> None:
    model = model_from_text(NAMED)
    for entry in model.opset_import:
        entry.version = version
    model.ir_version = version
    lint(model, tmp_path)


@pytest.mark.parametrize("domain", ["", "local"])
def test_functions_that_call_themselves(domain: str, tmp_path: Path) -> None:
    model = model_from_text(NAMED)
    body = model.functions[0]
    body.domain = domain
    for op in ("twice", "Relu"):
        body.name = op
        for node in (body.node[0], model.graph.node[1]):
            node.op_type, node.domain = op, domain
        lint(model, tmp_path)
        assert problems(tmp_path, "recursive-function")


def test_an_output_declared_twice_has_its_first_type(tmp_path: Path) -> None:
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    model = model_from_text(f"{header} g (float[1,4] x) => (float[1,4] y) {{ y = Relu(x) }}")
    again = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1 << 20, 1, 1 << 20])
    model.graph.output.append(again)
    onnx.save(model, tmp_path / "model.onnx")
    assert read_model(tmp_path / "model.onnx").graph.values["y"].declared_shape == (1, 4)


def test_subgraphs_of_the_same_name(tmp_path: Path) -> None:
    model = model_from_text(NAMED)
    branch = model.graph.node[2]
    branch.attribute[1].name = branch.attribute[0].name
    branch.attribute[0].g.node.add(op_type="Relu", input=["t"], output=["u"])
    lint(model, tmp_path)
    graphs = list(read(tmp_path).graph.walk())
    assert len({graph.path for graph in graphs}) == 3


def test_references_outside_of_functions(tmp_path: Path) -> None:
    node = onnx.NodeProto(op_type="Conv", input=["x", "x"], output=["y"])
    for name in "kernel_shape pads strides dilations group auto_pad".split():
        node.attribute.add(name=name, ref_attr_name="nothing", type=7)
    lint(model_with(node), tmp_path)
    attributes = read(tmp_path).graph.nodes[0].attributes
    assert attributes["pads"] == AttributeRef("nothing")
    assert not any(isinstance(value, Tensor) for value in attributes.values())


@pytest.mark.parametrize(
    ("number", "packed"), [(4, bytes(7)), (10, bytes(12)), (5, b"\x01\x80"), (7, b"\xff")]
)
def test_half_a_number_next_to_large_data_is_corrupt(
    tmp_path: Path, number: int, packed: bytes
) -> None:
    """Protobuf does not see what is left out of a tensor: the reader checks it."""
    tensor = number_field(1, 2048) + number_field(2, 1) + field(8, b"w")
    tensor += field(9, bytes(8192)) + field(number, packed)
    (tmp_path / "model.onnx").write_bytes(number_field(1, 8) + field(7, field(5, tensor)))
    (problem,) = read(tmp_path).problems
    assert (problem.kind, "half a number" in str(problem.facts)) == ("corrupt", True)
