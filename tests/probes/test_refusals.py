"""Models that TensorRT for RTX refuses, and similar ones that it takes: rules and parser agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx.parser
import pytest
from measure_agreement import ask

from tests.runtimes import TENSORRT_RTX, parsed
from tests.samples import lint_json

ORT = '"com.microsoft" : 1'
REFUSED: Mapping[str, str] = {
    # One dim is too few, or too many.
    "softmax of a vector": "17 (float[4] x) => (float[4] y) { y = Softmax (x) }",
    "argmax of a vector": "17 (float[4] x) => (int64[1] y) { y = ArgMax (x) }",
    "sum of a scalar": "17 (float x) => (float y) { y = ReduceSum (x) }",
    "pooling of a matrix": "17 (float[2,4] x) => (float[2,1] y) { y = GlobalAveragePool (x) }",
    "norm of a matrix": """
        17 (float[2,2] x, float[2] s) => (float[2,2] y) { y = InstanceNormalization (x, s, s) }
    """,
    "response of a sequence": "17 (float[1,2,4] x) => (float[1,2,4] y) { y = LRN <size = 3> (x) }",
    "depth of a volume": """
        17 (float[1,1,2,2,2] x) => (float[1,8,1,1,1] y) { y = SpaceToDepth <blocksize = 2> (x) }
    """,
    "norm pooling of a sequence": """
        17 (float[1,1,8] x) => (float[1,1,7] y) { y = LpPool <kernel_shape = [2]> (x) }
    """,
    # Computed where it has to be constant.
    "squeezed by an input": """
        17 (float[1,2] x, int64[1] a) => (float[2] y) { y = Squeeze (x, a) }
    """,
    "unsqueezed by an input": """
        17 (float[1,2] x, int64[1] a) => (float[1,1,2] y) { y = Unsqueeze (x, a) }
    """,
    "summed by an input": """
        17 (float[1,2] x, int64[1] a) => (float[1,1] y) { y = ReduceSum (x, a) }
    """,
    "trained by an input": "17 (float[4] x, bool t) => (float[4] y) { y = Dropout (x, , t) }",
    "identity of open size": "17 (float[n,m] x) => (float[n,m] y) { y = EyeLike (x) }",
    # Attributes.
    "capitals": """
        17 (float[2,3] x, float[3,4] w) => (float[2,4] y)
        { y = Einsum <equation = "IJ,JK->IK"> (x, w) }
    """,
    "coupled gates": """
        17 (float[3,1,4] x, float[1,8,4] w, float[1,8,2] r) => (float[3,1,1,2] y)
        { y = LSTM <hidden_size = 2, input_forget = 1> (x, w, r) }
    """,
    "affine activation": """
        17 (float[3,1,4] x, float[1,2,4] w, float[1,2,2] r) => (float[3,1,1,2] y)
        { y = RNN <hidden_size = 2, activations = ["Affine"]> (x, w, r) }
    """,
    "directions that differ": """
        17 (float[3,1,4] x, float[2,6,4] w, float[2,6,2] r) => (float[3,2,1,2] y)
        {
            y = GRU <hidden_size = 2, direction = "bidirectional",
                     activations = ["Sigmoid", "Tanh", "Relu", "Tanh"]> (x, w, r)
        }
    """,
    "padded twice": """
        17 (float[1,1,5,5] x, float[1,1,3,3] w) => (float[1,1,5,5] y)
        { y = Conv <auto_pad = "SAME_UPPER", pads = [0, 0, 0, 0]> (x, w) }
    """,
    "cropped": """
        17 (float[1,1,5,5] x, float[1,1,1,1] w) => (float[1,1,3,3] y)
        { y = Conv <pads = [-1, -1, -1, -1]> (x, w) }
    """,
    "fractional remainder": """
        17 (float[2] x, float[2] z) => (float[2] y) { y = Mod <fmod = 0> (x, z) }
    """,
    "added while scattered": """
        18 (float[3,3] x, int64[1,3] i, float[1,3] u) => (float[3,3] y)
        { y = ScatterElements <reduction = "add"> (x, i, u) }
    """,
    "double noise": """
        17 (float[2] z) => (float[2] y)
        { r = RandomNormal <shape = [2], dtype = 11> () c = Cast <to = 1> (r) y = Add (z, c) }
    """,
    "scan without state": """
        17 (float[3,3] x) => (float[3,3] y)
        {
            y = Scan <num_scan_inputs = 1, body = b (float[3] t) => (float[3] u)
                { u = Relu (t) }> (x)
        }
    """,
    "attention of ONNX Runtime": """
        17 (float[2,4,8] x, float[8,24] w, float[24] b) => (float[2,4,8] y)
        { y = com.microsoft.Attention <num_heads = 2> (x, w, b) }
    """,
    "attention with bias": """
        17 (float[2,4,8] q, float[24] b) => (float[2,4,8] y)
        { y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, b) }
    """,
    "packed heads": """
        17 (float[2,4,2,3,4] x) => (float[2,4,8] y)
        { y = com.microsoft.MultiHeadAttention <num_heads = 2> (x) }
    """,
    "statistics with the sum": """
        17 (float[2,4,8] x, float[8] s) => (float[2,4,8] y, float[2,4,8] t)
        { y, m, v, t = com.microsoft.SkipSimplifiedLayerNormalization (x, x, s) }
    """,
    "heads to be guessed": """
        23 (float[1,4,8] x, float[16,2] c, float[16,2] s, int64[1,4] p) => (float[1,4,8] y)
        { y = RotaryEmbedding (x, c, s, p) }
    """,
    "vector by matrices": """
        17 (float[5] x, float[2,5,8] w) => (float[2,8] y) { y = MatMul (x, w) }
    """,
    "open kernel": """
        17 (float[1,3,8,8] x, float[4,3,a,b] w) => (float[1,4,c,d] y) { y = Conv (x, w) }
    """,
    "scales passed in": """
        17 (float[1,1,4,2] x, float[4] s) => (float[a,b,c,d] y) { y = Resize (x, , s) }
    """,
    "not a number": "17 (int32[2] x) => (int32[2] y) { y = Not (x) }",
    "truths added": "17 (bool[2] x) => (bool[2] y) { y = Add (x, x) }",
    "integers quantized": """
        17 (int32[2] x) => (int8[2] y) <float s = {1}, int8 z = {0}>
        { y = QuantizeLinear (x, s, z) }
    """,
    "half pixels and sizes": """
        11 (float[1,1,2,2] x) => (float[1,1,4,6] y) <int64[4] s = {1, 1, 4, 6}>
        { y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn"> (x, , , s) }
    """,
    "half and float": "17 (float[2] x, float16[2] z) => (float[2] y) { y = Add (x, z) }",
    "long and short": """
        17 (int64[2] x, int32[2] z) => (int64[4] y) { y = Concat <axis = 0> (x, z) }
    """,
    "float scale of halves": """
        17 (float16[1,2] x, float[2] s) => (float16[1,2] y) { y = LayerNormalization (x, s) }
    """,
    "float bias of halves": """
        17 (float16[2,2] x, float[2] b) => (float16[2,2] y) { y = Gemm (x, x, b) }
    """,
    # Shapes that do not fit.
    "another volume": """
        17 (float[2,3] x) => (float[2,2] y) <int64[2] s = {2, 2}> { y = Reshape (x, s) }
    """,
    "other channels": """
        17 (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[2] s = {1, 1}>
        { y = BatchNormalization (x, s, s, s, s) }
    """,
    "other groups": """
        17 (float[1,4,4,4] x) => (float[1,2,4,4] y) <float[2,1,1,1] w = {1, 1}>
        { y = Conv <group = 2> (x, w) }
    """,
    "one zero point": """
        21 (int8[2,3] x) => (float[2,3] y) <float[3] s = {1, 1, 1}, int8 z = {0}>
        { y = DequantizeLinear (x, s, z) }
    """,
    "scales of other channels": """
        21 (int8[2,3] x) => (float[2,3] y) <float[2] s = {1, 1}> { y = DequantizeLinear (x, s) }
    """,
    "a scale for each element": """
        21 (int8[2,2] x, float[2,2] s) => (float[2,2] y)
        { y = DequantizeLinear <axis = 0, block_size = 1> (x, s) }
    """,
    "blocks of different sizes": """
        21 (int8[5,2] x, float[3,2] s) => (float[5,2] y)
        { y = DequantizeLinear <axis = 0, block_size = 2> (x, s) }
    """,
    "blocks of channels": """
        21 (int8[2,4,2,2] x, float[2,2,2,2] s) => (float[2,4,2,2] y)
        { y = DequantizeLinear <axis = 1, block_size = 2> (x, s) }
    """,
    # Before opset 7.
    "old sum": "6 (float[2,3] x) => (float[2,3] y) { y = Add (x, x) }",
    "old comparison": "6 (float[2,3] x) => (bool[2,3] y) { y = Greater (x, x) }",
    "old bias": """
        6 (float[2,3] x, float[3,4] w, float[4] b) => (float[2,4] y)
        { y = Gemm <broadcast = 1> (x, w, b) }
    """,
    "old slope": "6 (float[2,3,4] x, float[3] s) => (float[2,3,4] y) { y = PRelu (x, s) }",
    "old product": """
        6 (float[2,3,4] x, float[4,5] w) => (float[2,3,5] y) { y = MatMul (x, w) }
    """,
    "old dropout": "6 (float[4] x) => (float[4] y) { y = Dropout <is_test = 0> (x) }",
    # Types and operators.
    "strings": "17 (string[2] s, float[2] x) => (float[2] y) { y = Relu (x) }",
    "short integers": "17 (int16[2] x) => (float[2] y) { y = Cast <to = 1> (x) }",
    "bytes inside": """
        17 (float[2] x) => (float[2] y) { b = Cast <to = 2> (x) y = Cast <to = 1> (b) }
    """,
    "bytes turned": """
        17 (uint8[2,3] x) => (float[3,2] y) { t = Transpose (x) y = Cast <to = 1> (t) }
    """,
    "sequence": """
        17 (float[2] x) => (float[2] y)
        { s = SequenceConstruct (x) y = ConcatFromSequence <axis = 0> (s) }
    """,
    "drawn": "17 (float[1,2] x) => (int32[1,1] y) { y = Multinomial (x) }",
    "normalized statistics": """
        7 (float[1,2,4,4] x, float[2] s) => (float[1,2,4,4] y)
        { y, m, v, sm, sv = BatchNormalization (x, s, s, s, s) }
    """,
    # Nodes that contradict their definition.
    "slice by attributes": """
        17 (float[3,3] x) => (float[a,b] y) { y = Slice <starts = [0], ends = [1]> (x) }
    """,
    "no scale": "17 (float[2,3] x) => (float[2,3] y) { y = LayerNormalization (x) }",
    "concat without axis": "17 (float[2,3] x) => (float[4,3] y) { y = Concat (x, x) }",
    "bytes of the mish": "18 (uint8[2] x) => (uint8[2] y) { y = Selu (x) }",
    "integers of the sine": "17 (int64[2] x) => (int64[2] y) { y = Sin (x) }",
    "an integer called a float": "17 (int32[2] x) => (float[2] y) { y = Identity (x) }",
    "sums that do not fit": "17 (float[2,3] x, float[4,2] z) => (float[a,b] y) { y = Add (x, z) }",
    "a limit of another type": """
        17 (float[2,3] x, int64 t) => (float[2,3] y) { y = Clip (x, t) }
    """,
    "bytes beside floats": """
        17 (float[2] x, uint8[2] z) => (float[4] y) { y = Concat <axis = 0> (x, z) }
    """,
    # Numbers that do not fit.
    "two arrows": """
        17 (float[2,3] x, float[3,4] z) => (float[2,4] y)
        { y = Einsum <equation = "ij,jk->->ik"> (x, z) }
    """,
    "three terms": """
        17 (float[2,3] x, float[3,4] z) => (float[2,4] y)
        { y = Einsum <equation = "ij,,jk->ik"> (x, z) }
    """,
    "an unknown label": """
        17 (float[2,3] x, float[3,4] z) => (float[2,4] y)
        { y = Einsum <equation = "ij,jk->iz"> (x, z) }
    """,
    "a label twice": """
        17 (float[2,3] x, float[3,4] z) => (float[2,2] y)
        { y = Einsum <equation = "ij,jk->ii"> (x, z) }
    """,
    "a label of two sizes": """
        17 (float[2,3] x, float[4,4] z) => (float[2,4] y)
        { y = Einsum <equation = "ij,jk->ik"> (x, z) }
    """,
    "too many labels": """
        17 (float[2,3] x, float[3,4] z) => (float[2] y)
        { y = Einsum <equation = "ijk,jk->i"> (x, z) }
    """,
    "norm beyond the rank": """
        17 (float[2,3] x) => (float[2,3] y) { y = LpNormalization <axis = 5> (x) }
    """,
    "three groups of four": """
        21 (float[1,4,2,2] x, float[4] s) => (float[1,4,2,2] y)
        { y = GroupNormalization <num_groups = 3> (x, s, s) }
    """,
    "odd blocks": """
        17 (float[1,2,5,5] x) => (float[a,b,c,d] y) { y = SpaceToDepth <blocksize = 2> (x) }
    """,
    "odd depth": """
        17 (float[1,6,4,4] x) => (float[a,b,c,d] y) { y = DepthToSpace <blocksize = 2> (x) }
    """,
    "pads of one axis": """
        19 (float[4,4] x) => (float[a,b] y) <int64[4] p = {1, 1, 1, 1}, int64[1] ax = {0}>
        { y = Pad (x, p, , ax) }
    """,
    "a start for two axes": """
        17 (float[3,3] x) => (float[a,b] y) <int64[1] s = {0}> { y = Slice (x, s, s) }
    """,
    "three of two": """
        18 (float[4,4] x) => (float[2,4] y, float[2,4] z) { y, z = Split <num_outputs = 3> (x) }
    """,
    "split twice": """
        18 (float[4,4] x) => (float[2,4] y, float[2,4] z) <int64[2] p = {2, 2}>
        { y, z = Split <num_outputs = 2> (x, p) }
    """,
    "reversed batches": """
        17 (float[3,3] x) => (float[3,3] y) <int64[3] l = {1, 1, 1}>
        { y = ReverseSequence <batch_axis = 1, time_axis = 1> (x, l) }
    """,
    "a slope for other channels": """
        17 (float[2,3] x, float[3,4] s) => (float[2,3] y) { y = PRelu (x, s) }
    """,
    "a flat kernel": """
        17 (float[1,4,8,8] x, float[5,4,3] w) => (float[1,5,6,6] y) { y = Conv (x, w) }
    """,
    "a list of thresholds": """
        17 (float[1,6,4] b, float[1,1,6] s, float[2] t) => (int64[n,3] y) <int64[1] m = {3}>
        { y = NonMaxSuppression (b, s, m, t, t) }
    """,
    "two limits": "17 (float[2,3] x, float[2] t) => (float[2,3] y) { y = Clip (x, t) }",
    "computed axes": """
        18 (float[1,2] x) => (float[a,b] y) <int64[1] z = {0}>
        { s = Shape (x) a = Gather (s, z) y = ReduceSum (x, a) }
    """,
    "a computed step": "17 (float[1,16,1] x, int64 f) => (float[a,b,c,d] y) { y = STFT (x, f) }",
    "a step backwards": """
        17 (float[1,16,1] x) => (float[a,b,c,d] y) <int64 f = {-4}, int64 l = {8}>
        { y = STFT (x, f, , l) }
    """,
    "a broken depth": """
        17 (int64[3] i, float d, float[2] v) => (float[3,n] y) { y = OneHot (i, d, v) }
    """,
    "a broken limit": """
        17 (float d) => (float[n] y) <float s = {0}, float e = {1}> { y = Range (s, d, e) }
    """,
    "masked twice": """
        23 (float[1,2,4,8] q, float[4,4] m) => (float[1,2,4,8] y)
        { y = Attention <is_causal = 1> (q, q, q, m) }
    """,
    "another mode": """
        20 (float[1,1,4,4] x, float[1,4,4,2] g) => (float[1,1,4,4] y)
        { y = GridSample <mode = "lanczos"> (x, g) }
    """,
    "an even window": "17 (float[1,4,8,8] x) => (float[1,4,8,8] y) { y = LRN <size = 4> (x) }",
    "results along no axis": """
        17 (float[3] s, float[4,3] x) => (float[3] z, float[a,b] y)
        {
            z, y = Scan <num_scan_inputs = 1, scan_output_axes = [7],
                body = b (float[3] before, float[3] t) => (float[3] after, float[3] u)
                { u = Relu (t) after = Add (before, t) }> (s, x)
        }
    """,
    "results along the last axis": """
        17 (float[3] s, float[4,3] x) => (float[3] z, float[a,b] y)
        {
            z, y = Scan <num_scan_inputs = 1, scan_output_axes = [-1],
                body = b (float[3] before, float[3] t) => (float[3] after, float[3] u)
                { u = Relu (t) after = Add (before, t) }> (s, x)
        }
    """,
    "noise like integers": """
        17 (int32[2] z) => (float[2] y) { r = RandomUniformLike (z) y = Cast <to = 1> (r) }
    """,
}
TAKEN: Mapping[str, str] = {
    "doubles and floats": "17 (float[2] x, double[2] z) => (float[2] y) { y = Add (x, z) }",
    "half power": "17 (float[2] x, float16[2] z) => (float[2] y) { y = Pow (x, z) }",
    "float statistics of halves": """
        17 (float16[1,2,2,2] x, float[2] s) => (float16[1,2,2,2] y)
        { y = BatchNormalization (x, s, s, s, s) }
    """,
    "a vector by an open batch": """
        17 (float[5] x, float[n,5,8] w) => (float[n,8] y) { y = MatMul (x, w) }
    """,
    "half pixels and scales": """
        11 (float[1,1,2,2] x) => (float[1,1,4,6] y) <float[4] s = {1, 1, 2, 3}>
        { y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn"> (x, , s) }
    """,
    "matrices by vector": """
        17 (float[2,8,5] x, float[5] w) => (float[2,8] y) { y = MatMul (x, w) }
    """,
    "scales of a shape": """
        17 (float[1,1,h,w] x) => (float[a,b,c,d] y)
        { s = Shape (x) f = Cast <to = 1> (s) q = Div (f, f) y = Resize (x, , q) }
    """,
    "an output of another type": "17 (float[2,2] x) => (float[1,2] y) { y = ArgMax (x) }",
    "short pads": """
        17 (float[2] x) => (float[4] y) <int32[2] p = {1, 1}> { y = Pad (x, p) }
    """,
    "branches of a constant": """
        17 (float[2] x) => (float[2] y) <bool c = {1}>
        {
            y = If (c) <then_branch = t () => (float[2] a) { a = Relu (x) },
                else_branch = e () => (float[1,2] b) <int64[1] z = {0}>
                { b = Unsqueeze (x, z) }>
        }
    """,
    "an equal volume": """
        17 (float[2,3,4] x) => (float[2,2,6] y) <int64[3] s = {0, -1, 6}> { y = Reshape (x, s) }
    """,
    "the channels of a matrix": """
        17 (float[2,3] x, float[3] s) => (float[2,3] y) { y = BatchNormalization (x, s, s, s, s) }
    """,
    "blocks": """
        21 (int8[2,2,4,2] x, float[2,2,2,2] s) => (float[2,2,4,2] y)
        { y = DequantizeLinear <axis = 2, block_size = 2> (x, s) }
    """,
    "one scale": """
        21 (int8[2,3] x) => (float[2,3] y) <float[1] s = {1}, int8 z = {0}>
        { y = DequantizeLinear (x, s, z) }
    """,
    "a computed scale": """
        17 (float[4] x, float s) => (float[4] y) <int8 z = {0}>
        { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }
    """,
    "topk of a vector": """
        17 (float[4] x, int64[1] k) => (float[p] y, int64[p] z) { y, z = TopK (x, k) }
    """,
    "norm of a vector": """
        17 (float[2,3] x, float[3] s) => (float[2,3] y) { y = LayerNormalization (x, s) }
    """,
    "axes of a shape": """
        17 (float[1,2] x) => (float[1,1,2] y) <int64[1] z = {0}>
        { s = Shape (x) a = Gather (s, z) y = Unsqueeze (x, a) }
    """,
    "sliced by an input": """
        17 (float[4,2] x, int64[1] a) => (float[p,q] y) <int64[1] s = {0}, int64[1] e = {1}>
        { y = Slice (x, s, e, a) }
    """,
    "remainder": "17 (float[2] x, float[2] z) => (float[2] y) { y = Mod <fmod = 1> (x, z) }",
    "both directions": """
        17 (float[3,1,4] x, float[2,6,4] w, float[2,6,2] r) => (float[3,2,1,2] y)
        { y = GRU <hidden_size = 2, direction = "bidirectional"> (x, w, r) }
    """,
    "scan with state": """
        17 (float[3] s, float[3,3] x) => (float[3] z, float[3,3] y)
        {
            z, y = Scan <num_scan_inputs = 1,
                body = b (float[3] before, float[3] t) => (float[3] after, float[3] u)
                { u = Relu (t) after = Add (before, t) }> (s, x)
        }
    """,
    "an operator from the future": """
        12 (float[2,4] x, float[4] s) => (float[2,4] y) { y = LayerNormalization (x, s) }
    """,
    "an operator of ONNX Runtime": """
        17 (float[2,4] x, float[4] s) => (float[2,4] y) { y = SimplifiedLayerNormalization (x, s) }
    """,
    "a known name of an unknown domain": """
        17 (float[2,4] x) => (float[2,4] y) { y = abc.Relu (x) }
    """,
    "old matrices": "6 (float[3,4] x, float[4,5] w) => (float[3,5] y) { y = MatMul (x, w) }",
    "old slopes": "6 (float[3] x, float[3] s) => (float[3] y) { y = PRelu (x, s) }",
    "old norm": """
        6 (float[2,3,4,4] x, float[3] s) => (float[2,3,4,4] y)
        { y = BatchNormalization <is_test = 1> (x, s, s, s, s) }
    """,
    "old activation": "5 (float[2,3] x) => (float[2,3] y) { a = Elu (x) y = Sigmoid (a) }",
    "an opset to come": "99 (float[2,3] x) => (float[2,3] y) { y = Relu (x) }",
    "bytes outside": """
        17 (uint8[2] x) => (uint8[2] y) { f = Cast <to = 1> (x) y = Cast <to = 2> (f) }
    """,
    "doubles": "17 (double[2,3] x) => (double[2,3] y) { y = Softmax (x) }",
    "attention heads": """
        17 (float[2,4,8] q) => (float[2,4,8] y)
        { y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q) }
    """,
    "a sum of one": "17 (float[2] x) => (float[2] y) { y = Add (x) }",
    "a softmax of another type": "17 (float[2,2] x) => (float16[2,2] y) { y = Softmax (x) }",
    "a broadcast label": """
        17 (float[2,1] x, float[4,4] z) => (float[2,4] y)
        { y = Einsum <equation = "ij, jk -> ik"> (x, z) }
    """,
    "open blocks": """
        17 (float[1,6,h,w] x) => (float[a,b,c,d] y) { y = DepthToSpace <blocksize = 2> (x) }
    """,
    "limits that broadcast": """
        17 (float[2,3] x, float[3] t) => (float[2,3] y) { y = Clip (x, t) }
    """,
    "one axis as a number": """
        17 (float[1,3] x) => (float[3] y) <int64 s = {0}> { y = Squeeze (x, s) }
    """,
    "an unequal split": "13 (float[5,4] x) => (float[2,4] y, float[2,4] z) { y, z = Split (x) }",
    "a limit cast to float": """
        17 (int64 x) => (float[n] y) <float s = {0}, float e = {1}>
        { d = Cast <to = 1> (x) y = Range (s, d, e) }
    """,
    "masked once": """
        23 (float[1,2,4,8] q, float[4,4] m) => (float[1,2,4,8] y) { y = Attention (q, q, q, m) }
    """,
}
NOT_BUILT: Mapping[str, str] = {
    "more than the largest k": """
        17 (float[1,5040] x) => (float[1,3841] y, int64[1,3841] i) <int64[1] k = {3841}>
        { y, i = TopK (x, k) }
    """,
    "boxes": """
        17 (float[1,6,4] b, float[1,1,6] s) => (int64[n,3] y) <int64[1] m = {3}, float[1] t = {0.5}>
        { y = NonMaxSuppression (b, s, m, t, t) }
    """,
    "a computed zero point": """
        17 (float[4] x, float s, int8 z) => (float[4] y)
        { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }
    """,
}
"""Models that the parser takes, but the builder refuses."""
MODELS = {**REFUSED, **TAKEN, **NOT_BUILT}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("refusals")
    made = {}
    for name, text in MODELS.items():
        opset, _, body = text.strip().partition(" ")
        domains = f'"" : {opset}' + (f", {ORT}" if "com.microsoft" in body else "")
        model = onnx.parser.parse_model(f"<ir_version: 8, opset_import: [{domains}]>\nm {body}")
        made[name] = folder / f"{name}.onnx"
        onnx.save(model, made[name])
    return made


@pytest.fixture(scope="module")
def errors(files: dict[str, Path]) -> dict[str, list[str]]:
    """The errors of each model for TensorRT for RTX."""
    found = lint_json("--isolated", "--runtime", "tensorrt-rtx", *files.values())["findings"]
    return {
        name: [
            f"{each['code']}: {each['message']}"
            for each in found
            if each["severity"] == "error" and Path(each["path"]).name == path.name
        ]
        for name, path in files.items()
    }


@pytest.fixture(scope="module")
def taken(files: dict[str, Path]) -> dict[str, bool]:
    """Return the parser's verdict."""
    verdicts = parsed(files.values())
    return dict(zip(files, verdicts, strict=True))


@pytest.mark.parametrize("name", [*REFUSED, *NOT_BUILT])
def test_refusals_are_predicted(name: str, errors: dict[str, list[str]]) -> None:
    assert errors[name]


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_has_no_error(name: str, errors: dict[str, list[str]]) -> None:
    assert errors[name] == []


@pytest.mark.parametrize("name", MODELS)
def test_the_parser_says_so(name: str, taken: dict[str, bool]) -> None:
    assert taken[name] == (name not in REFUSED)


@pytest.mark.parametrize("name", NOT_BUILT)
def test_the_builder_says_so(name: str, files: dict[str, Path]) -> None:
    if TENSORRT_RTX.module is None:
        pytest.skip(f"TensorRT for RTX is not installed: {TENSORRT_RTX.install}")
    assert ask(files[name], TENSORRT_RTX, "build").status == "refused"
