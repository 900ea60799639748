"""Facts specific to Core ML, for rules with `dialect = "coreml"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node


@dataclass(frozen=True, slots=True)
class Feature:
    """An input, output or state as an app sees it."""

    name: str
    kind: str
    """``multiArray``, ``image``, ``double``, ``int64``, ``string``, ``dictionary``, …"""
    dtype: str = ""
    """Element type of a multi-array, or color space of an image."""
    shape: tuple[int, ...] = ()
    """Default shape; height and width of an image."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """All shapes, if they are enumerated."""
    ranges: tuple[tuple[int, int | None], ...] = ()
    """Bounds of each dim, if they are ranges; None for no upper bound."""
    is_optional: bool = False

    @property
    def is_unbounded(self) -> bool:
        return any(high is None for _, high in self.ranges)

    @property
    def is_flexible(self) -> bool:
        return len(self.shapes) > 1 or any(low != high for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class Scaling:
    """Preprocessing of an image by a neural network."""

    feature: str
    scale: float
    biases: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CoreMlFacts:
    """Content of a Core ML model other than the network."""

    version: int = 0
    """Version of the specification."""
    kind: str = ""
    """``mlProgram``, ``neuralNetwork``, ``pipeline``, ``treeEnsembleClassifier``, …"""
    opset: str = ""
    """Operator set of an ML program: ``CoreML7``."""
    inputs: tuple[Feature, ...] = ()
    outputs: tuple[Feature, ...] = ()
    states: tuple[Feature, ...] = ()
    types: Mapping[Node, str] = field(default_factory=dict)
    """Types of operations or layers; nodes have the common names of operators."""
    functions: Mapping[str, Graph] = field(default_factory=dict)
    """Other functions of an ML program, by name."""
    custom_layers: tuple[str, ...] = ()
    """Classes that an app must provide."""
    scalings: tuple[Scaling, ...] = ()
    parts: tuple[CoreMlFacts, ...] = ()
    """Models of a pipeline."""
    updatable: bool = False
    weight_bits: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the weights of a neural network by how they are stored: ``float32``, ``4-bit``."""
    missing_items: tuple[str, ...] = ()
    """Paths that the manifest of a package names, but that are not there."""
    threshold: tuple[float, float] | None = None
    """Overlap and confidence of non-maximum suppression."""


_NONE = CoreMlFacts()


def coreml_facts(model: Model) -> CoreMlFacts:
    """Return the facts of a Core ML model; empty for any other."""
    return model.format_facts if isinstance(model.format_facts, CoreMlFacts) else _NONE
