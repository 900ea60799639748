"""How far an open dim can grow before memory runs out, without inferring shapes at every size."""

from __future__ import annotations

from collections.abc import Callable

from modellint.analysis.memory.footprint import Footprint

MOST = 1 << 20
"""Where the search ends: no batch and no sequence is longer."""


def largest_size(at: Callable[[int], Footprint], room: int) -> int:
    """The largest size at which the footprint is expected to stay within `room` bytes.

    Memory grows with size, nearly on a line: each guess lies where the line through the last
    size that fits and the first that does not meets the limit.
    """
    low, high = 1, 2
    needs = {1: at(1).expected}
    if needs[1] > room:
        return 0
    needs[2] = at(2).expected
    while needs[high] <= room:
        low, high = high, min(MOST, max(2 * high, _guess(needs, high // 2, high, room) + 1))
        needs[high] = at(high).expected
        if high == MOST and needs[high] <= room:
            return MOST
    turn = 0
    while high - low > 1:
        guess = _guess(needs, low, high, room) if turn % 3 < 2 else (low + high) // 2
        middle = min(max(guess + turn % 2, low + 1), high - 1)
        needs[middle] = at(middle).expected
        low, high = (middle, high) if needs[middle] <= room else (low, middle)
        turn += 1
    return low


def _guess(needs: dict[int, int], low: int, high: int, room: int) -> int:
    """Where the line through two sizes reaches `room`."""
    if low not in needs:
        low = min(needs)
    slope = (needs[high] - needs[low]) / (high - low)
    return MOST if slope <= 0 else int(low + (room - needs[low]) / slope)
