"""Core ML models: what is read of them, and what is wrong with broken ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from modellint.analysis.cost import cost
from modellint.formats import read_model
from modellint.formats.coreml.facts import coreml_facts
from modellint.formats.coreml.notation import blob_file, encode, entry, field
from modellint.model import Model
from modellint.targets.deployment import Deployment

PROGRAM = """
version 7
input x float32[1,3,16..64,32]
output z float16[1,4,16,16]
metadata com.github.apple.coremltools.version=9.0
program CoreML6
given x float32[1,3,32,32]
c float16[1,3,32,32] = cast x=x dtype="fp16"
w float16[4,3,1,1] = const blob=64
n int32[2] = const val=2,2
y float16[1,4,16,16] = conv x=c weight=w strides=n pad_type="valid"
z float16[1,4,16,16] = relu x=y
return z
"""
NETWORK = """
version 4
input x image RGB[8,8]
output y float32[2]
network
scaler x 0.5
layer flatten x -> f
layer innerProduct f -> y 1=192 2=2 20.1=float:384
"""
FLOAT16 = 1


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return packed(tmp_path / "m.mlpackage", PROGRAM)


def packed(path: Path, text: str) -> Path:
    """Write a package with one file of weights."""
    folder = path / "Data/com.apple.CoreML"
    (folder / "weights").mkdir(parents=True)
    (folder / "model.mlmodel").write_bytes(encode(text))
    weights = blob_file([(FLOAT16, struct.pack("<12e", *range(12)))])
    (folder / "weights/weight.bin").write_bytes(weights)
    items = {
        key: {"author": "com.apple.CoreML", "name": name, "path": f"com.apple.CoreML/{name}"}
        for key, name in (("1", "model.mlmodel"), ("2", "weights"))
    }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {key: item | {"description": ""} for key, item in items.items()},
        "rootModelIdentifier": "1",
    }
    (path / "Manifest.json").write_text(json.dumps(manifest))
    return path


def single(folder: Path, content: bytes) -> Path:
    path = folder / "m.mlmodel"
    path.write_bytes(content)
    return path


def kinds(model: Model) -> list[str]:
    return [problem.kind for problem in model.problems]


def test_what_a_program_states(package: Path) -> None:
    model = read_model(package)
    assert kinds(model) == []
    assert [node.qualified_op for node in model.graph.nodes] == ["Cast", "Conv", "Relu"]
    assert [node.name for node in model.graph.nodes] == ["c", "y", "z"]
    (x,), (z,) = model.inputs, model.outputs
    assert (x.name, str(x.dtype), x.shape) == ("x", "float32", (1, 3, 32, 32))
    assert (z.name, str(z.dtype), z.shape) == ("z", "float16", (1, 4, 16, 16))
    conv = model.graph.nodes[1]
    assert dict(conv.attributes) == {"strides": (2, 2), "auto_pad": "VALID", "group": 1}
    facts = coreml_facts(model)
    assert (facts.kind, facts.version, facts.opset) == ("mlProgram", 7, "CoreML6")
    assert facts.inputs[0].ranges == ((1, 1), (3, 3), (16, 64), (32, 32))
    assert (model.producer_name, model.producer_version) == ("coremltools", "9.0")
    assert cost(model, Deployment()).macs == 4 * 16 * 16 * 3


def test_weights_are_read_on_demand(package: Path) -> None:
    (tensor,) = read_model(package).tensors
    numbers = tensor.numpy()
    assert numbers is not None
    assert numbers.reshape(-1).tolist() == list(range(12))


def test_parameters_are_no_values_of_the_graph(package: Path) -> None:
    assert set(read_model(package).graph.values) == {"x", "c", "w", "y", "z"}


def test_what_a_network_states(tmp_path: Path) -> None:
    model = read_model(single(tmp_path, encode(NETWORK)))
    assert kinds(model) == []
    assert [node.op_type for node in model.graph.nodes] == ["flatten", "innerProduct"]
    assert model.inputs[0].shape == (1, 3, 8, 8)
    assert [(str(t.dtype), t.shape, t.nbytes) for t in model.tensors] == [
        ("float32", (2, 192), 1536)
    ]
    facts = coreml_facts(model)
    assert (facts.inputs[0].kind, facts.inputs[0].dtype) == ("image", "RGB")
    assert [(each.feature, each.scale) for each in facts.scalings] == [("x", 0.5)]


@pytest.mark.parametrize(
    ("weights", "dtype", "nbytes"),
    [
        ("20.2=half:384", "float16", 768),
        ("20.30=raw:384 20.40.1=8", "uint8", 384),
        ("20.30=raw:192 20.40.1=4", "uint4", 192),
        ("20.30=raw:240 20.40.1=5", "uint8", 240),
    ],
)
def test_quantized_weights_of_a_network(
    tmp_path: Path, weights: str, dtype: str, nbytes: int
) -> None:
    fields = " ".join(f"{word}" for word in weights.split())
    text = NETWORK.replace("20.1=float:384", fields)
    if " " in fields:  # both are parts of one message
        raw, bits = (word.partition("=")[2] for word in fields.split())
        whole = field(30, bytes(int(raw.partition(":")[2]))) + field(40, field(1, int(bits)))
        layer = field(1, "y") + field(2, "f") + field(3, "y")
        layer += field(140, field(1, 192) + field(2, 2) + field(20, whole))
        network = field(1, field(1, "f") + field(2, "x") + field(3, "f") + field(301, b""))
        content = encode(text.partition("network")[0]) + field(500, network + field(1, layer))
    else:
        content = encode(text)
    (tensor,) = read_model(single(tmp_path, content)).tensors
    assert (str(tensor.dtype), tensor.shape, tensor.nbytes) == (dtype, (2, 192), nbytes)


def test_a_pipeline_is_a_graph_of_its_models(tmp_path: Path) -> None:
    text = """
        version 4
        input x float32[4]
        output y float32[2]
        pipeline
        input x float32[4]
        output m float32[4]
        model scaler
        end
        input m float32[4]
        output y float32[2]
        network
        layer flatten m -> y
        end
    """
    model = read_model(single(tmp_path, encode(text)))
    assert kinds(model) == []
    assert [node.op_type for node in model.graph.nodes] == ["scaler", "neuralNetwork"]
    assert [part.kind for part in coreml_facts(model).parts] == ["scaler", "neuralNetwork"]


def test_a_model_without_layers_is_one_node(tmp_path: Path) -> None:
    text = "version 1\ninput x float32[4]\noutput y double\nmodel treeEnsembleRegressor"
    model = read_model(single(tmp_path, encode(text)))
    assert [node.op_type for node in model.graph.nodes] == ["treeEnsembleRegressor"]
    assert [value.name for value in model.outputs] == ["y"]


def test_blocks_see_what_is_around_them(tmp_path: Path) -> None:
    inner = field(1, "relu")
    inner += field(3, field(1, "b") + field(2, b""))
    inner += entry(2, "x", field(1, field(1, "x")))
    block = field(3, inner) + field(2, "b")
    cond = field(1, "cond") + field(3, field(1, "y") + field(2, b"")) + field(4, block)
    function = field(1, field(1, "x") + field(2, b"")) + field(2, "CoreML5")
    function += entry(3, "CoreML5", field(3, cond) + field(2, "y"))
    content = encode("version 6") + field(502, entry(2, "main", function))
    model = read_model(single(tmp_path, content))
    assert kinds(model) == []
    (node,) = model.graph.nodes
    assert node.qualified_op == "coreml.cond"
    assert [each.op_type for each in node.subgraphs["block0"].nodes] == ["Relu"]


BLOB = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("blob=64", "blob=65", "invalid-tensor"),
        ("blob=64", "blob=100000", "external-short"),
        ("blob=64", f"blob={(1 << 63) + 5}", "external-short"),
        ("w float16[4,3,1,1]", "w float16[40,3,1,1]", "invalid-tensor"),
        ("w float16[4,3,1,1]", "w float32[4,3,1,1]", "invalid-tensor"),
        ("w float16[4,3,1,1]", f"w float16[{1 << 62},{1 << 62}]", "invalid-tensor"),
        ("x=y", "x=nothing", "undefined-value"),
        ("return z", "return nothing", "undefined-value"),
        ("n int32[2]", "w int32[2]", "duplicate-value"),
    ],
)
def test_what_is_wrong_with_a_program(tmp_path: Path, old: str, new: str, kind: str) -> None:
    assert old in PROGRAM
    path = packed(tmp_path / "m.mlpackage", PROGRAM.replace(old, new))
    assert kind in kinds(read_model(path))


def test_a_missing_file_of_weights(package: Path) -> None:
    (package / BLOB).unlink()
    (problem,) = read_model(package).problems
    assert (problem.kind, problem.facts["location"]) == ("external-missing", "weights/weight.bin")


def test_weights_may_not_be_outside_of_the_package(package: Path, tmp_path: Path) -> None:
    (package / BLOB).rename(tmp_path / "elsewhere")
    (package / BLOB).symlink_to(tmp_path / "elsewhere")
    assert kinds(read_model(package)) == ["external-outside"]


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"itemInfoEntries": {}, "rootModelIdentifier": "1"}',
        '{"itemInfoEntries": {"1": {}}, "rootModelIdentifier": "1"}',
        '{"itemInfoEntries": {"1": {"path": "../../m"}}, "rootModelIdentifier": "1"}',
        '{"itemInfoEntries": {"1": {"path": "/etc/passwd"}}, "rootModelIdentifier": "1"}',
        '{"itemInfoEntries": {"1": {"path": "nothing"}}, "rootModelIdentifier": "1"}',
        '{"itemInfoEntries": {"1": {"path": 5}}, "rootModelIdentifier": "1"}',
        (
            '{"itemInfoEntries": {"1": {"path": "com.apple.CoreML/model.mlmodel"}, "2": {}}, '
            '"rootModelIdentifier": "1"}'
        ),
    ],
)
def test_manifests_that_name_no_model(package: Path, manifest: str) -> None:
    (package / "Manifest.json").write_text(manifest)
    (problem,) = read_model(package).problems
    assert problem.fatal


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (encode(NETWORK)[:-10], "truncated"),
        (encode("version 4"), "corrupt"),
        (encode("version 4") + field(500, field(1, field(99_999, b""))), "corrupt"),
        (encode("version 4") + field(502, b""), "corrupt"),
        (encode("version 4") + field(502, b"\xff\xff\xff"), "corrupt"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, kind: str) -> None:
    assert kinds(read_model(single(tmp_path, content))) == [kind]


def test_a_size_past_all_counting_is_open(tmp_path: Path) -> None:
    text = PROGRAM.replace("z float16[1,4,16,16] = relu", "z float16[1,-2147483649,16,16] = relu")
    model = read_model(packed(tmp_path / "m.mlpackage", text))
    (node,) = (each for each in model.graph.nodes if each.op_type == "Relu")
    (value,) = node.outputs
    assert value is not None
    assert value.shape == (1, None, 16, 16)


def test_networks_within_networks_have_an_end(tmp_path: Path) -> None:
    body = b""
    for _ in range(40):
        body = field(1, field(605, field(1, body)))
    model = read_model(single(tmp_path, encode("version 4") + field(500, body)))
    assert kinds(model) == ["too-deep"]


def test_an_onnx_model_is_not_taken_for_one(tmp_path: Path) -> None:
    content = field(1, 8) + field(2, "pytorch") + field(7, field(2, "g"))
    assert read_model(single(tmp_path, content)).format.lower() == "onnx"


def test_what_an_app_has_to_know_is_in_the_metadata(package: Path) -> None:
    described = read_model(package).metadata
    assert described["kind"] == "mlProgram CoreML6"
    assert described["specification"] == "version 7, needs iOS 16 or macOS 13"
    assert described["shapes of x"] == "1×3×16…64×32"


def test_quantized_weights_of_a_program_are_dequantized_as_onnx_does(tmp_path: Path) -> None:
    text = """
        version 9
        input x float16[1,64]
        output y float16[1,2]
        program CoreML8
        given x float16[1,64]
        q int8[2,64] = const val=QQ
        s float16[2,2] = const blob=64
        w float16[2,64] = constexpr_blockwise_shift_scale data=q scale=s
        y float16[1,2] = linear x=x weight=w
        return y
    """
    numbers = ",".join(["1"] * 128)
    model = read_model(packed(tmp_path / "m.mlpackage", text.replace("QQ", numbers)))
    assert kinds(model) == []
    dequantize, linear = model.graph.nodes
    assert (dequantize.op_type, dequantize.domain) == ("DequantizeLinear", "")
    assert dict(dequantize.attributes) == {"axis": 1, "block_size": 32}
    assert linear.attributes["transB"] == 1


def test_a_compiled_model_is_recognized(tmp_path: Path) -> None:
    compiled = tmp_path / "m.mlmodelc"
    compiled.mkdir()
    assert kinds(read_model(compiled)) == ["not-a-model"]
    (compiled / "coremldata.bin").touch()
    assert kinds(read_model(compiled)) == ["unreadable-format"]
