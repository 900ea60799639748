"""Targets on QNN are chips that Qualcomm's library knows, and compute what it says they do."""

from __future__ import annotations

import pytest

from modellint.runtimes.qnn import reach
from modellint.runtimes.qnn.chips import chip_of, chips
from modellint.targets import load_targets
from modellint.targets.target import Target

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
