"""Models that are made by rule: single operators in many sizes, and networks of known families.

Nothing is downloaded, and equal versions make equal files: weights come from a seeded generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

OPSET = 17
IR_VERSION = 8


def write_suite(suite: str, folder: Path) -> list[Path]:
    """Write all models of a suite, and return their paths in order."""
    import onnx

    makers: Mapping[str, Callable[[], Any]] = MICRO if suite == "micro" else WORKLOADS
    paths = []
    for name, make in makers.items():
        path = folder / f"{suite}-{name}.onnx"
        onnx.save(make(), path)
        paths.append(path)
    return paths


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


# Single operators


def _gemm() -> Any:
    b = Builder("gemm")
    for rows, inner, columns in (
        (1, 256, 256),
        (1, 768, 3072),
        (1, 2048, 1000),
        (16, 512, 512),
        (64, 256, 256),
        (64, 256, 1024),
        (128, 768, 768),
        (128, 768, 3072),
        (128, 3072, 768),
        (196, 384, 1536),
        (512, 512, 512),
    ):
        spread = 1 / np.sqrt(inner)
        weight = b.weight(inner, columns, scale=spread)
        b.result(b.add("Gemm", b.given((rows, inner)), weight, b.weight(columns)))
    return b.model()


def _matmul() -> Any:
    b = Builder("matmul")
    for rows, inner, columns in ((8, 64, 64), (64, 256, 256), (128, 768, 768), (197, 768, 2304)):
        x = b.given((1, rows, inner))
        b.result(b.add("MatMul", x, b.weight(inner, columns, scale=inner**-0.5)))
    for heads, length, size in ((4, 64, 64), (8, 128, 64), (12, 128, 64), (12, 197, 64)):
        q, k = b.given((1, heads, length, size)), b.given((1, heads, size, length))
        scores = b.add("MatMul", q, k)
        b.result(scores)
        b.result(b.add("MatMul", scores, b.given((1, heads, length, size))))
    return b.model()


def _conv(kernel: int) -> Any:
    b = Builder(f"conv{kernel}x{kernel}")
    for taken, made, side, stride in (
        (3, 32, 112, 2),
        (16, 64, 56, 1),
        (32, 32, 56, 1),
        (64, 64, 28, 1),
        (64, 128, 28, 2),
        (96, 24, 28, 1),
        (128, 128, 14, 1),
        (144, 24, 56, 1),
        (192, 32, 28, 1),
        (256, 256, 14, 1),
        (384, 64, 14, 1),
        (512, 512, 7, 1),
        (960, 160, 7, 1),
    ):
        if kernel * kernel * taken * made * (side // stride) ** 2 > 500e6:
            continue
        b.result(b.conv(b.given((1, taken, side, side)), (taken, made), kernel, stride))
    return b.model()


def _depthwise() -> Any:
    b = Builder("depthwise")
    for channels, side, kernel, stride in (
        (32, 112, 3, 1),
        (96, 112, 3, 2),
        (144, 56, 3, 1),
        (192, 28, 3, 1),
        (240, 28, 5, 1),
        (384, 14, 3, 1),
        (576, 14, 3, 2),
        (672, 14, 5, 1),
        (960, 7, 3, 1),
        (96, 56, 7, 1),
        (384, 14, 7, 1),
    ):
        x = b.given((1, channels, side, side))
        b.result(b.conv(x, (channels, channels), kernel, stride, groups=channels))
    return b.model()


_SIZES = ((1, 64, 256), (1, 128, 768), (1, 197, 3072), (1, 32, 56, 56), (1, 64, 112, 112))


def _unary() -> Any:
    b = Builder("unary")
    for op in ("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Sqrt", "Neg"):
        for shape in _SIZES:
            b.result(b.add(op, b.given(shape)))
    return b.model()


def _binary() -> Any:
    b = Builder("binary")
    for op in ("Add", "Mul", "Sub", "Div"):
        for shape in _SIZES:
            b.result(b.add(op, b.given(shape), b.given(shape)))
    for shape in _SIZES:
        b.result(b.add("Add", b.given(shape), b.weight(shape[-1])))
        b.result(b.add("Pow", b.given(shape), b.constant(np.float32(2))))
    return b.model()


def _rows() -> Any:
    """Build operators along the last axis: softmax, norms, reductions."""
    b = Builder("rows")
    for shape in ((1, 64, 256), (1, 128, 768), (1, 197, 768), (1, 8, 128, 128), (1, 12, 197, 197)):
        b.result(b.add("Softmax", b.given(shape), axis=-1))
        b.result(b.norm(b.given(shape), shape[-1]))
        b.result(b.add("ReduceMean", b.given(shape), axes=[-1]))
    return b.model()


def _copies() -> Any:
    b = Builder("copies")
    for length, heads, size in ((64, 4, 64), (128, 12, 64), (197, 12, 64)):
        x = b.given((1, length, heads, size))
        b.result(b.add("Transpose", x, perm=(0, 2, 1, 3)))
        x = b.given((1, heads, length, size))
        b.result(b.add("Transpose", x, perm=(0, 1, 3, 2)))
    for shape in ((1, 32, 56, 56), (1, 64, 28, 28), (1, 128, 80, 80)):
        b.result(b.add("Concat", b.given(shape), b.given(shape), axis=1))
        x = b.given(shape)
        for half in (0, shape[1] // 2):
            ends = [b.constant(np.array([each], np.int64)) for each in (half, shape[1], 1)]
            b.result(b.add("Slice", x, *ends))
    for width in (256, 768):
        indices = b.given((1, 128), 7, f"ids{width}")
        b.result(b.add("Gather", b.weight(8000, width, scale=1.0), indices))
    for rows in (64, 197):
        b.result(b.reshaped(b.given((1, rows, 768)), -1))
    return b.model()


def _pools() -> Any:
    b = Builder("pools")
    for channels, side in ((64, 112), (128, 28), (512, 7), (1280, 7)):
        x = b.given((1, channels, side, side))
        b.result(b.add("GlobalAveragePool", x))
        window: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
        b.result(b.add("MaxPool", b.given((1, channels, side, side)), **window))
    for channels, side in ((32, 28), (128, 14), (64, 40)):
        scales = b.constant(np.array([1, 1, 2, 2], np.float32))
        x = b.given((1, channels, side, side))
        b.result(b.add("Resize", x, "", scales, mode="nearest"))
    return b.model()


def _integers() -> Any:
    """Build products of 8-bit integers."""
    b = Builder("integers")
    for rows, inner, columns in ((1, 768, 768), (64, 256, 1024), (128, 768, 768), (512, 512, 512)):
        weight = b.constant(np.arange(inner * columns).reshape(inner, columns).astype(np.int8))
        b.result(b.add("MatMulInteger", b.given((rows, inner), 2), weight), 6)
    return b.model()


MICRO: Mapping[str, Callable[[], Any]] = {
    "gemm": _gemm,
    "matmul": _matmul,
    "conv1x1": lambda: _conv(1),
    "conv3x3": lambda: _conv(3),
    "conv5x5": lambda: _conv(5),
    "depthwise": _depthwise,
    "unary": _unary,
    "binary": _binary,
    "rows": _rows,
    "copies": _copies,
    "pools": _pools,
    "int8": _integers,
}


# Networks


def _resnet() -> Any:
    b = Builder("resnet")
    x = b.conv(b.given((1, 3, 224, 224)), (3, 64), 7, 2, activation="Relu")
    x = b.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    width = 64
    for stage, made in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = b.conv(x, (width, made), 3, stride, activation="Relu")
            y = b.conv(y, (made, made), 3)
            shortcut = b.conv(x, (width, made), 1, stride) if width != made else x
            x, width = b.add("Relu", b.add("Add", y, shortcut)), made
    b.result(b.linear(b.pooled(x), width, 1000))
    return b.model()


_MOBILE = (
    (16, 1, 1, 1),
    (24, 6, 2, 2),
    (32, 6, 3, 2),
    (64, 6, 3, 2),
    (96, 6, 2, 1),
    (160, 6, 2, 2),
)


def _inverted(activation: str, *, squeeze: bool, kernel: int) -> Any:
    b = Builder("mobilenet" if not squeeze else "efficientnet")
    x = b.conv(b.given((1, 3, 192, 192)), (3, 32), 3, 2, activation=activation)
    width = 32
    for made, expansion, repeats, first in _MOBILE:
        for repeat in range(repeats):
            stride, inner = first if repeat == 0 else 1, width * expansion
            y = b.conv(x, (width, inner), 1, activation=activation) if expansion > 1 else x
            y = b.conv(y, (inner, inner), kernel, stride, groups=inner, activation=activation)
            if squeeze:
                few = max(8, width // 4)
                s = b.conv(b.add("GlobalAveragePool", y), (inner, few), 1, activation=activation)
                y = b.add("Mul", y, b.add("Sigmoid", b.conv(s, (few, inner), 1)))
            y = b.conv(y, (inner, made), 1)
            x = b.add("Add", x, y) if stride == 1 and width == made else y
            width = made
    x = b.conv(x, (width, 1280), 1, activation=activation)
    b.result(b.linear(b.pooled(x), 1280, 1000))
    return b.model()


def _transformer(name: str, layers: int, length: int, *, causal: bool) -> Any:
    heads, size, vocabulary = 6, 64, 8000
    width = heads * size
    b = Builder(name)
    ids = b.given((1, length), 7, "input_ids")
    table = b.weight(vocabulary, width, scale=1.0)
    x = b.add("Add", b.add("Gather", table, ids), b.weight(length, width, scale=1.0))
    for _ in range(layers):
        y = b.norm(x, width) if causal else x
        x = b.add("Add", x, b.attention(y, length, heads, size, causal=causal))
        x = x if causal else b.norm(x, width)
        y = b.norm(x, width) if causal else x
        y = b.linear(b.gelu(b.linear(y, width, 4 * width)), 4 * width, width)
        x = b.add("Add", x, y)
        x = x if causal else b.norm(x, width)
    b.result(b.linear(x, width, vocabulary if causal else 2))
    return b.model()


def _yolo() -> Any:
    b = Builder("yolo")
    x = b.conv(b.given((1, 3, 320, 320)), (3, 16), 3, 2, activation="Swish")
    width, levels = 16, []
    for made in (32, 64, 128, 256):
        x = b.conv(x, (width, made), 3, 2, activation="Swish")
        half = made // 2
        y = b.conv(x, (made, half), 1, activation="Swish")
        z = b.conv(b.conv(y, (half, half), 3, activation="Swish"), (half, half), 3)
        x = b.conv(b.add("Concat", y, b.add("Add", y, z), axis=1), (made, made), 1)
        width = made
        levels.append((x, made))
    heads = []
    (x, width), *rest = levels[::-1][:3]
    for lateral, channels in [*rest, ("", 0)]:
        head = b.conv(b.conv(x, (width, 64), 3, activation="Swish"), (64, 84), 1)
        heads.append(b.reshaped(head, 1, 84, -1))
        if lateral:
            scales = b.constant(np.array([1, 1, 2, 2], np.float32))
            wider = b.add("Resize", x, "", scales, mode="nearest")
            both = b.add("Concat", wider, lateral, axis=1)
            x = b.conv(both, (width + channels, channels), 1, activation="Swish")
            width = channels
    b.result(b.add("Sigmoid", b.add("Concat", *heads, axis=2)))
    return b.model()


WORKLOADS: Mapping[str, Callable[[], Any]] = {
    "resnet": _resnet,
    "mobilenet": lambda: _inverted("Relu6", squeeze=False, kernel=3),
    "efficientnet": lambda: _inverted("Swish", squeeze=True, kernel=5),
    "bert": lambda: _transformer("bert", 4, 128, causal=False),
    "yolo": _yolo,
    "decoder": lambda: _transformer("decoder", 4, 64, causal=True),
}
