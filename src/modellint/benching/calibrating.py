"""Coefficients of a CPU from runs: what its layers reach of their best rates.

Peaks are the best rates that layers reached. The coefficients of the estimate of time
(`analysis/latency`) are then fitted to the times of layers, one after the other, until none of them
makes the error any smaller.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from modellint.analysis.latency.kernels import Launch, launches
from modellint.analysis.latency.timing import Coefficients, Machine
from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.benching.validating import measured_seconds
from modellint.measured import MeasuredRun
from modellint.model import Model
from modellint.profiles.profiled import ProfiledModel
from modellint.targets.target import Calibration, DeviceMemory, Precision, Provenance, Target

SOURCE = "https://github.com/modellint/modellint/blob/main/docs/benchmarking.md#calibrating"
LEAST = 20
"""Layers below which coefficients would follow noise."""
FITTED: Mapping[str, tuple[float, float]] = {
    "launch": (2e-7, 5e-5),
    "vector": (0.3, 1.2),
    "attention": (0.2, 1.5),
    "grouped": (0.02, 1.0),
    "depthwise": (0.02, 1.5),
    "memory": (0.2, 2.0),
    "cache": (0.5, 20.0),
    "passes": (0.2, 4.0),
    "fill": (0.5, 300.0),
    "tile": (0.0, 0.8),
    "overlap": (0.01, 1.0),
    "call": (1e-6, 2e-3),
}
"""Coefficients that are fitted, with the range that each may have."""
SWEEPS = 30
INTERRUPTED = 3e-3
"""Time from which a layer of a disturbed run was interrupted even when it was fastest."""
DISTURBED = 0.1
BULKY = 4 << 20
"""Bytes from which a layer's traffic is that of the memory."""
_MOST_WITHIN = 0.9


@dataclass(frozen=True, slots=True)
class Observed:
    """A layer's kernels, and the time that they took."""

    launches: tuple[Launch, ...]
    weight_bytes: int
    seconds: float
    flops: int
    nbytes: int
    precision: str


@dataclass(frozen=True, slots=True)
class CalibratedTarget:
    """A target with fitted coefficients, and the quality of the fit."""

    target: Target
    layers: int
    mape: float
    """Mean error of layers' times, as a share."""
    factor: float
    """Ratio of whole times to the sum of their layers' estimates."""


def calibrate(
    name: str, base: Target, runs: Sequence[tuple[MeasuredRun, Model]], runtime: str
) -> CalibratedTarget:
    """Fit a target to runs of one runtime; `base` gives memory and names."""
    found = [each for run, model in runs for each in observe(run, model, runtime)]
    if len(found) < LEAST:
        raise UsageError(f"only {len(found)} layers to fit; measure modellint bench --suite micro")
    threads = {run.conditions.threads for run, _ in runs}
    if len(threads) != 1:
        raise UsageError("the runs have different numbers of threads")
    target = _with_peaks(name, base, found, next(iter(threads)))
    fitted = _fit(target, found)
    machine = Machine(target, fitted)
    whole = [
        (machine.call + sum(_expected(machine, each) for each in observe(run, model, runtime)), run)
        for run, model in runs
    ]
    ratios = [
        seconds / expected
        for expected, run in whole
        if expected and (seconds := measured_seconds(run)) is not None
    ]
    factor = statistics.median(ratios) if ratios else 1.0
    errors = sorted(_ratio(machine, each) for each in found)
    error = max(1.05, errors[min(len(errors) - 1, int(_MOST_WITHIN * len(errors)))])
    calibration = Calibration(
        {key: value for key, value in asdict(fitted).items() if key in FITTED},
        error,
        len(found),
        Provenance(SOURCE, "calibrated"),
    )
    mape = statistics.fmean(abs(_expected(machine, e) / e.seconds - 1) for e in found)
    target = replace(target, calibrations={runtime: calibration})
    return CalibratedTarget(target, len(found), mape, factor)


def observe(run: MeasuredRun, model: Model, runtime: str) -> list[Observed]:
    """Return the layers of a run whose kernels are known, with their times."""
    profiled = ProfiledModel(run, model)
    kernels = launches(model, replace(profiled.deployment, runtime=runtime))
    by_node = {node: kernel for kernel in kernels.kernels for node in kernel.nodes}
    waited = run.environment.waiting or 0.0
    found = []
    for layer in profiled.layers:
        if not layer.nodes or layer.flops is None or not layer.nbytes:
            continue
        mine = {id(k): k for node in layer.nodes if (k := by_node.get(node)) is not None}
        inside = set(layer.nodes)
        if not mine or not all(inside.issuperset(kernel.nodes) for kernel in mine.values()):
            continue
        seconds = layer.undisturbed
        if seconds <= 0 or (waited > DISTURBED and seconds > INTERRUPTED):
            continue
        precision = next((p.precision for k in mine.values() for p in k.products), "fp32")
        found.append(
            Observed(
                tuple(mine.values()),
                kernels.weight_bytes,
                seconds,
                layer.flops,
                layer.nbytes,
                precision,
            )
        )
    return found


def _with_peaks(name: str, base: Target, found: Sequence[Observed], units: int | None) -> Target:
    """Return a target whose peaks are the best rates of all layers."""
    rates: dict[Precision, float] = {}
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    for precision in precisions:
        reached = [e.flops / e.seconds for e in found if e.precision == precision and e.flops]
        if reached:
            rates[precision] = max(reached)
    moved = [e for e in found if all(kernel.kind == "pointwise" for kernel in e.launches)]
    bulky = [e for e in moved if e.nbytes >= BULKY] or moved
    if not rates or not bulky:
        raise UsageError("the runs lack products or elementwise operators, which peaks follow from")
    bandwidth = max(e.nbytes / e.seconds for e in bulky)
    origin = Provenance(SOURCE, "calibrated")
    return Target(
        id=name,
        name=base.name if base.name != name else name,
        vendor="cpu",
        memory=DeviceMemory(
            base.memory.nominal, base.memory.usable, unified=True, bandwidth=bandwidth
        ),
        default_runtime="onnxruntime",
        vector_precisions=tuple(rates),
        rates=rates,
        units=units,
        l2_bytes=_cache_bytes(),
        origins={"memory": origin, "precisions": origin, "peak": origin, "chip": origin},
    )


def _cache_bytes() -> int:
    """Return the size of the second-level cache of a core; 1 MiB where it cannot be read."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            if (index / "level").read_text().strip() == "2":
                size = (index / "size").read_text().strip()
                return int(size.removesuffix("K")) << 10
        except (OSError, ValueError):
            continue
    return 1 << 20


def _fit(target: Target, found: Sequence[Observed]) -> Coefficients:
    """Fit one coefficient after the other, in ever smaller steps."""
    best = replace(Coefficients(), winograd=1.0)
    least = _loss(target, best, found)
    step = 2.0
    for _ in range(SWEEPS):
        improved = False
        for name, (low, high) in FITTED.items():
            if name == "call":
                continue  # which no layer has
            for factor in (step, 1 / step):
                value = min(high, max(low, (getattr(best, name) or 0.01) * factor))
                tried = replace(best, **{name: value})
                loss = _loss(target, tried, found)
                if loss < least * (1 - 1e-5):
                    best, least, improved = tried, loss, True
        if not improved:
            step = math.sqrt(step)
            if step < 1.02:
                break
    return best


def _loss(target: Target, coefficients: Coefficients, found: Sequence[Observed]) -> float:
    machine = Machine(target, coefficients)
    return sum(math.log(_ratio(machine, each)) for each in found)


def _ratio(machine: Machine, each: Observed) -> float:
    ratio = _expected(machine, each) / each.seconds
    return max(ratio, 1 / ratio)


def _expected(machine: Machine, each: Observed) -> float:
    return sum(machine.time(kernel, each.weight_bytes).seconds for kernel in each.launches)
