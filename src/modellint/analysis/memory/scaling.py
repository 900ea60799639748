"""How far an open dim can grow before memory runs out, without inferring shapes at every size."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 16
"""The second size tried: far enough from 1 for the slope to be seen over what is aligned."""
NOWHERE = 1 << 62
"""What is needed at a size that the model does not work at."""
MOST = 1 << 20
"""Where the search ends: no batch and no sequence is longer."""


def largest_size(need: Callable[[int], int], room: int, needs: dict[int, int]) -> int:
    """The largest size at which what is needed stays within `room` bytes.

    Memory grows with size, nearly on a line: each guess lies where the line through the last
    size that fits and the first that does not meets the limit. `needs` holds what earlier
    searches, for devices with other room, have found out.
    """

    def fits(size: int) -> bool:
        if size not in needs:
            needs[size] = need(size)
        return needs[size] <= room

    if not fits(1):
        return 0
    low = max(size for size in needs if fits(size))
    high = min((size for size in needs if size > low), default=FIRST)
    while fits(high):
        if high == MOST:
            return MOST
        low, high = high, min(MOST, max(2 * high, _guess(needs, high // 2, high, room) + 1))
    turn = 0
    while high - low > 1:
        is_line = needs[high] < NOWHERE and turn % 3 < 2
        guess = _guess(needs, low, high, room) if is_line else (low + high) // 2
        middle = min(max(guess + turn % 2, low + 1), high - 1)
        low, high = (middle, high) if fits(middle) else (low, middle)
        turn += 1
    return low


def _guess(needs: dict[int, int], low: int, high: int, room: int) -> int:
    """Where the line through two sizes reaches `room`."""
    if low not in needs:
        low = min(needs)
    slope = (needs[high] - needs[low]) / (high - low)
    return MOST if slope <= 0 else int(low + (room - needs[low]) / slope)
