"""Fits the coefficients of the estimate of time to published measurements.

    python tools/fit_latency.py ROWS.csv MODELS [--write]

MODELS is the folder that `tools/export_benchmarked.py` wrote. Prints the coefficients, and with
`--write` puts them where they belong: what all devices have in common into
`analysis/latency/coefficients.toml`, with what architectures add, and what devices add into their
target files. Needs numpy.

Coefficients are positive, so their logarithms are fitted: those of all devices together, with what
an architecture and a device add to some of them, which are pulled towards nothing. Large residuals
count less, since sources contradict each other.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from benchmarked import Row, arguments, chip_of, read_npu_rows, read_rows, seconds
from latency_bounds import Bounds
from latency_files import (
    GENERATIONS_BEGIN,
    QUALCOMM,
    SOURCES,
    write_device,
    write_generations,
    write_prior,
)

from modellint.analysis.latency import HOST_LINK
from modellint.analysis.latency.processor import Coefficients, Processor
from modellint.analysis.latency.timing import Machine
from modellint.targets import Target, load_targets

PRIOR = Coefficients(group=4e-6, depthwise=0.1, window=9.0)
NPU_PRIOR = Coefficients(
    launch=2e-6,
    matrix=1.0,
    integer=1.0,
    grouped=4.0,
    attention=0.2,
    call=2e-4,
    float_rate=2e13,
    integer_rate=6e13,
)
SPREAD = {
    "launch": 0.7,
    "attention": 0.7,
    "call": 1.0,
    "fill": 0.7,
    "grouped": 0.7,
    "depthwise": 0.7,
    "window": 0.7,
} | {
    "vector": 0.3,
    "winograd": 0.3,
    "memory": 0.2,
}
"""Uncertainty of the logarithm of each coefficient before any measurement; 0.4 for the others."""
NPU_SPREAD = {**SPREAD, "convolution": 0.1, "fill": 0.4}
"""The same for NPUs, which multiply matrices with the units for convolutions of 1 x 1."""
OF_CPUS = frozenset({"weights", "narrow", "edge", "loops", "row", "reorder"})
"""Coefficients that only cores of CPUs have."""
SHARED = ("all", "generation")
"""Levels of parameters that all rows tell of."""
OWN = ("launch", "matrix", "vector", "memory", "call")
"""Coefficients to which an architecture and a device add something."""
NPU_OWN = ("launch", "float_rate", "integer_rate", "memory", "call")
GENERATIONS = {"hexagon-v68": -2, "hexagon-v69": -1, "hexagon-v73": 0, "hexagon-v75": 1} | {
    "hexagon-v79": 2,
    "hexagon-v81": 3,
}
"""Generations of an architecture, of which each is faster by a constant factor."""
GROWTH, OF_GROWTH = 0.3, 0.15
"""Logarithm of that factor before any measurement, and its uncertainty."""
GROWS: Mapping[str, int] = {"float_rate": 1, "integer_rate": 1, "launch": -1, "call": -1}
"""Power of the factor in what it changes."""
OF_ARCHITECTURE, OF_DEVICE, OF_CALL = 0.15, 0.25, 0.7
"""Uncertainty of what an architecture adds, of what a device adds, and of either to `call`."""
OF_RATE = 0.4
"""Uncertainty of the logarithm of a rate that is not published."""
CALLED = re.compile("predictor|Python|sync|transfer")
"""Scopes of measurements with a program's call of the engine, which takes seconds of its own."""
COPIED = re.compile("copies|images|transfer")
"""Scopes of measurements with copies between host and device."""
CALLING, COPYING = 5e-5, 1 / HOST_LINK
"""Seconds of such a call, and of copying a byte, before any measurement."""
OF_CALLING, OF_COPYING = 1.0, 0.7
"""Uncertainty of their logarithms."""
NOISE, STEP, ROUNDS = 0.15, 0.02, 15
ENOUGH_GAIN = 0.3
"""Gain in the logarithm of the likelihood below which a fit is as good as it gets."""
SHORTER = (1.0, 0.5, 0.25, 0.1)
"""Shares of a step that are tried until one makes the fit better."""
Name = tuple[str, str, str]
"""A parameter: `all`, `architecture`, `device` or `scope`; which one; and the coefficient."""
Array = Any


@dataclass
class Fit:
    """Parameters fitted to some rows."""

    rows: Sequence[Row]
    prior: Coefficients = PRIOR
    own: Sequence[str] = OWN
    spreads: Mapping[str, float] = field(default_factory=lambda: SPREAD)

    @cached_property
    def common(self) -> list[str]:
        values = asdict(self.prior).items()
        return [name for name, value in values if value and name not in OF_CPUS]

    @cached_property
    def names(self) -> list[Name]:
        architectures = sorted({row.target.architecture or "" for row in self.rows})
        chips = sorted({row.chip for row in self.rows})
        scopes = sorted({row.scope for row in self.rows})
        return [
            *(("all", "", name) for name in self.common),
            *(("architecture", each, name) for each in architectures for name in self.own),
            *(("device", each, name) for each in chips for name in self.own),
            *((("generation", "", "growth"),) if self._grows else ()),
            *(("scope", each, "calling") for each in scopes if CALLED.search(each)),
            *(("scope", each, "copying") for each in scopes if COPIED.search(each)),
        ]

    @property
    def _grows(self) -> bool:
        return any(row.target.architecture in GENERATIONS for row in self.rows)

    @cached_property
    def start(self) -> Array:
        around = {"calling": CALLING, "copying": COPYING, "growth": math.exp(GROWTH)}
        begin = {"all": asdict(self.prior), "scope": around, "generation": around}
        return np.array([math.log(begin.get(level, {}).get(n, 1.0)) for level, _, n in self.names])

    @cached_property
    def spread(self) -> Array:
        return np.array([self._spread(level, name) for level, _, name in self.names])

    @cached_property
    def measured(self) -> Array:
        return np.array([row.logarithm for row in self.rows])

    def coefficients(self, found: Array, target: Target | None) -> Coefficients:
        """Return the coefficients of a device, without what nothing is known of."""
        places = {"architecture": target.architecture, "device": chip_of(target)} if target else {}
        logs = dict.fromkeys(self.common, 0.0)
        for value, (level, which, name) in zip(found, self.names, strict=True):
            if level == "all" or places.get(level) == which:
                logs[name] += value
            elif level == "generation" and target is not None:
                for grown, power in GROWS.items():
                    logs[grown] += power * value * GENERATIONS.get(target.architecture or "", 0)
        return replace(self.prior, **{name: math.exp(value) for name, value in logs.items()})

    def around(self, found: Array, scope: str) -> tuple[float, float]:
        """Return what a scope adds to the engine's time: seconds, and seconds per copied byte."""
        own = {n: math.exp(v) for v, n in zip(found, self.names, strict=True) if n[1] == scope}
        return own.get(("scope", scope, "calling"), 0.0), own.get(("scope", scope, "copying"), 0.0)

    def predicted(self, found: Array, rows: Sequence[Row]) -> Array:
        """Return the logarithms of the expected seconds."""
        around = {scope: self.around(found, scope) for scope in {row.scope for row in rows}}
        machines = self.machines(found, rows)
        known: dict[tuple[str, int], float] = {}
        for row in rows:
            key = row.target.id, id(row.kernels)
            if key not in known:
                known[key] = seconds(row.kernels, machines(row))
        engine = np.array([known[row.target.id, id(row.kernels)] for row in rows])
        calling, copying = np.array([around[row.scope] for row in rows]).T
        return np.log(engine + calling + copying * [row.kernels.copied_bytes for row in rows])

    def machines(self, found: Array, rows: Sequence[Row]) -> Callable[[Row], Processor]:
        """Return the device of each row, made once for all that ran on it."""
        targets = {row.target.id: row.target for row in rows}
        known = {name: Machine(t, self.coefficients(found, t)) for name, t in targets.items()}
        return lambda row: known[row.target.id]

    def _spread(self, level: str, name: str) -> float:
        if level == "generation":
            return OF_GROWTH
        if level == "scope":
            return OF_CALLING if name == "calling" else OF_COPYING
        if name.endswith("_rate"):
            return OF_RATE
        if level == "all":
            return self.spreads.get(name, 0.4)
        if name == "call":
            return OF_CALL
        return OF_ARCHITECTURE if level == "architecture" else OF_DEVICE

    def slopes(self, found: Array) -> Array:
        """Return the change of each row's logarithm with each parameter."""
        base = self.predicted(found, self.rows)
        slopes = np.zeros((len(self.rows), len(found)))
        for at, (level, which, _) in enumerate(self.names):
            places = [
                place
                for place, row in enumerate(self.rows)
                if level in ("all", "generation")
                or which in (row.chip, row.target.architecture, row.scope)
            ]
            moved = found.copy()
            moved[at] += STEP
            changed = self.predicted(moved, [self.rows[place] for place in places])
            slopes[places, at] = (changed - base[places]) / STEP
        return slopes

    def step(self, found: Array, slopes: Array, used: Array) -> Array:
        """Return better parameters for the rows that are used, by one step."""
        residuals = self.measured - self.predicted(found, self.rows)
        weights = used / np.maximum(1, np.abs(residuals) / (1.5 * NOISE)) / NOISE**2
        normal = slopes.T @ (weights[:, None] * slopes) + np.diag(1 / self.spread**2)
        pull = slopes.T @ (weights * residuals) + (self.start - found) / self.spread**2
        return found + np.clip(np.linalg.solve(normal, pull), -0.5, 0.5)

    def loss(self, found: Array, used: Array) -> float:
        """Return what a fit makes as small as it can: misses, large ones less, and surprise."""
        misses = np.abs(self.measured - self.predicted(found, self.rows)) / NOISE
        shares = np.where(misses < 1.5, misses**2 / 2, 1.5 * (misses - 0.75))
        return float(used @ shares + (((found - self.start) / self.spread) ** 2).sum() / 2)

    def improved(self, found: Array, slopes: Array, used: Array) -> tuple[Array, float]:
        """Return better parameters, and by how much: a step, shorter where it is too long."""
        before, step = self.loss(found, used), self.step(found, slopes, used) - found
        for share in SHORTER:
            gain = before - self.loss(found + share * step, used)
            if gain > 0:
                return found + share * step, gain
        return found, 0.0

    @cached_property
    def best(self) -> Array:
        found, everything = self.start, np.ones(len(self.rows))
        for _ in range(ROUNDS):
            found, gain = self.improved(found, self.slopes(found), everything)
            if gain < ENOUGH_GAIN:
                break
        return found

    @property
    def of_architectures(self) -> Array:
        """The best parameters without what devices add."""
        is_device = np.array([level == "device" for level, _, _ in self.names])
        return np.where(is_device, 0.0, self.best)

    @cached_property
    def best_machines(self) -> Callable[[Row], Processor]:
        """The device of each row with the coefficients of the best fit."""
        return self.machines(self.best, self.rows)

    @cached_property
    def best_slopes(self) -> Array:
        return self.slopes(self.best)

    def without(self, left_out: Collection[int]) -> Array:
        """Return the parameters that follow from all other rows, and log seconds of these.

        Starts from the fit to all rows; its slopes serve, since few rows hardly change them.
        """
        used = np.ones(len(self.rows))
        used[list(left_out)] = 0.0
        found = self._without_effects(left_out)
        for _ in range(4):
            found, gain = self.improved(found, self.best_slopes, used)
            if gain < ENOUGH_GAIN:
                break
        return self.predicted(found, [self.rows[at] for at in left_out])

    def _without_effects(self, left_out: Collection[int]) -> Array:
        """Return the best parameters without what only the rows left out tell of."""
        gone = set(left_out)
        rest = [row for at, row in enumerate(self.rows) if at not in gone]
        told = {each for row in rest for each in (row.chip, row.target.architecture, row.scope)}
        kept = [n[0] in SHARED or n[1] in told for n in self.names]
        return np.where(kept, self.best, self.start)

    def left_out(self, key: str) -> Array:
        """Return the log seconds of all rows, each fitted without those of its chip or family."""
        known: dict[str, Array] = self.__dict__.setdefault("_left_out", {})
        if key not in known:
            known[key] = self._each_left_out(key)
        return known[key]

    def _each_left_out(self, key: str) -> Array:
        found = np.zeros(len(self.rows))
        for which in sorted({getattr(row, key) for row in self.rows}):
            places = [at for at, row in enumerate(self.rows) if getattr(row, key) == which]
            found[places] = self.without(places)
        return found


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--npus", type=Path, metavar="ROWS.csv", help="a table of NPUs")
    given = parser.parse_args()
    if given.npus is not None:
        return fit_npus(npu_fit(read_npu_rows(given.npus, given.models)), given)
    fit = Fit(read_rows(given.rows, given.models))
    bounds = Bounds(fit)
    common = prior_table(fit, bounds.of_unseen_devices())
    sys.stdout.write(common)
    tables = {}
    for target in sorted({row.target.id for row in fit.rows}):
        own = [row for row in fit.rows if row.target.id == target]
        error = bounds.of_device(own[0].chip)
        tables[target] = device_table(fit, target, error, len(own))
        sys.stdout.write(f"\n# {target}\n{tables[target]}")
    if given.write:
        write_prior(common)
        for target, table in tables.items():
            write_device(target, table)
    return 0


def npu_fit(rows: Sequence[Row]) -> Fit:
    return Fit(rows, NPU_PRIOR, NPU_OWN, NPU_SPREAD)


def fit_npus(fit: Fit, given: argparse.Namespace) -> int:
    bounds = Bounds(fit)
    generations = generation_tables(fit, bounds.of_unseen_devices())
    sys.stdout.write(generations)
    if given.write:
        write_generations(generations)
    for target in sorted({row.target.id for row in fit.rows}):
        own = [row for row in fit.rows if row.target.id == target]
        table = device_table(fit, target, bounds.of_device(own[0].chip), len(own))
        sys.stdout.write(f"\n# {target}\n{table}")
        if given.write:
            write_device(target, table)
    return 0


def generation_tables(fit: Fit, error: float) -> str:
    """Return the tables of all generations of an NPU, with measurements or without."""
    like = fit.rows[0].target
    known = {row.target.architecture for row in fit.rows}
    lines = [GENERATIONS_BEGIN]
    for name in sorted(GENERATIONS.keys() & {target.architecture for target in load_targets()}):
        own = asdict(fit.coefficients(fit.of_architectures, replace(like, architecture=name)))
        lines += [
            "",
            f"[architecture.{name}]",
            f'runtime = "{like.default_runtime}"',
            f"error = {error if name in known else error**2:.2f}",
            'confidence = "derived"',
            'source = "docs/accuracy-latency.md"',
            "",
            f"[architecture.{name}.coefficients]",
            *lines_of({each: own[each] for each in fit.common}),
        ]
    return "\n".join(lines) + "\n"


def prior_table(fit: Fit, error: float) -> str:
    """Return the tables of all GPUs and of architectures."""
    shared = asdict(fit.coefficients(fit.best, None))
    lines = [
        'runtime = "tensorrt"',
        f"error = {error:.2f}",
        'confidence = "derived"',
        'source = "docs/accuracy-latency.md"',
    ]
    lines += [
        "",
        "[gpu.coefficients]",
        *lines_of({name: shared[name] for name in fit.common}),
    ]
    for which in sorted({row.target.architecture or "" for row in fit.rows}):
        like = next(row.target for row in fit.rows if row.target.architecture == which)
        own = asdict(fit.coefficients(fit.of_architectures, like))
        lines += ["", f"[architecture.{which}.coefficients]"]
        lines += lines_of({name: own[name] for name in OWN})
    return "\n".join(lines) + "\n"


def device_table(fit: Fit, target_id: str, error: float, rows: int) -> str:
    target = next(row.target for row in fit.rows if row.target.id == target_id)
    own = asdict(fit.coefficients(fit.best, target))
    told = fit.own if fit.prior is PRIOR else fit.common  # no table has what NPUs have in common
    return "\n".join(
        [
            f"[latency.{target.default_runtime}]  # fitted by tools/fit_latency.py",
            f"error = {error:.2f}",
            f"rows = {rows}",
            f'source = "{SOURCES.get(chip_of(target), QUALCOMM)}"',
            'confidence = "calibrated"',
            "",
            f"[latency.{target.default_runtime}.coefficients]",
            *lines_of({name: own[name] for name in told}),
            "",
        ]
    )


def lines_of(figures: dict[str, float]) -> list[str]:
    return [f"{name} = {value:.3g}" for name, value in figures.items() if value]


if __name__ == "__main__":
    sys.exit(main())
