"""Estimate of the memory of a deployed model by parts, and of the sizes that fit.

    >>> estimate = memory(model, deployment)
    >>> estimate.total.low, estimate.total.high, estimate.verdict       # on deployment.target
    >>> for part in estimate.parts:                                     # weights, activations, …
    ...     part.name, part.low, part.expected, part.high, part.confidence, part.note
    >>> estimate.largest_batch                   # None if the batch is fixed
    >>> estimate.largest("sequence")             # of any open dim, by its symbol
    >>> estimate.smallest_target(load_targets())
    >>> estimate.on(other_target).verdict        # the same model, another device

`low` includes the known optimizations of the runtime (fusion, views, in-place results), `high` does
not, and `expected` is the memory that a planner with these optimizations uses in practice.
"""

from __future__ import annotations

from modellint.analysis.memory.estimate import TIGHT, MemoryEstimate, Verdict, memory
from modellint.analysis.memory.footprint import Part

__all__ = ["TIGHT", "MemoryEstimate", "Part", "Verdict", "memory"]
