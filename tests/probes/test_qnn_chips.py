"""Targets on QNN are chips that Qualcomm's library knows, and compute what it says they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.runtimes.qnn import reach
from modellint.runtimes.qnn.chips import chip_of, chips
from modellint.targets import find_target, load_targets
from modellint.targets.deployment import Deployment
from modellint.targets.target import Target
from tests.support import save

TARGETS = [each for each in load_targets() if each.default_runtime == "qnn"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_a_target_is_a_chip_that_computes_what_was_measured(target: Target) -> None:
    chip = chip_of(target)
    assert chip is not None
    assert chip.integers
    assert target.computes_only_integers == (not chip.floats)


def test_the_chips_are_those_that_take_anything() -> None:
    assert len(chips()) > 90
    assert all(each.integers or each.floats for each in chips().values())
    assert chips()["sm8650"].number == "57"
    assert chips()["qcs6490"].architecture == "v68"


def test_without_a_device_the_usual_one_is_asked() -> None:
    found = reach("build", None, lambda: None)
    assert not isinstance(found, str)
    assert found.chip == "57"


def test_a_device_that_the_library_does_not_know() -> None:
    strange = next(each for each in load_targets() if each.default_runtime != "qnn")
    assert "knows no chip of" in str(reach("build", strange, lambda: None))


def test_a_chip_without_floats_moves_some_of_them(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    m (float[4,8] x) => (float[8,8] z) <int64[2] s = {8, 4}> {
        a = Reshape (x, s)
        b = Transpose (a)
        c = Relu (b)
        d = Concat <axis = 0> (c, c)
        z = Transpose <perm = [0, 1]> (d)
    }
    """
    model = read_model(save(text, tmp_path / "m.onnx"))
    found = placement(model, Deployment(find_target("qcs6490"), "qnn"))
    assert found is not None
    assert [node.op_type for node in found.nodes if found.refusal_of(node)] == ["Relu", "Concat"]
    assert len(found.accelerated) == 2
