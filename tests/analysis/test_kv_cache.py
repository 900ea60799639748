"""Caches are found by how the graph extends them, whatever the inputs are called."""

from __future__ import annotations

import pytest

from modellint.analysis.kv_cache import attention_variant, kv_cache, states
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph


def test_gpt2() -> None:
    cache = kv_cache(export("gpt2"), Deployment(precision="fp16"))
    assert cache is not None
    assert (cache.layers, cache.kv_heads, cache.head_size) == (12, 12, 64)
    assert cache.variant == "MHA"
    assert cache.sequence_symbol == "past"
    assert cache.bytes_per_token == 12 * 2 * 12 * 64 * 2
    assert cache.nbytes(batch=4, tokens=1000) == 4000 * 12 * 2 * 12 * 64 * 2


def test_llama_shares_keys_among_query_heads() -> None:
    cache = kv_cache(export("llama"), Deployment(precision="fp32"))
    assert cache is not None
    assert (cache.layers, cache.query_heads, cache.kv_heads) == (4, 8, 2)
    assert cache.variant == "GQA"


@pytest.mark.parametrize("name", ["bert_base_uncased", "resnet50", "lstm_tagger", "unet"])
def test_no_cache_where_none_is_kept(name: str) -> None:
    assert kv_cache(export(name), Deployment()) is None


def test_names_are_no_matter() -> None:
    model = graph(
        "z = Concat<axis=2>(a, b) s = MatMul(q, z)",
        "float[N,4,P,8] a, float[N,4,1,8] b, float[N,4,1,P1] q",
        "float[N,4,T,8] z, float[N,4,1,8] s",
    )
    cache = kv_cache(model, Deployment())
    assert cache is not None
    assert (cache.kv_heads, cache.head_size, cache.sequence_symbol) == (4, 8, "P")


def test_an_op_that_caches_by_itself() -> None:
    model = graph(
        "y, pk, pv = com.microsoft.GroupQueryAttention<num_heads=8, kv_num_heads=2>"
        "(q, k, v, a, b, l, t)",
        "float[N,1,256] q, float[N,1,64] k, float[N,1,64] v, float[N,2,P,32] a,"
        " float[N,2,P,32] b, int32[N] l, int32 t",
        "float[N,1,256] y, float[N,2,T,32] pk, float[N,2,T,32] pv",
    )
    cache = kv_cache(model, Deployment())
    assert cache is not None
    assert (cache.layers, cache.query_heads, cache.kv_heads, cache.head_size) == (1, 8, 2, 32)


@pytest.mark.parametrize(
    ("queries", "keys", "variant"),
    [(8, 8, "MHA"), (8, 2, "GQA"), (8, 1, "MQA"), (None, 2, None), (1, 1, "MHA")],
)
def test_variants(queries: int | None, keys: int, variant: str | None) -> None:
    assert attention_variant(queries, keys) == variant


# One decoder layer with opset-24 operators, its cache growing or of a fixed length.
GROWING = (
    "y, pk2, pv2 = Attention<q_num_heads=8, kv_num_heads=2, is_causal=1>(q, k, v, , pk, pv)",
    "float[N,S,256] q, float[N,S,64] k, float[N,S,64] v, float[N,2,P,32] pk, float[N,2,P,32] pv",
    "float[N,S,256] y, float[N,2,T,32] pk2, float[N,2,T,32] pv2",
)
SCATTERED = (
    """
    pk2 = TensorScatter<axis=1>(pk, k, at)
    pv2 = TensorScatter<axis=1>(pv, v, at)
    y = Attention<q_num_heads=8, kv_num_heads=2>(q, pk2, pv2, , , , n)
    """,
    """
    float[N,S,256] q, float[N,S,64] k, float[N,S,64] v, float[N,1024,64] pk, float[N,1024,64] pv,
    int64[N] at, int64[N] n
    """,
    "float[N,S,256] y, float[N,1024,64] pk2, float[N,1024,64] pv2",
)


@pytest.mark.parametrize(
    ("layer", "axis", "symbol"), [(GROWING, 2, "P"), (SCATTERED, 1, None)], ids=["past", "scatter"]
)
def test_attention_of_the_standard(
    layer: tuple[str, str, str], axis: int, symbol: str | None
) -> None:
    model = graph(*layer, opset=24)
    cache = kv_cache(model, Deployment(precision="fp16"))
    assert cache is not None
    assert (cache.layers, cache.query_heads, cache.kv_heads, cache.head_size) == (1, 8, 2, 32)
    assert (cache.variant, cache.sequence_axis, cache.sequence_symbol) == ("GQA", axis, symbol)
    assert cache.bytes_per_token == 2 * 2 * 32 * 2
    assert [(pair.past.name, pair.present.name) for pair in cache.pairs] == [
        ("pk", "pk2"),
        ("pv", "pv2"),
    ]
    assert not states(model)


def test_a_quantized_cache_is_one() -> None:
    model = graph(
        "k = DequantizeLinear(pk, s) v = DequantizeLinear(pv, s)"
        " y, a, b = Attention(q, n, n, , k, v) pk2 = QuantizeLinear(a, s, z)"
        " pv2 = QuantizeLinear(b, s, z)",
        "float[N,4,1,32] q, float[N,4,1,32] n, int8[N,4,P,32] pk, int8[N,4,P,32] pv, float s,"
        " int8 z",
        "float[N,4,1,32] y, int8[N,4,T,32] pk2, int8[N,4,T,32] pv2",
        opset=24,
    )
    cache = kv_cache(model, Deployment())
    assert cache is not None
    assert (cache.query_heads, cache.bytes_per_token) == (4, 2 * 4 * 32)


@pytest.mark.parametrize(
    ("body", "inputs", "outputs"),
    [
        pytest.param(
            "c = Conv<pads=[1,1,1,1]>(x, w) y = Concat<axis=1>(x, c)",
            "float[N,3,H,W] x, float[8,3,3,3] w",
            "float[N,11,H,W] y",
            id="channels beside the image",
        ),
        pytest.param(
            "c = Conv<pads=[1,1,1,1]>(x, w) y = Concat<axis=3>(x, c)",
            "float[N,3,H,W] x, float[3,3,3,3] w",
            "float[N,3,H,W2] y",
            id="a picture beside the image",
        ),
        pytest.param(
            "y = Concat<axis=0>(x, z)",
            "float[N,3,H,W] x, float[M,3,H,W] z",
            "float[K,3,H,W] y",
            id="batches",
        ),
    ],
)
def test_joined_is_not_cached(body: str, inputs: str, outputs: str) -> None:
    model = graph(body, inputs, outputs)
    assert kv_cache(model, Deployment()) is None
    assert not states(model)


def test_a_static_cache_counts_if_attention_reads_it() -> None:
    attention = graph(
        "k = Concat<axis=2>(pk, n) t = Transpose<perm=[0,1,3,2]>(k) s = MatMul(q, t)"
        " p = Softmax(s) y = MatMul(p, k)",
        "float[1,4,1,8] q, float[1,4,127,8] pk, float[1,4,1,8] n",
        "float[1,4,1,8] y, float[1,4,128,8] k",
    )
    cache = kv_cache(attention, Deployment())
    assert cache is not None
    assert (cache.kv_heads, cache.query_heads, cache.head_size) == (4, 4, 8)


@pytest.mark.parametrize(
    ("body", "inputs", "outputs", "names"),
    [
        pytest.param(
            'y, s2 = LinearAttention<q_num_heads=4, kv_num_heads=2, update_rule="linear">'
            "(q, k, v, s) c, d2 = CausalConvWithState(x, w, , d)",
            "float[N,T,32] q, float[N,T,16] k, float[N,T,16] v, float[N,2,8,8] s,"
            " float[N,6,T] x, float[6,1,4] w, float[N,6,3] d",
            "float[N,T,32] y, float[N,2,8,8] s2, float[N,6,T] c, float[N,6,3] d2",
            [("s", "s2"), ("d", "d2")],
            id="linear attention and its convolution",
        ),
        pytest.param(
            "y, h2, c2 = LSTM<hidden_size=16>(x, w, r, , , h, c)",
            "float[T,2,8] x, float[1,64,8] w, float[1,64,16] r, float[1,2,16] h, float[1,2,16] c",
            "float[T,1,2,16] y, float[1,2,16] h2, float[1,2,16] c2",
            [("h", "h2"), ("c", "c2")],
            id="LSTM",
        ),
        pytest.param(
            "j = Concat<axis=2>(s, x) y = Conv(j, w)"
            " from = Constant<value_ints=[-2]>() to = Constant<value_ints=[1000]>()"
            " at = Constant<value_ints=[2]>() s2 = Slice(j, from, to, at)",
            "float[N,4,2] s, float[N,4,T] x, float[4,4,3] w",
            "float[N,4,T] y, float[N,4,2] s2",
            [("s", "s2")],
            id="the end of a window",
        ),
    ],
)
def test_states_come_back_as_large_as_they_went_in(
    body: str, inputs: str, outputs: str, names: list[tuple[str, str]]
) -> None:
    model = graph(body, inputs, outputs, opset=27)
    assert kv_cache(model, Deployment()) is None
    assert [(pair.past.name, pair.present.name) for pair in states(model)] == names
