"""Language models as shapes: tensors by the names of their files, without any bytes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from modellint.capability import Capability
from modellint.model import Model
from modellint.model.architecture import Architecture
from modellint.model.dtypes import DTYPES, DType
from modellint.model.tensor import Tensor

BF16 = DTYPES["bfloat16"]


def language_model(
    architecture: Architecture,
    shapes: Iterator[tuple[str, tuple[int, ...]]] | None = None,
    *,
    format: str = "safetensors",
    dtype: DType = BF16,
) -> Model:
    """Return a model without a graph, as readers of such formats make them."""
    model = Model(Path(f"{architecture.name}.{format}"), format)
    model.capabilities = frozenset(
        {Capability.WEIGHTS, Capability.METADATA, Capability.ARCHITECTURE}
    )
    model.architecture = architecture
    model.tensors = [
        Tensor(name, dtype, shape, dtype.nbytes(prod(shape))) for name, shape in shapes or ()
    ]
    return model


def shapes_of(facts: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Iterate over the tensors of a decoder in the layout that most of them share."""
    hidden, layers = facts["hidden"], facts["layers"]
    heads, kv_heads = facts["heads"], facts["kv_heads"]
    size = facts.get("head_size", hidden // heads)
    yield "model.embed_tokens.weight", (facts["vocabulary"], hidden)
    if not facts.get("tied"):
        yield "lm_head.weight", (facts["vocabulary"], hidden)
    yield "model.norm.weight", (hidden,)
    for at in range(layers):
        layer = f"model.layers.{at}"
        for norm in facts.get("norms", ("input_layernorm", "post_attention_layernorm")):
            yield f"{layer}.{norm}.weight", (hidden,)
        if facts.get("latent"):
            yield from _latent(f"{layer}.self_attn", facts)
        else:
            widths = {"q": heads * size, "k": kv_heads * size, "v": kv_heads * size}
            for name, width in widths.items():
                yield f"{layer}.self_attn.{name}_proj.weight", (width, hidden)
                if facts.get("biased"):
                    yield f"{layer}.self_attn.{name}_proj.bias", (width,)
            yield f"{layer}.self_attn.o_proj.weight", (hidden, heads * size)
            for name in facts.get("head_norms", ()):
                yield f"{layer}.self_attn.{name}.weight", (facts.get("head_norm_size", size),)
        is_dense = at < facts.get("dense_layers", 0)
        if facts.get("experts") and not is_dense:
            yield from _experts(f"{layer}.{facts.get('moe', 'mlp')}", facts)
        else:
            yield from _fed(f"{layer}.mlp", hidden, facts["feed_forward"])


def _latent(attention: str, facts: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, heads, latent = facts["hidden"], facts["heads"], facts["latent"]
    key = latent["nope"] + latent["rope"]
    if latent["query_rank"]:
        yield f"{attention}.q_a_proj.weight", (latent["query_rank"], hidden)
        yield f"{attention}.q_a_layernorm.weight", (latent["query_rank"],)
        yield f"{attention}.q_b_proj.weight", (heads * key, latent["query_rank"])
    else:
        yield f"{attention}.q_proj.weight", (heads * key, hidden)
    yield f"{attention}.kv_a_proj_with_mqa.weight", (latent["rank"] + latent["rope"], hidden)
    yield f"{attention}.kv_a_layernorm.weight", (latent["rank"],)
    width = heads * (latent["nope"] + latent["value"])
    yield f"{attention}.kv_b_proj.weight", (width, latent["rank"])
    yield f"{attention}.o_proj.weight", (hidden, heads * latent["value"])


def _experts(block: str, facts: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, width = facts["hidden"], facts["expert_width"]
    yield f"{block}.gate.weight", (facts["experts"], hidden)
    if facts.get("router_bias"):
        yield f"{block}.gate.e_score_correction_bias", (facts["experts"],)
    for at in range(facts["experts"]):
        yield from _fed(f"{block}.experts.{at}", hidden, width)
    if facts.get("shared_width"):
        yield from _fed(f"{block}.shared_expert", hidden, facts["shared_width"])
    if facts.get("shared_gate"):
        yield f"{block}.shared_expert_gate.weight", (1, hidden)


def _fed(block: str, hidden: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{block}.gate_proj.weight", (width, hidden)
    yield f"{block}.up_proj.weight", (width, hidden)
    yield f"{block}.down_proj.weight", (hidden, width)
