"""Conversion of a whole model."""

from __future__ import annotations

from modellint.model import Model
from modellint.targets.deployment import Deployment
from modellint.webnn import operators  # noqa: F401 - fills the table of operators
from modellint.webnn.converter import WebConverter
from modellint.webnn.graphs import MLGraph
from modellint.webnn.limits import ContextLimits


def convert(model: Model, deployment: Deployment, limits: ContextLimits) -> MLGraph:
    """Return the graph of a model; what cannot be converted is among its obstacles."""
    return WebConverter(model, deployment, limits).run()
