"""Efficiency next to named architectures of the same task.

The task is read off the interface alone. Images and classes are the one task of which there are
enough architectures to compare with; for all others, nothing is said.
`tools/measure_efficiency.py` computes the figures of the architectures, and writes them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from modellint.inspection import Efficiency, Inspection, Port

FEWEST_CLASSES = 10
COLORS = (1, 3)
"""Channels of an image."""
TABLE = "efficiency.json"


def efficiency(told: Inspection) -> Efficiency | None:
    """Return where a model is among architectures of its task; None if that is not known."""
    use = use_of_image(told)
    if use is None:
        return None
    known = references()
    return Efficiency("image classification", use, bisect_left(known, use) / len(known), len(known))


def use_of_image(told: Inspection) -> float | None:
    """Return MACs by parameter for one image; None for what does not take images to classes."""
    inputs, outputs, use = told.inputs or [], told.outputs or [], told.macs_per_parameter
    if use is None or len(inputs) != 1 or len(outputs) != 1:
        return None
    if not _is_image(inputs[0]) or not _is_logits(outputs[0]):
        return None
    batch = (inputs[0].shape or [None])[0]
    images = (told.sizes or {}).get(batch) if isinstance(batch, str) else batch
    return use / images if images else None


def _is_image(port: Port) -> bool:
    shape = port.shape or []
    is_float = (port.dtype or "").startswith(("float", "bfloat"))
    return is_float and len(shape) == 4 and (shape[1] in COLORS or shape[3] in COLORS)


def _is_logits(port: Port) -> bool:
    shape = port.shape or []
    return len(shape) == 2 and isinstance(shape[1], int) and shape[1] >= FEWEST_CLASSES


@cache
def references() -> Sequence[float]:
    """Return the MACs by parameter of all architectures, in order."""
    table = json.loads(files(__package__ or "").joinpath(TABLE).read_text(encoding="utf-8"))
    return sorted(row["macs"] / row["parameters"] for row in table["image classification"])
