"""Search for the largest size of an open dim that fits, with few shape inferences."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 16
"""Second size to try: far enough from 1 to see the slope despite alignment."""
NOWHERE = 1 << 62
"""Memory at a size that the model does not support."""
MOST = 1 << 20
"""Upper limit of the search: no batch or sequence is larger."""


def largest_size(need: Callable[[int], int], room: int, needs: dict[int, int]) -> int:
    """Return the largest size that fits in `room` bytes.

    Memory grows almost linearly with size: each guess is the intersection of the limit with the
    line through the largest size that fits and the smallest that does not. `needs` contains the
    results of earlier searches, for devices with other amounts of memory.
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
    """Return the size at which the line through two sizes reaches `room`."""
    if low not in needs:
        low = min(needs)
    slope = (needs[high] - needs[low]) / (high - low)
    return MOST if slope <= 0 else int(low + (room - needs[low]) / slope)
