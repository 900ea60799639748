"""Headers of safetensors files: parsed as strictly as the safetensors library, release 0.8.

The library reads the JSON with serde, which differs from Python's parser in what it accepts:
structures may be written as lists, integers may not be written as floats, and nesting ends at 127.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError
from modellint.formats.source import Source
from modellint.model import DTYPES, DType

DTYPE_NAMES: Mapping[str, str] = {
    "BOOL": "bool",
    "F4": "float4e2m1",
    "F6_E2M3": "float6e2m3",
    "F6_E3M2": "float6e3m2",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8e5m2",
    "F8_E4M3": "float8e4m3fn",
    "F8_E8M0": "float8e8m0",
    "F8_E4M3FNUZ": "float8e4m3fnuz",
    "F8_E5M2FNUZ": "float8e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
"""Element types of release 0.8, in the order of its source."""
LENGTH = 8
LONGEST = 100_000_000
"""The library's own limit on the header."""
MOST_ELEMENTS = 1 << 22
"""Limit on the commas of a header: tensors have four each, and no model has a million."""
DEEPEST = 127
LARGEST = (1 << 64) - 1
_LARGEST_REAL = int(sys.float_info.max)
METADATA = "__metadata__"
_FIELDS = ("dtype", "shape", "data_offsets")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


class StatedTensor(NamedTuple):
    """A tensor as the header states it; offsets are relative to the header's end."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    start: int
    stop: int


class TensorHeader(NamedTuple):
    """A parsed header."""

    entries: list[StatedTensor]
    """In the order of their offsets."""
    metadata: dict[str, str]
    repeated: list[str]
    """Names that occur more than once; the last counts."""
    data: int
    """Offset of the first byte after the header."""


class InvalidError(ValueError):
    """The library does not accept the header."""


def header_length(head: bytes) -> int | None:
    """Return the length of the header, if the first bytes are of such a file."""
    length = int.from_bytes(head[:LENGTH], "little")
    plausible = len(head) >= LENGTH + 2 and 2 <= length <= LONGEST
    return length if plausible and head[LENGTH:].lstrip(b" \t\r\n").startswith(b"{") else None


def read_header(source: Source) -> TensorHeader:
    """Read the header. Raises MalformedError."""
    length = source.number(0, "<Q", "the header's length")
    if length > LONGEST:
        raise MalformedError("corrupt", f"a header of {length} bytes, where {LONGEST} are allowed")
    text = source.read(LENGTH, length, "the header")
    try:
        return parse_header(text, LENGTH + length)
    except InvalidError as error:
        raise MalformedError("corrupt", f"invalid header: {error}") from error
    except RecursionError as error:
        raise MalformedError("too-deep", "brackets within brackets", limit=DEEPEST) from error


def parse_header(text: bytes, data: int) -> TensorHeader:
    """Parse the JSON of a header that ends at the offset `data`."""
    entries: dict[str, StatedTensor] = {}
    metadata: dict[str, str] | None = None
    repeated: list[str] = []
    for name, stated in _table(_parse(text), "the header"):
        if name == METADATA:
            if metadata is not None:
                raise InvalidError(f"{METADATA} is stated twice")
            metadata = _metadata(stated)
            continue
        if name in entries:
            repeated.append(bounded(name))
        entries[name] = _entry(bounded(name), stated)
    ordered = sorted(entries.values(), key=lambda entry: (entry.start, entry.stop))
    return TensorHeader(ordered, metadata or {}, repeated, data)


def _parse(raw: bytes) -> Any:
    """Parse JSON. Objects become tuples of pairs, which keeps repeated keys."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidError("not UTF-8") from error
    if text.count(",") > MOST_ELEMENTS:
        raise InvalidError(f"more than {MOST_ELEMENTS} elements")
    if "\\u" in text and _has_lone_surrogate(text):
        raise InvalidError("half of a surrogate pair")
    try:
        return json.loads(
            text,
            object_pairs_hook=tuple,
            parse_constant=_refuse,
            parse_float=_real,
            parse_int=_integer if "-0" in text else None,
        )
    except ValueError as error:
        raise InvalidError(f"not JSON ({error})") from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not part of JSON")


def _real(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number out of range")
    return number


def _integer(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


def _has_lone_surrogate(text: str) -> bool:
    expected = False
    end = 0
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1], 16) if escape[1] else 0
        is_second = 0xDC00 <= code < 0xE000
        if is_second != expected or (expected and escape.start() != end):
            return True
        expected, end = 0xD800 <= code < 0xDC00, escape.end()
    return expected


def _table(stated: object, what: str) -> tuple[tuple[str, Any], ...]:
    if not isinstance(stated, tuple):
        raise InvalidError(f"{what} is not a table")
    return stated


def _metadata(stated: object) -> dict[str, str]:
    """Return the metadata: texts by name, or nothing."""
    if stated is None:
        return {}
    metadata = dict(_table(stated, METADATA))
    if not all(isinstance(text, str) for text in metadata.values()):
        raise InvalidError(f"{METADATA} has values that are not strings")
    return metadata


def _entry(name: str, stated: object) -> StatedTensor:
    """Return a tensor, written as a table or as a list of its fields."""
    if isinstance(stated, list):
        if len(stated) != len(_FIELDS):
            raise InvalidError(f"tensor '{name}' has {len(stated)} fields")
        fields = dict(zip(_FIELDS, stated, strict=True))
    else:
        fields = _fields(name, _table(stated, f"tensor '{name}'"))
    shape, offsets = _naturals(name, fields, "shape"), _naturals(name, fields, "data_offsets")
    if len(offsets) != 2:
        raise InvalidError(f"tensor '{name}' has {len(offsets)} data_offsets")
    return StatedTensor(name, _dtype(name, fields.get("dtype")), shape, *offsets)


def _fields(name: str, stated: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return the fields of a tensor; others than the known ones may be repeated."""
    fields: dict[str, Any] = {}
    for key, value in stated:
        if key in _FIELDS:
            if key in fields:
                raise InvalidError(f"tensor '{name}' states {key} twice")
            fields[key] = value
        else:
            _pass_over(value, 3)
    return fields


def _pass_over(value: object, depth: int) -> None:
    """Raise for values that the library rejects even in fields that it ignores."""
    if isinstance(value, int) and abs(value) > _LARGEST_REAL:
        raise InvalidError("a number out of range")
    if not isinstance(value, (list, tuple)):
        return
    if depth > DEEPEST:
        raise RecursionError
    for each in value:
        _pass_over(each[1] if isinstance(value, tuple) else each, depth + 1)


def _dtype(name: str, stated: object) -> DType:
    if isinstance(stated, tuple) and len(stated) == 1 and stated[0][1] is None:
        stated = stated[0][0]
    known = DTYPE_NAMES.get(stated) if isinstance(stated, str) else None
    if known is None:
        shown = f"'{bounded(stated)}'" if isinstance(stated, str) else "no text"
        raise InvalidError(f"tensor '{name}' has an unknown dtype, {shown}")
    return DTYPES[known]


def _naturals(name: str, fields: Mapping[str, Any], key: str) -> tuple[int, ...]:
    stated = fields.get(key)
    if not isinstance(stated, list) or not all(map(_is_natural, stated)):
        raise InvalidError(f"tensor '{name}' has no {key} of natural numbers")
    return tuple(stated)


def _is_natural(number: object) -> bool:
    return type(number) is int and 0 <= number <= LARGEST


def bits_of(entry: StatedTensor) -> int | None:
    """Return the size of a tensor by its type and shape; None if the library's count overflows."""
    count = 1
    for dim in entry.shape:
        count *= dim
        if count > LARGEST:
            return None
    bits = count * int(entry.dtype.bits)
    return bits if bits <= LARGEST else None


def mistakes_in(entry: StatedTensor) -> Iterator[str]:
    """Iterate over the mistakes in a tensor's size."""
    bits = bits_of(entry)
    if bits is None:
        yield "more elements than can be counted"
    elif bits % 8:
        yield f"{bits} bits, which do not end at a byte"
    elif entry.stop - entry.start != bits // 8:
        yield f"{entry.stop - entry.start} bytes where its type and shape need {bits // 8}"
