"""Inspection of a model file for `modellint inspect`, with results as plain data."""

from modellint.inspector.drawing import draw
from modellint.inspector.engine import compared, layers_in
from modellint.inspector.look import Asked, inspect_and_draw, inspect_model, inspect_opened
from modellint.inspector.together import together

__all__ = [
    "Asked",
    "compared",
    "draw",
    "inspect_and_draw",
    "inspect_model",
    "inspect_opened",
    "layers_in",
    "together",
]
