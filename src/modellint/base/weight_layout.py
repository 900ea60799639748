"""The place of a model's weights, as `modellint optimize` is asked for it."""

from __future__ import annotations

from typing import Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class WeightLayout:
    """Place that a model's weights are to have: a file next to it, several, or the model itself."""

    kind: Literal["one-file", "split", "embedded"]
    most: int = 0
    """Bytes of each file, for several."""
