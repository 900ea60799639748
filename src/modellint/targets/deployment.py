"""The deployment that rules assume for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from modellint.base.records import dataclass
from modellint.runtimes import builder_of, title_of

if TYPE_CHECKING:
    from modellint.targets.target import Target


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
    precision: str | None = None
    batch: int | None = None
    shapes: Mapping[str, ShapeProfile] = field(default_factory=dict)
    """Profiles by input name."""
    symbols: Mapping[str, int] = field(default_factory=dict)
    """Values of symbolic dims by name."""
    dla: bool = False
    """True if a Jetson's deep-learning accelerator runs the layers it supports."""

    @property
    def target_id(self) -> str | None:
        return self.target.id if self.target is not None else None

    @property
    def runtime_name(self) -> str:
        return title_of(self.runtime) if self.runtime else "the runtime"

    @property
    def builder(self) -> str:
        """Return the runtime whose compiler is used: the same for TensorRT and its variants."""
        return builder_of(self.runtime)

    def describe(self) -> str:
        """Return ``a10 (tensorrt, fp16, batch 8)``, or ``any runtime`` if nothing is known."""
        details = [text for text in (self.runtime, self.precision) if text]
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
        if name == "shapes":
            return (
                self.batch,
                tuple(sorted(self.symbols.items())),
                tuple(sorted((key, repr(profile)) for key, profile in self.shapes.items())),
            )
        return getattr(self, name)
