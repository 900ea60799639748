"""Runs in an environment that has the engines: starts a cluster, and lints a fleet with it.

    python -m tests.oracles.fleet_engines ENGINE MODELS RESULTS FORMAT

The worker that linted the first file is killed at once, and whatever else it was given with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from modellint.base.errors import UsageError
from modellint.config.load import CommandLine
from modellint.fleets.engines import FleetEngine, make_engine
from modellint.fleets.fleet import FleetRequest, run_fleet
from modellint.fleets.parts import FormatName

WORKERS = 2
PATIENCE = 120


@contextmanager
def dask() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        dashboard_address=None,
        worker_dashboard_address=None,
        host="127.0.0.1",
    ) as cluster:
        yield str(cluster.scheduler_address).replace("tcp://", "dask://")


@contextmanager
def ray() -> Iterator[str]:
    client = free_port()
    options: dict[str, object] = {
        "num-cpus": WORKERS,
        "port": free_port(),
        "ray-client-server-port": client,
    }
    options |= {"include-dashboard": "false", "object-store-memory": 100 << 20}
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    head = subprocess.Popen(
        [*command, "--disable-usage-stats", *(f"--{k}={v}" for k, v in options.items())],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"ray://127.0.0.1:{client}"
    finally:
        head.terminate()  # it ends what it has started
        head.wait(PATIENCE)


@contextmanager
def spark() -> Iterator[str]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master(f"local[{WORKERS}]").getOrCreate()
    yield "spark"
    session.stop()


CLUSTERS = {"dask": dask, "ray": ray, "spark": spark}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def connected(address: str) -> FleetEngine:
    """Connect as soon as the cluster is there."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return make_engine(address, None)
        except UsageError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


class Killing:
    """Kills the worker whose child linted the first file."""

    def __init__(self, engine: FleetEngine) -> None:
        self.killed = 0
        self._submit = engine.submit
        engine.submit = self.submit  # type: ignore[method-assign]

    def submit(self, batch: Any) -> Any:
        future = self._submit(batch)
        future.add_done_callback(self._kill)
        return future

    def _kill(self, future: Any) -> None:
        with suppress(Exception):
            outcome = future.result()[0]
            if self.killed or isinstance(outcome, str):
                return
            child = outcome[0]["worker"].rpartition(":")[2]
            status = Path("/proc", child, "stat").read_text(encoding="utf-8")
            self.killed = int(status.rpartition(")")[2].split()[1])
            os.kill(self.killed, signal.SIGKILL)


def main(name: str, models: str, results: str, format: str) -> None:
    cluster = cast("Callable[[], Any]", CLUSTERS[name])
    killing: list[Killing] = []

    def connect(jobs: int | None) -> FleetEngine:
        engine = connected(address)
        killing.append(Killing(engine))
        return engine

    with cluster() as address:
        line = CommandLine({"targets": ("a10",)}, None, isolated=True)
        request = FleetRequest([Path(models)], Path(results), line, cast("FormatName", format))
        fleet = run_fleet(request, connect)
    told = {
        "killed": killing[0].killed,
        "models": sorted(map(str, (row["path"] for row in fleet.models()))),
        "findings": sorted([str(row[k]) for k in KEYS] for row in fleet.findings()),
        "engine": fleet.run.engine,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


KEYS = ("path", "code", "message", "fingerprint")

if __name__ == "__main__":
    main(*sys.argv[1:])
