"""GGUF files that llama.cpp refuses as files: places, shapes and types of tensors, parts."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.gguf import gguf_facts
from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.header import ARRAY, UINT16, UINT32, Array, GgufFile, StoredTensor
from modellint.formats.gguf.splits import part_name
from modellint.formats.gguf.types import REMOVED, TYPES, ggml_name
from modellint.model import Tensor, format_shape

MOST_DIMS = 4
LONGEST_NAME = 63
"""Bytes of a tensor's name that llama.cpp has room for."""
MOST_ELEMENTS = 2**63 - 1


def truncated(context: Context) -> Iterator[Hit]:
    """Tensors whose data extends past the end of the file."""
    beyond = []
    expected = 0
    for place, part, stated in _tensors(context):
        size = _stored_size(stated)
        if size is not None and part.start + stated.offset + size > part.size:
            beyond.append((place, part))
            expected = max(expected, part.start + stated.offset + size)
    if beyond:
        place, part = beyond[0]
        facts = {
            "tensor": place.name,
            "tensors": len(beyond),
            "file": part.path.name,
            "size": part.size,
            "expected": expected,
        }
        yield Hit(None, facts, count=len(beyond))


def out_of_place(context: Context) -> Iterator[Hit]:
    """Tensors that do not begin where the one before ends: the first of each file."""
    facts = gguf_facts(context.model)
    for part in facts.parts if facts is not None else ():
        expected = 0
        for stated in part.tensors:
            if stated.offset != expected:
                yield Hit(
                    _place(context, stated.name),
                    {"tensor": stated.name, "offset": stated.offset, "expected": expected},
                    variant=_displacement(stated.offset, expected, part.alignment),
                )
                break
            size = _stored_size(stated)
            if size is None:
                break
            expected += -(-size // part.alignment) * part.alignment


def _displacement(offset: int, expected: int, alignment: int) -> str:
    if offset % alignment:
        return "misaligned"
    return "overlapping" if offset < expected else "gap"


def repeated_tensor(context: Context) -> Iterator[Hit]:
    seen: set[str] = set()
    for place, _, stated in _tensors(context):
        if stated.name in seen:
            yield Hit(place, {"tensor": stated.name})
        seen.add(stated.name)


def unknown_type(context: Context) -> Iterator[Hit]:
    for place, _, stated in _tensors(context):
        if stated.type not in TYPES:
            facts = {"tensor": stated.name, "type": ggml_name(stated.type)}
            yield Hit(place, facts, variant="removed" if stated.type in REMOVED else "")


def indivisible_row(context: Context) -> Iterator[Hit]:
    """Quantized tensors whose rows are not whole blocks."""
    for place, _, stated in _tensors(context):
        dtype = TYPES.get(stated.type)
        row = stated.dims[0] if stated.dims else 1
        if dtype is not None and dtype.is_block and row % dtype.block:
            facts = {"tensor": stated.name, "row": row, "block": dtype.block}
            yield Hit(place, facts | {"type": ggml_name(stated.type)})


def impossible_shape(context: Context) -> Iterator[Hit]:
    """Tensors with too many or negative dims, or more elements than can be counted."""
    for place, _, stated in _tensors(context):
        variant = _impossibility(stated)
        if variant:
            shape = format_shape(stated.dims[:8])
            facts = {"tensor": stated.name, "dims": len(stated.dims), "shape": shape}
            yield Hit(place, facts, variant=variant)


def _impossibility(stated: StoredTensor) -> str:
    if len(stated.dims) > MOST_DIMS:
        return "rank"
    if any(dim < 0 for dim in stated.dims):
        return "negative"
    elements = 1
    for dim in stated.dims:
        elements *= dim
    return "count" if elements >= MOST_ELEMENTS else ""


def long_name(context: Context) -> Iterator[Hit]:
    for place, _, stated in _tensors(context):
        length = len(stated.name.encode())
        if length > LONGEST_NAME:
            yield Hit(place, {"tensor": stated.name, "length": length, "limit": LONGEST_NAME})


def alignment(context: Context) -> Iterator[Hit]:
    """An alignment that is not a power of two, or not stored as a 32-bit number."""
    facts = gguf_facts(context.model)
    for part in facts.parts if facts is not None else ():
        entry = part.entries.get("general.alignment")
        if entry is None:
            continue
        stated = entry.value
        if entry.type != UINT32 or not isinstance(stated, int):
            yield Hit(None, {"alignment": str(stated), "type": entry.type_name}, variant="type")
        elif stated <= 0 or stated & (stated - 1):
            yield Hit(None, {"alignment": stated})


def unreadable_metadata(context: Context) -> Iterator[Hit]:
    """Keys that occur twice or are empty, and arrays in arrays."""
    facts = gguf_facts(context.model)
    for part in facts.parts if facts is not None else ():
        for key in part.repeated:
            yield Hit(None, {"key": key})
        if "" in part.entries:
            yield Hit(None, {"key": ""}, variant="empty")
        for key, entry in part.entries.items():
            if entry.type == ARRAY and isinstance(entry.value, Array) and entry.value.type == ARRAY:
                yield Hit(None, {"key": key}, variant="nested")


def big_endian(context: Context) -> Iterator[Hit]:
    facts = gguf_facts(context.model)
    if facts is not None and facts.first.is_big_endian:
        yield Hit(None, {"version": facts.first.version})


def parts(context: Context) -> Iterator[Hit]:
    """Parts of a model that are missing, or say something else than their names."""
    facts = gguf_facts(context.model)
    if facts is None:
        return
    if facts.number > 1:
        name = part_name(context.model.path)
        yield Hit(None, {"first": name.other(1) if name else "", "number": facts.number}, "first")
        return
    if facts.missing:
        number = len(facts.missing)
        missing = {"missing": list(facts.missing), "number": number, "parts": facts.count}
        yield Hit(None, missing, count=number)
    yield from _contradicting(facts)


def _contradicting(facts: GgufFacts) -> Iterator[Hit]:
    """Hits for parts that say another number, and counts that are different."""
    stated = facts.integer("split.count") or 0
    if stated > 1 and facts.count == 1:
        yield Hit(None, {"parts": stated}, "renamed")
        return
    if stated != facts.count and facts.count > 1:
        yield Hit(None, {"parts": facts.count, "stated": stated}, "count")
        return
    for part in facts.parts if facts.count > 1 else ():
        name, entry = part_name(part.path), part.entries.get("split.no")
        number = entry.value if entry is not None and entry.type == UINT16 else None
        if name is not None and number != name.number - 1:
            shown = "none" if number is None else number
            yield Hit(
                None,
                {"file": part.path.name, "stated": shown, "expected": name.number - 1},
                "number",
            )
    total = facts.integer("split.tensors.count")
    found = sum(len(part.tensors) for part in facts.parts)
    if facts.count > 1 and not facts.missing and total is not None and total != found:
        yield Hit(None, {"tensors": found, "stated": total}, "tensors")


def _tensors(context: Context) -> Iterator[tuple[Tensor, GgufFile, StoredTensor]]:
    """Iterate over tensors: in the model, their file, and what it states."""
    facts = gguf_facts(context.model)
    if facts is not None:
        for place, (part, stated) in zip(context.model.tensors, facts.tensors(), strict=True):
            yield place, part, stated


def _place(context: Context, name: str) -> Tensor | None:
    return next((each for each in context.model.tensors if each.name == name), None)


def _stored_size(stated: StoredTensor) -> int | None:
    """Return the bytes of a tensor's data; None if they cannot be known."""
    dtype = TYPES.get(stated.type)
    if dtype is None or _impossibility(stated):
        return None
    elements = 1
    for dim in stated.dims:
        elements *= dim
    return dtype.nbytes(elements)
