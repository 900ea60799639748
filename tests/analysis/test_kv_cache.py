"""Caches are found by how the graph extends them, whatever the inputs are called."""

from __future__ import annotations

import pytest

from modellint.analysis.kv_cache import attention_variant, kv_cache
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
