"""One device a model may be deployed to: what it has, and how well each figure is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from modellint.base.records import dataclass
from modellint.runtimes import builder_of

Precision = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "int4"]
Confidence = Literal["measured", "calibrated", "derived", "theoretical"]

HOST = "host"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a group of figures comes from, and how far to trust it."""

    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """All sizes in bytes, bandwidth in bytes per second."""

    nominal: int
    usable: int
    """What an otherwise idle device offers; equal to `nominal` where nobody has measured it."""
    kind: str | None = None
    unified: bool = False
    """Shared with the operating system and everything else that runs there."""
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True)
class Overhead:
    """Bytes that a runtime takes before the first weight is loaded."""

    low: int
    high: int
    origin: Provenance


@dataclass(frozen=True, slots=True)
class Dla:
    """Deep-learning accelerators beside the GPU, their rates taken together."""

    cores: int
    rates: Mapping[Precision, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Interconnect:
    """How several of these devices talk to each other; bandwidth in both directions together."""

    kind: str
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A device. What is not known is None or absent; nothing is guessed."""

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
    """Run by matrix units (tensor cores, matrix cores, systolic arrays)."""
    vector_precisions: tuple[Precision, ...] = ()
    """Run natively, but by the ordinary arithmetic units only."""
    rates: Mapping[Precision, float] = field(default_factory=dict, hash=False)
    """Dense peak operations per second, two for each multiply-accumulate."""
    units: int | None = None
    """What work is spread over: streaming multiprocessors, compute units, cores."""
    clock: float | None = None
    """Boost clock in hertz, the one the peak rates are stated at."""
    l2_bytes: int | None = None
    tdp_watts: float | None = None
    dla: Dla | None = None
    interconnect: Interconnect | None = None
    overheads: Mapping[str, Overhead] = field(default_factory=dict, hash=False)
    """By runtime."""
    origins: Mapping[str, Provenance] = field(default_factory=dict, hash=False)
    """By group of figures, as the target file has them: memory, usable, peak, chip, …"""
    exceptions: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Rules of thumb between the figures that do not hold here, and why."""
    notes: str = ""

    @property
    def is_unified_memory(self) -> bool:
        return self.memory.unified

    @property
    def dla_cores(self) -> int:
        return self.dla.cores if self.dla else 0

    def supports(self, precision: str) -> bool:
        """Whether the hardware computes in this precision at all, rather than emulating it."""
        return precision in self.matrix_precisions or precision in self.vector_precisions

    def lacks(self, precision: str) -> bool:
        """Whether the hardware is known not to compute in this precision."""
        known = self.matrix_precisions or self.vector_precisions
        return bool(known) and not self.supports(precision)

    def accelerates(self, precision: str) -> bool:
        """Whether the hardware's matrix units take this precision."""
        return precision in self.matrix_precisions

    def peak(self, precision: str) -> float | None:
        """Dense peak operations per second, where published."""
        return next((rate for name, rate in self.rates.items() if name == precision), None)

    def overhead(self, runtime: str | None = None) -> Overhead | None:
        """What the runtime itself takes; the device's default runtime when none is named."""
        name = runtime or self.default_runtime
        # The same builder's runtimes stand on the same context of the driver, which is most of it.
        return self.overheads.get(name) or self.overheads.get(builder_of(name))

    def confidence(self, figures: str) -> Confidence | None:
        """How well a group of figures (``memory``, ``usable``, ``peak``, …) is known."""
        origin = self.origins.get(figures)
        return origin.confidence if origin else None


def natural_order(target_id: str) -> list[tuple[str, int]]:
    """A key that sorts ``a2`` before ``a10`` before ``a100``."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", target_id)]


def vendor_name(vendor: str) -> str:
    """As its owner writes it: short ones are initials, but for a few."""
    names = {name.casefold(): name for name in ("Apple", "Google", "Hailo", "Huawei", "Intel")}
    initials = vendor.upper() if len(vendor) <= 6 else vendor.replace("-", " ").title()
    return names.get(vendor, initials)
