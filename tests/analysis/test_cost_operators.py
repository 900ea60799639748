"""The arithmetic of single operators, worked out by hand."""

from __future__ import annotations

import onnx
import pytest

from modellint.analysis.cost import cost
from modellint.analysis.cost.operators import FORMULAS, formula_named
from modellint.operators import rows
from modellint.operators.operator import NO_COST
from modellint.targets.deployment import Deployment
from tests.analysis.kept import graph

GROUPED = (
    "float[1,5,256] x, float[1,5,64] k, float[1,5,64] v, float[1,2,3,32] p, float[1,2,3,32] q, "
    "int32[1] l, int32 t"
)
NO_FORMULA = {"Det", "If", "Loop", "Scan", "SequenceMap"}
"""Control flow is counted by its subgraphs; the others depend on more than shapes."""
# What it is, the graph, its inputs, its output, MACs, and FLOPs where they are the point.
CASES = [
    (
        "convolution",
        "y = Conv(x, w)",
        "float[2,8,10,10] x, float[16,8,3,3] w",
        "float[2,16,8,8] y",
        2 * 16 * 8 * 8 * 8 * 9,
        None,
    ),
    (
        "with a bias",
        "y = Conv(x, w, b)",
        "float[1,1,4] x, float[1,1,2] w, float[1] b",
        "float[1,1,3] y",
        6,
        2 * 6 + 3,
    ),
    (
        "grouped",
        "y = Conv<group=4>(x, w)",
        "float[1,8,10,10] x, float[16,2,3,3] w",
        "float[1,16,8,8] y",
        16 * 64 * 2 * 9,
        None,
    ),
    (
        "depthwise",
        "y = Conv<group=8>(x, w)",
        "float[1,8,10,10] x, float[8,1,3,3] w",
        "float[1,8,8,8] y",
        8 * 64 * 9,
        None,
    ),
    (
        "in one dim",
        "y = Conv(x, w)",
        "float[1,4,20] x, float[6,4,5] w",
        "float[1,6,16] y",
        6 * 16 * 4 * 5,
        None,
    ),
    (
        "in three dims",
        "y = Conv(x, w)",
        "float[1,2,6,6,6] x, float[3,2,3,3,3] w",
        "float[1,3,4,4,4] y",
        3 * 64 * 2 * 27,
        None,
    ),
    (
        "transposed",
        "y = ConvTranspose<strides=[2,2]>(x, w)",
        "float[1,8,5,5] x, float[8,4,2,2] w",
        "float[1,4,10,10] y",
        8 * 25 * 4 * 4,
        None,
    ),
    (
        "transposed, grouped",
        "y = ConvTranspose<group=2>(x, w)",
        "float[1,8,5,5] x, float[8,2,2,2] w",
        "float[1,4,6,6] y",
        8 * 25 * 2 * 4,
        None,
    ),
    (
        "deformable",
        "y = DeformConv(x, w, o)",
        "float[1,4,6,6] x, float[8,4,3,3] w, float[1,18,4,4] o",
        "float[1,8,4,4] y",
        8 * 16 * 4 * 9,
        None,
    ),
    (
        "integers",
        "y = ConvInteger(x, w)",
        "uint8[1,4,6,6] x, uint8[8,4,3,3] w",
        "int32[1,8,4,4] y",
        8 * 16 * 4 * 9,
        None,
    ),
    (
        "product",
        "y = MatMul(x, w)",
        "float[3,5,7] x, float[7,11] w",
        "float[3,5,11] y",
        3 * 5 * 7 * 11,
        None,
    ),
    (
        "broadcast product",
        "y = MatMul(x, w)",
        "float[4,1,5,7] x, float[6,7,2] w",
        "float[4,6,5,2] y",
        4 * 6 * 5 * 7 * 2,
        None,
    ),
    ("vector product", "y = MatMul(x, w)", "float[7] x, float[7] w", "float y", 7, None),
    (
        "transposed Gemm",
        "y = Gemm<transA=1, transB=1>(x, w, c)",
        "float[7,5] x, float[11,7] w, float[11] c",
        "float[5,11] y",
        5 * 7 * 11,
        2 * 385 + 55,
    ),
    (
        "quantized product",
        "y = MatMulInteger(x, w)",
        "uint8[5,7] x, uint8[7,11] w",
        "int32[5,11] y",
        385,
        None,
    ),
    (
        "einsum",
        'y = Einsum<equation="bhid,bhjd->bhij">(x, w)',
        "float[2,3,4,8] x, float[2,3,5,8] w",
        "float[2,3,4,5] y",
        2 * 3 * 4 * 5 * 8,
        None,
    ),
    (
        "einsum without a sum",
        'y = Einsum<equation="i,j->ij">(x, w)',
        "float[4] x, float[5] w",
        "float[4,5] y",
        0,
        20,
    ),
    (
        "LSTM both ways",
        'y, h, c = LSTM<hidden_size=16, direction="bidirectional">(x, w, r)',
        "float[10,2,8] x, float[2,64,8] w, float[2,64,16] r",
        "float[10,2,2,16] y",
        10 * 2 * 2 * 64 * (8 + 16),
        None,
    ),
    (
        "GRU",
        "y, h = GRU<hidden_size=16>(x, w, r)",
        "float[10,2,8] x, float[1,48,8] w, float[1,48,16] r",
        "float[10,1,2,16] y",
        10 * 2 * 48 * (8 + 16),
        None,
    ),
    (
        "RNN",
        "y, h = RNN<hidden_size=16>(x, w, r)",
        "float[10,2,8] x, float[1,16,8] w, float[1,16,16] r",
        "float[10,1,2,16] y",
        10 * 2 * 16 * (8 + 16),
        None,
    ),
    (
        "grouped-query attention",
        "y = com.microsoft.GroupQueryAttention<num_heads=8, kv_num_heads=2>(x, k, v, p, q, l, t)",
        GROUPED,
        "float[1,5,256] y",
        8 * 5 * 8 * 64,
        None,
    ),
    (
        "attention",
        "y = Attention(x, k, v)",
        "float[2,4,5,8] x, float[2,4,7,8] k, float[2,4,7,6] v",
        "float[2,4,5,6] y",
        2 * 4 * 5 * 7 * (8 + 6),
        None,
    ),
    (
        "attention, heads in one dim",
        "y = Attention<q_num_heads=4, kv_num_heads=2>(x, k, v)",
        "float[2,5,32] x, float[2,7,16] k, float[2,7,16] v",
        "float[2,5,32] y",
        2 * 4 * 5 * 7 * 16,
        None,
    ),
    (
        "attention with a cache",
        "y, p2, v2 = Attention<softcap=5.0>(x, k, v, , p, q)",
        "float[2,8,5,8] x, float[2,4,7,8] k, float[2,4,7,6] v, float[2,4,9,8] p, float[2,4,9,6] q",
        "float[2,8,5,6] y",
        2 * 8 * 5 * (7 + 9) * (8 + 6),
        None,
    ),
    (
        "attention over a fixed cache",
        "y = Attention<q_num_heads=4, kv_num_heads=2>(x, k, v,,,,n)",
        "float[2,1,32] x, float[2,64,16] k, float[2,64,16] v, int64[2] n",
        "float[2,1,32] y",
        2 * 4 * 1 * 64 * 16,
        None,
    ),
    (
        "linear attention",
        'y, s = LinearAttention<q_num_heads=4, kv_num_heads=2, update_rule="linear">(x, k, v)',
        "float[2,5,32] x, float[2,5,16] k, float[2,5,12] v",
        "float[2,5,24] y",
        2 * 5 * (2 + 4) * 8 * 6,
        2 * 2 * 5 * (2 + 4) * 8 * 6,
    ),
    (
        "linear attention that corrects its state",
        "y, s = LinearAttention<q_num_heads=4, kv_num_heads=2>(x, k, v, p, d, b)",
        (
            "float[2,5,32] x, float[2,5,16] k, float[2,5,12] v, float[2,2,8,6] p, float[2,5,2] d,"
            " float[2,5,2] b"
        ),
        "float[2,5,24] y",
        2 * 5 * (2 + 2 + 4) * 8 * 6,
        None,
    ),
    (
        "causal convolution",
        "y, s = CausalConvWithState(x, w, b, p)",
        "float[2,6,9] x, float[6,1,4] w, float[6] b, float[2,6,3] p",
        "float[2,6,9] y",
        2 * 6 * 9 * 4,
        2 * 2 * 6 * 9 * 4 + 2 * 6 * 9,
    ),
    (
        "update of a cache",
        "y = TensorScatter(x, u, i)",
        "float[2,4,9,8] x, float[2,4,1,8] u, int64[2] i",
        "float[2,4,9,8] y",
        0,
        0,
    ),
    ("gated activation", "y = SwiGLU(x, g)", "float[4,5] x, float[4,5] g", "float[4,5] y", 0, 100),
    (
        "einsum of batches",
        'y = Einsum<equation="...ij,jk->...ik">(x, w)',
        "float[2,3,4,8] x, float[8,5] w",
        "float[2,3,4,5] y",
        2 * 3 * 4 * 8 * 5,
        None,
    ),
    (
        "experts",
        "y = com.microsoft.MoE<k=2>(x, r, u, , d)",
        "float[7,16] x, float[7,8] r, float[8,32,16] u, float[8,16,32] d",
        "float[7,16] y",
        7 * 2 * 2 * 16 * 32,
        2 * 7 * 2 * 2 * 16 * 32 + 7 * 2 * 32,
    ),
    (
        "packed experts",
        'y = com.microsoft.QMoE<k=2, activation_type="silu">(x, r, u, us, , d, ds, , g, gs)',
        (
            "float[7,16] x, float[7,8] r, uint8[8,32,8] u, float[8,32] us, uint8[8,16,16] d,"
            " float[8,16] ds, uint8[8,32,8] g, float[8,32] gs"
        ),
        "float[7,16] y",
        7 * 2 * 3 * 16 * 32,
        None,
    ),
    (
        "multi-head attention",
        "y = com.microsoft.MultiHeadAttention<num_heads=4>(x, k, v)",
        "float[2,5,32] x, float[2,7,32] k, float[2,7,32] v",
        "float[2,5,32] y",
        2 * 4 * 5 * 7 * 16,
        None,
    ),
    (
        "attention with its projections",
        "y = com.microsoft.Attention<num_heads=4>(x, w, b)",
        "float[2,5,32] x, float[32,96] w, float[96] b",
        "float[2,5,32] y",
        2 * 5 * 32 * 96 + 2 * 4 * 5 * 5 * 16,
        None,
    ),
    (
        "packed weights",
        "y = com.microsoft.MatMulNBits<K=64, N=32, bits=4, block_size=32>(x, w, s)",
        "float[3,64] x, uint8[32,2,16] w, float[64] s",
        "float[3,32] y",
        3 * 64 * 32,
        None,
    ),
    (
        "pooling",
        "y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)",
        "float[1,3,8,8] x",
        "float[1,3,4,4] y",
        0,
        48 * 4,
    ),
    ("reduction", "y = ReduceSum<keepdims=0>(x)", "float[4,5] x", "float y", 0, 20),
    ("pointwise", "y = Add(x, w)", "float[4,5] x, float[5] w", "float[4,5] y", 0, 20),
    ("moving", "y = Transpose(x)", "float[4,5] x", "float[5,4] y", 0, 0),
    ("softmax", "y = Softmax(x)", "float[4,5] x", "float[4,5] y", 0, 100),
]


@pytest.mark.parametrize(
    ("body", "inputs", "output", "macs", "flops"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_operator(body: str, inputs: str, output: str, macs: int, flops: int | None) -> None:
    model = graph(body, inputs, output, opset=28)
    assert model.has_graph, model.problems
    found = cost(model, Deployment()).of(model.graph.nodes[0])
    assert found.macs == macs
    assert found.flops == flops or flops is None


def test_quantized_convolution_counts_as_the_float_one() -> None:
    scalars = ", ".join(f"float {name}" for name in ("a", "c", "e"))
    zeros = ", ".join(f"uint8 {name}" for name in ("b", "d", "f"))
    model = graph(
        "y = QLinearConv(x, a, b, w, c, d, e, f)",
        f"uint8[1,4,6,6] x, uint8[8,4,3,3] w, {scalars}, {zeros}",
        "uint8[1,8,4,4] y",
    )
    assert cost(model, Deployment()).total.macs == 8 * 16 * 4 * 9


def test_every_operator_of_the_standard_has_a_formula_or_a_reason() -> None:
    names = {
        schema.name if not schema.domain else f"{schema.domain}.{schema.name}"
        for schema in onnx.defs.get_all_schemas()
        if schema.domain in ("", "ai.onnx.ml", "ai.onnx.preview") and not schema.deprecated
    }
    models = {name for name in names if name.startswith("ai.onnx.ml.")}  # classical learners
    assert {name for name in names - models if not rows()[name].cost} <= NO_FORMULA


def test_every_formula_of_the_catalogue_is_there_and_used() -> None:
    costs = {row.cost for row in rows().values() if row.cost}
    costs |= {each.cost for row in rows().values() for each in row.dialects if each.cost}
    costs.discard(NO_COST)
    assert all(formula_named(each) for each in costs)
    assert FORMULAS.keys() <= costs


def test_an_open_shape_gives_none_and_never_a_guess() -> None:
    model = graph("y = MatMul(x, w)", "float[n,8] x, float[8,4] w", "float[n,4] y")
    assert cost(model, Deployment()).total.macs is None
    assert cost(model, Deployment(symbols={"n": 3})).total.macs == 3 * 32


def test_an_unknown_operator_is_named() -> None:
    model = graph("y = com.microsoft.Mystery(x)", "float[4] x", "float[4] y")
    counted = cost(model, Deployment())
    assert counted.total.macs is None
    assert counted.uncounted == tuple(model.graph.nodes)


def test_a_shared_weight_counts_once() -> None:
    numbers = ", ".join(["0.5"] * 16)
    model = graph(
        "a = MatMul(x, w) y = MatMul(a, w)",
        "float[1,4] x",
        "float[1,4] y",
        weights=f"float[4,4] w = {{{numbers}}}",
    )
    assert cost(model, Deployment()).total.macs == 32
    assert cost(model, Deployment()).parameters == 16


def test_a_loop_costs_its_body_as_often_as_it_runs() -> None:
    model = graph(
        """
        n = Constant<value = int64 {5}>()
        c = Constant<value = bool {1}>()
        y = Loop (n, c, x) <
            body = b (int64 i, bool k, float[1,4] s) => (bool k2, float[1,4] t) {
                k2 = Identity(k)
                t = MatMul(s, w)
            }
        >
        """,
        "float[1,4] x, float[4,4] w",
        "float[1,4] y",
    )
    assert cost(model, Deployment()).total.macs == 5 * 16


def test_a_branch_costs_the_dearer_one() -> None:
    model = graph(
        """
        y = If (c) <
            then_branch = t () => (float[1,4] u) { u = MatMul(x, w) },
            else_branch = e () => (float[1,4] v) { v = Relu(x) }
        >
        """,
        "bool c, float[1,4] x, float[4,4] w",
        "float[1,4] y",
    )
    assert cost(model, Deployment()).total.macs == 16
