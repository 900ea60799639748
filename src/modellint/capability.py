"""What a model file can be asked about. A format states it, and so does each rule."""

from __future__ import annotations

from enum import Enum


class Capability(str, Enum):
    """A part of a model that a reader gives."""

    GRAPH = "graph"
    """Nodes and the values between them."""
    WEIGHTS = "weights"
    QUANTIZATION = "quantization"
    METADATA = "metadata"
    LAYERS = "layers"
    """The layers that a runtime built, not the ones that the author wrote."""
    ARCHITECTURE = "architecture"
    """Hyperparameters in place of a graph: number of layers, heads, sizes."""

    __str__ = str.__str__
