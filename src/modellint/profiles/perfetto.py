"""Perfetto's traces in protobuf, as the events that its JSON would hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modellint.base.files import MOST_JSON, read_regular
from modellint.base.records import dataclass
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import FieldSpan, Message
from modellint.profiles import chrome
from modellint.profiles.part import RunPart

# Numbers of fields in perfetto's protos/perfetto/trace at v50.
_PACKET = 1
_CLOCKS, _CLOCK = 6, 58
_TIMESTAMP, _SEQUENCE, _EVENT, _INTERNED, _CLEARED, _DEFAULTS = 8, 10, 11, 12, 41, 59
_CATEGORY_IDS, _TYPE, _NAME_ID, _TRACK, _CATEGORIES, _NAME = 3, 9, 10, 11, 22, 23
_DEFAULT_EVENT = 11
_CATEGORY_NAMES, _EVENT_NAMES = 1, 2
_BEGIN, _END = 1, 2
_MICROS_OF_NANO = 1e-3


def read(path: Path) -> RunPart:
    """Return the run of a trace; raise ValueError without slices in it."""
    data = read_regular(path, MOST_JSON)
    try:
        events = list(_slices(Message(data, FieldSpan(0, len(data)))))
    except MalformedError as error:
        raise ValueError(f"a broken perfetto trace: {error}") from None
    part = chrome.read({"traceEvents": events}, path)
    if part is None:
        raise ValueError("a perfetto trace without slices of tracks")
    return part


@dataclass(slots=True)
class _TraceClock:
    now: int
    is_incremental: bool
    nanoseconds: int
    """In each of its units."""

    def read(self, timestamp: int) -> int:
        """Return nanoseconds; a timestamp of an incremental clock is the time since the last."""
        self.now = self.now + timestamp if self.is_incremental else timestamp
        return self.now * self.nanoseconds


@dataclass(slots=True)
class _Sequence:
    """Names and clocks that the packets of one writer refer to by numbers."""

    names: dict[int, str]
    categories: dict[int, str]
    clocks: dict[int, _TraceClock]
    clock: int = 0
    track: int = 0

    def time(self, packet: Message) -> int:
        timestamp = packet.integer(_TIMESTAMP)
        clock = self.clocks.get(packet.integer(_CLOCK, self.clock))
        return clock.read(timestamp) if clock is not None else timestamp


def _slices(trace: Message) -> Iterator[dict[str, Any]]:
    """Iterate over slices: each end is of the last beginning that is open on its track."""
    sequences: dict[int, _Sequence] = {}
    begun: dict[int, list[tuple[str, str, int]]] = {}
    for packet in trace.messages(_PACKET):
        number = packet.integer(_SEQUENCE)
        if packet.integer(_CLEARED) or number not in sequences:
            sequences[number] = _Sequence({}, {}, {})
        sequence = sequences[number]
        _learn(sequence, packet)
        event, time = packet.message(_EVENT), sequence.time(packet)
        if event is None:
            continue
        track = event.integer(_TRACK, sequence.track)
        if event.integer(_TYPE) == _BEGIN:
            begun.setdefault(track, []).append((*_named(event, sequence), time))
        elif event.integer(_TYPE) == _END and begun.get(track):
            name, category, start = begun[track].pop()
            yield {
                "ph": "X",
                "name": name,
                "cat": category,
                "tid": track,
                "ts": start * _MICROS_OF_NANO,
                "dur": (time - start) * _MICROS_OF_NANO,
            }


def _learn(sequence: _Sequence, packet: Message) -> None:
    snapshot = packet.message(_CLOCKS)
    for each in snapshot.messages(1) if snapshot is not None else ():
        unit = each.integer(4, 1) or 1
        sequence.clocks[each.integer(1)] = _TraceClock(each.integer(2), bool(each.integer(3)), unit)
    defaults = packet.message(_DEFAULTS)
    if defaults is not None:
        sequence.clock = defaults.integer(_CLOCK)
    event = defaults.message(_DEFAULT_EVENT) if defaults is not None else None
    if event is not None:
        sequence.track = event.integer(_TRACK)
    interned = packet.message(_INTERNED)
    if interned is None:
        return
    for known, field in ((sequence.names, _EVENT_NAMES), (sequence.categories, _CATEGORY_NAMES)):
        known.update((each.integer(1), each.text(2)) for each in interned.messages(field))


def _named(event: Message, sequence: _Sequence) -> tuple[str, str]:
    name = event.text(_NAME) or sequence.names.get(event.integer(_NAME_ID), "")
    ids = list(event.integers(_CATEGORY_IDS))
    category = event.text(_CATEGORIES) or (sequence.categories.get(ids[0], "") if ids else "")
    return name, category
