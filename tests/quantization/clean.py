"""A small residual network as an expert would quantize it: symmetric int8, a pair in front of every
layer and on the skip branch, none anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

CHANNELS = 16
CLASSES = 16


class Graph:
    """A graph in the making, and afterwards the tools to break it."""

    def __init__(self, *, unsigned: bool = False) -> None:
        self.unsigned = unsigned
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        self.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 16, 16))]
        self.outputs = ["logits"]
        self.opset = 17
        self.domains: dict[str, int] = {}
        self.producer = "tests"
        self._random = np.random.default_rng(0)

    @property
    def activation(self) -> str:
        return "u1" if self.unsigned else "i1"

    # Building

    def add(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A node whose only output has its name."""
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def constant(
        self, name: str, array: NDArray[Any] | Sequence[float] | float, dtype: str = "f4"
    ) -> str:
        self.initializers[name] = numpy_helper.from_array(np.asarray(array, dtype), name)
        return name

    def constant_of(self, name: str, dtype: str) -> TensorProto:
        """A constant's numbers in another type."""
        array = numpy_helper.to_array(self.initializers[name])
        return numpy_helper.from_array(array.astype(dtype), name)

    def typed(self, name: str, kind: int, shape: Sequence[int], numbers: Sequence[float]) -> str:
        """A constant of a type that numpy lacks."""
        self.initializers[name] = helper.make_tensor(name, kind, shape, numbers)
        return name

    def pair(self, value: str, name: str, scale: float) -> str:
        """Q and DQ, per tensor; unsigned ones around 0 after a Relu, else around the middle."""
        self.constant(f"{name}_scale", scale)
        middle = 0 if value.endswith(("_relu", "pool", "mean")) else 128
        self.constant(f"{name}_zero", middle if self.unsigned else 0, self.activation)
        parameters = [f"{name}_scale", f"{name}_zero"]
        self.add("QuantizeLinear", [value, *parameters], f"{name}_q")
        return self.add("DequantizeLinear", [f"{name}_q", *parameters], f"{name}_dq")

    def weight(self, name: str, shape: Sequence[int], axis: int = 0) -> str:
        """A stored int8 weight after its DQ, per channel."""
        self.constant(f"{name}_w", self._random.integers(-127, 128, shape), "i1")
        self.constant(f"{name}_ws", self._random.uniform(0.005, 0.02, shape[axis]))
        self.constant(f"{name}_wz", np.zeros(shape[axis]), "i1")
        inputs = [f"{name}_w", f"{name}_ws", f"{name}_wz"]
        return self.add("DequantizeLinear", inputs, f"{name}_wdq", axis=axis)

    def conv(self, value: str, name: str, inputs: int, group: int = 1, kernel: int = 3) -> str:
        weight = self.weight(name, (CHANNELS, inputs // group, kernel, kernel))
        bias = self.constant(f"{name}_b", self._random.normal(size=CHANNELS))
        return self.add("Conv", [value, weight, bias], name, pads=[kernel // 2] * 4, group=group)

    # Breaking

    def __getitem__(self, name: str) -> NodeProto:
        return next(node for node in self.nodes if node.name == name)

    def feed(self, node: str, index: int, value: str) -> None:
        """Let a node take another value."""
        self[node].input[index] = value

    def insert(self, nodes: int, after: str) -> None:
        """Move the last so many nodes to where they are in order."""
        at = self.nodes.index(self[after]) + 1
        moved, self.nodes = self.nodes[-nodes:], self.nodes[:-nodes]
        self.nodes[at:at] = moved

    def drop(self, *names: str) -> None:
        """Remove nodes of one input that matters; who took their output takes that."""
        for name in names:
            node = self[name]
            for other in self.nodes:
                for index, value in enumerate(other.input):
                    if value == node.output[0]:
                        other.input[index] = node.input[0]
            self.nodes.remove(node)

    def model(self) -> ModelProto:
        return onnx.shape_inference.infer_shapes(self.unchecked())

    def unchecked(self) -> ModelProto:
        """Also where nothing fits."""
        used = {value for node in self.nodes for value in node.input}
        graph = helper.make_graph(
            self.nodes,
            "resnet",
            self.inputs,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            [tensor for name, tensor in self.initializers.items() if name in used],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(name, version) for name, version in self.domains.items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=10, producer_name=self.producer
        )


def clean() -> Graph:
    """stem - pool - (conv, conv) + skip - depthwise - mean - fc."""
    graph = Graph()
    return _layers(graph)


def clean_for_onnxruntime() -> Graph:
    """The same as ONNX Runtime wants it on x86: uint8 activations, and a pair after every layer
    that no Relu follows."""
    graph = _layers(Graph(unsigned=True))
    graph.pair("second", "second_out", 0.05)
    graph.insert(2, "second")
    graph.feed("add", 0, "second_out_dq")
    graph.outputs = [graph.pair("logits", "out", 0.1)]
    return graph


def _layers(graph: Graph) -> Graph:
    value = graph.conv(graph.pair("x", "in", 0.02), "stem", 3)
    value = graph.add("Relu", [value], "stem_relu")
    value = graph.add("MaxPool", [value], "pool", kernel_shape=[2, 2], strides=[2, 2])
    skip = graph.pair(value, "pooled", 0.05)
    value = graph.conv(skip, "first", CHANNELS)
    value = graph.add("Relu", [value], "first_relu")
    value = graph.conv(graph.pair(value, "middle", 0.04), "second", CHANNELS)
    value = graph.add("Add", [value, skip], "add")
    value = graph.add("Relu", [value], "add_relu")
    value = graph.conv(graph.pair(value, "sum", 0.07), "depthwise", CHANNELS, group=CHANNELS)
    value = graph.add("Relu", [value], "depthwise_relu")
    value = graph.add("GlobalAveragePool", [graph.pair(value, "spread", 0.03)], "mean")
    value = graph.pair(value, "features", 0.025)
    graph.constant("flat", [1, CHANNELS], "i8")
    value = graph.add("Reshape", [value, "flat"], "reshape")
    weight = graph.weight("fc", (CLASSES, CHANNELS))
    bias = graph.constant("fc_b", np.zeros(CLASSES))
    graph.add("Gemm", [value, weight, bias], "logits", transB=1)
    return graph


__all__ = ["CHANNELS", "CLASSES", "Graph", "clean", "clean_for_onnxruntime"]
