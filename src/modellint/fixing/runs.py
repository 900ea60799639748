"""Runs of a model before and after its fixes, on the same inputs, and how far they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.model import Model, Value

if TYPE_CHECKING:
    from modellint.execution import Arrays, Execution


@dataclass(frozen=True, slots=True)
class Ran:
    """A model's outputs on some inputs, or why there are none."""

    feeds: tuple[Arrays, ...] = ()
    execution: Execution | None = None
    obstacle: str = ""
    """Reason why it cannot be run."""
    refusal: str = ""
    """Reason why the runtime refuses it."""
    failed: tuple[Arrays, ...] = ()
    """Inputs that it rejected, if it accepted others."""
    given: int = 0
    """Number of the first inputs that were given; the others are random."""

    @property
    def inputs(self) -> str:
        """Describe the inputs."""
        made = len(self.feeds) - self.given
        described = [counted(made, "random input")] if made else []
        described += [counted(self.given, "given input")] if self.given else []
        return " and ".join(described)

    @property
    def without_failures(self) -> Ran:
        """Return the runs that succeeded if there are any: an input may be made up badly."""
        if self.execution is None or not self.refusal:
            return self
        pairs = list(zip(self.feeds, self.execution.runs, strict=True))
        good = [(feed, run) for feed, run in pairs if not run.error]
        if not good:
            return self
        feeds, runs = zip(*good, strict=True)
        failed = tuple(feed for feed, run in pairs if run.error)
        given = sum(not run.error for _, run in pairs[: self.given])
        execution = replace(self.execution, runs=runs, refusal="")
        return Ran(feeds, execution, failed=failed, given=given)


def fitting(feeds: Sequence[Arrays], old: Model, new: Model) -> list[Arrays]:
    """Return inputs of one model for another one: by name, or else by position."""
    if [v.name for v in old.fed] == [v.name for v in new.fed] and _types(old) == _types(new):
        return list(feeds)
    same_number = len(old.fed) == len(new.fed)
    names = {
        value.name: old.fed[at].name if same_number else value.name
        for at, value in enumerate(new.fed)
    }
    return [
        {
            value.name: feed[names[value.name]].astype(_array_type(value))
            for value in new.fed
            if names[value.name] in feed
        }
        for feed in feeds
    ]


def _types(model: Model) -> list[object]:
    return [value.declared_dtype for value in model.fed]


def largest_difference(old: Execution, new: Execution, before: Model, after: Model) -> float:
    """Return the largest difference of an output, relative to its largest element."""
    return max(_differences(old, new, before, after), default=0.0)


def _differences(old: Execution, new: Execution, before: Model, after: Model) -> Iterator[float]:
    from modellint.execution import compare

    names = {value.name for value in after.outputs}
    renamed = len(before.outputs) == len(after.outputs)
    for first, second in zip(old.runs, new.runs, strict=True):
        for at, value in enumerate(before.outputs):
            name = value.name
            if name not in names:
                if not renamed:
                    continue
                name = after.outputs[at].name
            if value.name not in first.outputs or name not in second.outputs:
                continue
            found = compare(first.outputs[value.name], second.outputs[name])
            if not found.comparable or not found.same_nonfinite:
                yield math.inf
            elif not found.bitwise and found.differing:
                yield found.to_range or math.ulp(0.0)


def said(difference: float, tolerance: float) -> str:
    if math.isinf(difference):
        return "an output has a different shape, or NaN or infinity at different positions"
    allowed = f", more than {tolerance:g}" if tolerance else ""
    return f"an output differs by {difference:.2g} of its largest element{allowed}"


def _array_type(value: Value) -> Any:
    import numpy as np

    return value.declared_dtype.numpy if value.declared_dtype is not None else np.float32
