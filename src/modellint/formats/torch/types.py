"""Element types by their number in the schema of exported programs."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.model import DTYPES, DType

_NAMES = """
1=uint8 2=int8 3=int16 4=int32 5=int64 6=float16 7=float32 8=float64 10=complex64 11=complex128
12=bool 13=bfloat16 28=uint16 29=float8e4m3fn 30=float8e5m2 31=float8e4m3fnuz 32=float8e5m2fnuz
33=float8e8m0 34=uint32 35=uint64
"""
"""torch/_export/serde/schema.py of PyTorch 2.13, whose half-size complex numbers have no name."""

SCALAR_TYPES: Mapping[str, int] = {
    name: int(code) for code, name in (pair.split("=") for pair in _NAMES.split())
}
_TYPES: Mapping[int, DType] = {code: DTYPES[name] for name, code in SCALAR_TYPES.items()}


def scalar_type(code: object) -> DType | None:
    return _TYPES.get(code) if type(code) is int else None
