"""Decoding of stored bytes to arrays, for the readers of all formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.files import open_regular
from modellint.model import DType, product

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_DENSE_ELEMENTS = 1 << 26
MOST_SPARSE_ELEMENTS = 1 << 20
MOST_PER_ENTRY = 256
"""Maximum size of a densified sparse tensor, if above `MOST_SPARSE_ELEMENTS` also in proportion
to what is stored: a file can declare any shape at no cost."""


NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)
"""Values of the 4-bit NormalFloat by code, from Appendix E of https://arxiv.org/abs/2305.14314."""


class ShrunkError(OSError):
    """A file that has become shorter than it was."""


def read_ranges(path: Path, ranges: Iterable[tuple[int, int]]) -> Iterator[memoryview]:
    """Read ranges of a file, each an offset and a length.

    A file that shrinks while it is mapped would end the process.
    """
    with open_regular(path) as file:
        for offset, length in ranges:
            buffer = memoryview(bytearray(length))
            file.seek(offset)
            found = 0
            while found < length:
                more = file.readinto(buffer[found:])
                if not more:
                    raise ShrunkError(f"it ends at byte {offset + found}")
                found += more
            yield buffer.toreadonly()


def read_range(path: Path, offset: int, length: int) -> memoryview:
    (buffer,) = read_ranges(path, [(offset, length)])
    return buffer


def from_raw(buffer: Any, dtype: DType, shape: Sequence[int]) -> Array:
    """Decode little-endian elements, packed if narrower than a byte."""
    import numpy as np

    if dtype.bits >= 8:
        return np.frombuffer(buffer, dtype=dtype.numpy).reshape(tuple(shape))
    codes = unpack(np.frombuffer(buffer, dtype=np.uint8), int(dtype.bits), product(shape))
    return codes_to(codes, dtype).reshape(tuple(shape))


def decoded(buffer: Any, dtype: DType, shape: Sequence[int]) -> Array | None:
    """Decode in the same way; None if numpy does not support the shape."""
    try:
        return from_raw(buffer, dtype, shape)
    except ValueError:
        return None


def unpack(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """Unpack codes of `bits` bits each, lowest bits first."""
    import numpy as np

    if bits in (1, 2, 4):
        mask = (1 << bits) - 1
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        codes: NDArray[np.uint8] = (packed[: -(-count * bits // 8), None] >> shifts) & np.uint8(
            mask
        )
        return codes.reshape(-1)[:count]
    needed = packed[: -(-count * bits // 8)]
    single = np.unpackbits(needed, bitorder="little")[: count * bits].reshape(count, bits)
    return np.packbits(single, axis=1, bitorder="little").reshape(-1)


def codes_to(codes: NDArray[np.uint8], dtype: DType) -> Array:
    """Convert bit patterns to elements of a type narrower than a byte."""
    import numpy as np

    if dtype.name == "nf4":
        return np.array(NF4, dtype=np.float32)[codes]
    if dtype.kind == "float":
        return codes.view(dtype.numpy)
    if dtype.kind == "int":
        sign = 1 << (int(dtype.bits) - 1)
        return (np.asarray(codes ^ sign, dtype=np.int8) - np.int8(sign)).astype(dtype.numpy)
    return codes.astype(dtype.numpy)


def decode_varints(buffer: Any) -> NDArray[np.uint64]:
    """Decode all of protobuf's packed varints at once."""
    import numpy as np

    data = np.frombuffer(buffer, dtype=np.uint8)
    if data.size == 0:
        return np.empty(0, dtype=np.uint64)
    ends = np.flatnonzero(data < 0x80)
    if ends.size == 0 or ends[-1] != data.size - 1:
        raise ValueError("the last varint is truncated")
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(data.size) - np.repeat(starts, ends - starts + 1)
    parts = (data & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(parts, starts)


def spread(values: Array, indices: Array, shape: Sequence[int]) -> Array | None:
    """Densify a sparse tensor; indices are linear, or rows of coordinates.

    ValueError or IndexError if they do not fit the shape.
    """
    import numpy as np

    if indices.ndim != 1 and indices.shape[1:] != (len(shape),):
        raise ValueError("the coordinates have another rank than the tensor")
    count = product(shape)
    in_proportion = max(MOST_PER_ENTRY * values.size, MOST_SPARSE_ELEMENTS)
    if count > min(in_proportion, MOST_DENSE_ELEMENTS):
        return None
    dense = np.zeros(count, dtype=values.dtype)
    linear = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), tuple(shape))
    dense[linear] = values
    return dense.reshape(tuple(shape))
