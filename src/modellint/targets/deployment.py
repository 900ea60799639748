"""Where a model is to run: the light in which rules look at it."""

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
    """The range of shapes one input takes at run time; a fixed shape has all three equal."""

    minimum: tuple[int, ...]
    optimum: tuple[int, ...]
    maximum: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Target device, runtime, precision, batch and input shapes; what is not known is None."""

    target: Target | None = None
    runtime: str | None = None
    precision: str | None = None
    batch: int | None = None
    shapes: Mapping[str, ShapeProfile] = field(default_factory=dict)
    """Profiles by input name."""
    symbols: Mapping[str, int] = field(default_factory=dict)
    """Values for symbolic dims by symbol name."""
    dla: bool = False
    """Whether a Jetson's deep-learning accelerator is to run what it can."""

    @property
    def target_id(self) -> str | None:
        return self.target.id if self.target is not None else None

    @property
    def runtime_name(self) -> str:
        return title_of(self.runtime) if self.runtime else "the runtime"

    @property
    def builder(self) -> str:
        """The runtime whose compiler builds the model: the same for TensorRT and its variants."""
        return builder_of(self.runtime)

    def describe(self) -> str:
        """``a10 (tensorrt, fp16, batch 8)``, or ``any runtime`` when nothing is known."""
        details = [text for text in (self.runtime, self.precision) if text]
        if self.batch is not None:
            details.append(f"batch {self.batch}")
        if self.dla:
            details.append("DLA")
        if self.target is None:
            return ", ".join(details) or "any runtime"
        return f"{self.target.id} ({', '.join(details)})" if details else self.target.id

    def facet(self, name: str) -> object:
        """The part of the deployment that a rule's ``per`` names, comparable and hashable."""
        if name == "target":
            return self.target_id
        if name == "shapes":
            return (
                self.batch,
                tuple(sorted(self.symbols.items())),
                tuple(sorted((key, repr(profile)) for key, profile in self.shapes.items())),
            )
        return getattr(self, name)
