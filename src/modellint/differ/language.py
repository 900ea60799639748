"""Differences between two language models: architecture, parts, and tensors by their role."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from modellint.analysis.language import PART_NAMES, cached_per_token, weight_parts
from modellint.analysis.language.parts import part_of
from modellint.base.records import dataclass
from modellint.differ.tensors import NumericComparison, NumericDifference, Stack, Twin, twins
from modellint.model import Model
from modellint.model.architecture import Architecture, LayerShape
from modellint.results.difference import (
    LanguageDifference,
    PartDifference,
    Statement,
    TensorDifference,
)

Change = Literal["same", "changed", "converted", "resized", "added", "removed", "unread"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_CACHED_AS = "fp16"


def language_difference(old: Model, new: Model) -> LanguageDifference | None:
    """Compare two models whose tensors are all that their files state; None for others."""
    if old.has_graph or new.has_graph or not (old.tensors and new.tensors):
        return None
    ours, theirs = old.architecture, new.architecture
    return LanguageDifference(
        statements=list(_statements(ours, theirs, old, new)) if ours and theirs else [],
        parts=list(_parts(old, new, ours, theirs)) if ours and theirs else [],
        tensors=list(_tensors(old, new)),
        cache_per_token=[
            cached_per_token(each, _CACHED_AS) if each is not None and not each.doubt else None
            for each in (ours, theirs)
        ],
    )


# Architecture


def _statements(
    old: Architecture, new: Architecture, before: Model, after: Model
) -> Iterator[Statement]:
    """Iterate over values that differ between the files."""
    alike = before.format == after.format
    rows: list[tuple[str, object, object]] = [
        ("architecture", old.name, new.name if alike else old.name),
        ("layers", len(old.layers), len(new.layers)),
        *_of_layers(old.layers, new.layers),
        ("hidden size", old.hidden, new.hidden),
        ("vocabulary", old.vocabulary, new.vocabulary),
        ("context", old.context, new.context),
        ("positions", old.positions.scheme, new.positions.scheme),
        ("rotary base", _real(old.positions.base), _real(new.positions.base)),
        ("rotary scaling", _scaling(old), _scaling(new)),
        ("tied embeddings", old.tied_embeddings, new.tied_embeddings),
        ("other parts", ", ".join(old.parts), ", ".join(new.parts)),
        ("quantization", old.quantization, new.quantization),
    ]
    for name, one, other in rows:
        if one != other:
            yield Statement(name, _shown(one), _shown(other))


_OF_LAYER = {
    "mixers": "mixer",
    "query heads": "heads",
    "key-value heads": "kv_heads",
    "key size": "key_size",
    "window": "window",
    "feed-forward width": "feed_forward",
    "experts": "experts",
    "active experts": "active_experts",
    "shared experts": "shared_experts",
}


def _of_layers(
    old: Sequence[LayerShape], new: Sequence[LayerShape]
) -> Iterator[tuple[str, object, object]]:
    for name, attribute in _OF_LAYER.items():
        yield name, _kinds(old, attribute), _kinds(new, attribute)


def _kinds(layers: Sequence[LayerShape], attribute: str) -> str:
    """Return what layers have, with the number of layers where they differ."""
    counts = Counter(getattr(layer, attribute) for layer in layers)
    shown = {value: "none" if value is None else f"{value}" for value in counts}
    if len(counts) < 2:
        return "".join(shown.values())
    return ", ".join(f"{shown[value]} ({count} layers)" for value, count in counts.items())


def _scaling(architecture: Architecture) -> str:
    positions = architecture.positions
    factor = f" {positions.factor:g}" if positions.factor is not None else ""
    return f"{positions.scaling}{factor}" if positions.scaling else ""


def _real(value: float | None) -> str:
    return f"{value:g}" if value is not None else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "not stated" if value in (None, "") else str(value)


# Parts


def _parts(
    old: Model, new: Model, ours: Architecture, theirs: Architecture
) -> Iterator[PartDifference]:
    before, after = weight_parts(old, ours), weight_parts(new, theirs)
    types = _types(old), _types(new)
    for name in PART_NAMES:
        one, other = before.of(name), after.of(name)
        if one.nbytes or other.nbytes:
            yield PartDifference(
                name=name,
                parameters=[one.parameters, other.parameters],
                bytes=[one.nbytes, other.nbytes],
                bits=[one.bits, other.bits],
                types=[each.get(name, []) for each in types],
            )


def _types(model: Model) -> dict[str, list[str]]:
    """Return the types of each part's tensors, those of most bytes first."""
    sizes: dict[str, Counter[str]] = {}
    for tensor in model.tensors:
        sizes.setdefault(part_of(tensor.name), Counter())[tensor.dtype.name] += tensor.nbytes
    return {part: [name for name, _ in counts.most_common()] for part, counts in sizes.items()}


# Tensors


@dataclass(frozen=True, slots=True)
class _Row:
    """Tensors of several layers that differ in the same way."""

    pattern: str
    change: Change
    old: Stack | None
    new: Stack | None
    difference: NumericDifference | None
    role: str


def _tensors(old: Model, new: Model) -> Iterator[TensorDifference]:
    """Iterate over the tensors that differ; those of several layers are one row."""
    comparison = NumericComparison(old, new)
    groups: dict[tuple[object, ...], list[_Row]] = {}
    for twin in twins(old, new):
        row = _row(twin, comparison)
        key = (row.pattern, row.change, _form(row.old), _form(row.new))
        groups.setdefault(key, []).append(row)
    folded = [_folded(rows) for rows in groups.values()]
    yield from sorted(folded, key=lambda each: -(each.largest or 0.0))


def _form(stack: Stack | None) -> object:
    return (stack.first.dtype.name, stack.shape) if stack is not None else None


def _row(twin: Twin, comparison: NumericComparison) -> _Row:
    pattern = _NUMBER.sub("*", twin.role)
    if twin.old is None or twin.new is None:
        change: Change = "added" if twin.old is None else "removed"
        return _Row(pattern, change, twin.old, twin.new, None, twin.role)
    difference = comparison.of(twin.old, twin.new)
    is_converted = twin.old.first.dtype != twin.new.first.dtype
    change = difference.status
    if twin.old.parameters != twin.new.parameters:
        change = "resized"
    elif is_converted:
        change = "converted"
    return _Row(pattern, change, twin.old, twin.new, difference, twin.role)


def _folded(rows: Sequence[_Row]) -> TensorDifference:
    first = rows[0]
    differences = [row.difference for row in rows if row.difference is not None]
    largest_row = max(rows, key=lambda row: _relative(row) or 0.0)
    largest, where = _relative(largest_row), largest_row.role
    stacks = first.old, first.new
    return TensorDifference(
        tensors=first.pattern if len(rows) > 1 else first.role,
        count=len(rows),
        change=first.change,
        types=[stack.first.dtype.name if stack is not None else None for stack in stacks],
        shapes=[list(stack.shape) if stack is not None else None for stack in stacks],
        bytes=[_bytes(row.old for row in rows), _bytes(row.new for row in rows)],
        largest=largest,
        where=where if len(rows) > 1 and largest else "",
        is_sample=any(each.is_sample for each in differences),
        form=next((each.order for each in differences if each.order), ""),
    )


def _relative(row: _Row) -> float | None:
    return row.difference.relative if row.difference is not None else None


def _bytes(stacks: Iterable[Stack | None]) -> int:
    return sum(stack.nbytes for stack in stacks if stack is not None)
