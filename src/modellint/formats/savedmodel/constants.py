"""Constants of a graph, stored as raw bytes or as numbers of a message."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.formats.elements import decoded
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import READ_WHOLE, FieldSpan, Message
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import DType, Region, Tensor, product

if TYPE_CHECKING:
    from modellint.formats.elements import Array

Locate = Callable[[int, int], Region]
"""Returns the region of a file that begins at a place and has a length."""
SMALL = 4096
"""Constants up to this size are read where their elements matter: shapes, axes, factors."""
MOST_REPEATED = 1 << 20
"""Elements of a constant that is stored as fewer numbers: the last one stands for the rest."""
_CONTENT = 4
_NUMBERS = """
float32=5 float64=6 int32=7 int16=7 int8=7 uint8=7 uint16=7 int64=10 bool=11 float16=13 bfloat16=13
uint32=16 uint64=17
"""
_FIELDS = {name: int(field) for name, field in (each.split("=") for each in _NUMBERS.split())}
"""Fields of a tensor with its elements as numbers, by type."""
_REALS = {5: "f", 6: "d"}
_BITS = 13
"""The field with numbers that are the bits of half-precision elements."""


def constant(name: str, stated: Message, locate: Locate, stored: StoredTensors) -> Tensor:
    """Return the tensor of a constant, whose elements stay in the file until they are asked for."""
    dtype, shape = tensor_type(stated.integer(1)), tensor_shape(stated.message(2))
    sizes = tuple(dim if isinstance(dim, int) else -1 for dim in shape or ())
    mistake = "a shape of unknown rank" if shape is None else mistake_in(sizes)
    if mistake:
        stored.invalid(name, dtype, possible(sizes), detail=mistake)
        return Tensor(name, dtype, possible(sizes), 0)
    content, nbytes = stated.span_of(_CONTENT), dtype.nbytes(product(sizes))
    if dtype.kind == "string" or not dtype.bits:
        return Tensor(name, dtype, sizes, sum(each.length for each in stated.spans(8)))
    if content is None or not content.length:
        return _from_numbers(name, stated, dtype, sizes)
    if content.length != nbytes:
        stored.invalid(name, dtype, sizes, nbytes, content.length)
        return Tensor(name, dtype, sizes, nbytes)
    return _from_content(name, dtype, sizes, content, locate, stored)


def _from_content(
    name: str,
    dtype: DType,
    shape: tuple[int, ...],
    content: FieldSpan,
    locate: Locate,
    stored: StoredTensors,
) -> Tensor:
    region = locate(*content)
    if dtype.bits < 8:
        return Tensor(name, dtype, shape, content.length, region)
    found = stored.raw(name, dtype, shape, region)
    return found if content.length > SMALL else stored.at_hand(found)


def _from_numbers(name: str, stated: Message, dtype: DType, shape: tuple[int, ...]) -> Tensor:
    nbytes, field = dtype.nbytes(product(shape)), _FIELDS.get(dtype.name)
    if field is None or product(shape) > MOST_REPEATED or stated.span.length > READ_WHOLE:
        return Tensor(name, dtype, shape, nbytes)
    kept = stated.data[stated.span.offset : stated.span.end]  # the file is closed by then
    read = partial(_numbers, Message(kept, FieldSpan(0, len(kept))), field, dtype, shape)
    return Tensor(name, dtype, shape, nbytes, small=nbytes <= SMALL, read=read)


def _numbers(stated: Message, field: int, dtype: DType, shape: tuple[int, ...]) -> Array | None:
    import numpy as np

    code, count = _REALS.get(field), product(shape)
    try:
        listed: list[Any] = list(stated.floats(field, code) if code else stated.integers(field))
        listed = listed[:count] or [0]
        if field == _BITS:
            bits = np.array(listed, dtype=np.uint16).tobytes()
            found = decoded(bits, dtype, (len(listed),))
        else:
            found = np.array(listed).astype(dtype.numpy)
    except (OverflowError, ValueError, MalformedError):
        return None
    if found is None:
        return None
    whole = np.empty(count, dtype=found.dtype)
    whole[: len(found)], whole[len(found) :] = found, found[-1]
    return whole.reshape(shape)
