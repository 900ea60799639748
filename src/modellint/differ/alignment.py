"""Alignment of two sequences in nearly linear time."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise

_LARGEST = 1 << 18
"""Maximum product of two lengths for which the best alignment is computed."""


def aligned(one: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Iterate over the places of a common subsequence, which is the longest of short sequences.

    Long ones are divided at what occurs once in both; what has nothing of that is left alone.
    """
    waiting = [(0, len(one), 0, len(other))]
    while waiting:
        start, end, begin, stop = waiting.pop()
        while start < end and begin < stop and one[start] == other[begin]:
            yield start, begin
            start, begin = start + 1, begin + 1
        while start < end and begin < stop and one[end - 1] == other[stop - 1]:
            end, stop = end - 1, stop - 1
            yield end, stop
        if start == end or begin == stop:
            continue
        if (end - start) * (stop - begin) <= _LARGEST:
            for at, place in _longest(one[start:end], other[begin:stop]):
                yield start + at, begin + place
            continue
        anchors = _once_in_both(one[start:end], other[begin:stop])
        for at, place in anchors:
            yield start + at, begin + place
        if anchors:
            edges = [(-1, -1), *anchors, (end - start, stop - begin)]
            for (at, place), (next_at, next_place) in pairwise(edges):
                waiting.append(
                    (start + at + 1, start + next_at, begin + place + 1, begin + next_place)
                )


def increasing(places: Sequence[int]) -> list[int]:
    """Return the indices of a longest increasing subsequence."""
    tails: list[int] = []
    at_tail: list[int] = []
    before: list[int] = []
    for index, place in enumerate(places):
        length = bisect_left(tails, place)
        before.append(at_tail[length - 1] if length else -1)
        tails[length : length + 1] = [place]
        at_tail[length : length + 1] = [index]
    found: list[int] = []
    index = at_tail[-1] if at_tail else -1
    while index >= 0:
        found.append(index)
        index = before[index]
    return found[::-1]


def _once_in_both(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    counts, others = Counter(one), Counter(other)
    places = {token: at for at, token in enumerate(other) if others[token] == 1}
    common = [
        (at, places[token])
        for at, token in enumerate(one)
        if counts[token] == 1 and token in places
    ]
    return [common[index] for index in increasing([place for _, place in common])]


def _longest(one: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Iterate over the places of a longest common subsequence."""
    width = len(other)
    lengths = [[0] * (width + 1)]
    for token in reversed(one):
        below, row = lengths[-1], [0] * (width + 1)
        for at in range(width - 1, -1, -1):
            row[at] = below[at + 1] + 1 if token == other[at] else max(below[at], row[at + 1])
        lengths.append(row)
    lengths.reverse()
    at = place = 0
    while at < len(one) and place < width:
        if one[at] == other[place]:
            yield at, place
            at, place = at + 1, place + 1
        elif lengths[at + 1][place] >= lengths[at][place + 1]:
            at += 1
        else:
            place += 1
