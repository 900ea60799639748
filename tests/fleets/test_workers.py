"""Workers as they are: processes that die, and machines that have none of the files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import modellint
from modellint.base.standins import known
from modellint.config.load import CommandLine
from modellint.fleets.engines.executor import ExecutorEngine
from modellint.fleets.fleet import FleetRequest, run_fleet
from modellint.fleets.task import FleetTask, Orders
from tests.fleets.deadly import NAMES, models, plugin
from tests.fleets.inline import VALUES
from tests.remote.servers import Web, serving
from tests.samples import INFO, install, project


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models, of which one kills the process that lints it."""
    install(plugin(tmp_path / "site"), monkeypatch)
    return models(tmp_path / "models")


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
def test_workers_that_are_killed_lose_nothing(deadly: Path, tmp_path: Path) -> None:
    """One is killed from outside, and one file kills all that lint it."""
    killed: list[int] = []

    class Killing(ExecutorEngine):
        def submit(self, batch: Any) -> Future[Any]:
            future = super().submit(batch)
            future.add_done_callback(kill)
            return future

    def kill(future: Future[Any]) -> None:
        (outcome, *_) = future.result()
        if not killed and not isinstance(outcome, str):
            killed.append(int(outcome[0]["worker"].rpartition(":")[2]))
            os.kill(killed[0], signal.SIGKILL)

    line = CommandLine({**VALUES, "select": ("HYG005", "DIE001")}, None, isolated=True)
    request = FleetRequest([deadly], tmp_path / "out", line)
    fleet = run_fleet(request, lambda jobs: Killing(processes=1))
    found = sorted((Path(str(row["path"])).name, row["code"]) for row in fleet.findings())
    assert killed
    assert found == [(n, "INT002" if n == "deadly.onnx" else "HYG005") for n in NAMES]
    assert fleet.exit_code == 3
    (message,) = (str(row["message"]) for row in fleet.findings() if row["code"] == "INT002")
    assert "SIGKILL" in message


class Breaking(Executor):
    """Breaks after the first batch, for good, as a pool does whose process is killed."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1)
        self._is_broken = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._is_broken:
            raise BrokenExecutor
        self._is_broken = True
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


def test_an_executor_that_breaks_is_replaced(tmp_path: Path) -> None:
    models(tmp_path / "models")
    fleet = modellint.fleet(
        tmp_path / "models",
        tmp_path / "out",
        executor=Breaking(),
        select=["HYG005"],
        jobs=1,
        isolated=True,
    )
    assert fleet.ok
    assert fleet.run.models == len(NAMES)
    assert fleet.run.engine == "Breaking"
    assert len(fleet.survey().groups) == 1


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with serving(project(tmp_path / "served", {"info.onnx": INFO})) as web:
        yield web


class Elsewhere(ExecutorEngine):
    """Workers on another machine, where nothing stands for the remote files yet."""

    def begin(self, orders: Orders) -> None:
        super().begin(orders)
        (standing,) = known()
        Path(standing.folder).rename(f"{standing.folder}-on-the-first-machine")


def test_remote_models_are_read_by_workers_elsewhere(web: Web, tmp_path: Path) -> None:
    url = web.url("good", "info.onnx")
    request = FleetRequest(
        [url], tmp_path / "out", CommandLine({**VALUES, "fetch_timeout": 5.0}, None, isolated=True)
    )
    seen: list[FleetTask] = []
    fleet = run_fleet(request, lambda jobs: Elsewhere(processes=1), lambda tasks: seen.append)
    (model,) = fleet.models()
    assert model["path"] == url
    assert [row["code"] for row in fleet.findings()] == ["HYG005"]
    assert [task.path for task in seen] == [url]
    assert fleet.run.paths == (url,)
