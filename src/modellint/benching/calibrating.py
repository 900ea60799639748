"""Coefficients of a CPU from runs: what its layers reach of their best rates.

Peaks are the best rates that layers reached. The coefficients of the estimate of time
(`analysis/latency`) are then fitted to the times of layers, one after the other, until none of them
makes the error any smaller.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from modellint.analysis.latency.cpu import Cpu
from modellint.analysis.latency.kernels import Launch, launches
from modellint.analysis.latency.processor import Coefficients
from modellint.base.errors import UsageError
from modellint.base.links import page_url
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.base.text import clean
from modellint.benching.fingerprints import undisturbed
from modellint.benching.validating import measured_seconds
from modellint.model import Model
from modellint.profiles.profiled import ProfiledModel
from modellint.results.measured import MeasuredRun
from modellint.targets.target import Calibration, DeviceMemory, Precision, Provenance, Target

SOURCE = page_url("benchmarking.md#calibrating")
LEAST = 20
"""Layers below which coefficients would follow noise."""
FITTED: Mapping[str, tuple[float, float]] = {
    "launch": (2e-7, 5e-5),
    "vector": (0.3, 3.0),
    "convolution": (0.3, 4.0),
    "narrow": (0.1, 1.0),
    "grouped": (0.02, 1.0),
    "group": (1e-9, 1e-3),
    "depthwise": (0.02, 3.0),
    "edge": (0.1, 30.0),
    "weights": (0.05, 4.0),
    "memory": (0.2, 4.0),
    "cache": (0.5, 20.0),
    "passes": (0.2, 4.0),
    "loops": (0.1, 10.0),
    "row": (1e-10, 1e-6),
    "fill": (0.5, 300.0),
    "tile": (1e-3, 0.8),
    "overlap": (0.01, 1.0),
    "reorder": (0.1, 10.0),
    "call": (1e-6, 2e-3),
}
"""Coefficients that are fitted, with the range that each may have."""
PEAKS = "peaks"
"""The name of the rates and the bandwidth, where what is fitted is chosen."""
WEIGHT = 0.3
"""Exponent of a layer's time that its error is weighted by."""
DIRECTIONS: Sequence[Mapping[str, int]] = (
    *({name: 1} for name in FITTED if name not in ("launch", "call", "reorder")),
    {"memory": 1, "cache": 1},
    {"memory": 1, "cache": 1, "weights": 1},
    {"memory": 1, "cache": 1, "passes": 1},
    {"vector": 1, "convolution": -1},
    {"vector": 1, "fill": 1},
    {"depthwise": 1, "edge": 1},
)
"""Coefficients that are changed at once, and the power of the factor that each takes."""
FINEST = 1.01
INTERRUPTED = 3e-3
"""Time from which a layer of a disturbed run was interrupted even when it was fastest."""
DISTURBED = 0.1
FP32 = 4
"""Bytes of an element of what is converted."""
SHORTEST = 3e-6
"""Time of layers below which clocks of whole microseconds say little."""
BRIEF = 1e-5
"""Mean time of layers up to which they show what the profiler adds."""
SMALLEST = 1024
"""Bytes below which a layer does nothing that takes time."""
BULKY = 2 << 20
"""Bytes from which a layer's traffic is that of the memory."""
_MOST_WITHIN = 0.9


@dataclass(frozen=True, slots=True)
class Start:
    """The target that a fit begins with, and what of it is fitted: everything if not chosen."""

    target: Target
    only: frozenset[str] = frozenset()

    def fits(self, *names: str) -> bool:
        return not self.only or self.only.issuperset(names)

    def coefficients(self, runtime: str) -> Coefficients:
        """Return those to begin with: those of the target if only some are fitted."""
        known = (PEAKS, *FITTED)
        for name in sorted(self.only.difference(known)):
            hint = did_you_mean(name, known, f"known: {', '.join(known)}")
            raise UsageError(f"unknown coefficient {name!r}; {hint}")
        if not self.only:
            return Coefficients(fill=2.0, vector=1.0, depthwise=0.5, group=1e-6, tile=0.5)
        own = self.target.calibrations.get(runtime)
        if own is None or self.target.vendor != "cpu":
            raise UsageError(f"{self.target.name} is not a CPU with coefficients for {runtime}")
        return replace(Coefficients(), **own.coefficients)


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
    usual: float
    """Ratio of whole times to the least times of all layers together."""


def calibrate(
    name: str, start: Start, runs: Sequence[tuple[MeasuredRun, Model]], runtime: str
) -> CalibratedTarget:
    """Fit a target to runs of one runtime."""
    coefficients = start.coefficients(runtime)
    measured = [run for run, _ in runs]
    profiler = profiler_seconds(measured)
    usual = usual_ratio(measured, profiler)
    found = [
        replace(each, seconds=(each.seconds - profiler) * usual)
        for run, model in runs
        for each in observe(run, model, runtime)
        if each.seconds - profiler >= SHORTEST
    ]
    if len(found) < LEAST:
        raise UsageError(f"only {len(found)} layers to fit; measure modellint bench --suite micro")
    threads = {run.conditions.threads for run, _ in runs}
    if len(threads) != 1:
        raise UsageError("the runs have different numbers of threads")
    target = replace(start.target, id=name)
    if start.fits(PEAKS):
        target = _with_peaks(name, start.target, found, next(iter(threads)))
    if start.fits("launch"):
        coefficients = replace(coefficients, launch=launch_seconds(measured))
    fitted = _fit(target, found, coefficients, [each for each in DIRECTIONS if start.fits(*each)])
    if start.fits("reorder"):
        fitted = replace(fitted, reorder=_reorder_share(target, measured, profiler, usual))
    machine = Cpu(target, fitted)
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
    return CalibratedTarget(target, len(found), mape, usual)


def launch_seconds(runs: Sequence[MeasuredRun]) -> float:
    """Return the least time of a layer in any whole inference, which no profiler slowed down."""
    each = [
        whole / len(run.layers) for run in runs if run.layers and (whole := measured_seconds(run))
    ]
    low, high = FITTED["launch"]
    return min(high, max(low, min(each, default=low)))


def profiler_seconds(runs: Sequence[MeasuredRun]) -> float:
    """Return the time that the profiler adds to each layer: what layers take more than the whole.

    The run with the shortest layers tells it.
    """
    means = []
    for run in runs:
        whole, least = measured_seconds(run), [undisturbed(layer) for layer in run.layers]
        if whole and least:
            means.append((sum(least) / len(least), (sum(least) - whole) / len(least)))
    mean, added = min(means, default=(0.0, 0.0))
    return max(0.0, added) if mean < BRIEF else 0.0


def _reorder_share(
    target: Target, runs: Sequence[MeasuredRun], profiler: float, usual: float
) -> float:
    """Return the share of the bandwidth that conversions between layouts reach."""
    rates = []
    for run in runs:
        for layer in run.layers:
            seconds = undisturbed(layer) - profiler
            if layer.kind == "reformat" and layer.inputs and seconds >= SHORTEST:
                elements = sum(map(math.prod, (*layer.inputs[:1], *layer.outputs)))
                rates.append(FP32 * elements / (seconds * usual))
    if not rates:
        return Coefficients().reorder
    low, high = FITTED["reorder"]
    share = statistics.median(rates) / (target.memory.bandwidth or 1.0)
    return min(high, max(low, share))


def usual_ratio(runs: Sequence[MeasuredRun], profiler: float = 0.0) -> float:
    """Return how many times the least times of layers an inference usually takes.

    Layers of disturbed runs that are always interrupted say nothing about it.
    """
    ratios = []
    for run in runs:
        whole = measured_seconds(run)
        least = [max(0.0, undisturbed(layer) - profiler) for layer in run.layers]
        if whole and sum(least) and not any(_is_interrupted(run, each) for each in least):
            ratios.append(whole / sum(least))
    return max(1.0, statistics.median(ratios)) if ratios else 1.0


def _is_interrupted(run: MeasuredRun, seconds: float) -> bool:
    return (run.environment.waiting or 0.0) > DISTURBED and seconds > INTERRUPTED


def observe(run: MeasuredRun, model: Model, runtime: str) -> list[Observed]:
    """Return the layers of a run whose kernels are known, with their times."""
    profiled = ProfiledModel(run, model)
    kernels = launches(model, replace(profiled.deployment, runtime=runtime))
    by_node = {node: kernel for kernel in kernels.kernels for node in kernel.nodes}
    found = []
    for layer in profiled.layers:
        if not layer.nodes or layer.flops is None or not layer.nbytes:
            continue
        mine = {id(k): k for node in layer.nodes if (k := by_node.get(node)) is not None}
        inside = set(layer.nodes)
        if all(_is_scaffold(kernel) for kernel in mine.values()):
            continue
        if not mine or not all(inside.issuperset(kernel.nodes) for kernel in mine.values()):
            continue
        seconds = layer.undisturbed
        if seconds <= 0 or _is_interrupted(run, seconds):
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


def _is_scaffold(kernel: Launch) -> bool:
    """Return True for what only reads the model's inputs, which are far away, or does nothing."""
    if kernel.kind == "pointwise":
        read = [value for node in kernel.nodes for value in node.inputs if value is not None]
        return all(value.is_input or value.is_constant for value in read)
    return not kernel.products and kernel.activation_bytes + kernel.weight_bytes < SMALLEST


def _with_peaks(name: str, base: Target, found: Sequence[Observed], units: int | None) -> Target:
    """Return a target whose peaks are the best rates of all layers."""
    rates: dict[Precision, float] = {}
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    for precision in precisions:
        reached = [e.flops / e.seconds for e in found if e.precision == precision and e.flops]
        if reached:
            rates[precision] = max(reached)
    streams = [e.nbytes / e.seconds for e in found if _streams(e)]
    if not rates or not streams:
        raise UsageError(
            "the runs contain no products or elementwise operators to derive peak rates from"
        )
    origin = Provenance(SOURCE, "calibrated")
    return Target(
        id=name,
        name=base.name if base.name != name else name,
        vendor="cpu",
        memory=DeviceMemory(
            base.memory.nominal, base.memory.usable, unified=True, bandwidth=max(streams)
        ),
        default_runtime="onnxruntime",
        vector_precisions=tuple(rates),
        rates=rates,
        units=units,
        l2_bytes=_cache_bytes(),
        origins={"memory": origin, "precisions": origin, "peak": origin, "chip": origin},
    )


def _streams(each: Observed) -> bool:
    """Return True for a layer that reads and writes whole tensors, larger than caches of a core."""
    kinds = {kernel.kind for kernel in each.launches}
    return kinds <= {"pointwise", "depthwise"} and each.nbytes >= BULKY


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


def _fit(
    target: Target,
    found: Sequence[Observed],
    best: Coefficients,
    directions: Sequence[Mapping[str, int]],
) -> Coefficients:
    """Fit coefficients in turn, from some on, alone and with those that make up for each other."""
    least = _loss(target, best, found)
    step = 2.0
    while step > FINEST:
        improved = False
        for direction in directions:
            for factor in (step, 1 / step):
                tried = _moved(best, direction, factor)
                loss = _loss(target, tried, found)
                if loss < least * (1 - 1e-4):
                    best, least, improved = tried, loss, True
        if not improved:
            step = math.sqrt(step)
    return best


def _moved(start: Coefficients, direction: Mapping[str, int], factor: float) -> Coefficients:
    values = {}
    for name, power in direction.items():
        low, high = FITTED[name]
        values[name] = min(high, max(low, (getattr(start, name) or 0.01) * factor**power))
    return replace(start, **values)


def _loss(target: Target, coefficients: Coefficients, found: Sequence[Observed]) -> float:
    """Return the error of all layers; long ones, which models consist of, count more."""
    machine = Cpu(target, coefficients)
    return math.fsum(float(e.seconds**WEIGHT) * math.log(_ratio(machine, e)) for e in found)


def _ratio(machine: Cpu, each: Observed) -> float:
    ratio = _expected(machine, each) / each.seconds
    return max(ratio, 1 / ratio)


def _expected(machine: Cpu, each: Observed) -> float:
    return sum(machine.time(kernel, each.weight_bytes).seconds for kernel in each.launches)


def target_file(fit: CalibratedTarget, runtime: str, devices: Sequence[str]) -> str:
    """Return the target's file in TOML."""
    target, memory = fit.target, fit.target.memory
    calibration = target.calibrations[runtime]
    origin = f'source = "{SOURCE}"\nconfidence = "calibrated"\n'
    rates = "".join(f"{name} = {rate / 1e12:.4g}\n" for name, rate in target.rates.items())
    coefficients = "".join(
        f"{name} = {value:.4g}\n" for name, value in calibration.coefficients.items()
    )
    listed = ", ".join(f'"{name}"' for name in target.vector_precisions)
    return f"""\
# Fitted by modellint calibrate to {fit.layers} layers, measured on {_commented(devices)}.
# Mean error of a layer: {fit.mape:.0%}. Peaks are the best rates that any layer reached.

name = {json.dumps(target.name)}
vendor = "{target.vendor}"
runtime = "{target.default_runtime}"

[memory]
nominal = "{memory.nominal}"
bandwidth = "{(memory.bandwidth or 0) / 1e9:.4g} GB/s"
unified = true
{origin}
[precisions]
vector = [{listed}]
{origin}
[peak]  # T(FL)OPS
{rates}{origin}
[chip]
units = {target.units or 1}  # threads of the runs
l2 = "{target.l2_bytes}"
{origin}
[latency.{runtime}]
error = {calibration.error:.3f}  # factor that nine of ten layers are within
rows = {calibration.rows}
{origin}
[latency.{runtime}.coefficients]
{coefficients}"""


def _commented(devices: Sequence[str]) -> str:
    return clean(", ".join(devices) or "an unnamed device")
