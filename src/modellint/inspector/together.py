"""Several models on one device: the sum of their needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modellint.results.inspection import Inspection, Share, Time, Together, Verdict
from modellint.targets import Target

TIGHT = 0.95
"""Share of the usable memory above which the models fit only tightly."""


def together(inspections: Sequence[Inspection], target: Target, budget: int | None) -> Together:
    """Return the sum for the target that the models were inspected for."""
    shares = [_share(each, target.id) for each in inspections]
    overheads: dict[str, int] = {}
    for each in inspections:
        for runtime, size in _overhead(each, target.id):
            overheads[runtime] = max(size, overheads.get(runtime, 0))
    total = sum(share.bytes or 0 for share in shares) + sum(overheads.values())
    usable = target.memory.usable
    times = _times(inspections, target.id)
    return Together(
        target.id,
        usable,
        shares,
        sum(overheads.values()),
        total,
        _verdict(total, usable),
        budget,
        in_sequence=sum(time.expected for time in times) if times else None,
        side_by_side=_side_by_side(times) if times else None,
    )


def _times(inspections: Sequence[Inspection], target: str) -> list[Time]:
    """Return the expected time of each model; none if any is unknown."""
    found = [(each.time or {}).get(target) for each in inspections]
    known = [time for time in found if time is not None]
    return known if len(known) == len(found) else []


def _side_by_side(times: Sequence[Time]) -> float:
    """Return the time of all models at once if one computes whenever another waits for memory."""
    return max(
        *(time.expected for time in times),
        sum(time.parts.compute for time in times),
        sum(time.parts.memory for time in times),
    )


def _share(told: Inspection, target: str) -> Share:
    """Return the needs of one model: of a language model, with its longest context."""
    memory = (told.memory or {}).get(target)
    if memory is not None:
        time = (told.time or {}).get(target)
        expected = time.expected if time is not None else None
        return Share(told.path, memory.total.expected - memory.overhead.expected, None, expected)
    if told.llm is not None and told.llm.contexts:
        longest = told.llm.contexts[-1]
        return Share(told.path, longest.total - longest.overhead, longest.tokens)
    return Share(told.path, None, None)


def _overhead(told: Inspection, target: str) -> Iterable[tuple[str, int]]:
    memory = (told.memory or {}).get(target)
    if memory is not None:
        yield memory.runtime or "", memory.overhead.expected
    elif told.llm is not None and told.llm.contexts:
        yield told.llm.runtime, told.llm.contexts[-1].overhead


def _verdict(total: int, usable: int) -> Verdict:
    if total > usable:
        return "does not fit"
    return "fits" if total <= TIGHT * usable else "tight"
