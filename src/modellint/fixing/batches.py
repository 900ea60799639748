"""Proof of an opened batch: each of several samples gives the same result as alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.model import Model

if TYPE_CHECKING:
    from modellint.execution import Arrays
    from modellint.probes.runner import Limits

ROUNDING = 1e-4
"""Difference that another order of summation may make, relative to the largest element."""


def mixes_samples(
    original: Path, fixed: Path, model: Model, feeds: Sequence[Arrays], limits: Limits
) -> bool:
    """Return True if a batch that the original refuses gives else than its samples one by one.

    Models that still refuse the batch, or have inputs without one, prove nothing.
    """
    from modellint.execution import compare, run

    for feed in feeds:
        sizes = {array.shape[0] if array.ndim else 0 for array in feed.values()}
        batch = next(iter(sizes)) if len(sizes) == 1 else 0
        if batch <= 1:
            continue
        together = run(fixed, model.format, [feed], limits=limits).runs[0]
        if together.error:
            continue
        alone = [{name: array[n : n + 1] for name, array in feed.items()} for n in range(batch)]
        singly = run(original, model.format, alone, limits=limits).runs
        if any(each.error for each in singly):
            continue
        for name, array in together.outputs.items():
            parts = [each.outputs[name] for each in singly if name in each.outputs]
            is_batch = array.ndim > 0 and array.shape[0] == batch
            if not is_batch and _is_per_sample(model, name):
                return True
            if not is_batch or len(parts) != batch:
                continue
            for sample, part in enumerate(parts):
                found = compare(part, array[sample : sample + 1])
                difference = found.to_range if found.comparable else math.inf
                if difference > ROUNDING or not found.same_nonfinite:
                    return True
    return False


def _is_per_sample(model: Model, name: str) -> bool:
    """Return True if the model states that an output has the batch of an input."""
    batches = {(value.declared_shape or (None,))[0] for value in model.fed if value.declared_shape}
    stated = (value.declared_shape for value in model.outputs if value.name == name)
    return any(shape and isinstance(shape[0], str) and shape[0] in batches for shape in stated)
