"""In the child process: one round of one model, timed on the same inputs again and again."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modellint.benching import machine
from modellint.benching.backends import Setting, TimedGeneration
from modellint.execution import arrays

if TYPE_CHECKING:
    from modellint.benching.backends import TimedCode, TimedModel
    from modellint.runtimes.probe import Tell

LEAST = 5
"""Inferences in a round, however long they take."""
MOST = 20_000
WARM = 0.2
"""Warm-up, as a share of the round's time."""
LEAST_WARM = 2


def answer(request: dict[str, Any], tell: Tell) -> None:
    """Report after each step: the next may be the last."""
    code = cast("TimedCode", import_module(request["backend"]))
    feed = arrays.read(request["feed"], Path(request["folder"]))
    setting = Setting(request["threads"], request["provider"])
    told: dict[str, Any] = {"before": machine.peak_memory()}
    try:
        told["version"] = code.version()
        started = time.perf_counter()
        model = code.load(Path(request["path"]), request["format"], feed, setting)
        told["load"] = time.perf_counter() - started
        started = time.perf_counter()
        model.run()
        told["first"] = time.perf_counter() - started
        tell(told)
        _warm_up(model, request["seconds"] * WARM)
        told |= _timed(model, request["seconds"])
        told["provider"] = model.provider
        told["peak"] = machine.peak_memory()
        tell(told)
        if request["profile"]:
            told["layers"] = [asdict(each) for each in model.layers(request["seconds"])]
            told["provider"] = model.provider
    except Exception as error:  # runtimes' errors have no common base class of their own
        told["refusal"] = " ".join(str(error).split())[:300] or type(error).__name__
    tell(told)


def _warm_up(model: TimedModel, seconds: float) -> None:
    end, runs = time.perf_counter() + seconds, 0
    while runs < LEAST_WARM or time.perf_counter() < end:
        model.run()
        runs += 1


def _timed(model: TimedModel, seconds: float) -> dict[str, Any]:
    """Return the seconds of each inference: of the clock, and of processors."""
    on_gpu = "cpu" not in (model.provider or "cpu").lower()
    counter = machine.energy_counter(on_gpu=on_gpu)
    ticks, waited, load = machine.ticks(), machine.waited(), machine.load_per_core()
    if isinstance(model, TimedGeneration):
        model.speeds()  # those of the warm-up
    samples: list[float] = []
    processor: list[float] = []
    clock, spent = time.perf_counter, time.process_time
    began = clock()
    while len(samples) < LEAST or (clock() < began + seconds and len(samples) < MOST):
        used, started = spent(), clock()
        model.run()
        ended = clock()
        samples.append(ended - started)
        processor.append(spent() - used)
        if counter is not None and not len(samples) % 64:
            counter.update()
    told: dict[str, Any] = {
        "samples": samples,
        "processor": processor,
        "waiting": machine.waiting(waited, machine.waited()),
        "stolen": machine.stolen(ticks, machine.ticks()),
        "load_average": load,
    }
    if isinstance(model, TimedGeneration):
        told["speeds"] = model.speeds()
    if counter is not None:
        told["joules"] = counter.update() / len(samples)
        told["counter"] = counter.source
    return told
