"""Does it fit: the memory a model takes as deployed, part by part, and what would fit instead.

    >>> estimate = memory(model, deployment)
    >>> estimate.total.low, estimate.total.high, estimate.verdict       # on deployment.target
    >>> for part in estimate.parts:                                     # weights, activations, …
    ...     part.name, part.low, part.expected, part.high, part.confidence, part.note
    >>> estimate.largest_batch                   # None where the batch is not free
    >>> estimate.largest("sequence")             # of any open dim, by its symbol
    >>> estimate.smallest_target(load_targets())
    >>> estimate.on(other_target).verdict        # the same model, another device

`low` counts what the runtime is known to save (fusion, views, in-place results), `high` leaves
those savings out, and `expected` is what a planner with those savings is seen to take.
"""

from __future__ import annotations

from modellint.analysis.memory.estimate import TIGHT, MemoryEstimate, Verdict, memory
from modellint.analysis.memory.footprint import Part

__all__ = ["TIGHT", "MemoryEstimate", "Part", "Verdict", "memory"]
