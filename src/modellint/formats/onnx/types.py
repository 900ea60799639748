"""Conversion of element types and TypeProtos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from modellint.formats.onnx.names import usual_name
from modellint.model import DTYPES, HIGHEST_RANK, Dim, DType, Shape, format_shape

if TYPE_CHECKING:
    from onnx import TypeProto

UNDEFINED = DTYPES["undefined"]
BY_CODE: tuple[DType, ...] = tuple(
    DTYPES[name]
    for name in """
    undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32
    uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2
    float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2 float6e2m3 float6e3m2
    """.split()
)
"""Element types by their number in TensorProto.DataType."""


def dtype_of(code: int) -> DType:
    return BY_CODE[code] if 0 <= code < len(BY_CODE) else UNDEFINED


class Type(NamedTuple):
    """Content of a TypeProto; only tensors have an element type and a shape."""

    name: str
    dtype: DType | None = None
    shape: Shape | None = None

    @property
    def text(self) -> str:
        if self.name != "tensor":
            return self.name
        return f"tensor({self.dtype or '?'}, {format_shape(self.shape)})"


UNKNOWN = Type("tensor")
_NAMES = {
    "sequence_type": "sequence",
    "map_type": "map",
    "optional_type": "optional",
    "opaque_type": "opaque",
}


def type_of(proto: TypeProto) -> Type:
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        tensor: Any = proto.tensor_type
        name = "tensor"
    elif kind == "sparse_tensor_type":
        tensor = proto.sparse_tensor_type
        name = "sparse_tensor"
    else:
        return Type(_NAMES[kind]) if kind in _NAMES else UNKNOWN
    dtype = dtype_of(tensor.elem_type)
    has_shape = tensor.HasField("shape") and len(tensor.shape.dim) <= HIGHEST_RANK
    shape = tuple(map(_dim, tensor.shape.dim)) if has_shape else None
    return Type(name, dtype if dtype is not UNDEFINED else None, shape)


def _dim(proto: Any) -> Dim:
    """Convert a dim: a number, a name, or unknown, which some exporters write as -1."""
    number: int = proto.dim_value
    if number > 0:
        return number
    if number < 0:
        return None
    name = proto.dim_param
    if name:
        return usual_name(name)
    return 0 if proto.HasField("dim_value") else None
