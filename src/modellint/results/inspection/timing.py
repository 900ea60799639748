"""Time on a device: its lower bound, and what is expected."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class SlowNode:
    """A node that is slow even at the device's peak rates."""

    node: str
    op_type: str
    seconds: float
    share: Annotated[float, "Share of the model's time, 0 to 1."]
    bound: Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class Roofline:
    """Lower bound on the time of a run. Theoretical: real kernels stay below both peaks."""

    precision: Annotated[str, "The precision whose peak rate was used."]
    peak: Annotated[float, "Operations per second."]
    bandwidth: Annotated[float, "Bytes per second."]
    seconds: float
    memory_share: Annotated[float, "Share of the time spent waiting for memory, 0 to 1."]
    bottleneck: Literal["compute", "memory"]
    intensity: Annotated[float | None, "Operations per byte moved."]
    ridge: Annotated[float, "Intensity at which arithmetic and memory are equally busy."]
    per_second: Annotated[float | None, "Upper bound on batch items per second."]
    uncounted: Annotated[int, "Nodes of unknown cost, which are excluded."]
    slowest: list[SlowNode]


@dataclass(frozen=True, slots=True)
class TimedLayer:
    """Nodes that run as one kernel, with the seconds of its parts, which add up."""

    node: Annotated[str, "The node with most of the arithmetic, else the first."]
    op_type: str
    nodes: Annotated[int, "Nodes in the kernel."]
    seconds: float
    share: Annotated[float, "Share of the model's time, 0 to 1."]
    compute: float
    memory: float
    overhead: float
    bound: Literal["compute", "memory", "overhead"]


@dataclass(frozen=True, slots=True)
class TimeParts:
    """Seconds of all kernels by cause, which add up to the expected time."""

    compute: Annotated[float, "Arithmetic, as far as traffic does not hide it."]
    memory: Annotated[float, "Traffic, as far as arithmetic does not hide it."]
    overhead: Annotated[float, "Launching kernels, and the call of the runtime."]


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds that a run of the batch takes on a device."""

    low: float
    expected: float
    high: float
    confidence: Annotated[str, "measured, calibrated, derived or theoretical."]
    source: Annotated[str, "Where the coefficients are from."]
    parts: TimeParts
    precision: Annotated[str, "What most products are computed in."]
    batch: int
    per_second: Annotated[float, "Batch items per second, one run after the other."]
    transfer: Annotated[
        float, "Seconds of copying inputs and outputs to the device and back, not in `expected`."
    ]
    kernels: int
    uncounted: Annotated[int, "Nodes of unknown cost, which are excluded."]
    units: Annotated[
        dict[str, float],
        "Seconds of each unit and of the copies between them; empty if one unit runs it all.",
    ]
    layers: Annotated[
        list[TimedLayer],
        "In the order in which they run; the slowest ones first if there are several targets.",
    ]
