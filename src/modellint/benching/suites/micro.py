"""Single operators in many sizes.

Each reads what an operator before it has just written, as in a network, and only one element of its
result leaves the graph: what a runtime allocates for outputs is new to the caches in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modellint.benching.suites.builder import Builder

_ROWS = ((1, 64, 256), (1, 128, 768), (1, 197, 3072))
_IMAGES = ((1, 32, 56, 56), (1, 64, 112, 112))
_SIZES = (*_ROWS, *_IMAGES)


def _gemm() -> Any:
    b = Builder("gemm")
    for rows, inner, columns in (
        (1, 256, 256),
        (1, 768, 3072),
        (1, 2048, 1000),
        (4, 768, 768),
        (16, 512, 512),
        (64, 256, 256),
        (64, 256, 1024),
        (128, 768, 768),
        (128, 768, 3072),
        (128, 3072, 768),
        (196, 384, 1536),
        (512, 512, 512),
    ):
        weight = b.weight(inner, columns, scale=inner**-0.5)
        b.measured("Gemm", b.fresh((rows, inner)), weight, b.weight(columns))
    return b.model()


def _matmul() -> Any:
    b = Builder("matmul")
    for rows, inner, columns in (
        (8, 64, 64),
        (64, 256, 256),
        (128, 768, 768),
        (197, 768, 2304),
        (784, 64, 256),
        (784, 256, 64),
        (3136, 32, 96),
    ):
        b.measured("MatMul", b.fresh((1, rows, inner)), b.weight(inner, columns, scale=inner**-0.5))
    for heads, length, size in (
        (4, 64, 64),
        (8, 128, 64),
        (12, 128, 64),
        (12, 197, 64),
        (3, 197, 64),
        (192, 49, 32),
        (48, 49, 32),
    ):
        q, k = b.fresh((1, heads, length, size)), b.fresh((1, heads, size, length))
        scores = b.measured("MatMul", q, k)
        b.measured("MatMul", scores, b.fresh((1, heads, length, size)))
    return b.model()


def _conv(kernel: int) -> Any:
    b = Builder(f"conv{kernel}x{kernel}")
    for taken, made, side, stride in (
        (3, 32, 112, 2),
        (16, 64, 56, 1),
        (32, 32, 56, 1),
        (60, 36, 28, 1),
        (64, 64, 28, 1),
        (64, 128, 28, 2),
        (96, 24, 28, 1),
        (128, 128, 14, 1),
        (144, 24, 56, 1),
        (192, 32, 28, 1),
        (240, 10, 1, 1),
        (256, 256, 14, 1),
        (384, 64, 14, 1),
        (512, 512, 7, 1),
        (960, 160, 7, 1),
    ):
        if kernel * kernel * taken * made * (side // stride) ** 2 > 500e6:
            continue
        b.settle(b.conv(b.fresh((1, taken, side, side)), (taken, made), kernel, stride))
    return b.model()


def _stems() -> Any:
    """Build convolutions of images and of other rows than images."""
    b = Builder("stems")
    for made, kernel, stride in ((64, 7, 2), (48, 4, 4), (192, 16, 16), (16, 3, 2), (12, 3, 2)):
        pads = [kernel // 2 if stride < kernel else 0] * 4
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads}
        weight = b.weight(made, 3, kernel, kernel)
        b.measured("Conv", b.fresh((1, 3, 224, 224)), weight, b.weight(made), **window)
    for taken, made, length, kernel, stride in (
        (80, 384, 1000, 3, 1),
        (256, 256, 800, 3, 2),
        (64, 96, 196, 1, 1),
    ):
        window = {"kernel_shape": [kernel], "strides": [stride], "pads": [kernel // 2] * 2}
        b.measured("Conv", b.fresh((1, taken, length)), b.weight(made, taken, kernel), **window)
    for taken, made, side in ((64, 32, 28), (128, 64, 14)):
        window = {"kernel_shape": [2, 2], "strides": [2, 2]}
        weight = b.weight(taken, made, 2, 2)
        b.measured("ConvTranspose", b.fresh((1, taken, side, side)), weight, **window)
    return b.model()


def _grouped() -> Any:
    b = Builder("grouped")
    for channels, groups, side, stride in (
        (128, 32, 56, 1),
        (256, 32, 28, 1),
        (512, 32, 14, 1),
        (64, 8, 56, 1),
        (64, 4, 28, 1),
        (128, 8, 14, 2),
        (48, 4, 28, 1),
    ):
        x = b.fresh((1, channels, side, side))
        b.settle(b.conv(x, (channels, channels), 3, stride, groups=groups))
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
        (60, 28, 3, 1),
        (96, 56, 7, 1),
        (384, 14, 7, 1),
    ):
        x = b.fresh((1, channels, side, side))
        b.settle(b.conv(x, (channels, channels), kernel, stride, groups=channels))
    return b.model()


def _unary() -> Any:
    b = Builder("unary")
    for op in ("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Sqrt", "Neg", "HardSwish", "HardSigmoid"):
        for shape in _SIZES:
            b.measured(op, b.fresh(shape))
    for shape in _SIZES:
        b.measured("Clip", b.fresh(shape), b.constant(np.float32(0)), b.constant(np.float32(6)))
        b.settle(b.activated(b.fresh(shape), "Swish"))
        b.settle(b.gelu(b.fresh(shape)))
    return b.model()


def _binary() -> Any:
    b = Builder("binary")
    for op in ("Add", "Mul", "Sub", "Div"):
        for shape in _SIZES:
            b.measured(op, b.fresh(shape), b.fresh(shape))
    for shape in _SIZES:
        b.measured("Add", b.fresh(shape), b.weight(shape[-1]))
        b.measured("Mul", b.fresh(shape), b.constant(np.float32(0.5)))
        b.measured("Pow", b.fresh(shape), b.constant(np.float32(2)))
        per_row = (*shape[:-1], 1) if len(shape) == 3 else (1, shape[1], 1, 1)
        b.measured("Mul", b.fresh(shape), b.fresh(per_row))
    return b.model()


def _rows() -> Any:
    """Build operators along some axes: softmax, norms, reductions."""
    b = Builder("rows")
    for shape in (
        (1, 64, 256),
        (1, 128, 768),
        (1, 197, 768),
        (1, 784, 64),
        (1, 8, 128, 128),
        (1, 12, 197, 197),
        (64, 3, 49, 49),
    ):
        b.measured("Softmax", b.fresh(shape), axis=-1)
        b.settle(b.norm(b.fresh(shape), shape[-1]))
        b.measured("ReduceMean", b.fresh(shape), axes=[-1])
    for shape in _IMAGES:
        b.measured("ReduceMean", b.fresh(shape), axes=[2, 3])
        b.measured("ReduceMean", b.fresh(shape), axes=[1])
        scale, shift = b.weight(shape[1]), b.weight(shape[1])
        b.measured("InstanceNormalization", b.fresh(shape), scale, shift)
        mean, variance = b.weight(shape[1]), b.constant(np.ones(shape[1], np.float32))
        b.measured("BatchNormalization", b.fresh(shape), scale, shift, mean, variance)
    return b.model()


_PERMUTED: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = (
    *(
        ((1, length, heads, 64), perm)
        for length, heads in ((64, 4), (128, 12), (197, 12))
        for perm in ((0, 2, 1, 3), (0, 2, 3, 1))
    ),
    ((1, 64, 56, 56), (0, 2, 3, 1)),
    ((1, 56, 56, 64), (0, 3, 1, 2)),
    ((1, 3136, 64), (0, 2, 1)),
    ((1, 12, 128, 64), (0, 1, 3, 2)),
    ((1, 8, 7, 8, 7, 96), (0, 1, 3, 2, 4, 5)),
    ((16, 49, 3, 6, 32), (2, 0, 3, 1, 4)),
    ((1, 2, 64, 28, 28), (0, 2, 1, 3, 4)),
)


def _copies() -> Any:
    b = Builder("copies")
    for shape, perm in _PERMUTED:
        b.measured("Transpose", b.fresh(shape), perm=perm)
    for shape in ((1, 32, 56, 56), (1, 64, 28, 28), (1, 128, 80, 80)):
        b.measured("Concat", b.fresh(shape), b.fresh(shape), axis=1)
        x = b.fresh(shape)
        for half in (0, shape[1] // 2):
            ends = [b.constant(np.array([each], np.int64)) for each in (half, shape[1], 1)]
            b.measured("Slice", x, *ends)
    b.measured("Concat", b.fresh((1, 1, 768)), b.fresh((1, 196, 768)), axis=1)
    ends = [b.constant(np.array([each], np.int64)) for each in (1, 197, 1)]
    b.measured("Slice", b.fresh((1, 197, 768)), *ends)
    pads = b.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    b.measured("Pad", b.fresh((1, 64, 56, 56)), pads)
    for width in (256, 768):
        indices = b.given((1, 128), 7, f"ids{width}")
        b.measured("Gather", b.weight(8000, width, scale=1.0), indices)
    for rows in (64, 197):
        b.settle(b.reshaped(b.fresh((1, rows, 768)), rows, 768))
    return b.model()


def _pools() -> Any:
    b = Builder("pools")
    for channels, side in ((64, 112), (128, 28), (512, 7), (1280, 7)):
        shape = (1, channels, side, side)
        b.measured("GlobalAveragePool", b.fresh(shape))
        window: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1] * 4}
        b.measured("MaxPool", b.fresh(shape), strides=[2, 2], **window)
        b.measured("AveragePool", b.fresh(shape), strides=[1, 1], **window)
    for channels, side in ((32, 28), (128, 14), (64, 40)):
        scales = b.constant(np.array([1, 1, 2, 2], np.float32))
        for mode in ("nearest", "linear"):
            b.measured("Resize", b.fresh((1, channels, side, side)), "", scales, mode=mode)
    return b.model()


def _recurrent() -> Any:
    b = Builder("recurrent")
    for op, gates in (("LSTM", 4), ("GRU", 3)):
        for length, taken, hidden in ((20, 64, 128), (40, 128, 256)):
            weight = b.weight(1, gates * hidden, taken, scale=taken**-0.5)
            state = b.weight(1, gates * hidden, hidden, scale=hidden**-0.5)
            b.measured(op, b.fresh((length, 1, taken)), weight, state, hidden_size=hidden)
    return b.model()


def _integers() -> Any:
    """Build products of 8-bit integers."""
    b = Builder("integers")
    for rows, inner, columns in ((1, 768, 768), (64, 256, 1024), (128, 768, 768), (512, 512, 512)):
        weight = b.constant(np.arange(inner * columns).reshape(inner, columns).astype(np.int8))
        b.result(b.add("MatMulInteger", b.given((rows, inner), 2), weight), 6)
    return b.model()


def _launches() -> Any:
    """Build a chain of operators on a few elements, whose time is that of launching them."""
    b = Builder("launches")
    x = b.fresh((1, 16))
    for _ in range(128):
        x = b.add("Sqrt", b.add("Abs", x))
    b.result(x)
    return b.model()


MICRO: Mapping[str, Callable[[], Any]] = {
    "launches": _launches,
    "gemm": _gemm,
    "matmul": _matmul,
    "conv1x1": lambda: _conv(1),
    "conv3x3": lambda: _conv(3),
    "conv5x5": lambda: _conv(5),
    "stems": _stems,
    "grouped": _grouped,
    "depthwise": _depthwise,
    "unary": _unary,
    "binary": _binary,
    "rows": _rows,
    "copies": _copies,
    "pools": _pools,
    "recurrent": _recurrent,
    "int8": _integers,
}
