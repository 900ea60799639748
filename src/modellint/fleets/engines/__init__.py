"""Engines: what runs a function of ours in other processes, on this machine or on many."""

from __future__ import annotations

from modellint.base.errors import UsageError
from modellint.fleets.engines.engine import FleetEngine, WorkerDiedError

SCHEMES = ("dask", "ray", "spark")
KNOWN = "local, dask://HOST:PORT, ray://HOST:PORT, spark"


def make_engine(text: str, processes: int | None) -> FleetEngine:
    """Return the engine of a name, connected."""
    scheme, separator, address = text.partition("://")
    if text == "local":
        from modellint.fleets.engines.executor import ExecutorEngine

        return ExecutorEngine(processes=processes)
    if processes is not None and scheme in SCHEMES:
        raise UsageError(
            f"--jobs applies only to the engine 'local'; {scheme} manages its own workers"
        )
    if scheme == "dask" and address:
        from modellint.fleets.engines.dask import DaskEngine

        return DaskEngine(address)
    if scheme == "ray" and address:
        from modellint.fleets.engines.ray import RayEngine

        return RayEngine(address)
    if scheme == "spark" and bool(address) == bool(separator):
        from modellint.fleets.engines.spark import SparkEngine

        return SparkEngine(text if address else None)
    raise UsageError(f"unknown engine {text!r}; known: {KNOWN}")


__all__ = ["KNOWN", "FleetEngine", "WorkerDiedError", "make_engine"]
