"""Capabilities of model files. Formats provide them, and rules require them."""

from __future__ import annotations

from enum import Enum


class Capability(str, Enum):
    """A part of a model that a reader provides."""

    GRAPH = "graph"
    """Nodes and the values between them."""
    WEIGHTS = "weights"
    QUANTIZATION = "quantization"
    METADATA = "metadata"
    LAYERS = "layers"
    """Layers that a runtime built, rather than the author's."""
    ARCHITECTURE = "architecture"
    """Hyperparameters instead of a graph: number of layers, heads, sizes."""

    __str__ = str.__str__
