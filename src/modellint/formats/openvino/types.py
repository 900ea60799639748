"""Element types and shapes, as OpenVINO writes them."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.problems import MalformedError
from modellint.model import DTYPES, HIGHEST_RANK, DType, Shape

_NAMES = """
f64=float64 f32=float32 f16=float16 bf16=bfloat16 f8e4m3=float8e4m3fn f8e5m2=float8e5m2
f8e8m0=float8e8m0 f4e2m1=float4e2m1 nf4=nf4
i64=int64 i32=int32 i16=int16 i8=int8 i4=int4 i2=int2
u64=uint64 u32=uint32 u16=uint16 u8=uint8 u6=uint6 u4=uint4 u3=uint3 u2=uint2 u1=uint1
boolean=bool string=string
"""
_PORT_NAMES = {"fp64": "f64", "fp32": "f32", "fp16": "f16", "bool": "boolean", "bin": "u1"}

ELEMENT_TYPES: Mapping[str, DType] = {
    name: DTYPES[ours] for name, ours in (pair.split("=") for pair in _NAMES.split())
}
"""By the name in ``element_type`` and ``destination_type``."""
OPEN_TYPES = frozenset({"dynamic", "undefined", "unspecified", "custom", "mixed"})
"""Names for a type that is not known yet."""


def element_type(name: str | None) -> DType | None:
    """Return an element type by its name in an attribute (f16) or a port (FP16)."""
    lower = (name or "").lower()
    return ELEMENT_TYPES.get(_PORT_NAMES.get(lower, lower))


def static_shape(text: str) -> tuple[int, ...]:
    """Parse the shape of a constant: ``64,3,7,7``."""
    return tuple(map(integer, text.split(","))) if text.strip() else ()


def partial_shape(text: str) -> Shape | None:
    """Parse the shape of an input, where dims may be ranges, and the rank may be open."""
    text = text.strip().removeprefix("[").removesuffix("]")
    if text == "...":
        return None
    dims = text.split(",") if text else []
    require_rank(len(dims))
    return tuple(map(_dim, dims))


def _dim(text: str) -> int | None:
    low, dots, high = text.strip().partition("..")
    if low == "?" or (dots and low != high):
        return None
    number = integer(low)
    return None if number < 0 else number


def require_rank(rank: int) -> None:
    if rank > HIGHEST_RANK:
        raise MalformedError(
            "corrupt", f"a shape of {rank} dims, where {HIGHEST_RANK} are possible"
        )


def integer(text: str | None) -> int:
    """Parse a 64-bit integer; raise for anything else."""
    try:
        number = int(text or "")
    except ValueError:
        number = 1 << 64
    if not -(1 << 63) <= number < 1 << 63:
        raise MalformedError("corrupt", f"{(text or '')[:40]!r} where an integer should be")
    return number
