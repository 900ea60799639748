"""In the child process: runs one model in one runtime, on each of several inputs."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modellint.execution import arrays
from modellint.runtimes.execution import Way

if TYPE_CHECKING:
    from modellint.runtimes.execution import ExecutorCode
    from modellint.runtimes.probe import Tell


def answer(request: dict[str, Any], tell: Tell) -> None:
    """Report after each run: the next may be the last."""
    executor = cast("ExecutorCode", import_module(request["executor"]))
    way = Way(
        request["optimized"], request["threads"], tuple(request["captured"]), request["packed"]
    )
    told: dict[str, Any] = {"runs": []}
    try:
        told["version"] = executor.version()
        model = executor.load(Path(request["path"]), request["format"], way)
    except Exception as error:  # runtimes' errors have no common base class of their own
        tell({**told, "refusal": _text(error)})
        return
    tell(told)
    for number, listing in enumerate(request["feeds"]):
        feed = arrays.read(listing, Path(request["folder"], "in", str(number)))
        folder = Path(request["folder"], "out", str(number))
        folder.mkdir(parents=True)
        started = time.perf_counter()
        try:
            outputs = list(model.run(feed))
            seconds = time.perf_counter() - started
            told["runs"].append({"outputs": arrays.write(outputs, folder), "seconds": seconds})
        except Exception as error:
            told["runs"].append({"error": _text(error)})
        tell(told)


def _text(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else type(error).__name__
