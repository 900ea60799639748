"""Conversion of models in ONNX text to binaries that runtimes accept."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, parser

FOUR_BITS = (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1)


def binary(path: str) -> bytes:
    """Return the model as protobuf."""
    model: ModelProto = parser.parse_model(Path(path).read_text(encoding="utf-8"))
    model.graph.initializer.extend(_weights_without_values(model.graph))
    for tensor in model.graph.initializer:
        if tensor.data_type in FOUR_BITS and len(tensor.int32_data) == prod(tensor.dims):
            _pack(tensor)
    return bytes(model.SerializeToString())


def _weights_without_values(graph: GraphProto) -> Iterator[TensorProto]:
    """Iterate over zero tensors for weights that the text declares by type only."""
    made = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    made |= {name for node in graph.node for name in node.output}
    for value in graph.value_info:
        if value.name not in made:
            yield _zeros(value)


def _zeros(value: ValueInfoProto) -> TensorProto:
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = value.type.tensor_type
    dims = [dim.dim_value for dim in kind.shape.dim]
    four_bits = kind.elem_type in FOUR_BITS
    width = tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    size = -(-prod(dims) // 2) if four_bits else prod(dims) * width
    return TensorProto(name=value.name, dims=dims, data_type=kind.elem_type, raw_data=bytes(size))


def _pack(tensor: TensorProto) -> None:
    """Pack 4-bit elements two per byte; the text has one number per element."""
    values = [number & 15 for number in tensor.int32_data]
    values += [0] * (len(values) % 2)
    pairs = zip(values[::2], values[1::2], strict=True)
    tensor.ClearField("int32_data")
    tensor.raw_data = bytes(low | high << 4 for low, high in pairs)
