"""Runs cases in rounds: each round of each case in a process of its own, in turn.

What changes slowly, such as the clock rate or what others run, then touches all cases alike, and
what differs between processes, such as where memory lies, is part of the spread.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.base.files import regular_size
from modellint.base.paths import real_path
from modellint.base.rebuild import from_plain
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.benching import machine
from modellint.benching.backends import TimedRuntime
from modellint.benching.inputs import GENERATED, PROMPT_INPUT
from modellint.benching.statistics import median, speed, summary
from modellint.execution import Arrays, arrays
from modellint.model import Model
from modellint.probes import CHILD, memory_to_spare
from modellint.probes.runner import Limits, run_child
from modellint.profiles.gathering import typical
from modellint.profiles.identity import digest_of
from modellint.results.measured import (
    MeasuredRun,
    RunConditions,
    RunDevice,
    RunEnergy,
    RunEnvironment,
    RunGeneration,
    RunLayer,
    RunMemory,
    RunModel,
    RunRuntime,
    shown,
)
from modellint.targets import HOST, find_target

LEAST_ROUNDS = 5
"""Rounds from which the extremes of their medians enclose the median with more than 90%."""
BUSY = 0.05
"""Share of waiting or stolen time from which a run is called noisy."""
LOADED = 0.6
"""Load average per core from which others are busy, too."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchCase:
    """One model in one runtime on inputs of one shape."""

    model: Model
    backend: TimedRuntime
    feed: Arrays
    batch: int | None
    threads: int
    provider: str | None = None
    precision: str | None = None

    @property
    def label(self) -> str:
        batch = f", batch {self.batch}" if self.batch is not None else ""
        return f"{self.model.path.name} in {self.backend.title}{batch}"


@dataclass(frozen=True, slots=True)
class Effort:
    """The time and memory that measurements may take."""

    seconds: float = 1.0
    """Time of a round of a case, besides loading and warm-up."""
    rounds: int = LEAST_ROUNDS
    """Rounds of each case at least, unless it fails."""
    most_rounds: int = 3 * LEAST_ROUNDS
    """Rounds up to which a case goes on while its interval is wide."""
    timeout: float = 300.0
    profile: bool = True


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A case that could not be measured."""

    label: str
    reason: str


@dataclass(slots=True)
class _Progressing:
    case: BenchCase
    rounds: list[dict[str, Any]]
    failure: str = ""
    peak: int | None = None

    def is_done(self, effort: Effort) -> bool:
        count = len(self.rounds)
        if self.failure or count >= effort.most_rounds:
            return True
        return count >= effort.rounds and bool(self.times().narrow)

    def times(self) -> Any:
        return summary([each["samples"] for each in self.rounds])


def measure(
    cases: Sequence[BenchCase], effort: Effort, say: Say = lambda text: None
) -> list[MeasuredRun | NotMeasured]:
    """Measure all cases; those that fail do not keep the others from being measured."""
    states = [_Progressing(case, []) for case in cases]
    progress = _Clock(len(cases), effort)
    with temporary_folder() as folder:
        listings = []
        for number, case in enumerate(cases):
            place = folder / str(number)
            place.mkdir()
            listings.append(arrays.write(case.feed.items(), place))
        for turn in range(effort.most_rounds):
            waiting = [each for each in enumerate(states) if not each[1].is_done(effort)]
            if not waiting:
                break
            for number, state in waiting:
                say(progress.describe(state.case, turn, len(waiting)))
                started = time.monotonic()
                _round(state, listings[number], folder / str(number), effort, turn == 0)
                progress.note(time.monotonic() - started)
    return [_result(state) for state in states]


class _Clock:
    """Time left, from what rounds took so far."""

    def __init__(self, cases: int, effort: Effort) -> None:
        self._cases, self._effort = cases, effort
        self._took: list[float] = []

    def note(self, seconds: float) -> None:
        self._took.append(seconds)

    def describe(self, case: BenchCase, turn: int, waiting: int) -> str:
        """Say which round runs, and how long those take that surely follow."""
        text = f"{case.label}: round {turn + 1}"
        left = max(1, self._effort.rounds - turn) * waiting - len(self._took) % max(waiting, 1)
        if not self._took:
            return text
        return f"{text}, about {max(1.0, left * typical(self._took)):.0f} s left"


def _round(
    state: _Progressing, listing: arrays.Listing, folder: Path, effort: Effort, is_first: bool
) -> None:
    case = state.case
    request = {
        "code": "modellint.benching.child",
        "backend": case.backend.code,
        "path": str(real_path(case.model.path)),
        "format": case.model.format,
        "folder": str(folder),
        "feed": listing,
        "threads": case.threads,
        "provider": case.provider,
        "seconds": effort.seconds,
        "profile": effort.profile and len(state.rounds) < 3,
    }
    ended = run_child(CHILD, request, Limits(effort.timeout, memory_to_spare()))
    said = ended.answer or {}
    if "samples" in said:
        state.rounds.append(said)
        state.peak = max(filter(None, (state.peak, said.get("peak"))), default=None)
    if is_first or "samples" not in said:
        state.failure = said.get("refusal", "") or ended.detail
        if "samples" in said and state.failure:  # it ran, and only its profile failed
            said["profile_failure"], state.failure = state.failure, ""


def _result(state: _Progressing) -> MeasuredRun | NotMeasured:
    if not state.rounds:
        return NotMeasured(state.case.label, state.failure or "it did not end")
    case, rounds = state.case, state.rounds
    first = rounds[0]
    times = replace(
        state.times(),
        first=median([each["first"] for each in rounds]),
        load=median([each["load"] for each in rounds]),
        processor=median([median(each["processor"]) for each in rounds]),
    )
    joules = [each["joules"] for each in rounds if "joules" in each]
    provider = next((each["provider"] for each in reversed(rounds) if each.get("layers")), None)
    run = MeasuredRun(
        model=run_model(case.model),
        runtime=RunRuntime(case.backend.name, first["version"], provider or first["provider"]),
        source="bench",
        device=this_device(on_gpu="cpu" not in (first["provider"] or "cpu").lower()),
        conditions=RunConditions(
            case.batch,
            {name: array.shape for name, array in case.feed.items()},
            case.precision,
            case.threads,
        ),
        times=times,
        generation=_generation(case, rounds),
        layers=_layers([each["layers"] for each in rounds if each.get("layers")]),
        memory=RunMemory(state.peak, first["before"]),
        energy=RunEnergy(median(joules), first["counter"]) if joules else None,
        environment=RunEnvironment(
            machine.system(),
            platform.python_version(),
            _highest(rounds, "load_average"),
            _highest(rounds, "waiting"),
            _highest(rounds, "stolen"),
        ),
        created=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    failure = first.get("profile_failure")
    notes = doubts(run)
    if failure:
        notes.append(f"its layers could not be timed: {failure}")
    if state.failure:
        notes.append(f"round {len(rounds) + 1} failed: {state.failure}")
    return replace(run, notes=tuple(notes))


def _generation(case: BenchCase, rounds: Sequence[Mapping[str, Any]]) -> RunGeneration | None:
    if not all(each.get("speeds") for each in rounds):
        return None
    prompts, generated = zip(*(zip(*each["speeds"], strict=True) for each in rounds), strict=True)
    return RunGeneration(speed(case.feed[PROMPT_INPUT].size, prompts), speed(GENERATED, generated))


def doubts(run: MeasuredRun) -> list[str]:
    """Return reasons to doubt the figures of a run, in sentences."""
    found, around, times = [], run.environment, run.times
    if times is not None and times.narrow is False and times.low and times.high:
        width = (times.high - times.low) / times.median
        found.append(
            f"its interval is {width:.0%} of the median wide after {len(times.rounds)} "
            "rounds: differences below that mean nothing"
        )
    if around.waiting is not None and around.waiting > BUSY:
        found.append(f"it waited for a processor {around.waiting:.0%} of the time")
    if around.stolen is not None and around.stolen > BUSY:
        found.append(f"the hypervisor took {around.stolen:.0%} of the time")
    if around.load is not None and around.load > LOADED:
        found.append(f"others kept the machine busy: load {around.load:.1f} per core")
    return found


def _highest(rounds: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return max((each[key] for each in rounds if each.get(key) is not None), default=None)


def _layers(profiles: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[RunLayer, ...]:
    """Return the layers, each with its median over the rounds that profiled it."""
    if not profiles:
        return ()
    rounds: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for profile in profiles:
        for key, layer in _numbered(profile):
            rounds.setdefault(key, []).append(layer)
    return tuple(_merged(rounds[key]) for key, _ in _numbered(profiles[0]))


def _merged(layers: Sequence[Mapping[str, Any]]) -> RunLayer:
    """Return one layer of what several rounds say of it."""
    fastest = [each["fastest"] for each in layers if each["fastest"] is not None]
    shapes = {key: tuple(map(tuple, layers[0][key])) for key in ("inputs", "outputs")}
    times = {
        "seconds": median([each["seconds"] for each in layers]),
        "fastest": min(fastest, default=None),
    }
    return from_plain(RunLayer, {**layers[0], **shapes, **times})


def _numbered(
    profile: Sequence[Mapping[str, Any]],
) -> list[tuple[tuple[str, int], Mapping[str, Any]]]:
    """Return layers by name, those of one name by their order."""
    seen: dict[str, int] = {}
    found = []
    for layer in profile:
        number = seen[layer["name"]] = seen.get(layer["name"], -1) + 1
        found.append(((layer["name"], number), layer))
    return found


def run_model(model: Model) -> RunModel:
    """Describe the model of a run, with a digest by which it is found again."""
    return RunModel(
        shown(model.path.name), model.format, digest_of(model.path), regular_size(model.path)
    )


def this_device(*, on_gpu: bool) -> RunDevice:
    """Describe the device that ran a model: this machine's GPU or its CPU."""
    host = find_target(HOST)
    is_cpu = host.vendor == "cpu" or not on_gpu
    return RunDevice(
        name=shown(host.name),
        kind="cpu" if is_cpu else "gpu",
        target=next(iter(host.aliases), None),
        units=os.cpu_count() if is_cpu else host.units,
        memory_bytes=host.memory.nominal,
    )
