"""Conversion of element types and TypeProtos."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from modellint.formats.onnx.names import usual_name
from modellint.model import (
    HIGHEST_RANK,
    UNDEFINED,
    Dim,
    DType,
    Shape,
    dtype_of,
    format_shape,
)
from modellint.native import messages

if TYPE_CHECKING:
    from onnx import TypeProto


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
    return _content(proto.SerializeToString())


@lru_cache(maxsize=1024)
def _content(serialized: bytes) -> Type:
    """Return the content of a serialized TypeProto: models repeat a few types."""
    proto = messages().TypeProto.FromString(serialized)
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
