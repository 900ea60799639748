"""Coefficients of a device: its own if calibrated, else those of similar devices.

`coefficients.toml` has what measurements of several devices have in common, by kind of device and
by architecture; a target's file has what was fitted to measurements of that device.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from modellint.analysis.latency.processor import Coefficients
from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.runtimes import builder_of
from modellint.targets.target import Confidence, Target

FILE = Path(__file__).with_name("coefficients.toml")
UNFITTED = 3.0
"""Factor of the bounds for other runtimes than the one that coefficients were fitted to."""
HardwareKind = Literal["gpu", "npu", "cpu", "resident", "dataflow"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients and their quality."""

    coefficients: Coefficients
    error: float
    """Factor that most measurements are within, both ways."""
    confidence: Confidence
    source: str
    runtime: str | None = None
    """Runtime that the coefficients of devices without measurements were fitted to."""


def fitted_for(target: Target, runtime: str | None) -> Fitted:
    """Return the coefficients of a device with a runtime, by default its usual one."""
    name = runtime or target.default_runtime
    prior = _prior(kind_of(target), target.architecture or "")
    own = target.calibrations.get(name) or target.calibrations.get(builder_of(name))
    if own is None:
        is_fitted = builder_of(name) == prior.runtime or prior.confidence == "theoretical"
        wider = max(UNFITTED, prior.error)
        return prior if is_fitted else replace(prior, confidence="theoretical", error=wider)
    coefficients = replace(prior.coefficients, **own.coefficients)
    return Fitted(coefficients, own.error, own.origin.confidence, own.origin.source)


def usual_cpu() -> Fitted:
    """Return the coefficients of an unmeasured CPU."""
    return _prior("cpu", "")


def kind_of(target: Target) -> HardwareKind:
    """Return the kind of hardware, which determines the coefficients of unmeasured devices."""
    if target.compute_capability is not None:
        return "gpu"
    table = kept_toml(FILE)
    kinds: tuple[HardwareKind, ...] = ("gpu", "cpu", "resident", "dataflow")
    named = (kind for kind in kinds if target.architecture in table[kind]["architectures"])
    return next(named, "cpu" if target.vendor == "cpu" else "npu")


@cache
def _prior(kind: HardwareKind, architecture: str) -> Fitted:
    table = kept_toml(FILE)
    found = _merged(table[kind], table.get("architecture", {}).get(architecture, {}))
    return Fitted(
        Coefficients(**found["coefficients"]),
        found["error"],
        found["confidence"],
        found["source"],
        found.get("runtime"),
    )


def _merged(kind: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    coefficients = {**kind["coefficients"], **own.get("coefficients", {})}
    return {**kind, **own, "coefficients": coefficients}
