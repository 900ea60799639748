"""Conversion of a TensorProto to a Tensor, without reading its elements."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.formats.elements import (
    codes_to,
    decode_varints,
    from_raw,
    read_ranges,
    spread,
)
from modellint.formats.onnx.external import ExternalFiles
from modellint.formats.onnx.names import prose, text
from modellint.formats.onnx.wire import LARGE, RAW_DATA, STRING_DATA, Payload, Payloads
from modellint.formats.problems import Problems
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import (
    DTYPES,
    MOST,
    UNDEFINED,
    DType,
    Region,
    Tensor,
    dtype_of,
    product,
)

if TYPE_CHECKING:
    from onnx import SparseTensorProto, TensorProto

    from modellint.formats.elements import Array

FLOAT_DATA, INT32_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 7, 10, 11
TYPED_FIELDS = {
    "float32": FLOAT_DATA,
    "complex64": FLOAT_DATA,
    "float64": DOUBLE_DATA,
    "complex128": DOUBLE_DATA,
    "int64": INT64_DATA,
    "uint32": UINT64_DATA,
    "uint64": UINT64_DATA,
    "string": STRING_DATA,
}
"""Fields of elements that are not raw; all other types are in int32_data."""
FIELD_NAMES = {
    FLOAT_DATA: "float_data",
    INT32_DATA: "int32_data",
    STRING_DATA: "string_data",
    INT64_DATA: "int64_data",
    DOUBLE_DATA: "double_data",
    UINT64_DATA: "uint64_data",
}
EXTERNAL = 1
LONGEST_VARINT = 10
LONGEST_NUMBER = 19
MOST_SMALL = 8 * LARGE
"""Size to which a payload of `LARGE` bytes can grow: one byte for each element of int64."""


class TensorReader(StoredTensors):
    """Creates the tensors of a model, and records those with invalid data."""

    def __init__(self, path: Path, payloads: Payloads | None, problems: Problems) -> None:
        super().__init__(problems)
        self.path = path
        self.payloads = payloads
        self.external = ExternalFiles(path)
        self.tensors: list[Tensor] = []

    def tensor(self, proto: TensorProto, name: str) -> Tensor:
        tensor = self._tensor(proto, name)
        self.tensors.append(tensor)
        return tensor

    def sparse(self, proto: SparseTensorProto, name: str) -> Tensor:
        """Return a sparse tensor with its dense shape; `nbytes` is its stored size."""
        values = self._tensor(proto.values, name)
        indices = self._tensor(proto.indices, name)
        dtype, shape = values.dtype, tuple(proto.dims)
        nbytes = min(values.nbytes + indices.nbytes, MOST)
        mistake = mistake_in(shape)
        if mistake:
            self.invalid(name, dtype, shape, detail=mistake)
            tensor = Tensor(name, dtype, possible(shape), nbytes, values.region)
        else:
            in_memory = values.small and indices.small
            tensor = Tensor(
                name,
                dtype,
                shape,
                nbytes,
                values.region,
                small=in_memory and dtype.nbytes(product(shape)) <= LARGE,
                read=partial(_read_sparse, values, indices, shape),
            )
        self.tensors.append(tensor)
        return tensor

    def is_mark(self, string: bytes) -> bool:
        return self.payloads is not None and string.startswith(self.payloads.token.encode())

    def blob(self, mark: bytes, name: str) -> Tensor | None:
        """Return a string attribute that was removed because of its length."""
        if self.payloads is None or not self.is_mark(mark):
            return None
        (run,) = self.payloads.runs[int(mark.rpartition(b":")[2])]
        dtype, shape = DTYPES["uint8"], (run.length,)
        region = Region(self.path, run.offset, run.length)
        tensor = Tensor(
            name,
            dtype,
            shape,
            run.length,
            region,
            read=partial(self.read_raw, region, dtype, shape),
        )
        self.tensors.append(tensor)
        return tensor

    def _tensor(self, proto: TensorProto, name: str) -> Tensor:
        dtype, shape = dtype_of(proto.data_type), tuple(proto.dims)
        mistake = f"element type {proto.data_type}" if dtype is UNDEFINED else mistake_in(shape)
        if mistake:
            self.invalid(name, dtype, shape, detail=mistake)
            return Tensor(name, dtype, possible(shape), 0)
        if proto.data_location == EXTERNAL:
            entries = {text(entry.key): prose(entry.value) for entry in proto.external_data}
            if self.payloads is not None and self.payloads.token in entries:
                runs = self.payloads.runs[int(entries[self.payloads.token])]
                return self._left_out(name, dtype, shape, runs)
            return self._external(name, dtype, shape, entries)
        return self._in_memory(proto, name, dtype, shape)

    def _in_memory(
        self, proto: TensorProto, name: str, dtype: DType, shape: tuple[int, ...]
    ) -> Tensor:
        elements = product(shape)
        expected = nbytes = dtype.nbytes(elements)
        found, unit = len(proto.raw_data), "bytes"
        if not found and expected | elements:
            entries = getattr(proto, FIELD_NAMES[_field(dtype)])
            expected, found, unit = _entry_count(dtype, elements), len(entries), "elements"
            if dtype.kind == "string":
                nbytes = sum(map(len, entries))
        if expected != found:
            self.invalid(name, dtype, shape, expected, found, unit)
            return Tensor(name, dtype, shape, nbytes)
        read = partial(_read_proto, proto, dtype, shape)
        code = _ARRAY_CODES.get(dtype.name)
        plain = partial(_read_plain, proto, dtype, code) if code is not None else None
        small = nbytes <= MOST_SMALL
        return Tensor(name, dtype, shape, nbytes, small=small, read=read, read_plain=plain)

    def _left_out(
        self, name: str, dtype: DType, shape: tuple[int, ...], runs: tuple[Payload, ...]
    ) -> Tensor:
        elements = product(shape)
        nbytes = dtype.nbytes(elements)
        raw = [run for run in runs if run.field == RAW_DATA and run.length]
        if raw and dtype.kind != "string":
            region = Region(self.path, raw[-1].offset, raw[-1].length)
            if region.length != nbytes:
                self.invalid(name, dtype, shape, nbytes, region.length, "bytes")
                return Tensor(name, dtype, shape, nbytes, region)
            return self.raw(name, dtype, shape, region)
        runs = tuple(run for run in runs if run.field == _field(dtype))
        if not runs:
            self.invalid(name, dtype, shape, nbytes, 0, "bytes")
            return Tensor(name, dtype, shape, nbytes)
        total = sum(run.length for run in runs)
        start = runs[0].offset
        region = Region(self.path, start, runs[-1].offset + runs[-1].length - start)
        if dtype.kind == "string":
            nbytes = total
        least, most = _typed_size(dtype, elements, runs)
        found = len(runs) if dtype.kind == "string" else total
        if not least <= found <= most:
            unit = "elements" if dtype.kind == "string" else "bytes"
            self.invalid(name, dtype, shape, least, found, unit)
            return Tensor(name, dtype, shape, nbytes, region)
        read_typed = partial(self._read_typed, runs, dtype, shape)
        return Tensor(name, dtype, shape, nbytes, region, read=read_typed)

    def _external(
        self, name: str, dtype: DType, shape: tuple[int, ...], entries: dict[str, str]
    ) -> Tensor:
        nbytes = dtype.nbytes(product(shape))
        offset = _number(entries.get("offset") or "0")
        length = _number(entries["length"]) if entries.get("length") else nbytes
        region = None
        if offset is None or length is None:
            detail = "external data at an offset, or of a length, that makes no sense"
            self.invalid(name, dtype, shape, detail=detail)
        elif not entries.get("location"):
            self.invalid(name, dtype, shape, detail="external data in a file that is not named")
        elif length != nbytes or dtype.kind == "string":
            self.invalid(name, dtype, shape, nbytes, length, "bytes")
        else:
            region = self.external.claim(name, entries["location"], offset, length)
        if region is None:
            return Tensor(name, dtype, shape, nbytes)
        return self.raw(name, dtype, shape, region)

    def _read_typed(
        self, runs: tuple[Payload, ...], dtype: DType, shape: tuple[int, ...]
    ) -> Array | None:
        try:
            places = ((run.offset, run.length) for run in runs)
            return _from_runs(runs, list(read_ranges(self.path, places)), dtype, shape)
        except OSError as error:
            self.changed(self.path, error)
        except ValueError:
            pass
        return None


def _number(digits: str) -> int | None:
    """Parse a number as C++ does: `int` takes underscores and the digits of other scripts, too."""
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER
    return int(digits) if is_number else None


def _field(dtype: DType) -> int:
    return TYPED_FIELDS.get(dtype.name, INT32_DATA)


def _entry_count(dtype: DType, elements: int) -> int:
    """Return the number of entries of the typed field for a number of elements."""
    if dtype.kind == "complex":
        return 2 * elements
    if dtype.bits in (2, 4):  # packed into bytes, one byte in each entry
        return dtype.nbytes(elements)
    return elements


def _typed_size(dtype: DType, elements: int, runs: Sequence[Payload]) -> tuple[int, int]:
    """Return the minimum and maximum length of a typed field: bytes, or number of strings."""
    entries = _entry_count(dtype, elements)
    field = runs[0].field
    if field == STRING_DATA:
        return entries, entries
    if field == FLOAT_DATA:
        return 4 * entries, 4 * entries
    if field == DOUBLE_DATA:
        return 8 * entries, 8 * entries
    return entries, LONGEST_VARINT * entries


def _read_proto(proto: TensorProto, dtype: DType, shape: tuple[int, ...]) -> Array | None:
    try:
        if proto.raw_data:
            return from_raw(proto.raw_data, dtype, shape)
        return _from_entries(getattr(proto, FIELD_NAMES[_field(dtype)]), dtype, shape)
    except (OverflowError, ValueError):
        return None


_ARRAY_CODES = {"float32": "f", "float64": "d", "int32": "i", "int64": "q"}


def _read_plain(proto: TensorProto, dtype: DType, code: str) -> array[Any]:
    if not proto.raw_data:
        return array(code, getattr(proto, FIELD_NAMES[_field(dtype)]))
    elements = array(code, proto.raw_data)
    if sys.byteorder == "big":
        elements.byteswap()
    return elements


def _from_runs(
    runs: tuple[Payload, ...], buffers: list[memoryview], dtype: DType, shape: tuple[int, ...]
) -> Array:
    import numpy as np

    if dtype.kind == "string":
        return _from_entries([bytes(buffer) for buffer in buffers], dtype, shape)
    if runs[0].field == FLOAT_DATA:
        parts: list[Any] = [np.frombuffer(buffer, "<f4") for buffer in buffers]
    elif runs[0].field == DOUBLE_DATA:
        parts = [np.frombuffer(buffer, "<f8") for buffer in buffers]
    else:
        parts = [decode_varints(buffer).view(np.int64) for buffer in buffers]
    return _from_entries(parts[0] if len(parts) == 1 else np.concatenate(parts), dtype, shape)


def _from_entries(entries: Any, dtype: DType, shape: tuple[int, ...]) -> Array:
    """Convert a typed field, whose entries are wider than most types, to elements."""
    import numpy as np

    if dtype.kind == "string":
        strings = np.empty(len(entries), dtype=object)
        strings[:] = list(entries)
        return strings.reshape(shape)
    if dtype.kind == "complex":
        parts = np.asarray(entries, dtype="<f4" if dtype.bits == 64 else "<f8")
        return parts.view(dtype.numpy).reshape(shape)
    if dtype.bits >= 32 and dtype.kind == "float":
        return np.asarray(entries, dtype=dtype.numpy).reshape(shape)
    numbers = np.asarray(entries) if len(entries) else np.empty(0, dtype=np.int64)
    if dtype.kind == "float" and dtype.bits == 6:
        codes = (numbers & 0x3F).astype(np.uint8)
        return codes_to(codes, dtype).reshape(shape)
    if dtype.bits < 8:
        return from_raw(numbers.astype(np.uint8), dtype, shape)
    if dtype.kind == "float":
        width = np.uint16 if dtype.bits == 16 else np.uint8
        return numbers.astype(width).view(dtype.numpy).reshape(shape)
    return numbers.astype(dtype.numpy).reshape(shape)


def _read_sparse(values: Tensor, indices: Tensor, shape: tuple[int, ...]) -> Array | None:
    dense_values, places = values.numpy(), indices.numpy()
    if dense_values is None or places is None:
        return None
    try:
        return spread(dense_values, places, shape)
    except (IndexError, ValueError, TypeError):
        return None
