"""Values of ML programs: in the model's own file, or in files of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modellint.base.files import regular_size
from modellint.base.paths import leads_out, leaves_lexically
from modellint.base.records import dataclass
from modellint.base.text import bounded
from modellint.formats.elements import decode_varints, decoded, from_raw, read_range
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.protobuf import FieldSpan, Message
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import (
    DTYPES,
    HIGHEST_RANK,
    MOST,
    UNDEFINED,
    DType,
    Region,
    Shape,
    Tensor,
    Value,
    product,
)

if TYPE_CHECKING:
    from modellint.formats.elements import Array

Constant = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
"""A value that is a parameter of an operation."""

_CODES = """
1=bool 2=string 10=float16 11=float32 12=float64 13=bfloat16 21=int8 22=int16 23=int32 24=int64
25=int4 31=uint8 32=uint16 33=uint32 34=uint64 35=uint4 36=uint2 37=uint1 38=uint6 39=uint3
40=float8e4m3fn 41=float8e5m2
"""
DATA_TYPES: Mapping[int, DType] = {
    int(code): DTYPES[name] for code, name in (pair.split("=") for pair in _CODES.split())
}
"""Element types by their number in MIL.proto."""
_BLOB_CODES = """
1=float16 2=float32 3=uint8 4=int8 5=bfloat16 6=int16 7=uint16 8=int4 9=uint1 10=uint2 11=uint4
12=uint3 13=uint6 14=int32 15=uint32 16=float8e4m3fn 17=float8e5m2
"""
BLOB_TYPES: Mapping[int, DType] = {
    int(code): DTYPES[name] for code, name in (pair.split("=") for pair in _BLOB_CODES.split())
}
"""Element types by their number in files of weights."""
BLOB_HEADER = 64
SENTINEL = 0xDEADBEEF
MODEL_PATH = "@model_path/"
SMALL = 4096
"""Bytes of values in the model's file that are kept, since they are shapes, axes or scales."""
MOST_PARAMETERS = 64
"""Elements of a value that can be a parameter."""

TENSOR_TYPE, LIST_TYPE, TUPLE_TYPE, DICTIONARY_TYPE, STATE_TYPE = 1, 2, 3, 4, 5
FLOATS, INTS, BOOLS, STRINGS, LONG_INTS, DOUBLES, BYTES = 1, 2, 3, 4, 5, 6, 7
TYPE, IMMEDIATE, BLOB_FILE = 2, 3, 5


class ValueType(NamedTuple):
    """Type of a value of an ML program."""

    kind: str
    """``tensor``, ``list``, ``tuple``, ``dictionary`` or ``state``."""
    dtype: DType | None = None
    shape: Shape | None = None


def value_type(message: Message | None) -> ValueType:
    """Return the type of a value; of a state, that of its content."""
    if message is None:
        return ValueType("tensor")
    state = message.message(STATE_TYPE)
    if state is not None:
        return value_type(state.message(1))._replace(kind="state")
    tensor = message.message(TENSOR_TYPE)
    if tensor is not None:
        return ValueType("tensor", DATA_TYPES.get(tensor.integer(1)), _shape(tensor))
    kinds = {LIST_TYPE: "list", TUPLE_TYPE: "tuple", DICTIONARY_TYPE: "dictionary"}
    return ValueType(next((kind for number, kind in kinds.items() if number in message), "tensor"))


def _shape(tensor: Message) -> Shape | None:
    rank = tensor.integer(2)
    dims = tensor.messages(3)
    if rank < 0 or len(dims) != rank:
        return None
    if rank > HIGHEST_RANK:
        raise MalformedError(
            "corrupt", f"a shape of {rank} dims, where {HIGHEST_RANK} are possible"
        )
    sizes = (dim.message(1) for dim in dims)
    return tuple(size.integer(1) if size is not None else None for size in sizes)


@dataclass(slots=True)
class _BlobFile:
    """A file of weights that values refer to."""

    location: str
    path: Path
    reason: str | None
    """The reason why its path is refused."""
    source: Source | None = None
    tensors: int = 0
    first: str = ""
    wanted: int = 0
    end: int = 0

    def report(self, problems: Problems) -> None:
        facts: dict[str, Any] = {
            "location": self.location,
            "tensors": self.tensors,
            "tensor": self.first,
            "bytes": self.wanted,
        }
        if self.reason is not None:
            problems.note("external-outside", **facts, reason=self.reason)
        elif self.source is None:
            problems.note("external-missing", **facts)
        elif self.end > self.source.size:
            size = self.source.size
            problems.note("external-short", **facts, expected=self.end, size=size)


class ValueReader(StoredTensors):
    """Reads values of one ML program, whose files of weights are below a folder."""

    def __init__(self, model: Path, home: Path, problems: Problems) -> None:
        super().__init__(problems)
        self.model = model
        self.home = home
        self.tensors: list[Tensor] = []
        self._files: dict[str, _BlobFile] = {}
        self._seen: set[tuple[Path, int]] = set()

    def forget(self, values: list[Value]) -> None:
        """Leave out constants that are parameters of operations, and no weights."""
        dropped = {id(value.tensor) for value in values}
        self.tensors = [tensor for tensor in self.tensors if id(tensor) not in dropped]

    def close(self) -> None:
        """Close the weight files, and record their problems."""
        for file in self._files.values():
            file.report(self.problems)
            if file.source is not None:
                file.source.close()

    @property
    def paths(self) -> list[Path]:
        return [file.path for file in self._files.values() if file.reason is None]

    def tensor(self, name: str, value: Message) -> Tensor | None:
        """Return a value as a tensor; None if it is not one, or holds strings."""
        type = value_type(value.message(TYPE))
        dtype, shape = type.dtype, type.shape
        if type.kind != "tensor" or dtype is None or shape is None:
            return None
        sizes = tuple(dim if isinstance(dim, int) else 0 for dim in shape)
        mistake = mistake_in(sizes)
        if mistake:
            self.invalid(name, dtype, sizes, detail=mistake)
            tensor: Tensor | None = Tensor(name, dtype, possible(sizes), 0)
        elif BLOB_FILE in value:
            tensor = self._in_blob(name, dtype, sizes, value.message(BLOB_FILE))
        else:
            tensor = self._immediate(name, dtype, sizes, value)
        if tensor is not None and self._is_new(tensor):
            self.tensors.append(tensor)
        return tensor

    def _is_new(self, tensor: Tensor) -> bool:
        """Return False for weights that another function has as well."""
        region = tensor.region
        if region is None or not region.external:
            return True
        place = region.path, region.offset
        is_new = place not in self._seen
        self._seen.add(place)
        return is_new

    # Values in the model's own file

    def _immediate(
        self, name: str, dtype: DType, shape: tuple[int, ...], value: Message
    ) -> Tensor | None:
        content = _content(value)
        if content is None or dtype.kind == "string":
            return None
        nbytes = dtype.nbytes(product(shape))
        number, span, message = content
        if number == BYTES:
            return self._bytes(name, dtype, shape, span, message)
        raw = message.data[span.offset : span.end] if span.length <= SMALL else None
        read = partial(self._read_numbers, number, dtype, shape, span, raw)
        region = Region(self.model, span.offset, span.length)
        return Tensor(name, dtype, shape, nbytes, region, small=raw is not None, read=read)

    def _bytes(
        self, name: str, dtype: DType, shape: tuple[int, ...], span: FieldSpan, message: Message
    ) -> Tensor:
        needed = dtype.nbytes(product(shape))
        if span.length < needed:
            self.invalid(name, dtype, shape, needed, span.length)
            return Tensor(name, dtype, shape, needed)
        region = Region(self.model, span.offset, needed)
        if span.length > SMALL:
            return self.raw(name, dtype, shape, region)
        raw = message.data[span.offset : span.offset + needed]
        read = partial(decoded, raw, dtype, shape)
        return Tensor(name, dtype, shape, needed, region, small=True, read=read)

    def _read_numbers(
        self, number: int, dtype: DType, shape: tuple[int, ...], span: FieldSpan, raw: bytes | None
    ) -> Array | None:
        """Decode numbers that are packed as protobuf packs them."""
        import numpy as np

        try:
            buffer = raw if raw is not None else read_range(self.model, span.offset, span.length)
        except OSError as error:
            self.changed(self.model, error)
            return None
        try:
            if number in (FLOATS, DOUBLES):
                kind = "<f4" if number == FLOATS else "<f8"
                numbers: Array = np.frombuffer(buffer, dtype=kind)
            else:
                numbers = decode_varints(buffer).view(np.int64)
            with np.errstate(all="ignore"):  # numbers that the stated type cannot have
                return numbers.astype(dtype.numpy).reshape(shape)
        except ValueError:  # more or fewer than the shape has
            return None

    def parameter(self, value: Message) -> Constant | None:
        """Return a small immediate value as a number, a text, or a tuple of them."""
        type = value_type(value.message(TYPE))
        content = _content(value)
        if type.kind != "tensor" or content is None or type.shape is None:
            return None
        number, _, holder = content
        numbers: Iterator[Any]
        if number == STRINGS:
            numbers = iter(holder.texts(1)[: MOST_PARAMETERS + 1])
        elif number in (FLOATS, DOUBLES):
            numbers = holder.floats(1, "f" if number == FLOATS else "d")
        elif number == BYTES:
            return self._parameter_in_bytes(type, holder)
        else:
            numbers = holder.integers(1)
        found = tuple(islice(numbers, MOST_PARAMETERS + 1))
        if number == BOOLS:
            found = tuple(map(bool, found))
        if len(found) > MOST_PARAMETERS:
            return None
        if not type.shape:
            return found[0] if found else None
        return found

    def _parameter_in_bytes(self, type: ValueType, holder: Message) -> Constant | None:
        raw = holder.raw(1) if (span := holder.span_of(1)) and span.length <= SMALL else b""
        shape = tuple(dim for dim in type.shape or () if isinstance(dim, int))
        dtype = type.dtype
        if dtype is None or not 0 < product(shape) <= MOST_PARAMETERS:
            return None
        if len(raw) < dtype.nbytes(product(shape)):
            return None
        numbers = tuple(from_raw(raw, dtype, (product(shape),)).tolist())
        return numbers if shape else numbers[0]

    # Values in files of weights

    def _in_blob(
        self, name: str, dtype: DType, shape: tuple[int, ...], value: Message | None
    ) -> Tensor:
        needed = dtype.nbytes(product(shape))
        absent = Tensor(name, dtype, shape, needed)
        if value is None:
            return absent
        file = self._file(bounded(value.text(1)))
        offset = value.integer(2) % (1 << 64)
        file.tensors += 1
        file.first = file.first or name
        file.wanted = min(file.wanted + needed, MOST)
        source = file.source
        if source is None:
            return absent
        if offset + BLOB_HEADER > source.size:
            file.end = max(file.end, min(offset + BLOB_HEADER, MOST))
            return absent
        mark, code = source.number(offset, "<I"), source.number(offset + 4, "<I")
        length, start = source.number(offset + 8, "<Q"), source.number(offset + 16, "<Q")
        stored = BLOB_TYPES.get(code, UNDEFINED)
        if mark != SENTINEL:
            self.invalid(name, dtype, shape, detail=f"no weights at byte {offset}")
            return absent
        if stored is not dtype and not (dtype.kind == "bool" or stored.bits == dtype.bits):
            self.invalid(name, dtype, shape, detail=f"weights of type {stored} at byte {offset}")
            return absent
        if length < needed:
            self.invalid(name, dtype, shape, needed, min(length, MOST))
            return absent
        file.end = max(file.end, min(start + length, MOST))
        if start + length > source.size:
            return absent
        region = Region(file.path, start, needed, external=True)
        return self.raw(name, dtype, shape, region)

    def _file(self, location: str) -> _BlobFile:
        file = self._files.get(location)
        if file is None:
            relative = location.removeprefix(MODEL_PATH)
            path = self.model.parent / relative
            reason = leaves_lexically(relative)
            if reason is None and leads_out(self.home, path):
                reason = "link"
            file = self._files[location] = _BlobFile(relative, path, reason)
            if reason is None and "\0" not in relative and regular_size(path) is not None:
                file.source = Source(path)
        return file


def _content(value: Message) -> tuple[int, FieldSpan, Message] | None:
    """Return which kind of numbers an immediate tensor has, where, and the message around them."""
    immediate = value.message(IMMEDIATE)
    tensor = immediate.message(1) if immediate is not None else None
    if tensor is None:
        return None
    for number in (FLOATS, INTS, BOOLS, STRINGS, LONG_INTS, DOUBLES, BYTES):
        holder = tensor.message(number)
        if holder is not None:
            span = holder.span_of(1) or FieldSpan(holder.span.offset, 0)
            return number, span, holder
    return None
