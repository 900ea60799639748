"""Encoding of what edits add to a file: nodes, attributes, tensors, types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modellint.formats.onnx.edit.message import (
    Computed,
    Field,
    Piece,
    bytes_of,
    new_field,
    new_number,
)
from modellint.formats.onnx.wire import RAW_DATA
from modellint.model import Attribute, AttributeRef, DType, Shape, Tensor, product
from modellint.model.dtypes import BY_CODE
from modellint.model.edits import EditError
from modellint.native import messages

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODES: Mapping[str, int] = {dtype.name: code for code, dtype in enumerate(BY_CODE)}
DIMS, DATA_TYPE, STRING_DATA, TENSOR_NAME = 1, 2, 6, 8
FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8
SMALL = 4096
"""Maximum size of a tensor whose bytes are computed at once."""


def attribute(name: str, value: Attribute) -> bytes:
    """Encode an attribute, whose type follows from its value."""
    proto = messages().AttributeProto(name=name)
    if isinstance(value, AttributeRef):
        raise EditError(f"attribute {name!r} is a parameter of a function")
    if isinstance(value, Tensor):
        proto.type = TENSOR
        proto.t.ParseFromString(whole_tensor("", value))
        return bytes(proto.SerializeToString())
    kind, field, entry = _kind_of(name, value)
    proto.type = kind
    if isinstance(entry, tuple):
        getattr(proto, field).extend(entry)
    else:
        setattr(proto, field, entry)
    return bytes(proto.SerializeToString())


def _kind_of(name: str, value: Any) -> tuple[int, str, Any]:
    """Return an attribute's type, the field that holds it, and its content."""
    if isinstance(value, (bool, int)):
        return INT, "i", int(value)
    if isinstance(value, float):
        return FLOAT, "f", value
    if isinstance(value, str):
        return STRING, "s", value.encode()
    if isinstance(value, bytes):
        return STRING, "s", value
    if isinstance(value, tuple):
        if all(isinstance(each, int) for each in value):
            return INTS, "ints", value
        if all(isinstance(each, (int, float)) for each in value):
            return FLOATS, "floats", value
        if all(isinstance(each, str) for each in value):
            return STRINGS, "strings", tuple(each.encode() for each in value)
    raise EditError(f"attribute {name!r} cannot be written")


def whole_tensor(name: str, tensor: Tensor) -> bytes:
    """Encode a tensor at once."""

    def read() -> NDArray[Any]:
        elements = tensor.numpy()
        if elements is None:
            raise EditError(f"the elements of {tensor.name!r} cannot be read")
        return elements

    fields = tensor_fields(name, tensor.dtype, tensor.shape, read)
    return b"".join(bytes_of(piece) for field in fields for piece in field.pieces())


def value_attribute(
    dtype: DType, shape: Sequence[int], elements: Callable[[], NDArray[Any]]
) -> list[Piece]:
    """Return the attribute ``value`` of a Constant node."""
    tensor = [
        each for field in tensor_fields("", dtype, shape, elements) for each in field.pieces()
    ]
    fields = [new_field(1, b"value"), new_field(5, *tensor), new_number(20, TENSOR)]
    return [piece for field in fields for piece in field.pieces()]


def tensor_fields(
    name: str, dtype: DType, shape: Sequence[int], elements: Callable[[], NDArray[Any]]
) -> list[Field]:
    """Return the fields of a TensorProto; the elements of a large one are computed on writing."""
    if dtype.name not in CODES or dtype.name == "undefined":
        raise EditError(f"ONNX has no element type {dtype.name}")
    fields = [new_number(DIMS, dim) for dim in shape]
    fields.append(new_number(DATA_TYPE, CODES[dtype.name]))
    named = [new_field(TENSOR_NAME, name.encode())] if name else []
    if dtype.kind == "string":
        return [*fields, *(new_field(STRING_DATA, text) for text in _texts(elements)), *named]

    nbytes = dtype.nbytes(product(shape))

    def encode() -> bytes:
        raw = raw_bytes(elements(), dtype, shape)
        if len(raw) != nbytes:
            raise EditError(f"tensor {name!r} has {len(raw)} bytes instead of {nbytes}")
        return raw

    payload = encode() if nbytes <= SMALL else Computed(nbytes, encode)
    return [*fields, *named, new_field(RAW_DATA, payload)]


def _texts(elements: Callable[[], NDArray[Any]]) -> list[bytes]:
    flat = elements().reshape(-1).tolist()
    return [each if isinstance(each, bytes) else str(each).encode() for each in flat]


def raw_bytes(elements: NDArray[Any], dtype: DType, shape: Sequence[int]) -> bytes:
    """Encode elements as little-endian bytes, packed if narrower than a byte."""
    import numpy as np

    if tuple(elements.shape) != tuple(shape):
        raise EditError(f"a tensor of shape {tuple(elements.shape)} instead of {tuple(shape)}")
    if dtype.bits not in (2, 4):
        return np.ascontiguousarray(elements).astype(dtype.numpy, copy=False).tobytes()
    bits = int(dtype.bits)
    stored = elements.reshape(-1)
    codes = (
        stored.view(np.uint8) if dtype.kind == "float" else stored.astype(np.int8).view(np.uint8)
    )
    per_byte = 8 // bits
    padded = np.zeros(-(-codes.size // per_byte) * per_byte, dtype=np.uint8)
    padded[: codes.size] = codes & ((1 << bits) - 1)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    shifted = padded.reshape(-1, per_byte) << shifts
    packed: bytes = np.bitwise_or.reduce(shifted, axis=1).astype(np.uint8).tobytes()
    return packed


def node(
    op_type: str,
    domain: str,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Attribute],
) -> bytes:
    proto = messages().NodeProto(op_type=op_type)
    if name:
        proto.name = name
    if domain:
        proto.domain = domain
    proto.input.extend(inputs)
    proto.output.extend(outputs)
    for key, value in attributes.items():
        proto.attribute.add().ParseFromString(attribute(key, value))
    return bytes(proto.SerializeToString())


def set_type(info: Any, dtype: DType | None, shape: Shape | None, *, keeps_shape: bool) -> None:
    """Change the type of a ValueInfoProto; unchanged dims keep their other fields."""
    tensor = info.type.tensor_type
    if dtype is not None:
        tensor.elem_type = CODES[dtype.name]
    if keeps_shape:
        return
    if shape is None:
        tensor.ClearField("shape")
        return
    tensor.shape.SetInParent()
    dims = tensor.shape.dim
    if len(dims) != len(shape):
        del dims[:]
        for _ in shape:
            dims.add()
    for proto, dim in zip(dims, shape, strict=True):
        if isinstance(dim, int):
            proto.dim_value = dim
        elif isinstance(dim, str):
            proto.dim_param = dim
        elif proto.WhichOneof("value") is not None:
            proto.ClearField(proto.WhichOneof("value"))
