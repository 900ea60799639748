"""`modellint.fleet`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modellint.api.given import GivenSettings, overriding
from modellint.base.paths import is_address
from modellint.fleets.fleet import Fleet, FleetRequest, run_fleet

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from typing_extensions import Unpack

    from modellint.fleets.engines import FleetEngine

PathLike = str | os.PathLike[str]


def fleet(
    paths: PathLike | Iterable[PathLike],
    results: PathLike,
    *,
    executor: Executor | None = None,
    engine: str = "local",
    format: Literal["jsonl", "parquet"] = "jsonl",
    resume: bool = False,
    config: PathLike | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Fleet:
    """Lint many models with any executor of `concurrent.futures`, or an engine that is named.

    The findings are tables in the folder `results`, of this machine or a bucket. Each worker of
    an executor lints in a child process, so that it does not die of a model; threads will do.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else paths
    request = FleetRequest(
        [text if is_address(text) else Path(text) for text in map(str, named)],
        text if is_address(text := str(results)) else Path(results),
        overriding(settings, Path(config) if config is not None else None, isolated),
        format,
        resume,
    )

    def connect(jobs: int | None) -> FleetEngine:
        from modellint.fleets.engines import make_engine
        from modellint.fleets.engines.executor import ExecutorEngine

        return make_engine(engine, jobs) if executor is None else ExecutorEngine(executor)

    return run_fleet(request, connect)
