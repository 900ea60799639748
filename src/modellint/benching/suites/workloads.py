"""Networks of known families, made by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from modellint.benching.suites.builder import Builder


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
