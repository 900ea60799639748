"""Expected time of a model on a device, with its bounds and parts.

    >>> time = latency(model, deployment)      # None without a target, or without its figures
    >>> time.low, time.expected, time.high, time.confidence
    >>> [(layer.launch.main.label, layer.seconds for layer in time.slowest(5)]

The sum of its kernels' times (`timing.py`), plus what a run costs by itself. Copies between the
host and a device with memory of its own are separate, in `transfer`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property

from modellint.analysis.assume import settle
from modellint.analysis.latency.coefficients import Fitted, fitted_for, kind_of
from modellint.analysis.latency.cpu import Cpu
from modellint.analysis.latency.kernels import Launch, Launches, is_for_gpu, launches
from modellint.analysis.latency.processor import Coefficients, LaunchTime, Processor
from modellint.analysis.latency.resident import Dataflow, Resident, occupied
from modellint.analysis.latency.timing import Machine, instead_of
from modellint.analysis.precision import running_precision
from modellint.analysis.roofline import peak_rate
from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Model
from modellint.targets.deployment import Deployment
from modellint.targets.target import Confidence, Target

HOST_LINK = 12e9
"""Bytes per second between a host and a card: what PCIe 3.0 x16 reaches."""


@dataclass(frozen=True, slots=True)
class LayerTime:
    """A kernel and its time."""

    launch: Launch
    time: LaunchTime

    @property
    def seconds(self) -> float:
        return self.time.seconds


@dataclass(frozen=True)
class TimeEstimate:
    """Expected seconds of a run, and bounds that most measurements are within."""

    target: Target
    precision: str
    batch: int
    fitted: Fitted
    launches: Launches
    layers: tuple[LayerTime, ...]
    call: float
    """Seconds of a run besides its kernels."""
    transfer: float
    """Seconds of copying inputs and outputs, which `expected` does not include."""
    assumed: Mapping[str, int]
    units: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each unit and of the copies between them; empty if one unit runs it all."""

    @cached_property
    def expected(self) -> float:
        return self.call + sum([layer.seconds for layer in self.layers])

    @property
    def low(self) -> float:
        return self.expected / self.fitted.error

    @property
    def high(self) -> float:
        return self.expected * self.fitted.error

    @property
    def confidence(self) -> Confidence:
        return self.fitted.confidence

    @property
    def compute(self) -> float:
        """Return the seconds during which a kernel waits for arithmetic."""
        return sum([layer.time.compute for layer in self.layers])

    @property
    def memory(self) -> float:
        return sum([layer.time.memory for layer in self.layers])

    @property
    def overhead(self) -> float:
        """Return the seconds of launching kernels, and of the call."""
        return self.call + sum([layer.time.overhead for layer in self.layers])

    @property
    def per_second(self) -> float:
        """Return batch items per second, one run after the other."""
        return self.batch / self.expected

    def slowest(self, count: int) -> list[LayerTime]:
        return sorted(self.layers, key=lambda layer: -layer.seconds)[:count]


def latency(model: Model, deployment: Deployment) -> TimeEstimate | None:
    """Run the analysis; None if the target's rates or bandwidth are unknown."""
    target = deployment.target
    if target is None or not model.has_graph:
        return None
    precision = running_precision(model, deployment)
    fitted = fitted_for(target, deployment.runtime)
    if not (target.memory.bandwidth or fitted.coefficients.load):
        return None
    found = _launches(model, _with_precision(deployment, instead_of(precision, target)))
    if not found.kernels:
        return None
    if not fitted.coefficients.float_rate and peak_rate(target, precision) is None:
        precision = _most_used(found)  # as by quantized layers on a chip for integers only
        if peak_rate(target, precision) is None:
            return None
    batch = _batch(model, deployment)
    held = occupied(((kernel, 1) for kernel in found.kernels), batch)
    machine = machine_of(target, fitted.coefficients, held)
    layers = tuple(
        LayerTime(kernel, machine.time(kernel, found.weight_bytes)) for kernel in found.kernels
    )
    shares = target.is_unified_memory or target.compute_capability is None
    transfer = 0.0 if shares else (found.input_bytes + found.output_bytes) / HOST_LINK
    return TimeEstimate(
        target,
        machine.rate(precision)[0],
        batch,
        fitted,
        found,
        layers,
        machine.call,
        transfer,
        settle(model, deployment).assumed,
    )


def machine_of(target: Target, coefficients: Coefficients, occupied: float) -> Processor:
    """Return a device with its coefficients, by the kind of its hardware.

    Some compute a network as a whole if they have room for the bytes that it occupies.
    """
    kind = kind_of(target)
    if kind == "dataflow":
        return Dataflow(target, coefficients, occupied)
    kinds: Mapping[str, type[Processor]] = {"cpu": Cpu, "resident": Resident}
    return kinds.get(kind, Machine)(target, coefficients)


def _most_used(found: Launches) -> str:
    """Return the precision that most multiply-adds run in."""
    macs: dict[str, int] = defaultdict(int, {found.precision: 0})
    for kernel in found.kernels:
        for each in kernel.products:
            macs[each.precision] += each.macs
    return max(macs, key=lambda precision: macs[precision])


def _with_precision(deployment: Deployment, precision: str) -> Deployment:
    same = deployment.precision is None or deployment.precision == precision
    return deployment if same else replace(deployment, precision=precision)


def _batch(model: Model, deployment: Deployment) -> int:
    """Return the first dim of the first input that has several."""
    types = DeployedTypes(model, settle(model, deployment).deployment)
    for value in model.inputs:
        shape = None if value.is_constant else types.shape(value)
        if shape is not None and len(shape) > 1 and isinstance(shape[0], int):
            return max(1, shape[0])
    return 1


_LAUNCHES: Remembered[Launches] = Remembered()


def _launches(model: Model, deployment: Deployment) -> Launches:
    """Return the kernels, found once for all devices with the same runtime and sizes."""
    settled = settle(model, deployment).deployment
    target = deployment.target
    runtime = deployment.runtime or (target.default_runtime if target is not None else None)
    key = DeployedTypes(model, settled).key, deployment.precision, runtime, is_for_gpu(deployment)
    return model.memo.get(_LAUNCHES, key, lambda: launches(model, deployment))


__all__ = ["LayerTime", "TimeEstimate", "latency", "machine_of"]
