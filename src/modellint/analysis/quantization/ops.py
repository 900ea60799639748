"""What the map knows of single operators."""

from __future__ import annotations

from modellint.model import Node

LONGEST = 500
"""Steps along a chain of ops: in a real model it ends sooner, in a broken one it may be a ring."""

MOVING = frozenset({
    "Cast", "DepthToSpace", "Expand", "Flatten", "Identity", "MaxPool", "Pad", "Reshape", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip
"""Move or select elements without computing new ones, so that a Q or DQ can pass through."""

ACTIVATIONS = frozenset({
    "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu",
    "Sigmoid", "Softplus", "Swish", "Tanh", "ThresholdedRelu",
})  # fmt: skip

POINTWISE = ACTIVATIONS | {
    "Abs", "Add", "BatchNormalization", "Div", "Dropout", "Erf", "Exp", "FastGelu", "Gelu", "Log",
    "Max", "Min", "Mul", "Neg", "Pow", "QuickGelu", "Reciprocal", "Sqrt", "Sub", "Sum", "Where",
}  # fmt: skip
"""Computed element by element: they ride along with a kernel before or after them."""

POOLING = frozenset({
    "AveragePool", "Concat", "Gather", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Resize",
})  # fmt: skip
"""Not pointwise, but runtimes have 8-bit kernels for them."""

NORMALIZING = frozenset({
    "Attention", "Gelu", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
    "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "RMSNormalization",
    "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    "Softmax",
})  # fmt: skip
"""Best left in float: their results are sensitive, their cost is small."""

SHAPE_READERS = frozenset({"ConstantOfShape", "EyeLike", "Range", "Shape", "Size"})

WEIGHTED = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "com.microsoft.FusedConv", "com.microsoft.FusedGemm",
    "com.microsoft.FusedMatMul",
)  # fmt: skip
"""Multiply two operands: inputs 0 and 1."""

_QLINEAR = ((0, 1, 2), (3, 4, 5))
INTEGER_OPS = {
    "ConvInteger": ((0, None, 2), (1, None, 3)),
    "MatMulInteger": ((0, None, 2), (1, None, 3)),
    "QLinearConv": _QLINEAR,
    "QLinearMatMul": _QLINEAR,
    "com.microsoft.DynamicQuantizeMatMul": ((0, None, None), (1, 2, 3)),
    "com.microsoft.MatMulInteger16": ((0, None, None), (1, None, None)),
    "com.microsoft.MatMulIntegerToFloat": ((0, 2, 4), (1, 3, 5)),
    "com.microsoft.QAttention": ((0, 3, 6), (1, 4, 7)),
    "com.microsoft.QGemm": _QLINEAR,
    "com.microsoft.QLinearConv": _QLINEAR,
}
"""Weighted ops on integers, and which inputs are data and weight, with their scales and points."""

BLOCK_WEIGHT_OPS = (
    "com.microsoft.MatMulNBits", "com.microsoft.MatMulBnb4", "com.microsoft.MatMulFpQ4",
)  # fmt: skip
"""Weights of a few bits, dequantized on the fly: the product is computed in float."""

FLOAT_ONLY = ("GRU", "LSTM", "RNN")
"""Weighted, and never run in 8 bits from Q/DQ pairs."""


def rides_along(node: Node) -> bool:
    """Whether a node costs no extra conversion between two quantized ones."""
    op = node.op_type
    return op in MOVING or op in POINTWISE or op in POOLING


_FIXED_AXIS = {"Conv": 0, "FusedConv": 0, "QLinearConv": 0, "ConvInteger": 0, "ConvTranspose": 1}


def output_axis(node: Node, rank: int) -> int | None:
    """The axis of a weight that holds the output channels of its op."""
    op = node.op_type
    if op in _FIXED_AXIS:
        return _FIXED_AXIS[op]
    if op.endswith("Gemm"):
        return 0 if node.get_int("transB", 0) else 1
    if op.endswith("MatMul"):
        return rank - 2 if node.get_int("transB", 0) else rank - 1
    return None
