"""The course of a run: the order of work, deaths, and continuing after an end."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from modellint.base.errors import UsageError
from modellint.fleets.fleet import Fleet, FleetRequest, run_fleet
from modellint.fleets.forecast import Forecast, rounded
from modellint.fleets.running import MOST_BYTES, batches
from modellint.fleets.task import FleetTask, Orders
from tests.fleets.inline import InlineEngine, run
from tests.samples import ERROR, GOOD, INFO, WARNING, project
from tests.support import run_cli

NAMES = ("a.onnx", "b.onnx", "c.onnx", "d.onnx")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    texts = dict(zip(NAMES, (GOOD, INFO, WARNING, ERROR), strict=True))
    return project(tmp_path / "models", texts)


def codes_of(fleet: Fleet) -> list[tuple[str, str]]:
    return sorted((Path(str(row["path"])).name, str(row["code"])) for row in fleet.findings())


FOUND = [("b.onnx", "HYG005"), ("c.onnx", "HYG002"), ("d.onnx", "VAL003")]


def test_findings_are_those_of_check(models: Path, tmp_path: Path) -> None:
    fleet = run(models, tmp_path / "out")
    assert codes_of(fleet) == FOUND
    assert fleet.run.counts == {
        "errors": 1,
        "warnings": 1,
        "infos": 1,
        "suppressed": 0,
        "failing": 1,
        "internal": 0,
    }
    assert (fleet.exit_code, fleet.run.models, fleet.earlier) == (1, 4, 0)
    assert fleet.run.finished is not None


def tasks(*sizes: int) -> list[FleetTask]:
    return [FleetTask(f"/{at}", f"{at}", size, "", 0, 0) for at, size in enumerate(sizes)]


def test_the_largest_go_first_and_alone() -> None:
    some = batches(tasks(1, MOST_BYTES, 3, 2 * MOST_BYTES, *[2] * 400), slots=2)
    assert [task.shown for batch in some[:3] for task in batch][:4] == ["3", "1", "2", "4"]
    assert [len(batch) for batch in some[:2]] == [1, 1]
    assert sum(map(len, some)) == 404
    assert len(some) >= 16


def test_few_files_are_shared_out_one_by_one() -> None:
    assert [len(batch) for batch in batches(tasks(5, 5, 5), slots=8)] == [1, 1, 1]


def test_a_file_that_kills_its_process_is_one_finding_after_two_deaths(
    models: Path, tmp_path: Path
) -> None:
    tries: Counter[str] = Counter()

    def fate(task: FleetTask) -> str | None:
        name = Path(task.shown).name
        tries[name] += 1
        return "it was killed" if name == "b.onnx" else None

    fleet = run(models, tmp_path / "out", InlineEngine(fate))
    assert codes_of(fleet) == [("b.onnx", "INT002"), *FOUND[1:]]
    assert tries == {"a.onnx": 1, "b.onnx": 2, "c.onnx": 1, "d.onnx": 1}
    assert fleet.exit_code == 3
    again = run(models, tmp_path / "out", InlineEngine(fate), resume=True)
    assert tries["b.onnx"] == 2
    assert (again.earlier, again.exit_code) == (4, 3)


def test_what_dies_once_costs_nothing(models: Path, tmp_path: Path) -> None:
    died: set[str] = set()

    def fate(task: FleetTask) -> str | None:
        if task.shown in died:
            return None
        died.add(task.shown)
        return "it was killed"

    assert codes_of(run(models, tmp_path / "out", InlineEngine(fate))) == FOUND


def test_a_batch_that_an_engine_loses_is_handed_out_again_file_by_file(tmp_path: Path) -> None:
    names = [f"{at:02}.onnx" for at in range(24)]
    project(tmp_path / "models", dict.fromkeys(names, INFO))
    lost: list[str] = []

    def fate(task: FleetTask) -> str | None:
        if not lost:
            lost.append(task.shown)
            raise ConnectionError
        return None

    engine = InlineEngine(fate)
    fleet = run(tmp_path / "models", tmp_path / "out", engine)
    assert fleet.run.counts["infos"] == 24
    assert len(engine.batches[0]) > 1
    assert Counter(map(len, engine.batches))[1] == len(engine.batches[0])


def test_what_is_finished_is_kept_and_the_rest_is_continued(models: Path, tmp_path: Path) -> None:
    def stop_at(name: str) -> InlineEngine:
        def fate(task: FleetTask) -> str | None:
            if task.shown.endswith(name):
                raise CancelledError
            return None

        return InlineEngine(fate)

    first = stop_at("a.onnx")  # the smallest, and so the last
    with pytest.raises(UsageError, match="--resume"):
        run(models, tmp_path / "out", first)
    assert first.is_closed
    engine = InlineEngine()
    fleet = run(models, tmp_path / "out", engine, resume=True)
    assert 0 < fleet.earlier < 4
    assert fleet.earlier + len(engine.batches) == 4
    assert codes_of(fleet) == FOUND
    assert fleet.run.models == 4


def test_changed_and_removed_models_are_not_taken_for_done(models: Path, tmp_path: Path) -> None:
    run(models, tmp_path / "out")
    (models / "d.onnx").unlink()
    project(models, {"a.onnx": WARNING})
    os.utime(models / "a.onnx", ns=(1, 1))
    engine = InlineEngine()
    fleet = run(models, tmp_path / "out", engine, resume=True)
    assert engine.batches == [("a.onnx",)]
    assert codes_of(fleet) == [("a.onnx", "HYG002"), *FOUND[:2]]
    assert (fleet.run.models, fleet.run.counts["errors"], fleet.exit_code) == (3, 0, 0)


def test_findings_whose_models_were_not_written_are_forgotten(models: Path, tmp_path: Path) -> None:
    fleet = run(models, tmp_path / "out")
    for part in (tmp_path / "out" / "models").iterdir():
        part.unlink()  # as if the process had been killed between the two
    assert list(fleet.findings()) == []
    assert codes_of(run(models, tmp_path / "out", resume=True)) == FOUND


@pytest.mark.parametrize("resume", [False, True])
def test_results_of_other_settings_are_left_alone(
    models: Path, tmp_path: Path, resume: bool
) -> None:
    run(models, tmp_path / "out")
    before = (tmp_path / "out" / "run.json").read_bytes()
    with pytest.raises(UsageError, match="another folder"):
        run(models, tmp_path / "out", resume=resume, select=("VAL003",))
    assert (tmp_path / "out" / "run.json").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an empty folder"):
        run(models, models)


def test_a_worker_of_another_version_is_an_error(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellint.fleets.task.__version__", "0.0.1")
    engine = InlineEngine()
    begin = engine.begin

    def other(orders: Orders) -> None:
        begin(orders)
        monkeypatch.setattr("modellint.fleets.task.__version__", "9.9.9")

    monkeypatch.setattr(engine, "begin", other)
    with pytest.raises(UsageError, match=r"has modellint 9\.9\.9, but this run uses 0\.0\.1"):
        run(models, tmp_path / "out", engine)


def test_a_worker_that_sees_no_models_is_an_error(models: Path, tmp_path: Path) -> None:
    engine = InlineEngine()
    begin = engine.begin

    def elsewhere(orders: Orders) -> None:
        begin(orders)
        models.rename(models.with_name("moved"))

    engine.begin = elsewhere  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="does not see"):
        run(models, tmp_path / "out", engine)


def test_suppressions_and_baselines_hold(models: Path, tmp_path: Path) -> None:
    text = '[[suppress]]\nrule = "HYG005"\npath = "b.onnx"\nreason = "known"\n'
    (models / "modellint.toml").write_text(f'select = ["HYG005", "HYG002", "VAL003"]\n{text}')
    fleet = run_fleet(FleetRequest([models], tmp_path / "one"), lambda jobs: InlineEngine())
    assert fleet.run.counts["suppressed"] == 1
    assert run_cli("check", ".", "--write-baseline", cwd=models).exit_code == 0
    fleet = run_fleet(FleetRequest([models], tmp_path / "two"), lambda jobs: InlineEngine())
    assert fleet.run.counts["suppressed"] == 3
    assert fleet.ok


def test_the_forecast_follows_what_was_done_of_late() -> None:
    forecast = Forecast(1100, started=0.0)
    for at in range(100):
        forecast.done(10.0 * (at + 1))
    assert forecast.left() == pytest.approx(10_000)
    for at in range(500):
        forecast.done(1000 + 0.1 * (at + 1))
    assert forecast.left() == pytest.approx(50)


def test_nothing_is_foreseen_after_a_few_files() -> None:
    forecast = Forecast(100, started=0.0)
    forecast.done(3.0)
    assert forecast.left() is None


def test_times_that_are_not_exact_are_said_so() -> None:
    assert [rounded(each) for each in (3, 600, 7200)] == [
        "under a minute",
        "about 10 min",
        "about 2 h",
    ]
