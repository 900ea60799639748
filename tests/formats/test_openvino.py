"""OpenVINO models: what is read of them, and what is wrong with broken ones."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from modellint.analysis.cost import cost
from modellint.formats import is_by_content, read_model
from modellint.formats.openvino.facts import openvino_facts
from modellint.formats.openvino.notation import encode
from modellint.model import Model, Node
from modellint.targets.deployment import Deployment
from tests.samples import lint_json

NETWORK = """
x = Parameter f32[1,3,?,1..8]
w = Const f16[4,3,1,1] offset=0
c = Convert(w) f32[4,3,1,1] destination_type=f32 @decompression
y = Convolution(x, c) f32[1,4,?,?] strides=1,1 dilations=1,1 pads_begin=0,0 pads_end=0,0
z = ReLU(y) f32[1,4,?,?]
Result(z)
info Runtime_version=2026.4
info conversion_parameters.framework=onnx
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.bin").write_bytes(struct.pack("<12e", *range(12)))
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "m.xml"
    path.write_bytes(encode(text))
    return path


def kinds(model: Model) -> list[str]:
    return [problem.kind for problem in model.problems]


def test_what_a_network_states(folder: Path) -> None:
    model = read_model(written(folder, NETWORK))
    assert kinds(model) == []
    assert [node.qualified_op for node in model.graph.nodes] == ["Cast", "Conv", "Relu"]
    (x,), (z,) = model.inputs, model.outputs
    assert (x.name, str(x.dtype), x.shape) == ("x", "float32", (1, 3, None, None))
    assert (z.name, z.shape) == ("z", (1, 4, None, None))
    assert (model.producer_name, model.producer_version) == ("OpenVINO", "2026.4")
    assert model.metadata["conversion_parameters.framework"] == "onnx"
    facts = openvino_facts(model)
    assert (facts.ir_version, facts.input_shapes) == (11, {"x": "1,3,?,1..8"})
    assert model.metadata["saved as float16"] == "1 weight"


def test_weights_are_read_on_demand(folder: Path) -> None:
    (tensor,) = read_model(written(folder, NETWORK)).tensors
    numbers = tensor.numpy()
    assert numbers is not None
    assert (numbers.dtype.name, numbers.shape) == ("float16", (4, 3, 1, 1))
    assert numbers.reshape(-1).tolist() == list(range(12))


def test_attributes_are_those_of_the_standard(folder: Path) -> None:
    conv = read_model(written(folder, NETWORK)).graph.nodes[1]
    assert dict(conv.attributes) == {
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": (0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (
            "y = Convolution(x, w) f32[2,4,6,6] strides=1,1 pads_begin=0,0 pads_end=0,0",
            2 * 144 * 36,
        ),
        (
            "y = GroupConvolution(x, g) f32[2,4,6,6] strides=1,1 pads_begin=0,0 pads_end=0,0",
            2 * 144 * 18,
        ),
        ("y = MatMul(x, m) f32[2,4,8,5] transpose_b=true", 2 * 4 * 8 * 8 * 5),
        ("y = ScaledDotProductAttention(x, x, x) f32[2,4,8,8] causal=false", 2 * 4 * 8 * 8 * 16),
    ],
)
def test_the_work_is_what_the_shapes_say(folder: Path, layer: str, macs: int) -> None:
    text = f"""
        x = Parameter f32[2,4,8,8]
        w = Parameter f32[4,4,3,3]
        g = Parameter f32[2,2,2,3,3]
        m = Parameter f32[5,8]
        {layer}
        Result(y)
    """
    model = read_model(written(folder, text))
    assert cost(model, Deployment()).macs == macs


def test_bodies_of_loops_are_graphs(folder: Path) -> None:
    body = encode("a = Parameter f32[2]\nb = Tanh(a) f32[2]\nResult(b)").decode()
    body = body.partition("?>")[2].replace("net ", "body ").replace("/net", "/body")
    outer = encode("x = Parameter f32[2]\ny = TensorIterator(x) f32[2]\nResult(y)").decode()
    path = folder / "m.xml"
    path.write_text(outer.replace("<data /><input>", f"<data />{body}<input>", 1))
    (loop,) = read_model(path).graph.nodes
    assert loop.qualified_op == "openvino.TensorIterator"
    assert [node.op_type for node in loop.subgraphs["body"].nodes] == ["Tanh"]


def test_constants_that_become_attributes_leave_no_unused_value(folder: Path) -> None:
    (folder / "m.bin").write_bytes(struct.pack("<2q", 1, 0))
    model = read_model(
        written(
            folder,
            "x = Parameter f32[2,3]\no = Const i64[2]\ny = Transpose(x, o) f32[3,2]\nResult(y)",
        )
    )
    (node,) = model.graph.nodes
    assert (node.op_type, node.attributes["perm"], len(node.inputs)) == ("Transpose", (1, 0), 1)
    assert "o" not in model.graph.values


def test_a_layer_may_stand_before_what_it_reads(folder: Path) -> None:
    path = written(folder, "x = Parameter f32[2]\ny = Tanh(x) f32[2]\nResult(y)")
    text = path.read_text()
    first, second = text.index("<layer "), text.index('<layer id="1"')
    third = text.index('<layer id="2"')
    path.write_text(text[:first] + text[second:third] + text[first:second] + text[third:])
    assert [node.op_type for node in read_model(path).graph.nodes] == ["Tanh"]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ('version="11"', 'version="7"', "unsupported-format"),
        ('version="11"', 'version="eleven"', "corrupt"),
        ('layer id="1"', 'layer id="0"', "corrupt"),
        ('from-layer="0"', 'from-layer="77"', "corrupt"),
        ('from-layer="0"', 'from-layer="3"', "corrupt"),
        ('from-port="0"', 'from-port="9"', "undefined-value"),
        ('size="24"', 'size="20"', "invalid-tensor"),
        ('size="24"', 'size="-20"', "invalid-tensor"),
        ('offset="0"', 'offset="-8"', "invalid-tensor"),
        ('offset="0"', 'offset="2"', "external-short"),
        ('offset="0"', f'offset="{1 << 70}"', "corrupt"),
        ('shape="4,3,1,1"', f'shape="{"9," * 40}9"', "invalid-tensor"),
        ('shape="4,3,1,1"', 'shape="-4,3,1,1"', "invalid-tensor"),
        ('element_type="f16"', 'element_type="f17"', "invalid-tensor"),
        ('precision="F16"', 'precision="F17"', "corrupt"),
        (' name="y"', "", "corrupt"),
        ("</net>", "", "truncated"),
        ("</edges>", "</egdes>", "corrupt"),
        ("<edges>", f"{'<a>' * 101}{'</a>' * 101}<edges>", "too-deep"),
    ],
)
def test_what_is_wrong_is_found(folder: Path, old: str, new: str, kind: str) -> None:
    path = written(folder, NETWORK)
    _edit(path, old.replace("F16", "FP16"), new)
    assert set(kinds(read_model(path))) == {kind}


def test_a_missing_file_of_weights(tmp_path: Path) -> None:
    model = read_model(written(tmp_path, NETWORK))
    (problem,) = model.problems
    assert (problem.kind, problem.facts["location"]) == ("external-missing", "m.bin")
    assert (problem.facts["tensors"], problem.facts["bytes"]) == (1, 24)


def test_an_old_version_is_an_error_for_openvino_alone(folder: Path) -> None:
    path = written(folder, NETWORK)
    _edit(path, 'version="11"', 'version="9"')
    shown = [lint_json(path, *of) for of in ([], ["--runtime", "openvino"])]
    found = [[(each["code"], each["severity"]) for each in run["findings"]] for run in shown]
    assert found == [[("FIL009", "warning")], [("FIL009", "error")]]
    assert [run["exit"] for run in shown] == [0, 1]


def test_entities_are_refused(folder: Path) -> None:
    path = written(folder, NETWORK)
    bomb = '<!DOCTYPE net [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><net '
    _edit(path, "<net ", bomb)
    assert kinds(read_model(path)) == ["unsupported-format"]


def test_a_document_type_alone_is_harmless_as_it_is_for_openvino(folder: Path) -> None:
    path = written(folder, NETWORK)
    _edit(path, "<net ", "<!DOCTYPE net><net ")
    assert kinds(read_model(path)) == []


def test_a_tag_without_end_is_not_scanned_forever(folder: Path) -> None:
    path = folder / "m.xml"
    path.write_bytes(b'<net version="11" name="' + b"a" * (6 << 20))
    assert kinds(read_model(path)) == ["corrupt"]


def test_an_xml_file_of_something_else_is_not_one(folder: Path) -> None:
    path = folder / "m.xml"
    path.write_text("<project><net/></project>")
    assert kinds(read_model(path)) == ["not-a-model"]


def test_unknown_operations_keep_their_name(folder: Path) -> None:
    path = written(folder, "x = Parameter f32[2]\ny = Wat:extension(x) f32[2]\nResult(y)")
    model = read_model(path)
    (node,) = model.graph.nodes
    assert isinstance(node, Node)
    assert node.qualified_op == "openvino.Wat"
    assert openvino_facts(model).types[node] == ("Wat", "extension")


def test_compressed_weights_are_described(folder: Path) -> None:
    text = """
        x = Parameter f32[1,64]
        w = Const u4[4,2,32]
        c = Convert(w) f16[4,2,32] destination_type=f16
        z = Const u4[4,2,1]
        d = Convert(z) f16[4,2,1] destination_type=f16
        s = Subtract(c, d) f16[4,2,32]
        m = Const f16[4,2,1]
        q = Multiply(s, m) f16[4,2,32]
        Result(q)
    """
    (folder / "m.bin").write_bytes(bytes(128))
    described = read_model(written(folder, text)).metadata
    assert described["compressed weights"] == "uint4 asymmetric, groups of 32 ×1"
    assert described["format"] == "IR version 11"


def test_bytes_that_no_constant_has_are_reported(folder: Path) -> None:
    (folder / "m.bin").write_bytes(bytes(3 << 20))
    (problem,) = read_model(written(folder, NETWORK)).problems
    assert (problem.kind, problem.facts["unused"]) == ("external-leftover", (3 << 20) - 24)


def test_a_network_next_to_its_weights_is_found_in_a_folder(folder: Path) -> None:
    path = written(folder, NETWORK)
    assert is_by_content(path)
    (folder / "other.bin").touch()
    (folder / "other.xml").write_text("<project/>")
    assert not is_by_content(folder / "other.xml")
    (folder / "m.bin").unlink()
    assert not is_by_content(path)
