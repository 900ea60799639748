"""Profiles of other tools: read to the one form, and found again in the model."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from modellint import inspect
from modellint.base.errors import UsageError
from modellint.formats import read_model
from modellint.formats.protobuf import write_varint
from modellint.profiles import read_run
from modellint.profiles.placing import nodes_of_layers
from modellint.profiles.profiled import placed
from modellint.results.measured import MeasuredRun
from tests.support import ROOT, run_cli

DATA = ROOT / "tests" / "data" / "profiles"
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "run.schema.json").read_text())
MODEL = DATA / "small.onnx"


@pytest.fixture(scope="module")
def nsight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nsight") / "report.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript((DATA / "nsight.sql").read_text())
    database.close()
    return path


def read(*names: str) -> MeasuredRun:
    run = read_run([DATA / name for name in names])
    jsonschema.validate(json.loads(json.dumps(run.to_json())), SCHEMA)
    return run


def groups(run: MeasuredRun) -> dict[str, list[str]]:
    """The nodes of each layer, by the layer's name."""
    nodes = nodes_of_layers(run, read_model(MODEL))
    return {
        layer.name: [node.label for node in found]
        for layer, found in zip(run.layers, nodes, strict=True)
    }


def test_onnx_runtime() -> None:
    run = read("onnxruntime-profile.json")
    assert run.runtime.provider == "CPUExecutionProvider"
    assert run.times is not None
    assert run.times.count == 3  # without the first of four
    assert run.times.median == pytest.approx(72e-6)
    assert groups(run) == {
        "r1_nchwc": ["conv1", "relu1"],
        "c2_nchwc": ["conv2", "add", "sig"],
        "p_nchwc": ["pool"],
        "ReorderOutput": [],
        "flat": ["flat"],
        "fc": ["fc"],
    }
    (reorder,) = [layer for layer in run.layers if layer.kind == "reformat"]
    assert reorder.seconds == pytest.approx(10e-6 / 3)
    assert run.layers[0].outputs == ((1, 16, 16, 16),)
    assert run.layers[0].precision == "fp32"
    assert sum(layer.seconds for layer in run.layers) < run.times.median


def test_trtexec_in_parts() -> None:
    run = read("trtexec-profile.json", "trtexec-times.json", "trtexec-layers.json")
    assert run.times is not None
    assert run.times.median == pytest.approx(51e-6)
    assert run.times.host == pytest.approx(30e-6)
    assert run.layer_seconds == pytest.approx(50e-6)
    assert groups(run) == {
        "Reformatting CopyNode for Input Tensor 0 to conv1 + relu1": [],
        "conv1 + relu1": ["conv1", "relu1"],
        "conv2 + add": ["conv2", "add"],
        "PWN(sig)": ["sig"],
        "pool": ["pool"],
        "fc": ["flat", "fc"],
    }
    kinds = {layer.name: (layer.op, layer.precision, layer.kind) for layer in run.layers}
    assert kinds["conv1 + relu1"] == ("CaskConvolution", "fp16", "compute")
    assert run.layers[0].kind == "reformat"
    with pytest.raises(UsageError, match="no times"):
        read_run([DATA / "trtexec-layers.json"])


def test_trtexec_of_a_real_engine() -> None:
    layers = json.loads((DATA / "trex-layers.json").read_text())["Layers"]
    _, *times = json.loads((DATA / "trex-profile.json").read_text())
    run = read("trex-profile.json", "trex-layers.json")
    assert [layer.name for layer in run.layers] == [each["name"] for each in times]
    assert run.layer_seconds == pytest.approx(sum(each["medianMs"] for each in times) / 1000)
    told = {each["Name"]: each["LayerType"] for each in layers}
    assert {layer.name: layer.op for layer in run.layers} == told
    engine = inspect(DATA / "trex-layers.json").engine
    assert engine is not None
    assert engine.kinds == Counter(told.values())
    assert engine.types == {"int8": 22}
    page = "".join(run_cli("inspect", DATA / "trex-layers.json", "-o", "html").stdout)
    assert "nodes of the model" not in page  # which this release did not export


def test_trtexec_by_names_alone() -> None:
    run = read("trtexec-profile.json")
    assert run.seconds == pytest.approx(50e-6)
    assert groups(run)["conv2 + add"] == ["conv2", "add"]
    assert groups(run)["PWN(sig)"] == ["sig"]


def test_openvino() -> None:
    run = read("openvino-counters.csv", "openvino-report.csv")
    assert run.times is not None
    assert run.times.count == 3579
    assert run.device.kind == "cpu"
    assert run.conditions.batch == 1
    kinds = {layer.name: (layer.op, layer.precision) for layer in run.layers}
    assert kinds["conv2"] == ("Convolution", "bf16")
    assert "relu1" not in kinds  # not run: fused
    assert groups(run)["conv1/WithoutBiases"] == ["conv1", "relu1"]
    assert groups(run)["y"] == ["fc"]
    other = read("openvino-report.json").times
    assert other is not None
    assert other.load == pytest.approx(0.25731)


def test_pytorch() -> None:
    run = read("pytorch-trace.json")
    assert run.runtime.name == "pytorch"
    assert run.times is not None
    assert run.times.count == 3
    slow = max(run.layers, key=lambda layer: layer.seconds)
    assert slow.name == "aten::_slow_conv2d_forward"
    # Operators inside others count once: together they take no longer than the steps.
    assert 0.9 * run.times.median < run.layer_seconds < 1.1 * run.times.median
    assert slow.inputs[0] == (1, 3, 16, 16)


def test_litert() -> None:
    run = read("litert-benchmark.txt")
    assert run.times is not None
    assert run.times.count == 5000
    assert run.times.median == pytest.approx(87e-6)
    assert run.times.load == pytest.approx(5685e-6)
    assert [layer.op for layer in run.layers] == [
        "CONV_2D",
        "CONV_2D",
        "LOGISTIC",
        "FULLY_CONNECTED",
    ]
    assert run.layers[0].seconds == pytest.approx(55e-6)
    assert read("litert-benchmark.json").times is not None


def test_perfetto() -> None:
    run = read("perfetto-trace.json")
    assert {layer.name: layer.seconds for layer in run.layers} == {
        "CONV_2D:0": pytest.approx(60e-6),
        "SOFTMAX:1": pytest.approx(20e-6),
    }
    assert run.seconds == pytest.approx(100e-6)


def test_a_count_that_is_a_name_is_a_mistake(tmp_path: Path) -> None:
    table = json.loads((DATA / "litert-benchmark.json").read_text())
    table["latency"]["num_runs"] = "many"
    path = tmp_path / "p.json"
    path.write_text(json.dumps(table))
    with pytest.raises(UsageError, match="wrong type"):
        read_run([path])


def perfetto_trace() -> bytes:
    """The slices of perfetto-trace.json in protobuf, as perfetto's SDK writes them."""

    def field(number: int, content: int | bytes | str) -> bytes:
        if isinstance(content, int):
            return write_varint(number << 3) + write_varint(content)
        raw = content.encode() if isinstance(content, str) else content
        return write_varint(number << 3 | 2) + write_varint(len(raw)) + raw

    events = json.loads((DATA / "perfetto-trace.json").read_text())["traceEvents"]
    slices = [each for each in events if each["ph"] == "X"]
    names = {name: at for at, name in enumerate(sorted({each["name"] for each in slices}), 1)}
    edges = [(each["ts"], 1, each) for each in slices]
    edges += [(each["ts"] + each["dur"], 0, each) for each in slices]
    clock = field(1, 64) + field(2, 0) + field(3, 1) + field(4, 1000)
    interned = b"".join(field(2, field(1, at) + field(2, name)) for name, at in names.items())
    defaults = field(58, 64) + field(11, field(11, 5))
    first = field(6, field(1, clock)) + field(12, interned) + field(59, defaults)
    packets, last = [first + field(41, 1)], 0
    for time, begins, each in sorted(edges, key=lambda edge: edge[:2]):
        event = field(9, 1) + field(10, names[each["name"]]) if begins else field(9, 2)
        packets.append(field(8, time - last) + field(11, event))
        last = time
    return b"".join(field(1, packet + field(10, 1)) for packet in packets)


def test_perfetto_in_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "trace.pftrace"
    path.write_bytes(perfetto_trace())
    assert read(str(path)).layers == read("perfetto-trace.json").layers
    assert read(str(path)).times == read("perfetto-trace.json").times
    path.write_bytes(perfetto_trace()[:-3])
    with pytest.raises(UsageError, match="a broken perfetto trace"):
        read(str(path))


def test_nsight_systems(nsight: Path) -> None:
    run = read_run([nsight])
    assert run.runtime.name == "tensorrt"
    assert run.device.name == "NVIDIA A100-SXM4-40GB"
    assert run.device.units == 108
    layers = {layer.name: layer for layer in run.layers}
    assert layers["conv1 + relu1"].seconds == pytest.approx(20e-6)
    assert layers["conv1 + relu1"].grid == (64, 1, 1)
    assert layers["conv1 + relu1"].precision == "fp16"
    assert layers["PWN(sig)"].kernel == "generatedNativePointwise"
    assert layers["Memcpy DtoH"].kind == "copy"
    assert groups(run)["conv2 + add"] == ["conv2", "add"]


def test_work_of_layers() -> None:
    run = placed(read("onnxruntime-profile.json"), read_model(MODEL))
    conv = run.layers[0]
    assert conv.nodes == ("conv1", "relu1")
    # 8 x 16 x 9 multiply-adds for each of 256 pixels, a bias, a ReLU.
    assert conv.flops == 2 * 8 * 16 * 9 * 256 + 2 * 16 * 256
    assert conv.nbytes == 4 * (8 * 256 + 16 * 8 * 9 + 16 + 16 * 256)


def test_import_through_the_command_line(tmp_path: Path) -> None:
    profile = DATA / "onnxruntime-profile.json"
    done = run_cli("bench", MODEL, "--import", profile, "--output", f"json:{tmp_path / 'run.json'}")
    assert done.exit_code == 0, done
    run = json.loads((tmp_path / "run.json").read_text())
    jsonschema.validate(run, SCHEMA)
    assert run["layers"][0]["nodes"] == ["conv1", "relu1"]
    done = run_cli("check", MODEL, "--profile", tmp_path / "run.json", "--output", "json")
    found = [
        each for each in json.loads(done.stdout)["findings"] if "milliseconds" in each["evidence"]
    ]
    assert found
    other = tmp_path / "other.onnx"  # the run is of another file
    other.write_bytes(MODEL.read_bytes() + b"\x3a\x00")
    done = run_cli("check", other, "--profile", tmp_path / "run.json", "--output", "json")
    assert not any("milliseconds" in e["evidence"] for e in json.loads(done.stdout)["findings"])
    costs = [each["evidence"]["milliseconds"] for each in found if each["severity"] != "error"]
    assert costs == sorted(costs, reverse=True)


BROKEN = [
    "",
    "[]",
    "{}",
    "[1, 2]",
    "nonsense",
    '{"kind": "modellint-run"}',
    '{"traceEvents": 3}',
    '{"traceEvents": [{"ph": "X", "ts": 1, "dur": 1e400, "name": "a", "cat": "cpu_op"}]}',
    '[{"cat": "Node", "name": "a_kernel_time", "ts": "x", "dur": 1, "args": {}}]',
    '[{"count": 3}, {"name": "a", "averageMs": -1}]',
    '[{"count": 3}, {"name": "a", "averageMs": NaN}]',
    '[{"computeMs": "fast"}]',
    '{"Layers": [3]}',
    '{"Layers": []}',
    '{"execution_results": {}}',
    '{"avg_performance": {"nodes": [3]}}',
    '{"avg_performance": {"nodes": 3}}',
    '{"latency": {"median_ms": "1"}}',
    "layerName;execStatus;layerType;execType;realTime (ms)\na;EXECUTED;b;c;soon",
    "Execution results\nlatency (ms);",
    "SQLite format 3\0" + "x" * 200,
    "[" * 100_000,
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_broken_files_are_one_error(number: int, tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text(BROKEN[number])
    with pytest.raises(UsageError) as caught:
        read_run([path])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_mutants_of_every_format(tmp_path: Path, nsight: Path) -> None:
    """Whatever becomes of a file: a run that the schema allows, or one error."""
    source = random.Random(7)
    trace = tmp_path / "trace.pftrace"
    trace.write_bytes(perfetto_trace())
    files = [*DATA.glob("*.json"), *DATA.glob("*.csv"), *DATA.glob("*.txt"), nsight, trace]
    for number in range(60):
        content = bytearray(files[number % len(files)].read_bytes())
        for _ in range(source.randrange(1, 6)):
            at = source.randrange(len(content))
            if source.random() < 0.3:
                del content[at : at + source.randrange(1, 40)]
            else:
                content[at] = source.randrange(256)
        path = tmp_path / "mutant"
        path.write_bytes(content)
        try:
            run = read_run([path])
        except UsageError:
            continue
        jsonschema.validate(json.loads(json.dumps(run.to_json(), allow_nan=False)), SCHEMA)


def test_layers_of_a_run_in_an_inspection() -> None:
    options = ("--run", DATA / "trtexec-profile.json", "--run", DATA / "trtexec-layers.json")
    done = run_cli("inspect", MODEL, "-t", "a10", *options, "--json")
    (first, *_), whole = json.loads(done.stdout)["measured"], done
    assert whole.exit_code == 0, whole
    assert first["nodes"] == ["conv1", "relu1"]
    assert first["share"] == pytest.approx(0.4)
    assert first["bound"] == "memory"
    assert 0 < first["efficiency"] < 1
    page = run_cli("inspect", MODEL, "-t", "a10", *options)
    assert "conv1, relu1" in page.stdout
    assert run_cli("inspect", MODEL, "--run", MODEL).exit_code == 2
