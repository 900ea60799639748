"""Medians, and intervals that enclose them as often as they say."""

from __future__ import annotations

import random

import pytest

from modellint.benching.machine import Rapl, stolen, waiting
from modellint.benching.statistics import interval, median, summary


@pytest.mark.parametrize("count", [3, 5, 8, 15, 40])
def test_an_interval_encloses_the_median_as_often_as_it_says(count: int) -> None:
    source = random.Random(count)
    trials, hits = 3000, 0
    for _ in range(trials):
        found = interval([source.expovariate(1.0) for _ in range(count)])
        hits += found.low <= 0.6931471805599453 <= found.high
    assert hits / trials == pytest.approx(found.confidence, abs=0.03)
    if count >= 5:
        assert found.confidence >= 0.9


def test_a_summary_of_rounds() -> None:
    times = summary([[1.0, 1.0, 9.0], [1.02, 1.01], [0.99, 1.0], [1.0], [1.01]])
    assert times.count == 9
    assert times.median == 1.0
    assert times.minimum == 0.99
    assert times.narrow
    assert times.rounds == pytest.approx((1.0, 1.015, 0.995, 1.0, 1.01))
    assert not summary([[1.0], [2.0]]).narrow
    assert not summary([[1.0]]).narrow  # one round tells nothing of others
    assert median([1.0, 2.0]) == 1.5


def test_counters_of_the_system() -> None:
    assert stolen((100, 10), (200, 35)) == 0.25
    assert stolen(None, (200, 35)) is None
    assert waiting((0, 0), (3, 1)) == 0.25
    assert waiting((5, 5), (5, 5)) is None


def test_energy_counters_wrap_around(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("powercap")
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        (folder / name).mkdir()
        (folder / name / "max_energy_range_uj").write_text("1000000\n")
        (folder / name / "energy_uj").write_text("900000\n")
    counter = Rapl(folder)
    assert counter.is_readable
    (folder / "intel-rapl:0" / "energy_uj").write_text("100000\n")  # past the end: 0.2 J
    (folder / "intel-rapl:1" / "energy_uj").write_text("950000\n")
    (folder / "intel-rapl:0:0" / "energy_uj").write_text("990000\n")  # part of package 0
    assert counter.update() == pytest.approx(0.25)
    assert not Rapl(folder / "nothing").is_readable
