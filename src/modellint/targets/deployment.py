"""The deployment that rules assume for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.results.finding import Assumptions, DeploymentPart, Origin
from modellint.runtimes import builder_of, find_runtime, title_of
from modellint.runtimes.versions import (
    find_table,
    full_version,
    is_between,
    newest_version,
    releases,
    version_key,
)

if TYPE_CHECKING:
    from modellint.targets.target import Target


Parallel = Literal["tensor", "pipeline", "expert"]
KvPrecision = Literal[
    "fp32",
    "fp16",
    "bf16",
    "fp8",
    "int8",
    "int4",
    "q8",
    "q4",
    "q8_0",
    "q5_1",
    "q5_0",
    "q4_1",
    "q4_0",
    "iq4_nl",
    "f32",
    "f16",
]
"""Types of cached keys and values, by the names that runtimes give them."""
DLA = "dla"
"""The kind of table that states what a deep-learning accelerator supports."""
PINS = "=="
"""Joins a runtime's name and version: ``tensorrt==10.15``."""

ONLY_INPUT = "*"
"""Stands for the input's name in the shapes of models with one input."""


@dataclass(frozen=True, slots=True)
class ShapeProfile:
    """Range of an input's shapes at run time; all three are equal for a fixed shape."""

    minimum: tuple[int, ...]
    optimum: tuple[int, ...]
    maximum: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """Settings that a language model is served with; None if unknown."""

    contexts: tuple[int, ...] = ()
    """Tokens of a sequence, shortest first."""
    kv_precision: str | None = None
    flash_attention: bool | None = None
    devices: int = 1
    parallel: Parallel | None = None
    """Way of splitting the model over several devices."""

    @property
    def split(self) -> Parallel:
        return self.parallel or "tensor"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Target device, runtime, precision, batch and input shapes; None if unknown."""

    target: Target | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    precision: str | None = None
    batch: int | None = None
    shapes: Mapping[str, ShapeProfile] = field(default_factory=dict)
    """Profiles by input name."""
    symbols: Mapping[str, int] = field(default_factory=dict)
    """Values of symbolic dims by name."""
    dla: bool = False
    """True if a Jetson's deep-learning accelerator runs the layers it supports."""
    serving: Serving = Serving()

    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Source of each part, by the field's name."""

    def is_assumed(self, part: str) -> bool:
        """Return True if this part of the deployment is a default, not stated."""
        return self.origins.get(part) == "assumed"

    @property
    def target_id(self) -> str | None:
        return self.target.id if self.target is not None else None

    @property
    def runtime_name(self) -> str:
        return title_of(self.runtime) if self.runtime else "the runtime"

    @property
    def is_on_cuda(self) -> bool:
        """Return True for a CUDA device, for which nothing measured on the CPU holds."""
        return self.target is not None and self.target.compute_capability is not None

    @property
    def is_on_dla(self) -> bool:
        """Return True if the target's deep-learning accelerator is asked for and supported."""
        runtime, target = self.runtime or "", self.target
        return (
            self.dla and target is not None and runs_on_dla(runtime, self.runtime_version, target)
        )

    def is_since(self, version: str) -> bool:
        """Return True if the runtime's version is this one or newer; False if unknown."""
        mine = self.runtime_version
        return mine is not None and version_key(mine) >= version_key(version)

    @property
    def builder(self) -> str:
        """Return the runtime whose compiler is used: the same for TensorRT and its variants."""
        return builder_of(self.runtime)

    def describe(self) -> str:
        """Return ``a10 (tensorrt 11.4, fp16, batch 8)``, or ``any runtime`` if nothing is known."""
        runtime = " ".join(filter(None, (self.runtime, self.runtime_version)))
        details = [text for text in (runtime, self.precision) if text]
        if self.batch is not None:
            details.append(f"batch {self.batch}")
        if self.dla:
            details.append("DLA")
        if self.target is None:
            return ", ".join(details) or "any runtime"
        return f"{self.target.id} ({', '.join(details)})" if details else self.target.id

    def without_defaults(self) -> Deployment:
        """Return the deployment without an assumed version and precision."""
        return replace(
            self,
            runtime_version=None if self.is_assumed("runtime_version") else self.runtime_version,
            precision=None if self.is_assumed("precision") else self.precision,
        )

    def assumptions(self) -> Assumptions:
        """Return each part: its value, its source, and the option that changes it."""
        shapes = ", ".join([*self.shapes, *self.symbols])
        parts: dict[str, tuple[str | int | None, str, str]] = {
            "device": (self.target_id, "target", "--target"),
            "runtime": (self.runtime, "runtime", "--runtime"),
            "version": (
                self.runtime_version,
                "runtime_version",
                f"--runtime {self.runtime}{PINS}VERSION",
            ),
            "precision": (self.precision, "precision", "--precision"),
            "batch": (self.batch, "batch", "--batch"),
            "shapes": (shapes or None, "shapes", "--shape"),
            "dla": ("yes" if self.dla else None, "dla", "--dla"),
        }
        return Assumptions(
            self.describe(),
            self.without_defaults().describe(),
            {
                name: DeploymentPart(value, self.origins.get(field, "assumed"), option)
                for name, (value, field, option) in parts.items()
                if name != "version" or value is not None
            },
        )

    def facet(self, name: str) -> object:
        """Return the part of the deployment that a rule's ``per`` names, as a hashable value."""
        if name == "target":
            return self.target_id
        if name == "version":
            return self.runtime, self.runtime_version
        if name == "shapes":
            return (
                self.batch,
                tuple(sorted(self.symbols.items())),
                tuple(sorted((key, repr(profile)) for key, profile in self.shapes.items())),
            )
        return getattr(self, name)


def split_runtime(text: str) -> tuple[str, str | None]:
    """Split ``tensorrt==10.15`` into a runtime's name and version."""
    name, pinned, version = text.partition(PINS)
    return name.strip(), version.strip() if pinned else None


def version_of(
    runtime: str | None, stated: str | None, target: Target | None, dla: bool = False
) -> str | None:
    """Return the version of a runtime: the stated one, or the newest that runs on the target."""
    if runtime is None:
        return None
    if stated is not None:
        return full_version(runtime, stated)
    if target is None:
        return newest_version(runtime)
    newest = newest_on(runtime, target)
    if not dla or newest is None:
        return newest
    known = (each.version for each in releases(runtime) if is_between(each.version, "0", newest))
    return next((each for each in known if runs_on_dla(runtime, each, target)), newest)


def newest_on(runtime: str, target: Target) -> str | None:
    """Return the newest known version that runs on a target."""
    limit = target.newest.get(runtime)
    return limit.version if limit else newest_version(runtime, target.compute_capability)


def runs_on_dla(runtime: str, version: str | None, target: Target) -> bool:
    """Return True if a version supports the target's deep-learning accelerator."""
    table = find_table(runtime, DLA, version)
    if table is None or not target.dla_cores:
        return False
    only = kept_toml(table.path).get("targets")
    return only is None or not {target.id, *target.aliases}.isdisjoint(only)


def usual_precision(runtime: str | None, target: Target | None) -> str | None:
    """Return the precision to assume; None for the stored one."""
    known = find_runtime(runtime) if runtime is not None else None
    if known is None or not known.usual_precision:
        return None
    is_fast = target is None or target.accelerates(known.usual_precision)
    return known.usual_precision if is_fast else None
