"""Element types of every format, in one table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from modellint.base.records import dataclass
from modellint.model.dims import MOST

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["float", "int", "uint", "bool", "string", "complex", "undefined"]


@dataclass(frozen=True, slots=True)
class DType:
    """An element type. Block formats store ``block`` elements in ``block_bytes``."""

    name: str
    kind: Kind
    bits: float
    block: int = 1
    block_bytes: int = 0

    def nbytes(self, elements: int) -> int:
        """Return the size of `elements` elements, tightly packed, at most `MOST`."""
        if self.block > 1:
            return min(-(-elements // self.block) * self.block_bytes, MOST)
        return min(-(-int(elements * self.bits) // 8), MOST)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_block(self) -> bool:
        """True if elements are stored in blocks that share scales; arrays have what they mean."""
        return self.block > 1

    @property
    def numpy(self) -> np.dtype[Any]:
        """Return the NumPy type for arrays of this type, one element each."""
        return _array_type(self.name)

    def __str__(self) -> str:
        return self.name


@cache
def _array_type(name: str) -> np.dtype[Any]:
    import numpy as np

    if name == "nf4":  # no array can have it: elements are converted
        return np.dtype(np.float32)
    if name in _ML_DTYPES:
        import ml_dtypes

        narrow: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))
        return narrow
    known = DTYPES.get(name)
    if known is not None and known.kind == "string":
        return np.dtype(object)
    if known is not None and known.is_block:
        return np.dtype("<f4")
    if known is not None and known.kind in ("int", "uint") and known.bits < 8:
        return np.dtype(np.int8 if known.kind == "int" else np.uint8)
    dtype: np.dtype[Any] = np.dtype(name).newbyteorder("<")
    return dtype


_ML_DTYPES = {
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
    "float6e2m3": "float6_e2m3fn",
    "float6e3m2": "float6_e3m2fn",
    "float4e2m1": "float4_e2m1fn",
    "int4": "int4",
    "uint4": "uint4",
    "int2": "int2",
    "uint2": "uint2",
}

_PLAIN: tuple[tuple[str, Kind, float], ...] = (
    ("float64", "float", 64),
    ("float32", "float", 32),
    ("float16", "float", 16),
    ("bfloat16", "float", 16),
    ("float8e4m3fn", "float", 8),
    ("float8e4m3fnuz", "float", 8),
    ("float8e5m2", "float", 8),
    ("float8e5m2fnuz", "float", 8),
    ("float8e8m0", "float", 8),
    ("float6e2m3", "float", 6),
    ("float6e3m2", "float", 6),
    ("float4e2m1", "float", 4),
    ("nf4", "float", 4),
    ("int64", "int", 64),
    ("int32", "int", 32),
    ("int16", "int", 16),
    ("int8", "int", 8),
    ("int4", "int", 4),
    ("int2", "int", 2),
    ("int1", "int", 1),
    ("uint64", "uint", 64),
    ("uint32", "uint", 32),
    ("uint16", "uint", 16),
    ("uint8", "uint", 8),
    ("uint6", "uint", 6),
    ("uint4", "uint", 4),
    ("uint3", "uint", 3),
    ("uint2", "uint", 2),
    ("uint1", "uint", 1),
    ("bool", "bool", 8),
    ("string", "string", 0),
    ("complex64", "complex", 64),
    ("complex128", "complex", 128),
    ("undefined", "undefined", 0),
)

_BLOCKS: tuple[tuple[str, int, int], ...] = (
    ("Q4_0", 32, 18),
    ("Q4_1", 32, 20),
    ("Q5_0", 32, 22),
    ("Q5_1", 32, 24),
    ("Q8_0", 32, 34),
    ("Q8_1", 32, 36),
    ("Q2_K", 256, 84),
    ("Q3_K", 256, 110),
    ("Q4_K", 256, 144),
    ("Q5_K", 256, 176),
    ("Q6_K", 256, 210),
    ("Q8_K", 256, 292),
    ("IQ1_S", 256, 50),
    ("IQ1_M", 256, 56),
    ("IQ2_XXS", 256, 66),
    ("IQ2_XS", 256, 74),
    ("IQ2_S", 256, 82),
    ("IQ3_XXS", 256, 98),
    ("IQ3_S", 256, 110),
    ("IQ4_NL", 32, 18),
    ("IQ4_XS", 256, 136),
    ("TQ1_0", 256, 54),
    ("TQ2_0", 256, 66),
    ("MXFP4", 32, 17),
    ("NVFP4", 64, 36),
    ("Q1_0", 128, 18),
    ("Q2_0", 64, 18),
)
"""Block types of GGUF files: name, elements and bytes of a block, from the structs ``block_*`` in
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h (October 2026)."""

DTYPES: dict[str, DType] = {name: DType(name, kind, bits) for name, kind, bits in _PLAIN} | {
    name: DType(name, "float", 8 * size / block, block, size) for name, block, size in _BLOCKS
}

UNDEFINED = DTYPES["undefined"]
BY_CODE: tuple[DType, ...] = tuple(
    DTYPES[name]
    for name in """
    undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32
    uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2
    float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2 float6e2m3 float6e3m2
    """.split()
)
"""Element types by their number in ONNX's TensorProto.DataType, as in attributes of operators."""


def dtype_of(code: int) -> DType:
    return BY_CODE[code] if 0 <= code < len(BY_CODE) else UNDEFINED
