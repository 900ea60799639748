"""A model's efficiency next to others in words."""

from __future__ import annotations

from modellint.base.text import counted
from modellint.inspection import Inspection

KINDS = {"image classification": "image classifier"}


def compared(told: Inspection) -> str:
    """Return ``, more than 62 % of 180 image classifiers``, or nothing."""
    found = told.efficiency
    if found is None:
        return ""
    others = counted(found.references, KINDS[found.task])
    return f", more than {100 * found.percentile:.0f} % of {others}"
