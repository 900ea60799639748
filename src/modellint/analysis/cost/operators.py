"""The arithmetic of every operator: multiply-accumulates and other operations, from shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2, prod

from modellint.analysis.shapes import DeployedTypes
from modellint.model import Node, Value, is_static

MICROSOFT = "com.microsoft"
BLOCKED = "com.microsoft.nchwc"
"""ONNX Runtime's layout for CPUs: channels in blocks."""


class UnknownCostError(Exception):
    """A shape or attribute that the formula needs is not known."""


@dataclass(frozen=True, slots=True)
class Work:
    """Arithmetic of one node; `flops` includes both halves of each MAC."""

    macs: int | None
    flops: int | None


@dataclass(frozen=True, slots=True)
class Operands:
    """The shapes around one node, all numbers; asking for what is unknown raises."""

    node: Node
    types: DeployedTypes

    def input(self, index: int) -> tuple[int, ...]:
        return self._static(self.node.input(index))

    def output(self, index: int = 0) -> tuple[int, ...]:
        return self._static(self.node.output(index))

    def has(self, index: int) -> bool:
        return self.node.input(index) is not None

    def attribute(self, name: str) -> int:
        value = self.node.get_int(name)
        if value is None:
            raise UnknownCostError
        return value

    def elements(self) -> int:
        """Elements of the first output that is used."""
        for index, value in enumerate(self.node.outputs):
            if value is not None:
                return prod(self.output(index))
        raise UnknownCostError

    def _static(self, value: Value | None) -> tuple[int, ...]:
        shape = self.types.shape(value) if value is not None else None
        if shape is None or not is_static(shape):
            raise UnknownCostError
        return tuple(dim for dim in shape if isinstance(dim, int))


Formula = Callable[[Operands], tuple[int, int]]
"""MACs, and operations besides them."""


def node_work(node: Node, types: DeployedTypes, *, is_function: bool = False) -> Work:
    """What a node computes; raises `UnknownCostError` for open shapes and ops nobody defined."""
    if is_function:
        raise UnknownCostError
    formula = FORMULAS.get(node.qualified_op) or FORMULAS.get(_default_name(node))
    if formula is None:
        raise UnknownCostError
    macs, others = formula(Operands(node, types))
    return Work(macs, 2 * macs + others)


def _default_name(node: Node) -> str:
    """``ai.onnx.Conv`` is ``Conv``."""
    return node.op_type if node.domain == "ai.onnx" else node.qualified_op


def has_formula(qualified_op: str) -> bool:
    return qualified_op in FORMULAS


# Layers whose work is multiply-accumulates


def _conv(weight: int, bias: int | None) -> Formula:
    def formula(of: Operands) -> tuple[int, int]:
        out = prod(of.output())
        # The weight is out_channels x in_channels/group x kernel, whatever the rank.
        return out * prod(of.input(weight)[1:]), out if bias is not None and of.has(bias) else 0

    return formula


def _conv_transpose(of: Operands) -> tuple[int, int]:
    bias = prod(of.output()) if of.has(2) else 0
    return prod(of.input(0)) * prod(of.input(1)[1:]), bias


def _deform_conv(of: Operands) -> tuple[int, int]:
    out, weight = of.output(), of.input(1)
    samples = out[0] * prod(out[2:]) * of.input(0)[1] * prod(weight[2:])
    bilinear = 8 * samples  # four products, three sums, and the mask
    return prod(out) * prod(weight[1:]), bilinear + (prod(out) if of.has(3) else 0)


def _matmul(bias: int | None = None) -> Formula:
    def formula(of: Operands) -> tuple[int, int]:
        left = of.input(0)
        if not left:
            raise UnknownCostError
        transposed = bool(of.node.get_int("transA", 0)) and len(left) > 1
        reduced = left[-2] if transposed else left[-1]
        out = prod(of.output())  # knows rows, columns and broadcast batches
        return out * reduced, out if bias is not None and of.has(bias) else 0

    return formula


def _matmul_blocks(of: Operands) -> tuple[int, int]:
    """Weights stored packed: their shape is in the attributes."""
    depth, columns = of.attribute("K"), of.attribute("N")
    rows = prod(of.input(0)[:-1])
    return rows * depth * columns, depth * columns  # each weight is dequantized once


def _einsum(of: Operands) -> tuple[int, int]:
    equation = (of.node.get_str("equation") or "").replace(" ", "")
    terms, _, result = equation.partition("->")
    operands = terms.split(",")
    if not equation or "..." in equation or len(operands) != len(of.node.inputs):
        raise UnknownCostError
    sizes: dict[str, int] = {}
    for index, labels in enumerate(operands):
        shape = of.input(index)
        if len(shape) != len(labels):
            raise UnknownCostError
        for label, size in zip(labels, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    if "->" not in equation:
        result = "".join(label for label in sizes if terms.count(label) == 1)
    combinations = prod(sizes.values())
    if len(operands) == 1:
        return 0, combinations if set(sizes) - set(result) else 0
    contracts = bool(set(sizes) - set(result))
    work = combinations * (len(operands) - 1)
    return (work, 0) if contracts else (0, work)


def _recurrent(of: Operands) -> tuple[int, int]:
    """RNN, GRU, LSTM in either direction: the weights' shapes hold gates and directions."""
    sequence, batch = of.input(0)[:2]  # or batch, sequence: only their product matters
    directions, hidden = of.input(1)[0], of.attribute("hidden_size")
    gates = prod(of.input(1)[1:]) // (of.input(0)[2] * hidden)
    steps = sequence * batch
    per_gate = 3  # two additions and the activation
    return steps * (prod(of.input(1)) + prod(of.input(2))), (
        steps * directions * hidden * gates * per_gate
    )


# Attention


def _attention_work(
    batch: int, heads: int, queries: int, keys: int, qk_size: int, v_size: int
) -> tuple[int, int]:
    scores = batch * heads * queries * keys
    return scores * (qk_size + v_size), scores * (_SOFTMAX + 1)


def _attention(of: Operands) -> tuple[int, int]:
    """ai.onnx.Attention: 4-D with heads, or 3-D with the head counts as attributes."""
    query, key, value = of.input(0), of.input(1), of.input(2)
    past = of.input(4)[2] if of.has(4) else 0
    if len(query) == 4:
        batch, heads, queries, qk_size = query
        return _attention_work(batch, heads, queries, key[2] + past, qk_size, value[3])
    heads, kv_heads = of.attribute("q_num_heads"), of.attribute("kv_num_heads")
    batch, queries, hidden = query
    return _attention_work(
        batch, heads, queries, key[1] + past, hidden // heads, value[2] // kv_heads
    )


def _multi_head_attention(of: Operands) -> tuple[int, int]:
    heads, query = of.attribute("num_heads"), of.input(0)
    past = of.input(6)[2] if of.has(6) else 0
    if len(query) == 5:  # queries, keys and values packed: batch, sequence, heads, 3, head size
        batch, queries, _, _, size = query
        return _attention_work(batch, heads, queries, queries + past, size, size)
    batch, queries, hidden = query
    size = hidden // heads
    if not of.has(1):
        raise UnknownCostError
    key = of.input(1)
    if len(key) == 5:  # keys and values packed
        return _attention_work(batch, heads, queries, key[1] + past, size, size)
    if len(key) == 4:  # heads apart already: the cross attention of a cached encoder
        return _attention_work(batch, heads, queries, key[2], size, of.input(2)[3])
    v_size = of.input(2)[2] // heads if of.has(2) else size
    return _attention_work(batch, heads, queries, key[1] + past, size, v_size)


def _grouped_query_attention(of: Operands) -> tuple[int, int]:
    heads, kv_heads = of.attribute("num_heads"), of.attribute("kv_num_heads")
    batch, queries, hidden = of.input(0)
    size = hidden // heads if of.has(1) else hidden // (heads + 2 * kv_heads)
    try:
        keys = of.output(1)[2]  # a present buffer may be as long as the longest sequence
    except UnknownCostError:
        keys = queries + (of.input(3)[2] if of.has(3) else 0)
    return _attention_work(batch, heads, queries, keys, size, size)


def _attention_with_projection(past_index: int) -> Formula:
    """com.microsoft.Attention, QAttention: the projections to Q, K and V are part of the op."""

    def formula(of: Operands) -> tuple[int, int]:
        (batch, queries, depth), weights = of.input(0), of.input(1)
        heads = of.attribute("num_heads")
        sizes = of.node.get_ints("qkv_hidden_sizes") or (weights[1] // 3,) * 3
        past = of.input(past_index)[3] if of.has(past_index) else 0
        macs, others = _attention_work(
            batch, heads, queries, queries + past, sizes[0] // heads, sizes[2] // heads
        )
        projections = batch * queries * depth * weights[1]
        return macs + projections, others + batch * queries * weights[1]

    return formula


# Everything else


def _per_output(count: int = 1) -> Formula:
    return lambda of: (0, count * of.elements())


def _per_input(count: int = 1) -> Formula:
    return lambda of: (0, count * prod(of.input(0)))


def _free(of: Operands) -> tuple[int, int]:
    """Moves or describes data, computes nothing."""
    return 0, 0


def _variadic(of: Operands) -> tuple[int, int]:
    return 0, (len(of.node.inputs) - 1) * of.elements()


def _pool(of: Operands) -> tuple[int, int]:
    return 0, of.elements() * prod(of.node.get_ints("kernel_shape") or (1,))


def _resize(of: Operands) -> tuple[int, int]:
    mode, out = of.node.get_str("mode", "nearest"), of.output()
    if mode == "nearest":
        return 0, 0
    source = of.input(0)
    resized = sum(a != b for a, b in zip(source, out, strict=True)) or len(out)
    taps = 4 if mode == "cubic" else 2
    return 0, prod(out) * 2 * taps**resized


def _grid_sample(of: Operands) -> tuple[int, int]:
    mode, out = of.node.get_str("mode", "linear"), of.output()
    taps = {"nearest": 1, "cubic": 4, "bicubic": 4}.get(mode or "", 2)
    return 0, prod(out) * 2 * taps ** (len(out) - 2)


def _local_response(of: Operands) -> tuple[int, int]:
    return 0, of.elements() * (2 * of.attribute("size") + 3)


def _clip(of: Operands) -> tuple[int, int]:
    return 0, 2 * of.elements()


def _sort(of: Operands) -> tuple[int, int]:
    count = prod(of.input(0))
    return 0, int(count * max(1.0, log2(max(2, count))))


def _fourier(of: Operands) -> tuple[int, int]:
    count = of.elements()
    return 0, int(5 * count * log2(max(2, count)))


def _roi(of: Operands) -> tuple[int, int]:
    ratio = max(1, of.node.get_int("sampling_ratio", 1) or 1)
    return 0, of.elements() * 8 * ratio * ratio


_SOFTMAX = 5
"""Per element: the maximum, a difference, an exponential, the sum, a division."""
_NORMALIZATION = 8
"""Per element: mean, difference, square, variance, root, product, scale, bias."""

_FREE = """
    Constant ConstantOfShape Identity Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice
    Gather GatherElements GatherND Scatter ScatterElements ScatterND TensorScatter Pad Tile Expand
    Shape Size Cast CastLike BitCast DepthToSpace SpaceToDepth Range EyeLike OneHot Dropout Trilu
    CenterCropPad Compress NonZero ReverseSequence Unique MaxUnpool Optional OptionalGetElement
    OptionalHasElement ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase
    SequenceInsert SequenceLength SplitToSequence ImageDecoder StringConcat StringNormalizer
    StringSplit RegexFullMatch TfIdfVectorizer Col2Im Where NonMaxSuppression
    BlackmanWindow HammingWindow HannWindow MelWeightMatrix Bernoulli Multinomial RandomNormal
    RandomNormalLike RandomUniform RandomUniformLike
    com.microsoft.ExpandDims com.microsoft.GatherND com.microsoft.Pad com.microsoft.Range
    com.microsoft.Trilu com.microsoft.Unique com.microsoft.RemovePadding com.microsoft.EPContext
    com.microsoft.RestorePadding com.microsoft.CropAndResize com.microsoft.QLinearConcat
    com.microsoft.QLinearWhere com.microsoft.UnfoldTensor com.microsoft.TorchEmbedding
    com.microsoft.Tokenizer com.microsoft.MurmurHash3
    ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.CastMap ai.onnx.ml.CategoryMapper
    ai.onnx.ml.DictVectorizer ai.onnx.ml.FeatureVectorizer ai.onnx.ml.LabelEncoder
    ai.onnx.ml.OneHotEncoder ai.onnx.ml.ZipMap
"""
_ELEMENTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    Ceil Cos Cosh Div Equal Erf Exp Floor Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Log
    Mod Mul Neg Not Or Pow Reciprocal Relu Round Sign Sin Sinh Sqrt Sub Tan Tanh Xor
    LeakyRelu PRelu ThresholdedRelu
    com.microsoft.BiasAdd com.microsoft.BiasDropout com.microsoft.MulInteger
    ai.onnx.ml.Binarizer ai.onnx.ml.Imputer
"""
_PER_OUTPUT = {
    1: _ELEMENTWISE,
    2: """
        Celu Elu Selu Shrink Softplus Softsign HardSigmoid BatchNormalization QuantizeLinear
        DequantizeLinear com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear
        com.microsoft.QuantizeBFP com.microsoft.DequantizeBFP com.microsoft.DequantizeWithOrder
        com.microsoft.QuantizeWithOrder com.microsoft.GatherBlockQuantized ai.onnx.ml.Scaler
        com.microsoft.GatedAdd
    """,
    3: "DynamicQuantizeLinear Sigmoid HardSwish com.microsoft.ScaledSiLU",
    4: """
        Swish RotaryEmbedding AffineGrid com.microsoft.QuickGelu com.microsoft.RotaryEmbedding
        com.microsoft.GemmaRotaryEmbedding com.microsoft.MRotaryEmbedding
    """,
    5: """
        Gelu Mish SwiGLU com.microsoft.Gelu com.microsoft.QOrderedGelu com.microsoft.QLinearAdd
        com.microsoft.QLinearMul com.microsoft.QLinearLeakyRelu
    """,
    6: """
        com.microsoft.FastGelu com.microsoft.BiasGelu com.microsoft.BiasSplitGelu
        com.microsoft.ComplexMul com.microsoft.ComplexMulConj com.microsoft.QLinearSigmoid
    """,
}
_PER_INPUT = {
    1: """
        ArgMax ArgMin CumSum CumProd GlobalAveragePool GlobalMaxPool ReduceMax ReduceMean ReduceMin
        ReduceProd ReduceSum ReduceL1 Hardmax com.microsoft.ReduceSumInteger
        com.microsoft.QLinearReduceMean com.microsoft.QLinearGlobalAveragePool
        com.microsoft.IsAllFinite
    """,
    2: "GlobalLpPool ReduceL2 ReduceLogSum ReduceSumSquare ai.onnx.ml.Normalizer LpNormalization",
    3: "ReduceLogSumExp",
    _SOFTMAX: """
        Softmax LogSoftmax SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss
        com.microsoft.BiasSoftmax com.microsoft.QLinearSoftmax
    """,
    _NORMALIZATION: """
        LayerNormalization InstanceNormalization GroupNormalization MeanVarianceNormalization
        RMSNormalization SimplifiedLayerNormalization com.microsoft.SimplifiedLayerNormalization
        com.microsoft.QOrderedLayerNormalization com.microsoft.GroupNorm
    """,
    _NORMALIZATION + 1: """
        com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization
        com.microsoft.SkipGroupNorm
    """,
}

FORMULAS: dict[str, Formula] = {
    "Conv": _conv(1, 2),
    "ConvInteger": _conv(1, None),
    "QLinearConv": _conv(3, 8),
    "CausalConvWithState": _conv(1, 2),
    "ConvTranspose": _conv_transpose,
    "DeformConv": _deform_conv,
    "MatMul": _matmul(),
    "MatMulInteger": _matmul(),
    "QLinearMatMul": _matmul(),
    "Gemm": _matmul(bias=2),
    "Einsum": _einsum,
    "RNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "Attention": _attention,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "Resize": _resize,
    "Upsample": _resize,
    "GridSample": _grid_sample,
    "LRN": _local_response,
    "Clip": _clip,
    "TopK": _sort,
    "DFT": _fourier,
    "STFT": _fourier,
    "RoiAlign": _roi,
    "MaxRoiPool": _roi,
    **dict.fromkeys(("Sum", "Mean", "Max", "Min"), _variadic),
    **dict.fromkeys(
        [f"{MICROSOFT}.{op}" for op in ("FusedConv", "NhwcConv", "NhwcFusedConv")], _conv(1, 2)
    ),
    f"{BLOCKED}.Conv": _conv(1, 2),
    **dict.fromkeys([f"{BLOCKED}.{op}" for op in ("MaxPool", "AveragePool")], _pool),
    f"{BLOCKED}.GlobalAveragePool": _per_input(),
    f"{BLOCKED}.Upsample": _resize,
    **dict.fromkeys([f"{BLOCKED}.{op}" for op in ("ReorderInput", "ReorderOutput")], _free),
    f"{MICROSOFT}.QLinearConv": _conv(3, 8),
    f"{MICROSOFT}.CausalConvWithState": _conv(1, 2),
    f"{MICROSOFT}.ConvTransposeWithDynamicPads": _conv_transpose,
    **dict.fromkeys(
        [
            f"{MICROSOFT}.{op}"
            for op in (
                "FusedMatMul",
                "FusedMatMulActivation",
                "TransposeMatMul",
                "MatMulInteger16",
                "MatMulIntegerToFloat",
                "SparseToDenseMatMul",
                "QOrderedMatMul",
            )
        ],
        _matmul(),
    ),
    f"{MICROSOFT}.DynamicQuantizeMatMul": _matmul(bias=4),
    **dict.fromkeys(
        [f"{MICROSOFT}.{op}" for op in ("FusedGemm", "GemmFastGelu", "GemmFloat8")],
        _matmul(bias=2),
    ),
    f"{MICROSOFT}.QGemm": _matmul(bias=6),
    **dict.fromkeys(
        [f"{MICROSOFT}.{op}" for op in ("MatMulNBits", "MatMulBnb4")],
        _matmul_blocks,
    ),
    f"{MICROSOFT}.DynamicQuantizeLSTM": _recurrent,
    f"{MICROSOFT}.MultiHeadAttention": _multi_head_attention,
    f"{MICROSOFT}.GroupQueryAttention": _grouped_query_attention,
    f"{MICROSOFT}.Attention": _attention_with_projection(4),
    f"{MICROSOFT}.QAttention": _attention_with_projection(8),
    f"{MICROSOFT}.NhwcMaxPool": _pool,
    f"{MICROSOFT}.QLinearAveragePool": _pool,
    f"{MICROSOFT}.GridSample": _grid_sample,
    f"{MICROSOFT}.Rfft": _fourier,
    f"{MICROSOFT}.Irfft": _fourier,
    f"{MICROSOFT}.EmbedLayerNormalization": _per_output(_NORMALIZATION + 2),
    **dict.fromkeys(_FREE.split(), _free),
    **{op: _per_output(count) for count, ops in _PER_OUTPUT.items() for op in ops.split()},
    **{op: _per_input(count) for count, ops in _PER_INPUT.items() for op in ops.split()},
}

NO_FORMULA = frozenset(
    {"Det", "FlexAttention", "LinearAttention", "If", "Loop", "Scan", "SequenceMap"}
)
"""Ops of the standard that have no cost of their own here: control flow is counted by its
subgraphs, and the others depend on more than shapes."""
