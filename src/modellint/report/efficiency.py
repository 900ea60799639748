"""A model's efficiency next to others in words."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.base.text import counted
from modellint.inspection import Inspection, Task

KINDS: Mapping[Task, str] = {
    "image classification": "image classifier",
    "object detection": "object detector",
    "text feature extraction": "text encoder",
    "language modeling": "language model",
}


def compared(told: Inspection) -> str:
    """Return ``, more than 62 % of 180 image classifiers``, or nothing."""
    found = told.efficiency
    if found is None:
        return ""
    others = counted(found.references, KINDS[found.task])
    length = f" at {counted(found.tokens, 'token')}" if found.tokens is not None else ""
    return f", more than {100 * found.percentile:.0f} % of {others}{length}"
