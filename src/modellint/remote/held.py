"""Parts of remote files that were fetched, kept in memory for a while."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict, defaultdict

MOST_HELD = 64 << 20
"""Bytes to keep. The least recently read are dropped first, and fetched again if needed."""


class Held:
    """Parts by file and place; no two of one file overlap."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._parts: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._starts: defaultdict[str, list[int]] = defaultdict(list)
        self._size = 0

    def add(self, name: str, start: int, part: bytes) -> None:
        """Keep a part that fits a gap."""
        if not part or len(part) > self._most // 4:
            return
        self._parts[name, start] = part
        insort(self._starts[name], start)
        self._size += len(part)
        while self._size > self._most:
            (old, at), oldest = self._parts.popitem(last=False)
            self._starts[old].remove(at)
            self._size -= len(oldest)

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes held from `start` on, up to `stop`; empty if missing."""
        starts = self._starts[name]
        at = bisect_right(starts, start) - 1
        if at < 0:
            return b""
        key = (name, starts[at])
        found = self._parts[key][start - starts[at] : stop - starts[at]]
        if found:
            self._parts.move_to_end(key)
        return found

    def gap(self, name: str, start: int) -> tuple[int, int | None]:
        """Return where the parts around a missing byte end and begin."""
        starts = self._starts[name]
        at = bisect_right(starts, start)
        before = starts[at - 1] + len(self._parts[name, starts[at - 1]]) if at else 0
        return before, starts[at] if at < len(starts) else None
