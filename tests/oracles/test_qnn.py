"""Qualcomm's compiler places nodes of real models as is expected, and as is predicted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from measure_placement import Agreement, predicted

from modellint.runtimes.qnn.chips import chips
from tests.exports import materialise
from tests.oracles.support import ask
from tests.quantization.real import dynamic, static
from tests.support import run_cli, save

CHIP = chips()["sm8650"].number
SEQUENCE = {"batch": 1, "sequence": 8}
NON_ZERO = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,8] x) => (float[1,8] y, int64[2,n] z)
{
    [relu] a = Relu (x)
    [find] z = NonZero (a)
    [sigmoid] b = Sigmoid (a)
    [tanh] y = Tanh (b)
}
"""
IN_DOUBLE = """
<ir_version: 8, opset_import: ["" : 17]>
m (double[1,8] x) => (double[1,8] y)
{
    [relu] y = Relu (x)
}
"""
AROUND = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[4] x) => (float[4] y)
{
    [relu] a = Relu (x)
    [acosh] b = Acosh (a)
    [sigmoid] c = Sigmoid (b)
    [acosh_1] d = Acosh (c)
    [tanh] y = Tanh (d)
}
"""
QUANTIZED: Mapping[str, Callable[[Path, Path], None]] = {
    "squeezenet-u8": static(activation="QUInt8", symmetric=False),
    "squeezenet-per-channel": static(activation="QUInt8", symmetric=False, per_channel=True),
    "squeezenet-u16": static(activation="QUInt16", symmetric=False, UseQDQContribOps=True),
    "lstm-dynamic": dynamic,
}
TEXTS = {"non-zero": NON_ZERO, "in-double": IN_DOUBLE, "around": AROUND}
PARTS: Mapping[str, list[int]] = {
    "lstm_tagger": [12],
    "mobilenet_v2": [102],
    "mobilenet_v3_large": [142],
    "resnet18": [51],
    "shufflenet_v2_x1_0": [216],
    "squeezenet1_0": [67],
    "gpt2_prompt": [177],
    "segformer_b0": [394],
    "squeezenet-u8": [185],
    "squeezenet-per-channel": [185],
    "squeezenet-u16": [185],
    "lstm-dynamic": [2, 9],
    "non-zero": [3],
    "in-double": [],
    "around": [1, 1, 1],
}
"""Nodes of each part on the NPU."""
LEFT = {
    "lstm-dynamic": ["/embedding/Gather", "/lstm/Transpose", "v10_DequantizeLinear"],
    "non-zero": ["find"],
    "in-double": ["relu"],
    "around": ["acosh", "acosh_1"],
}
"""Nodes left to the CPU; of the first, some of them."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("models")

    def make(name: str) -> Path:
        path = folder / f"{name}.onnx"
        if name in TEXTS:
            return save(TEXTS[name], path)
        if name in QUANTIZED:
            kind = "lstm_tagger" if name.startswith("lstm") else "squeezenet1_0"
            QUANTIZED[name](materialise(kind, folder, random=True), path)
            return path
        return materialise(name, folder)

    return make


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    return Agreement()


@pytest.mark.parametrize("name", PARTS)
def test_parts(name: str, made: Callable[[str], Path], agreement: Agreement) -> None:
    path = made(name)
    answer = ask("qnn", path, chip=CHIP, symbols=SEQUENCE)
    assert answer["status"] == "accepted"
    names = [[node for node, _ in part] for part in answer["partitions"]]
    left = [node for node, _ in answer["left"]]
    assert [len(each) for each in names] == PARTS[name]
    assert left[: len(LEFT.get(name, ()))] == LEFT.get(name, [])
    mine = predicted(path, "qnn", SEQUENCE)
    assert mine is not None
    agreement.add(name, mine, {"starts": True, "partitions": names, "left": left})


def test_the_prediction_agrees(agreement: Agreement) -> None:
    """It runs after all models were compiled."""
    if not agreement.nodes:
        pytest.skip("no model was compiled")
    assert _share(agreement.nodes) > 0.97
    assert _share(agreement.parts) > 0.8
    assert _share(agreement.whole) > 0.95


def _share(counts: Counter[bool]) -> float:
    return counts[True] / sum(counts.values())


def test_a_chip_without_floats_takes_integers_only(made: Callable[[str], Path]) -> None:
    chip = chips()["qcs6490"].number
    assert ask("qnn", made("around"), chip=chip)["partitions"] == []
    whole = ask("qnn", made("squeezenet-u8"), chip=chip, symbols=SEQUENCE)
    assert [len(part) for part in whole["partitions"]] == [185]


def test_one_table_for_several_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "around.onnxtxt").write_text(AROUND)
    monkeypatch.setenv("COLUMNS", "80")
    targets = "snapdragon-8-elite,qcs6490,raspberry-pi-5"
    said = run_cli("probe", "around.onnxtxt", "-q", "-t", targets, cwd=tmp_path)
    assert said.exit_code == 0, said
    lines = said.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:8] for line in lines[:7:2]] == [
        ["target", "runtime", "answer", "on", "device", "parts", "time"],
        ["snapdragon-8-elite", "qnn", "2.7.0", "builds", "3", "of", "5", "3"],
        ["qcs6490", "qnn", "2.7.0", "builds", "0", "of", "5", "0"],
        lines[6].split()[:8],
    ]
    assert lines[3].startswith("      Acosh 'acosh': ")
    assert lines[5] == "      Relu 'relu': the chip does not compute floats"
    assert lines[6].split()[:2] == ["raspberry-pi-5", "onnxruntime"]


def test_a_refusal_is_the_exit_code(made: Callable[[str], Path]) -> None:
    said = run_cli("probe", made("squeezenet1_0"), "-t", "qcs6490", "--batch", "1", "--json")
    assert said.exit_code == 1
    (probed,) = json.loads(said.stdout)["probes"]
    assert (probed["status"], probed["backend"], probed["version"]) == ("refused", "qnn", "2.7.0")
    assert probed["reason"].endswith("the chip does not compute floats")
