"""Expected time of models that two units share."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.latency import TimeEstimate, latency
from modellint.benching.suites import Builder
from modellint.formats import read_model
from modellint.placement import placement
from modellint.placement.timed import COPIES, latency_on_units
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.analysis.kept import graph
from tests.support import run_cli, save

ON_NPU = Deployment(find_target("snapdragon-8-elite"), "qnn", precision="fp16")


def network(folder: Path, between: str) -> Path:
    b = Builder("net")
    x = b.conv(b.given((1, 64, 56, 56)), (64, 64))
    b.result(b.conv(b.add(between, x), (64, 64)))
    return save(b.model(), folder / f"{between}.onnx")


def timed(path: Path) -> tuple[TimeEstimate, TimeEstimate]:
    """Return the time on the accelerator alone, and where the runtime places it."""
    model = read_model(path)
    alone, placed = latency(model, ON_NPU), latency_on_units(model, ON_NPU)
    assert alone is not None
    assert placed is not None
    return alone, placed


def test_what_runs_whole_takes_what_the_accelerator_takes(tmp_path: Path) -> None:
    alone, placed = timed(network(tmp_path, "Atan"))
    assert placed.expected == alone.expected
    assert not placed.units


def test_an_open_batch_is_the_one_that_the_time_assumes() -> None:
    model = graph(
        "y = Conv(x, w)",
        "float[batch,8,16,16] x, float[8,8,1,1] w",
        "float[batch,8,16,16] y",
    )
    placed = latency_on_units(model, ON_NPU)
    assert placed is not None
    assert placed.assumed == {"batch": 1}
    assert not placed.units


@pytest.mark.parametrize("between", ["Erf", "Sinh"])  # one that a kernel takes along, one alone
def test_two_units_take_the_sum_of_their_parts_and_copies(tmp_path: Path, between: str) -> None:
    path = network(tmp_path, between)
    alone, placed = timed(path)
    assert ON_NPU.target is not None
    assert ON_NPU.target.memory.bandwidth is not None
    units = placement(read_model(path), ON_NPU)
    assert units is not None
    assert list(placed.units) == [units.unit, units.fallback, COPIES]
    assert placed.expected == pytest.approx(sum(placed.units.values()))
    crossing = units.crossing_bytes
    assert crossing is not None
    copies = 2 * crossing / ON_NPU.target.memory.bandwidth
    assert placed.units[COPIES] == pytest.approx(copies)
    assert placed.call == pytest.approx(2 * alone.call + copies)
    assert placed.expected > alone.expected
    assert placed.confidence == "theoretical"
    assert placed.high / placed.expected > alone.high / alone.expected


def test_inspect_shows_both_units(tmp_path: Path) -> None:
    path = network(tmp_path, "Sinh")
    said = run_cli("inspect", path, "-t", "snapdragon-8-elite").stdout
    assert "split" in said
    assert "CPU" in said
