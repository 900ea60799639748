"""A device: its figures, and the confidence in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal

from modellint.base.records import dataclass
from modellint.runtimes import builder_of

Precision = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "int4"]
Confidence = Literal["measured", "calibrated", "derived", "theoretical"]

Coefficient = Literal[
    "launch",
    "matrix",
    "integer",
    "vector",
    "winograd",
    "attention",
    "convolution",
    "grouped",
    "group",
    "depthwise",
    "window",
    "memory",
    "cache",
    "passes",
    "pointwise",
    "fill",
    "tile",
    "overlap",
    "call",
    "float_rate",
    "integer_rate",
    "weights",
    "narrow",
    "edge",
    "loops",
    "row",
    "reorder",
    "room",
    "load",
    "stream",
]
"""Coefficients of the estimate of time, which docs/estimates.md explains."""

HOST = "host"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Source and confidence of a group of figures."""

    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of a device: sizes in bytes, bandwidth in bytes per second."""

    nominal: int
    usable: int
    """Bytes available on an otherwise idle device; equal to `nominal` if not measured."""
    kind: str | None = None
    unified: bool = False
    """True if shared with the operating system and other processes."""
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True)
class Overhead:
    """Memory in bytes that a runtime uses before loading any weights."""

    low: int
    high: int
    origin: Provenance


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version of a runtime that runs on a device, if older than the runtime's own."""

    version: str
    origin: Provenance


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients of a device with one runtime, fitted to measurements of it."""

    coefficients: Mapping[str, float] = field(hash=False)
    """By name, as in `analysis/latency/processor.py`; the others are those of its architecture."""
    error: float
    """Factor that most measurements are within, both ways."""
    rows: int
    """Number of measurements."""
    origin: Provenance


@dataclass(frozen=True, slots=True)
class Dla:
    """Deep-learning accelerators in addition to the GPU, with their combined rates."""

    cores: int
    rates: Mapping[Precision, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Interconnect:
    """Connection between several of these devices; bandwidth of both directions combined."""

    kind: str
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Price of an hour of a device, as offered by someone on a day."""

    per_hour: float
    currency: str
    offer: str
    """``AWS g5.xlarge, on demand, us-east-1``."""
    date: str
    """Day on which it was the price: ``2026-11-09``."""
    source: str


@dataclass(frozen=True, slots=True)
class Target:
    """A device. Unknown figures are None or absent, never guessed."""

    id: str
    name: str
    vendor: str
    memory: DeviceMemory
    default_runtime: str
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    architecture: str | None = None
    compute_capability: tuple[int, int] | None = None
    released: int | None = None
    matrix_precisions: tuple[Precision, ...] = ()
    """Precisions of the matrix units (tensor cores, matrix cores, systolic arrays)."""
    vector_precisions: tuple[Precision, ...] = ()
    """Precisions run natively, but only by the vector units."""
    rates: Mapping[Precision, float] = field(default_factory=dict, hash=False)
    """Dense peak operations per second; a multiply-accumulate counts as two."""
    units: int | None = None
    """Number of streaming multiprocessors, compute units or cores."""
    clock: float | None = None
    """Boost clock in hertz, on which the peak rates are based."""
    l2_bytes: int | None = None
    tdp_watts: float | None = None
    dla: Dla | None = None
    interconnect: Interconnect | None = None
    price: Price | None = None
    overheads: Mapping[str, Overhead] = field(default_factory=dict, hash=False)
    """Overhead by runtime."""
    newest: Mapping[str, Newest] = field(default_factory=dict, hash=False)
    """Newest version by runtime, where the device limits it."""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict, hash=False)
    """Calibration by runtime, where the device was measured with it."""
    origins: Mapping[str, Provenance] = field(default_factory=dict, hash=False)
    """Provenance by group of figures in the target file: memory, usable, peak, chip, …"""
    exceptions: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Usual relations between the figures that do not hold here, and why."""
    notes: str = ""

    @property
    def is_unified_memory(self) -> bool:
        return self.memory.unified

    @property
    def dla_cores(self) -> int:
        return self.dla.cores if self.dla else 0

    def is_akin(self, vendor: str, groups: Iterable[str]) -> bool:
        """Return True for a vendor and groups of devices of the same kind."""
        return vendor == self.vendor and (
            not self.groups or not frozenset(self.groups).isdisjoint(groups)
        )

    def supports(self, precision: str) -> bool:
        """Return True if the hardware supports this precision without emulation."""
        return precision in self.matrix_precisions or precision in self.vector_precisions

    def lacks(self, precision: str) -> bool:
        """Return True if the hardware is known not to support this precision."""
        known = self.matrix_precisions or self.vector_precisions
        return bool(known) and not self.supports(precision)

    @property
    def computes_only_integers(self) -> bool:
        """Return True if the hardware is known to have no units for floats."""
        known = {*self.matrix_precisions, *self.vector_precisions}
        return bool(known) and known <= {"int8", "int4"}

    def accelerates(self, precision: str) -> bool:
        """Return True if the matrix units support this precision."""
        return precision in self.matrix_precisions

    def peak(self, precision: str) -> float | None:
        """Return the dense peak operations per second, if published."""
        return next((rate for name, rate in self.rates.items() if name == precision), None)

    def overhead(self, runtime: str | None = None) -> Overhead | None:
        """Return the overhead of a runtime, by default the device's default runtime."""
        name = runtime or self.default_runtime
        # Runtimes with the same builder use the same driver context, which is most of the overhead.
        return self.overheads.get(name) or self.overheads.get(builder_of(name))

    def confidence(self, figures: str) -> Confidence | None:
        """Return the confidence of a group of figures (``memory``, ``usable``, ``peak``, …)."""
        origin = self.origins.get(figures)
        return origin.confidence if origin else None


def natural_order(target_id: str) -> list[tuple[str, int]]:
    """Return a key that sorts ``a2`` before ``a10`` before ``a100``."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", target_id)]


def vendor_name(vendor: str) -> str:
    """Return a vendor's display name: short ones are initials, with a few exceptions."""
    names = {name.casefold(): name for name in ("Apple", "Google", "Hailo", "Huawei", "Intel")}
    initials = vendor.upper() if len(vendor) <= 6 else vendor.replace("-", " ").title()
    return names.get(vendor, initials)
