"""Comparison of two runs: matched layers, and which of them take longer and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.benching.fingerprints import (
    RunFingerprint,
    fingerprint,
    kind_of,
    structure_of,
    undisturbed,
)
from modellint.differ.alignment import aligned
from modellint.results.measured import MeasuredRun, RunLayer

MOST_LAYERS = 100_000
LESS = 0.8
"""Ratio of rates below which a layer is said to run its kernel worse."""


@dataclass(frozen=True, slots=True)
class LayerPair:
    """One layer in both runs; seconds as undisturbed as both runs know them."""

    old: str
    new: str
    kind: str
    old_seconds: float
    new_seconds: float
    reasons: Annotated[tuple[str, ...], "What differs besides the time."]

    @property
    def delta(self) -> float:
        return self.new_seconds - self.old_seconds


@dataclass(frozen=True, slots=True)
class LoneLayer:
    """A layer that only one of the runs has."""

    name: str
    kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Differences between two runs."""

    old_seconds: float | None
    new_seconds: float | None
    change: Annotated[float | None, "Change of the whole time, as a share of the old one."]
    certain: Annotated[bool, "False if the intervals of the times overlap."]
    undisturbed: Annotated[float | None, "Change of the least times of all layers together."]
    similarity: Annotated[float | None, "Overlap of how the time is shared out, 0 to 1."]
    same_structure: Annotated[bool, "True if both have the same layers in the same order."]
    pairs: Annotated[tuple[LayerPair, ...], "Layers in both, by what they add to the time."]
    lost: tuple[LoneLayer, ...]
    added: tuple[LoneLayer, ...]
    notes: tuple[str, ...]

    def regression(self) -> float | None:
        """Return the growth of the time that noise does not explain, as a share; None if unknown.

        Where the intervals of the whole times overlap, the least times of layers decide.
        """
        if self.change is not None and self.certain:
            return self.change
        return self.undisturbed if self.undisturbed is not None else self.change

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self), "regression": self.regression()}


def compare_runs(old: MeasuredRun, new: MeasuredRun) -> RunComparison:
    """Compare two runs, of any runtimes and devices."""
    for run in (old, new):
        if len(run.layers) > MOST_LAYERS:
            raise UsageError(f"{run.label}: more than {MOST_LAYERS:,} layers")
    both = bool(old.layers and new.layers)
    found = _pairs(old.layers, new.layers)
    prints = fingerprint(old), fingerprint(new)
    seen_old, seen_new = {at for at, _ in found}, {at for _, at in found}
    pairs = [_pair(old.layers[at], new.layers[place]) for at, place in found]
    pairs.sort(key=lambda pair: -pair.delta)
    before, after = old.seconds, new.seconds
    return RunComparison(
        before,
        after,
        after / before - 1 if before and after is not None else None,
        _are_apart(old, new),
        _undisturbed_change(old, new),
        _similarity(prints, found) if both else None,
        both and prints[0].digest == prints[1].digest,
        tuple(pairs),
        tuple(_lone(each) for at, each in enumerate(old.layers) if both and at not in seen_old),
        tuple(_lone(each) for at, each in enumerate(new.layers) if both and at not in seen_new),
        tuple(_notes(old, new)),
    )


def _pairs(old: Sequence[RunLayer], new: Sequence[RunLayer]) -> list[tuple[int, int]]:
    """Return the places of the same layers: by structure, then in between by kind alone."""
    found = sorted(_aligned(old, new, structure_of, 0, 0))
    edges = [(-1, -1), *found, (len(old), len(new))]
    for (at, place), (end, stop) in pairwise(edges):
        if end - at > 1 and stop - place > 1:
            gaps = old[at + 1 : end], new[place + 1 : stop]
            found += _aligned(*gaps, kind_of, at + 1, place + 1)
    return sorted(found)


def _aligned(
    old: Sequence[RunLayer],
    new: Sequence[RunLayer],
    key: Callable[[RunLayer], Hashable],
    start: int,
    begin: int,
) -> Iterator[tuple[int, int]]:
    for at, place in aligned(list(map(key, old)), list(map(key, new))):
        yield start + at, begin + place


def _pair(old: RunLayer, new: RunLayer) -> LayerPair:
    both_know = old.fastest is not None and new.fastest is not None
    before, after = (
        (undisturbed(old), undisturbed(new)) if both_know else (old.seconds, new.seconds)
    )
    return LayerPair(
        old.name, new.name, kind_of(new), before, after, tuple(_reasons(old, new, before, after))
    )


def _reasons(old: RunLayer, new: RunLayer, before: float, after: float) -> Iterator[str]:
    for what, one, other in (
        ("", old.precision, new.precision),
        ("on ", old.unit, new.unit),
        ("kernel ", old.kernel, new.kernel),
    ):
        if one and other and one != other:
            yield f"{what}{other} instead of {one}"
    if old.flops and new.flops and not 0.99 <= new.flops / old.flops <= 1.01:
        yield f"{new.flops / old.flops:.3g} times the arithmetic"
    if old.operators and new.operators and len(old.operators) != len(new.operators):
        yield f"{len(new.operators)} nodes instead of {len(old.operators)}"
    if old.calls and new.calls and not 0.99 <= new.calls / old.calls <= 1.01:
        yield f"{new.calls:.3g} calls instead of {old.calls:.3g}"
    rates = [
        layer.flops / seconds if layer.flops and seconds else None
        for layer, seconds in ((old, before), (new, after))
    ]
    if rates[0] and rates[1] and rates[1] < LESS * rates[0]:
        yield f"{rates[1] / 1e9:.3g} instead of {rates[0] / 1e9:.3g} GFLOP/s"


def _lone(layer: RunLayer) -> LoneLayer:
    return LoneLayer(layer.name, kind_of(layer), layer.seconds)


def _are_apart(old: MeasuredRun, new: MeasuredRun) -> bool:
    """Return True unless the intervals of both times overlap."""
    one, other = old.times, new.times
    if one is None or other is None or None in (one.low, one.high, other.low, other.high):
        return True
    assert one.low is not None
    assert one.high is not None
    assert other.low is not None
    assert other.high is not None
    return one.high < other.low or other.high < one.low


def _undisturbed_change(old: MeasuredRun, new: MeasuredRun) -> float | None:
    sums = []
    for run in (old, new):
        if not run.layers or any(layer.fastest is None for layer in run.layers):
            return None
        sums.append(math.fsum(layer.fastest or 0.0 for layer in run.layers))
    return sums[1] / sums[0] - 1 if sums[0] else None


def _similarity(
    prints: tuple[RunFingerprint, RunFingerprint], pairs: Sequence[tuple[int, int]]
) -> float:
    old, new = prints
    return math.fsum(min(old.layers[at].share, new.layers[place].share) for at, place in pairs)


def _notes(old: MeasuredRun, new: MeasuredRun) -> Iterator[str]:
    for what, one, other in (
        ("runtimes", _runtime(old), _runtime(new)),
        ("devices", old.device.name, new.device.name),
        ("batches", old.conditions.batch, new.conditions.batch),
        ("threads", old.conditions.threads, new.conditions.threads),
        ("precisions", old.conditions.precision, new.conditions.precision),
    ):
        if one and other and one != other:
            yield f"different {what}: {one} and {other}"
    bare = [name for name, run in (("first", old), ("second", new)) if not run.layers]
    if bare:
        runs = f"{bare[0]} run has" if len(bare) == 1 else "runs have"
        yield f"the {runs} no layers to compare"


def _runtime(run: MeasuredRun) -> str:
    return " ".join(filter(None, (run.runtime.name, run.runtime.version)))
