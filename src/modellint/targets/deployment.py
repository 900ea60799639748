"""The deployment that rules assume for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from modellint.base.records import dataclass
from modellint.runtimes import builder_of, title_of
from modellint.runtimes.versions import PINS, full_version, newest_version, version_key

if TYPE_CHECKING:
    from modellint.targets.target import Target


Origin = Literal["given", "configured", "assumed"]
"""Source of a part of a deployment: the command line, a configuration file, or a default."""


@dataclass(frozen=True, slots=True)
class ShapeProfile:
    """Range of an input's shapes at run time; all three are equal for a fixed shape."""

    minimum: tuple[int, ...]
    optimum: tuple[int, ...]
    maximum: tuple[int, ...]


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


def version_of(runtime: str | None, stated: str | None, target: Target | None) -> str | None:
    """Return the version of a runtime to assume: the stated one, or the newest that runs there."""
    if runtime is None:
        return None
    if stated is not None:
        return full_version(runtime, stated)
    newest = target.newest.get(runtime) if target is not None else None
    if newest is not None:
        return newest.version
    return newest_version(runtime, target.compute_capability if target is not None else None)
