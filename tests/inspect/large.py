"""A decoder of 70 billion parameters whose weights are a file of holes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

LAYERS, HIDDEN, INNER, VOCABULARY = 80, 8192, 28672, 128256
HEADS, KV_HEADS, HEAD_SIZE = 64, 8, 128
WEIGHTS = "model.weights"
PARAMETERS = (
    2 * VOCABULARY * HIDDEN
    + HIDDEN
    + LAYERS
    * (
        2 * HIDDEN
        + 2 * HIDDEN * HEADS * HEAD_SIZE
        + 2 * HIDDEN * KV_HEADS * HEAD_SIZE
        + 3 * HIDDEN * INNER
    )
)
BYTES_PER_TOKEN = LAYERS * 2 * KV_HEADS * HEAD_SIZE * 2


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.offset = 0

    def weight(self, name: str, *shape: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        size = prod(shape) * 2
        for key, value in (("location", WEIGHTS), ("offset", self.offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self.offset += size
        self.tensors.append(tensor)
        return name

    def numbers(self, name: str, *values: int) -> str:
        self.tensors.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def layer(self, at: int, x: str) -> str:
        y = self.op("LayerNormalization", x, self.weight(f"norm1.{at}", HIDDEN))
        query = self.heads(y, f"q.{at}", HEADS, "query_shape")
        keys, values = (
            self.grown(self.cached(at, kind, self.heads(y, f"{kind}.{at}", KV_HEADS, "kv_shape")))
            for kind in ("key", "value")
        )
        turned = self.op("Transpose", keys, perm=[0, 1, 3, 2])
        scores = self.op("Mul", self.op("MatMul", query, turned), "scale")
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), values)
        flat = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), "flat_shape")
        x = self.op("Add", x, self.op("MatMul", flat, self.weight(f"o.{at}", HIDDEN, HIDDEN)))
        y = self.op("LayerNormalization", x, self.weight(f"norm2.{at}", HIDDEN))
        gate = self.op("MatMul", y, self.weight(f"gate.{at}", HIDDEN, INNER))
        up = self.op("MatMul", y, self.weight(f"up.{at}", HIDDEN, INNER))
        inner = self.op("Mul", self.op("Mul", gate, self.op("Sigmoid", gate)), up)
        return self.op("Add", x, self.op("MatMul", inner, self.weight(f"down.{at}", INNER, HIDDEN)))

    def heads(self, x: str, name: str, count: int, shape: str) -> str:
        made = self.op("MatMul", x, self.weight(name, HIDDEN, count * HEAD_SIZE))
        return self.op("Transpose", self.op("Reshape", made, shape), perm=[0, 2, 1, 3])

    def cached(self, at: int, kind: str, new: str) -> str:
        past, present = f"past.{at}.{kind}", f"present.{at}.{kind}"
        for values, name, length in ((self.inputs, past, "past"), (self.outputs, present, "total")):
            shape: list[str | int | None] = ["batch", KV_HEADS, length, HEAD_SIZE]
            values.append(make_tensor_value_info(name, TensorProto.FLOAT16, shape))
        return self.op("Concat", past, new, output=present, axis=2)

    def grown(self, x: str) -> str:
        repeated = self.op("Tile", self.op("Unsqueeze", x, "axis"), "times")
        return self.op("Reshape", repeated, "grown_shape")


def save_large(folder: Path) -> Path:
    build = _Builder()
    build.numbers("query_shape", 0, 0, HEADS, HEAD_SIZE)
    build.numbers("kv_shape", 0, 0, KV_HEADS, HEAD_SIZE)
    build.numbers("flat_shape", 0, 0, HIDDEN)
    build.numbers("grown_shape", 0, HEADS, -1, HEAD_SIZE)
    build.numbers("times", 1, 1, HEADS // KV_HEADS, 1, 1)
    build.numbers("axis", 2)
    scale = np.array(HEAD_SIZE**-0.5, np.float16)
    build.tensors.append(onnx.numpy_helper.from_array(scale, "scale"))
    tokens = make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])
    logits = make_tensor_value_info(
        "logits", TensorProto.FLOAT16, ["batch", "sequence", VOCABULARY]
    )
    x = build.op("Gather", build.weight("embedding", VOCABULARY, HIDDEN), "input_ids")
    for at in range(LAYERS):
        x = build.layer(at, x)
    x = build.op("LayerNormalization", x, build.weight("norm", HIDDEN))
    build.op("MatMul", x, build.weight("head", HIDDEN, VOCABULARY), output="logits")
    graph = make_graph(
        build.nodes, "large", [tokens, *build.inputs], [logits, *build.outputs], build.tensors
    )
    path = folder / "large.onnx"
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=9), path)
    with (folder / WEIGHTS).open("wb") as file:
        file.truncate(build.offset)
    return path
