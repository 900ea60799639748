"""Element types by their number in TensorFlow's `DataType`."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.protobuf import Message
from modellint.model import DTYPES, HIGHEST_RANK, UNDEFINED, DType, Shape

_NAMES = """
1=float32 2=float64 3=int32 4=uint8 5=int16 6=int8 7=string 8=complex64 9=int64 10=bool
11=int8 12=uint8 13=int32 14=bfloat16 15=int16 16=uint16 17=uint16 18=complex128 19=float16
22=uint32 23=uint64 24=float8e5m2 25=float8e4m3fn 29=int4 30=uint4
"""
"""tensorflow/core/framework/types.proto of TensorFlow 2.21; quantized types are their integers."""

TYPES: Mapping[int, DType] = {
    int(code): DTYPES[name] for code, name in (pair.split("=") for pair in _NAMES.split())
}
_REFERENCE = 100
"""Offset of the types of references."""


def tensor_type(code: int) -> DType:
    return TYPES.get(code % _REFERENCE, UNDEFINED)


def tensor_shape(stated: Message | None) -> Shape | None:
    """Return a shape; None for one of unknown rank."""
    if stated is None or stated.integer(3):
        return None
    sizes = [dim.integer(1) for dim in stated.messages(2)]
    if len(sizes) > HIGHEST_RANK:
        return None
    return tuple(None if size < 0 else size for size in sizes)
