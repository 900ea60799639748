"""Models to measure with: a real one, one of many nodes, one of much weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.formats.wire import varint

ELEMENT = TensorProto.FLOAT
_LENGTH = 2


def long_chain(path: Path, nodes: int) -> Path:
    """A model of so many nodes, each with a name, a shape and what real graphs have around them."""
    layers = [_layer(index) for index in range(nodes // 4)]
    graph = helper.make_graph(
        [node for layer in layers for node in layer],
        "chain",
        [helper.make_tensor_value_info("x0", ELEMENT, ["batch", 8])],
        [helper.make_tensor_value_info(f"x{len(layers)}", ELEMENT, ["batch", 8])],
        [
            helper.make_tensor(f"w{index}", ELEMENT, (8, 8), _weights(index), raw=True)
            for index in range(len(layers))
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def renamed_chain(path: Path, chain: Path) -> Path:
    """The same model with other names, and one activation of another kind."""
    model = onnx.load(chain)
    ends = {value.name for value in (*model.graph.input, *model.graph.output)}
    for node in model.graph.node:
        node.name = node.name[::-1]
        for names in (node.input, node.output):
            names[:] = [name if name in ends else f"value_{name}" for name in names]
    for tensor in model.graph.initializer:
        tensor.name = f"value_{tensor.name}"
    model.graph.node[len(model.graph.node) // 2 + 1].op_type = "Tanh"
    onnx.save(model, path)
    return path


def _layer(index: int) -> list[onnx.NodeProto]:
    return [
        helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"m{index}"], f"matmul_{index}"),
        helper.make_node("Relu", [f"m{index}"], [f"r{index}"], f"relu_{index}"),
        helper.make_node("Sigmoid", [f"r{index}"], [f"s{index}"], f"sigmoid_{index}"),
        helper.make_node("Add", [f"s{index}", f"r{index}"], [f"x{index + 1}"], f"add_{index}"),
    ]


def _weights(index: int) -> bytes:
    return (index % 251 + 1).to_bytes(1, "little") * 256


def embedded_weights(path: Path, tensors: int, side: int, *, filled: bool = True) -> Path:
    """A model with so many weights of side×side inside its own file, or with holes for them."""
    nodes = [
        helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"x{index + 1}"])
        for index in range(tensors)
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x0", ELEMENT, ["batch", side])],
        [helper.make_tensor_value_info(f"x{tensors}", ELEMENT, ["batch", side])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ClearField("graph")
    payload = side * side * 4
    headers = [_tensor_header(f"w{index}", side, payload) for index in range(tensors)]
    small = graph.SerializeToString()
    with path.open("wb") as file:
        file.write(model.SerializeToString())
        length = len(small) + sum(map(len, headers)) + tensors * payload
        file.write(_tag(7) + varint(length) + small)
        for index, header in enumerate(headers):
            file.write(header)
            if not filled:
                file.seek(payload, 1)
                continue
            block = np.random.default_rng(index).standard_normal(1 << 18, np.float32).tobytes()
            for start in range(0, payload, len(block)):
                file.write(block[: payload - start])
        file.truncate()
    return path


def _tensor_header(name: str, side: int, payload: int) -> bytes:
    """An initializer of a graph up to where its data begins."""
    tensor = TensorProto(name=name, dims=[side, side], data_type=ELEMENT)
    body: bytes = tensor.SerializeToString() + _tag(9) + varint(payload)
    return _tag(5) + varint(len(body) + payload) + body


def _tag(field: int) -> bytes:
    return varint(field << 3 | _LENGTH)
