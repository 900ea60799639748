"""Compilers take of TFLite files what is expected, and what is predicted."""

from __future__ import annotations

from pathlib import Path

import pytest
from measure_placement import Agreement, predicted

from modellint.formats.tflite.notation import encode
from tests.oracles.support import ask
from tests.oracles.tflite_models import PARTS, TEXTS

RUNTIMES = {
    "ethos-u65-256": ("ethos-u", "ethos-u"),
    "ethos-u85-256": ("ethos-u", "ethos-u85"),
    "xnnpack": ("xnnpack", "xnnpack"),
    "SM8650": ("litert-qualcomm", "litert-qualcomm"),
}
"""The probe that is asked, and the runtime whose tables predict."""
CASES = [(chip, name) for chip, models in PARTS.items() for name in models]


@pytest.mark.parametrize(("chip", "name"), CASES)
def test_parts(chip: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(TEXTS[name]))
    probe, runtime = RUNTIMES[chip]
    answer = ask(probe, path, chip=chip)
    assert answer["status"] == "accepted", answer["remarks"]
    parts = [[node for node, _ in part] for part in answer["partitions"]]
    left = [node for node, _ in answer["left"]]
    assert [len(each) for each in parts] == PARTS[chip][name]
    mine, agreement = predicted(path, runtime, {}), Agreement()
    assert mine is not None
    agreement.add(name, mine, {"starts": True, "partitions": parts, "left": left})
    assert not agreement.differences


def test_vela_says_what_a_run_takes(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(TEXTS["block"]))
    figures = ask("ethos-u", path, chip="ethos-u65-256")["figures"]
    assert figures["sram_bytes"] > 0
    assert figures["cycles"] > 0
    assert figures["inferences_per_second"] > 0


def test_vela_says_why_an_operator_is_left(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(TEXTS["three times"]))
    (remark,) = ask("ethos-u", path, chip="ethos-u65-256")["remarks"]
    assert (remark["kind"], remark["op"]) == ("on-cpu", "RESIZE_NEAREST_NEIGHBOR")
    assert "scale-factor=3" in remark["text"]
