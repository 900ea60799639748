"""Engines and exports of their layers: recognised, read, and compared with their model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.analysis.layers import Layers, compare
from modellint.formats import read_model
from modellint.formats.trt.engine import read_header
from modellint.formats.trt.layers import onnx_nodes
from tests.runtimes import TENSORRT_RTX
from tests.support import run_cli, save

HEADER = b"ftrt" + bytes(4) + (2).to_bytes(8, "little") + bytes(8) + bytes([10, 3, 0, 26])


def engine(
    magic: bytes = b"ftrt", version: bytes = bytes([10, 3, 0, 26]), size: int = 200
) -> bytes:
    head = magic + bytes(4) + (2).to_bytes(8, "little") + size.to_bytes(8, "little") + version
    return head.ljust(size, b"\x01")


@pytest.mark.parametrize(
    ("magic", "version", "said"),
    [
        (b"ftrt", bytes([10, 3, 0, 26]), ("TensorRT", "10.3.0")),
        (b"ptrt", bytes([8, 6, 1, 6]), ("TensorRT", "8.6.1")),
        (b"vtrt", bytes([1, 7, 1, 116]), ("TensorRT for RTX", "1.7.1.116")),
    ],
)
def test_the_header_names_its_writer(
    magic: bytes, version: bytes, said: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "any.bin").write_bytes(engine(magic, version))
    model = read_model(tmp_path / "any.bin")
    assert (model.format, model.problems) == ("tensorrt-engine", [])
    assert (model.producer_name, model.producer_version) == said


def test_the_start_of_a_header_is_no_engine(tmp_path: Path) -> None:
    (tmp_path / "any.engine").write_bytes(engine()[:4])
    (problem,) = read_model(tmp_path / "any.engine").problems
    assert (problem.kind, problem.fatal) == ("not-a-model", True)


@pytest.mark.skipif(TENSORRT_RTX.module is None, reason=TENSORRT_RTX.install)
def test_an_engine_just_built_is_recognised(tmp_path: Path) -> None:
    save(
        '<ir_version: 10, opset_import: ["" : 21]> '
        "good (float[1, 8] x) => (float[1, 8] y) { y = Relu (x) }",
        tmp_path / "good.onnx",
    )
    run_cli("probe", "good.onnx", "-t", "a10", "--save-engine", ".", cwd=tmp_path)
    model = read_model(tmp_path / "good.a10.engine")
    assert model.format == "tensorrt-engine"
    assert model.producer_version == TENSORRT_RTX.version


def test_metadata_before_the_engine(tmp_path: Path) -> None:
    notes = json.dumps({"task": "detect", "imgsz": [640, 640]}).encode()
    content = len(notes).to_bytes(4, "little") + notes + engine()
    (tmp_path / "yolo.engine").write_bytes(content)
    model = read_model(tmp_path / "yolo.engine")
    assert (model.format, model.producer_version) == ("tensorrt-engine", "10.3.0")
    assert model.metadata == {"task": "detect", "imgsz": "[640, 640]"}


def test_half_an_engine_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "half.engine").write_bytes(engine(b"vtrt", bytes([1, 7, 1, 116]), 4000)[:300])
    (problem,) = read_model(tmp_path / "half.engine").problems
    assert (problem.kind, problem.facts["expected"], problem.facts["size"]) == (
        "truncated",
        4000,
        300,
    )


NOISE = bytes(range(1, 256))
NO_ENGINES = [
    content
    for magic in (b"ftrt", b"ptrt", b"vtrt")
    for content in (
        magic,
        magic + bytes(100),
        magic + b"\xff" * 100,
        magic + b"\x0a" * 1000,
        magic + NOISE,
        engine(magic, size=4000)[:4] + NOISE[:20] + engine(magic, size=4000)[24:],
        magic + b" models are listed below\n\n" * 9,
    )
]


@pytest.mark.parametrize("content", NO_ENGINES)
def test_what_has_no_header_is_no_engine(content: bytes, tmp_path: Path) -> None:
    assert read_header(content) is None
    for name in ("x.engine", "x.onnx", "x.bin"):
        (tmp_path / name).write_bytes(content)
        assert read_model(tmp_path / name).problems


@pytest.mark.parametrize("magic", [b"ftrt", b"ptrt", b"vtrt"])
@pytest.mark.parametrize("length", [32, 40, 63])
def test_a_header_alone_is_no_engine(magic: bytes, length: int, tmp_path: Path) -> None:
    (tmp_path / "x.engine").write_bytes(engine(magic)[:length])
    assert read_model(tmp_path / "x.engine").problems
    assert run_cli("x.engine", cwd=tmp_path).exit_code == 1


# Exports of layers.


def layer(name: str, kind: str, takes: str, gives: str, **more: Any) -> dict[str, Any]:
    def tensors(text: str) -> list[dict[str, Any]]:
        found = []
        for each in text.split():
            tensor, _, dtype = each.partition(":")
            found.append({"Name": tensor, "Dimensions": [1, 8, 8, 8], "Format/Datatype": dtype})
        return found

    nodes = more.pop("nodes", [])
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": tensors(takes),
        "Outputs": tensors(gives),
        "Metadata": "\x1e".join(f"[ONNX Layer: {node}]" for node in nodes),
        **more,
    }


def weights(kind: str) -> dict[str, Any]:
    return {"Weights": {"Type": kind, "Count": 64}}


EXPORT = {
    "Layers": [
        layer("Reformatting CopyNode for Input Tensor 0 to c1", "Reformat", "x:Float", "xq:Int8"),
        layer(
            "c1 + r1", "CaskConvolution", "xq:Int8", "h:Int8", nodes=["c1", "r1"], **weights("Int8")
        ),
        layer("Reformatting CopyNode for Input Tensor 0 to c2", "Reformat", "h:Int8", "hf:Half"),
        layer("c2", "CaskConvolution", "hf:Half", "g:Int8", nodes=["c2"], **weights("Half")),
        layer("c3", "CaskConvolution", "g:Int8", "k:Half", nodes=["c3"], **weights("Int8")),
        layer("s1", "PointWise", "k:Half", "l:Half", nodes=["s1"]),
        layer("m1", "Reduce", "l:Half", "n:Half", nodes=["m1"]),
        layer("a1", "ElementWise", "n:Half", "y:Half", nodes=["a1"]),
    ],
    "Bindings": ["x", "y"],
}

SOURCE = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[1,8,8,8] x) => (float[1,8,1,1] y)
<float s = {0.05}, int8 z = {0}, int8[8,8,1,1] w, float one = {1}>
{
    [q1] xq = QuantizeLinear (x, s, z)
    [d1] xd = DequantizeLinear (xq, s, z)
    [dw] wd = DequantizeLinear (w, s, z)
    [c1] c = Conv (xd, wd)
    [r1] h = Relu (c)
    [q2] hq = QuantizeLinear (h, s, z)
    [d2] hd = DequantizeLinear (hq, s, z)
    [c2] g = Conv (hd, wd)
    [q3] gq = QuantizeLinear (g, s, z)
    [d3] gd = DequantizeLinear (gq, s, z)
    [c3] k = Conv (gd, wd)
    [s1] l = Sigmoid (k)
    [m1] n = GlobalAveragePool (l)
    [a1] y = Add (n, one)
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layers.json").write_text(json.dumps(EXPORT))
    (tmp_path / "net.onnxtxt").write_text(SOURCE)
    return tmp_path


def test_layers_are_a_graph(folder: Path) -> None:
    model = read_model(folder / "layers.json")
    assert model.format == "tensorrt-layers"
    assert model.capabilities == frozenset({"layers"})
    assert len(model.graph.nodes) == 8
    assert [value.name for value in model.graph.inputs] == ["x"]
    assert [value.name for value in model.graph.outputs] == ["y"]
    dtype = model.graph.values["hf"].declared_dtype
    assert dtype is not None
    assert dtype.name == "float16"


@pytest.mark.parametrize("between", ["\x1e", "\x1f", ""])
def test_nodes_in_metadata_however_parted(between: str) -> None:
    written = between.join(["[ONNX Layer: /a/Conv]", "[ONNX Layer: b[0]]", "[ONNX Layer: c]"])
    assert onnx_nodes({"Metadata": written}) == ["/a/Conv", "b[0]", "c"]


def test_what_stands_out(folder: Path) -> None:
    layers = Layers(read_model(folder / "layers.json"))
    assert len(layers.reformats) == 2
    assert [(each.layer.label, each.type) for each in layers.bottlenecks] == [("c2", "float16")]
    assert [[each.label for each in zone] for zone in layers.zones] == [["s1", "m1", "a1"]]


def test_what_does_nothing_is_no_reformat(tmp_path: Path) -> None:
    written = [
        layer("c1", "CaskConvolution", "x:Int8", "a:Int8", **weights("Int8")),
        layer("Reformatting CopyNode for Output Tensor 0 to c1", "NoOp", "a:Int8", "b:Int8"),
        layer("c2", "CaskConvolution", "b:Int8", "c:Int8", **weights("Half")),
        layer("c3", "CaskConvolution", "c:Int8", "y:Int8", **weights("Int8")),
    ]
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": written}))
    layers = Layers(read_model(tmp_path / "layers.json"))
    assert not layers.reformats
    assert [each.layer.label for each in layers.bottlenecks] == ["c2"]  # it is seen through
    assert layers.by_precision() == {"int8": 2, "float16": 1}


def test_the_engine_next_to_its_model(folder: Path) -> None:
    layers = Layers(read_model(folder / "layers.json"))
    found = compare(read_model(folder / "net.onnxtxt"), layers)
    assert found.nodes == 14
    assert found.placed.keys() == {"c1", "r1", "c2", "c3", "s1", "m1", "a1"}
    assert found.gone == {"QuantizeLinear": 3, "DequantizeLinear": 4}
    assert [(node.label, kind) for node, kind in found.left_float] == [("c2", "float16")]
    assert not found.unknown


@pytest.mark.parametrize("only_names", [False, True])
def test_older_releases_tell_nodes_by_the_names_of_layers(only_names: bool, folder: Path) -> None:
    conv = layer("w + dw + c1 + PWN(r1)", "CaskConvolution", "x:Int8", "h:Int8")
    copy = layer("Reformatting CopyNode for Input Tensor 0 to c2", "Reformat", "h:Int8", "i:Half")
    chain = layer("PWN(PWN(s1, m1), a1)", "PointWise", "i:Half", "y:Half")
    layers = [conv, copy, chain]
    written = {"Layers": [each["Name"] for each in layers] if only_names else layers}
    (folder / "layers.json").write_text(json.dumps(written))
    found = compare(read_model(folder / "net.onnxtxt"), Layers(read_model(folder / "layers.json")))
    assert {name: each.index for name, each in found.placed.items()} == {
        "dw": 0,
        "c1": 0,
        "r1": 0,
        "s1": 2,
        "m1": 2,
        "a1": 2,
    }
    assert not found.unknown  # weights go into names too


def test_a_fused_chain_is_no_zone(tmp_path: Path) -> None:
    chain = [
        layer(f"PWN(a{at}, b{at})", "PointWise", f"t{at}:Half", f"t{at + 1}:Half")
        for at in range(4)
    ]
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": chain}))
    assert not Layers(read_model(tmp_path / "layers.json")).zones


def test_the_comparison_on_the_command_line(folder: Path) -> None:
    result = run_cli("probe", "net.onnxtxt", "--layers", "layers.json", cwd=folder)
    assert result.exit_code == 0
    for words in (
        "14 nodes became 8 layers, 2 of them reformats",
        "7 of 14 nodes",
        "DequantizeLinear ×4, QuantizeLinear ×3",
        "c2 runs in float16",
        "3 light layers from s1 to a1",
    ):
        assert words in result.stdout
    wrong = run_cli("probe", "net.onnxtxt", "--layers", "net.onnxtxt", cwd=folder)
    assert wrong.exit_code == 2
    assert "contains no engine layers" in wrong.stderr


@pytest.mark.parametrize(
    "content",
    [
        '{"Layers": [',
        '{"Layers": [1, 2]}',
        '{"Layers": [' + "[" * 100000,
        '{"Layers": [{"Name": 1, "Inputs": 3, "Outputs": [4], "Metadata": [], "Weights": 1}]}',
        '{"Layers": ["a", "b"], "Bindings": 7}',
        '{"Layers": [{"Inputs": [{"Name": "x", "Dimensions": ["a"]}]}]}',
    ],
    ids=range(6),
)
def test_hostile_exports_are_survived(content: str, tmp_path: Path) -> None:
    (tmp_path / "layers.json").write_text(content)
    result = run_cli("layers.json", cwd=tmp_path)
    assert result.exit_code in (0, 1), result


def test_loops_between_layers_end(tmp_path: Path) -> None:
    loop = {
        "Layers": [
            layer("a", "PointWise", "y:Half", "x:Half"),
            layer("b", "Reformat", "x:Half", "y:Half"),
        ]
    }
    (tmp_path / "layers.json").write_text(json.dumps(loop))
    layers = Layers(read_model(tmp_path / "layers.json"))
    assert not layers.zones
    assert not layers.bottlenecks
