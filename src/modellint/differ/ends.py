"""Pairs of inputs and outputs of two graphs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from modellint.model import Value


def paired_ends(
    old: Sequence[Value], new: Sequence[Value], kind: Callable[[Value], Hashable]
) -> list[tuple[Value | None, Value | None]]:
    """Pair inputs or outputs: by name, then in order among those of one type and rank.

    One alone of unknown type can only be the other one that is left.
    """
    old, new = list(dict.fromkeys(old)), list(dict.fromkeys(new))  # a file may list one twice
    by_name: dict[str, list[Value]] = defaultdict(list)  # a broken one may give a name twice
    for value in new:
        by_name[value.name].append(value)
    pairs: list[tuple[Value | None, Value | None]] = []
    rest: list[Value] = []
    taken: set[Value] = set()
    for value in old:
        if alike := by_name.get(value.name):
            twin = alike.pop(0)
            pairs.append((value, twin))
            taken.add(twin)
        else:
            rest.append(value)
    others = [value for value in new if value not in taken]
    if len(rest) == len(others) == 1 and None in (rest[0].declared_dtype, others[0].declared_dtype):
        return [*pairs, (rest[0], others[0])]
    left: dict[Hashable, list[Value]] = defaultdict(list)
    for value in others:
        left[kind(value)].append(value)
    for value in rest:
        alike = left[kind(value)]
        pairs.append((value, alike.pop(0) if alike else None))
    return [*pairs, *((None, value) for alike in left.values() for value in alike)]


def kind_of_end(value: Value) -> Hashable:
    shape = value.declared_shape
    is_float = value.declared_dtype is None or value.declared_dtype.is_float
    return is_float, len(shape) if shape is not None else -1
