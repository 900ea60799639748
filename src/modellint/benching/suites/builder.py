"""Writes graphs node by node, with seeded random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

OPSET = 17
IR_VERSION = 8


class Builder:
    """Writes a graph node by node; every method returns the name of what it computes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._count = 0

    def given(self, shape: Sequence[int], kind: int = 1, name: str = "") -> str:
        """Add an input; `kind` is a type of ONNX's TensorProto."""
        from onnx import helper

        name = name or f"x{len(self._inputs)}"
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def result(self, value: str, kind: int = 1) -> None:
        from onnx import helper

        self._outputs.append(helper.make_tensor_value_info(value, kind, None))

    def fresh(self, shape: Sequence[int]) -> str:
        """Add a tensor that an operator of the graph writes, from an input of its own."""
        return self.add("Abs", self.given(shape))

    def settle(self, value: str) -> None:
        """Return one element of a value, so that it stays in the runtime's memory."""
        first = self.constant(np.array([0], np.int64))
        flat = self.add("Reshape", value, self.constant(np.array([-1], np.int64)))
        self.result(self.add("Slice", flat, first, self.constant(np.array([1], np.int64))))

    def measured(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and settle its result."""
        value = self.add(op, *inputs, **attributes)
        self.settle(value)
        return value

    def weight(self, *shape: int, scale: float | None = None) -> str:
        """Add a weight of a scale that keeps values in range through many layers."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        spread = scale if scale is not None else 1 / np.sqrt(max(fan_in, 1))
        return self.constant((self._random.standard_normal(shape) * spread).astype(np.float32))

    def constant(self, array: Any) -> str:
        from onnx import numpy_helper

        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        self._count += 1
        name = f"{op.lower()}_{self._count}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def model(self) -> Any:
        from onnx import helper, shape_inference

        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._weights
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="modellint bench",
        )
        return shape_inference.infer_shapes(model)

    # Layers

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        activation: str = "",
    ) -> str:
        taken, made = channels
        weight = self.weight(made, taken // groups, kernel, kernel)
        pad = kernel // 2
        y = self.add(
            "Conv",
            x,
            weight,
            self.weight(made),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )
        return self.activated(y, activation)

    def activated(self, x: str, activation: str) -> str:
        if activation == "Swish":
            return self.add("Mul", x, self.add("Sigmoid", x))
        if activation == "Relu6":
            low, high = self.constant(np.float32(0)), self.constant(np.float32(6))
            return self.add("Clip", x, low, high)
        return self.add(activation, x) if activation else x

    def linear(self, x: str, taken: int, made: int) -> str:
        spread = 1 / np.sqrt(taken)
        product = self.add("MatMul", x, self.weight(taken, made, scale=spread))
        return self.add("Add", product, self.weight(made))

    def norm(self, x: str, width: int) -> str:
        scale, shift = self.constant(np.ones(width, np.float32)), self.weight(width)
        return self.add("LayerNormalization", x, scale, shift, axis=-1)

    def gelu(self, x: str) -> str:
        root = self.constant(np.float32(np.sqrt(2)))
        half, one = self.constant(np.float32(0.5)), self.constant(np.float32(1))
        shifted = self.add("Add", self.add("Erf", self.add("Div", x, root)), one)
        return self.add("Mul", self.add("Mul", x, shifted), half)

    def reshaped(self, x: str, *shape: int) -> str:
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64)))

    def attention(self, x: str, length: int, heads: int, size: int, *, causal: bool) -> str:
        width = heads * size

        def split(y: str, order: Sequence[int]) -> str:
            return self.add("Transpose", self.reshaped(y, 1, length, heads, size), perm=order)

        q = split(self.linear(x, width, width), (0, 2, 1, 3))
        k = split(self.linear(x, width, width), (0, 2, 3, 1))
        v = split(self.linear(x, width, width), (0, 2, 1, 3))
        scale = self.constant(np.float32(1 / np.sqrt(size)))
        scores = self.add("Mul", self.add("MatMul", q, k), scale)
        if causal:
            mask = np.triu(np.full((length, length), -1e4, np.float32), 1)
            scores = self.add("Add", scores, self.constant(mask))
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        joined = self.reshaped(self.add("Transpose", mixed, perm=(0, 2, 1, 3)), 1, length, width)
        return self.linear(joined, width, width)

    def pooled(self, x: str) -> str:
        return self.add("Flatten", self.add("GlobalAveragePool", x))
