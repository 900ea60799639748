"""Shapes of ONNX Runtime's own operators are those that it computes itself."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from modellint.formats.onnx.build import build as read_proto

ort = pytest.importorskip("onnxruntime")
MS = "com.microsoft"

CASES = {
    "BiasGelu": (
        "y = com.microsoft.BiasGelu(x, b)",
        "float[2,3,8] x, float[8] b",
        "float[A,B,C] y",
    ),
    "SkipLayerNormalization": (
        "y, , , z = com.microsoft.SkipLayerNormalization(x, s, g, b)",
        "float[2,3,8] x, float[2,3,8] s, float[8] g, float[8] b",
        "float[A,B,C] y, float[D,E,F] z",
    ),
    "FusedMatMul": (
        "y = com.microsoft.FusedMatMul(x, w)",
        "float[2,3,8] x, float[8,5] w",
        "float[A,B,C] y",
    ),
    "FusedMatMul, transposed": (
        "y = com.microsoft.FusedMatMul<transA=1, transB=1>(x, w)",
        "float[4,8,3] x, float[4,5,8] w",
        "float[A,B,C] y",
    ),
    "MatMulNBits": (
        "y = com.microsoft.MatMulNBits<K=64, N=32, bits=4, block_size=32>(x, w, s)",
        "float[2,3,64] x, uint8[32,2,16] w, float[64] s",
        "float[A,B,C] y",
    ),
    "QLinearAdd": (
        "y = com.microsoft.QLinearAdd(x, a, p, z, b, q, c, r)",
        "uint8[2,1,4] x, float a, uint8 p, uint8[3,4] z, float b, uint8 q, float c, uint8 r",
        "uint8[A,B,C] y",
    ),
    "QLinearConcat": (
        "y = com.microsoft.QLinearConcat<axis=1>(c, r, x, a, p, z, b, q)",
        "float c, uint8 r, uint8[2,3] x, float a, uint8 p, uint8[2,4] z, float b, uint8 q",
        "uint8[A,B] y",
    ),
    "QLinearGlobalAveragePool": (
        "y = com.microsoft.QLinearGlobalAveragePool(x, a, p, c, r)",
        "uint8[2,3,4,4] x, float a, uint8 p, float c, uint8 r",
        "uint8[A,B,C,D] y",
    ),
    "QGemm": (
        "y = com.microsoft.QGemm<transB=1>(x, a, p, w, b, q, k, c, r)",
        (
            "uint8[2,3] x, float a, uint8 p, uint8[5,3] w, float b, uint8 q, int32[5] k, float c,"
            " uint8 r"
        ),
        "uint8[A,B] y",
    ),
    "DynamicQuantizeMatMul": (
        "y = com.microsoft.DynamicQuantizeMatMul(x, w, s, z)",
        "float[2,3,8] x, uint8[8,5] w, float s, uint8 z",
        "float[A,B,C] y",
    ),
    "LinearAttention": (
        (
            "y, s = com.microsoft.LinearAttention<q_num_heads=4, kv_num_heads=4, "
            'update_rule="linear">(q, k, v, p)'
        ),
        "float[2,3,32] q, float[2,3,32] k, float[2,3,24] v, float[2,4,8,6] p",
        "float[A,B,C] y, float[D,E,F,G] s",
    ),
    "LinearAttention, grouped": (
        (
            "y, s = com.microsoft.LinearAttention<q_num_heads=4, kv_num_heads=2, "
            'update_rule="linear">(q, k, v, p)'
        ),
        "float[2,3,32] q, float[2,3,16] k, float[2,3,12] v, float[2,2,8,6] p",
        "float[A,B,C] y, float[D,E,F,G] s",
    ),
    "FusedConv": (
        'y = com.microsoft.FusedConv<activation="Relu", pads=[1,1,1,1], strides=[2,2]>(x, w)',
        "float[1,3,9,9] x, float[4,3,3,3] w",
        "float[A,B,C,D] y",
    ),
    "EmbedLayerNormalization": (
        "y, m = com.microsoft.EmbedLayerNormalization(i, , w, p, , g, b)",
        "int32[2,3] i, float[10,8] w, float[16,8] p, float[8] g, float[8] b",
        "float[A,B,C] y",
    ),
    "MultiHeadAttention": (
        "y, k2, v2 = com.microsoft.MultiHeadAttention<num_heads=4>(q, k, v, , , , a, b)",
        "float[2,3,32] q, float[2,3,32] k, float[2,3,32] v, float[2,4,5,8] a, float[2,4,5,8] b",
        "float[A,B,C] y, float[D,E,F,G] k2, float[H,I,J,K] v2",
    ),
    "GroupQueryAttention": (
        (
            "y, k2, v2 = com.microsoft.GroupQueryAttention<num_heads=4, kv_num_heads=2>"
            "(q, k, v, a, b, l, t)"
        ),
        (
            "float[1,1,32] q, float[1,1,16] k, float[1,1,16] v, float[1,2,7,8] a, float[1,2,7,8] b,"
            " int32[1] l, int32 t"
        ),
        "float[A,B,C] y, float[D,E,F,G] k2, float[H,I,J,K] v2",
    ),
    "Attention, cached": (
        "y, z = com.microsoft.Attention<num_heads=4, unidirectional=1>(x, w, b, , p)",
        "float[2,3,32] x, float[32,96] w, float[96] b, float[2,2,4,5,8] p",
        "float[A,B,C] y, float[D,E,F,G,H] z",
    ),
    "Attention": (
        "y = com.microsoft.Attention<num_heads=4>(x, w, b)",
        "float[2,3,32] x, float[32,96] w, float[96] b",
        "float[A,B,C] y",
    ),
}
FEEDS = {"l": np.array([7], np.int32), "t": np.array(8, np.int32)}
"""Inputs other than zeros: the length of the cache, and of it with the new token."""


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_those_of_the_runtime(name: str) -> None:
    body, inputs, outputs = CASES[name]
    imports = f'opset_import: ["" : 18, "{MS}" : 1]'
    proto = onnx.parser.parse_model(
        f"<ir_version: 9, {imports}> g ({inputs}) => ({outputs}) {{ {body} }}"
    )
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {
        value.name: FEEDS.get(value.name, np.zeros(_dims(value), _dtype(value)))
        for value in proto.graph.input
    }
    computed = {
        value.name: array.shape
        for value, array in zip(proto.graph.output, session.run(None, feeds), strict=True)
    }
    inferred = read_proto(proto).infer().types
    assert {name: inferred["g", name][1] for name in computed} == computed


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _dtype(value: onnx.ValueInfoProto) -> np.dtype[np.generic]:
    return onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)


def test_what_follows_a_domain_that_is_not_imported() -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    m (float[2,3] x) => (float[A,B] y)
    {
        a = my.Foo (x)
        b = com.microsoft.Gelu (x)
        s = Shape (b)
        y = Expand (a, s)
    }
    """
    model = read_proto(onnx.parser.parse_model(text))
    values = model.graph.values
    assert values["b"].shape == (2, 3)
    assert values["s"].dtype is not None
    assert values["s"].dtype.name == "int64"
