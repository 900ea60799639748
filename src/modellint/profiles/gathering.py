"""Layers from the events of a trace: what each takes in one inference."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from modellint.base.records import dataclass
from modellint.results.measured import RunTimes


@dataclass(frozen=True, slots=True)
class Gathered:
    """Time of a layer in an inference."""

    event: Event
    """Its first event."""
    seconds: float
    fastest: float
    calls: float


@dataclass(slots=True)
class Event:
    """An event of a trace, times in seconds."""

    key: tuple[Any, ...]
    """Events with equal keys belong to one layer."""
    start: float
    seconds: float
    about: Any = None
    """Other facts, as the format states them."""

    @property
    def end(self) -> float:
        return self.start + self.seconds


def typical(values: Sequence[float]) -> float:
    """Return the mean of the middle half: as robust as a median, and finer than clock ticks."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    return sum(middle) / len(middle)


def times_from(seconds: Sequence[float]) -> RunTimes | None:
    """Return the figures of inferences that followed each other; None without any."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return RunTimes(
        len(ordered),
        statistics.median(ordered),
        mean=math.fsum(ordered) / len(ordered),
        minimum=ordered[0],
    )


def per_inference(events: Iterable[Event], runs: Sequence[tuple[float, float]]) -> list[Gathered]:
    """Return the time of each layer in an inference.

    `runs` are the beginnings and ends of inferences, in order; without any, all events are one.
    Events outside all of them do not count.
    """
    spans = list(runs) or [(float("-inf"), float("inf"))]
    starts = [start for start, _ in spans]
    sums: dict[tuple[Any, ...], list[float]] = {}
    first: dict[tuple[Any, ...], Event] = {}
    calls: dict[tuple[Any, ...], int] = {}
    for event in events:
        at = bisect_right(starts, event.start) - 1
        if at < 0 or event.start > spans[at][1]:
            continue
        if event.key not in sums:
            sums[event.key] = [0.0] * len(spans)
            first[event.key] = event
            calls[event.key] = 0
        sums[event.key][at] += event.seconds
        calls[event.key] += 1
    return [
        Gathered(first[key], typical(seconds), min(seconds), calls[key] / len(spans))
        for key, seconds in sums.items()
    ]


def own_seconds(events: Sequence[Event]) -> None:
    """Subtract from each event those inside it, of one thread; changes the events."""
    open_events: list[Event] = []
    spans = {id(event): event.end for event in events}
    for event in sorted(events, key=lambda each: (each.start, -each.seconds)):
        end = spans[id(event)]
        while open_events and spans[id(open_events[-1])] <= event.start:
            open_events.pop()
        if open_events and end <= spans[id(open_events[-1])]:
            open_events[-1].seconds = max(0.0, open_events[-1].seconds - (end - event.start))
        open_events.append(event)
