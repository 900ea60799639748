"""A model's efficiency next to others in words."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.base.text import counted
from modellint.results.inspection import Inspection, Task

KINDS: Mapping[Task, str] = {
    "image classification": "image classifier",
    "object detection": "object detector",
    "text feature extraction": "text encoder",
    "language modeling": "language model",
}


UNKNOWN_MAP = ", not ranked: the output map may hold classes, depths, colors or features"


def compared(told: Inspection) -> str:
    """Return ``, more than 62% of 180 image classifiers``, why there are no others, or nothing."""
    found = told.efficiency
    if found is None:
        return UNKNOWN_MAP if _maps_an_image(told) else ""
    others = counted(found.references, KINDS[found.task])
    length = f" at {counted(found.tokens, 'token')}" if found.tokens is not None else ""
    return f", more than {100 * found.percentile:.0f}% of {others}{length}"


def _maps_an_image(told: Inspection) -> bool:
    """Return True for what takes one image to maps of values."""
    if told.inputs is None or len(told.inputs) != 1 or not told.outputs:
        return False
    return all(len(port.shape or []) == 4 for port in (*told.inputs, *told.outputs))
