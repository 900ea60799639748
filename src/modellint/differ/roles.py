"""Roles of a language model's tensors: what `blk.0.attn_q.weight` of a GGUF file is in others.

A role is called as GGUF calls it. The names that implementations give to the same tensor are those
of transformers, and of the models' own repositories where their files are still in use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

_ATTENTION = r"(self_attn|self_attention|attention|attn|attn\.attention|mixer)"
_IN_LAYER: Mapping[str, str] = {
    "attn_norm": r"input_layernorm|ln_1|attention_norm|norm1|operator_norm|pre_attention_layernorm"
    r"|norm|norm_1|layer_norm|self_attn_layer_norm|input_norm|ln_mlp|attention_layernorm",
    "attn_norm_2": r"ln_attn",
    "attn_q": _ATTENTION + r"\.(q_proj|wq|query|q_lin)"
    r"|attention\.self\.query|layer\.0\.SelfAttention\.q",
    "attn_k": _ATTENTION + r"\.(k_proj|wk|key|k_lin)"
    r"|layer\.0\.SelfAttention\.k",
    "attn_v": _ATTENTION + r"\.(v_proj|wv|value|v_lin)"
    r"|layer\.0\.SelfAttention\.v",
    "attn_qkv": r"(self_attn|self_attention|attention|attn|mixer)\."
    r"(qkv_proj|query_key_value|c_attn|Wqkv|W_pack|wqkv|qkv|att_proj)|linear_attn\.in_proj_qkv",
    "attn_gate": r"linear_attn\.in_proj_z",
    "attn_output": r"(self_attn|self_attention|attention|attn|attn\.attention)\."
    r"(o_proj|wo|dense|c_proj|out_proj|output\.dense|out_lin)|mixer\.o_proj|layer\.0\.SelfAttention\.o",
    "attn_q_norm": r"(self_attn|attention|attn)\.(q_norm|q_layernorm|query_layernorm|norm_q)",
    "attn_k_norm": r"(self_attn|attention|attn)\.(k_norm|k_layernorm|key_layernorm|norm_k)",
    "attn_output_norm": r"attention\.output\.LayerNorm|sa_layer_norm",
    "attn_sinks": r"self_attn\.sinks",
    "attn_q_a": r"self_attn\.q_a_proj",
    "attn_q_b": r"self_attn\.q_b_proj",
    "attn_q_a_norm": r"self_attn\.q_a_layernorm",
    "attn_kv_a_mqa": r"self_attn\.kv_a_proj_with_mqa",
    "attn_kv_a_norm": r"self_attn\.kv_a_layernorm",
    "attn_kv_b": r"self_attn\.kv_b_proj",
    "ffn_norm": r"post_attention_layernorm|ln_2|ffn_norm|norm2|norm_2|pre_ff_layernorm"
    r"|pre_moe_layernorm|pre_mlp_layernorm|final_layer_norm|feedforward_layernorm",
    "layer_output_norm": r"output\.LayerNorm|output_layer_norm",
    "ffn_gate": r"(mlp|feed_forward|ffn)\.(gate_proj|w1|linear_1)",
    "ffn_up": r"(mlp|feed_forward|ffn)\.(up_proj|w3|c_fc|fc1|dense_h_to_4h|fc_in|linear_v"
    r"|gate_up_proj|lin1|up)|fc1|intermediate\.dense|ffn\.lin1|mixer\.up_proj",
    "ffn_down": r"(mlp|feed_forward|ffn)\.(down_proj|w2|c_proj|fc2|dense_4h_to_h|fc_out|lin2"
    r"|down)|fc2|output\.dense|mixer\.down_proj",
    "ffn_gate_inp": r"(mlp|block_sparse_moe|feed_forward|ffn|mixer)"
    r"\.(router|gate|gate\.wg|router\.layer)",
    "ffn_gate_exps": r"(mlp|block_sparse_moe|feed_forward)\.experts\.(gate_proj|w1)",
    "ffn_up_exps": r"(mlp|block_sparse_moe|feed_forward)\.experts\.(up_proj|w3)",
    "ffn_down_exps": r"(mlp|block_sparse_moe|feed_forward)\.experts\.(down_proj|w2)"
    r"|block_sparse_moe\.output_linear",
    "ffn_gate_up_exps": r"(mlp|block_sparse_moe|feed_forward)\.experts\.gate_up_proj"
    r"|block_sparse_moe\.input_linear",
    "ffn_gate_shexp": r"(mlp|feed_forward|mixer)\.shared_experts?\.(gate_proj|w1)",
    "ffn_up_shexp": r"(mlp|feed_forward|mixer)\.shared_experts?\.(up_proj|w3)",
    "ffn_down_shexp": r"(mlp|feed_forward|mixer)\.shared_experts?\.(down_proj|w2)"
    r"|shared_mlp\.output_linear",
    "ffn_gate_inp_shexp": r"mlp\.shared_expert_gate",
    "ssm_in": r"(mixer|mamba)\.in_proj",
    "ssm_conv1d": r"(mixer|mamba|linear_attn)\.conv1d",
    "ssm_x": r"(mixer|mamba)\.x_proj",
    "ssm_dt": r"(mixer|mamba)\.dt_proj|(mixer|mamba|linear_attn)\.dt_bias",
    "ssm_a": r"(mixer|mamba|linear_attn)\.A_log",
    "ssm_d": r"(mixer|mamba)\.D",
    "ssm_norm": r"(mixer|mamba|linear_attn)\.norm",
    "ssm_alpha": r"linear_attn\.in_proj_a",
    "ssm_beta": r"linear_attn\.in_proj_b",
    "exp_probs_b": r"(mlp\.gate|mlp\.moe_statics|mlp|block_sparse_moe|feed_forward|mixer\.gate)"
    r"\.(e_score_correction_bias|e_score_correction|expert_bias)",
    "shortconv.conv": r"conv\.conv",
    "shortconv.in_proj": r"conv\.in_proj",
    "shortconv.out_proj": r"conv\.out_proj",
    "indexer.attn_q_b": r"self_attn\.indexer\.wq_b",
    "indexer.attn_k": r"self_attn\.indexer\.wk",
    "indexer.k_norm": r"self_attn\.indexer\.k_norm",
    "indexer.proj": r"self_attn\.indexer\.weights_proj",
    "ssm_out": r"(mixer|mamba|linear_attn)\.out_proj",
}
"""Names of a layer's tensors after the number of the layer."""
_OUTSIDE: Mapping[str, str] = {
    "token_embd": r"embed_tokens|wte|word_embeddings|embed_in|tok_embeddings"
    r"|embeddings\.word_embeddings|embeddings|embedding|shared",
    "position_embd": r"wpe|embed_positions|position_embeddings|embeddings\.position_embeddings",
    "token_types": r"(embeddings\.)?token_type_embeddings",
    "token_embd_norm": r"(embeddings\.)?LayerNorm|word_embeddings_layernorm|embeddings\.layer_norm"
    r"|embed_norm|embedding_norm",
    "output_norm": r"norm|ln_f|final_layer_norm|final_layernorm|norm_f|final_norm",
    "output": r"lm_head|embed_out|output|output_layer",
}
"""Names of all other tensors."""

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block|blk)\.(\d+)\.")
_EXPERT = re.compile(r"\.experts\.(\d+)\.")
_PREFIX = re.compile(
    r"^(?:(?:base_model|model|transformer|language_model|text_model|gpt_neox|decoder|backbone|bert"
    r"|roberta|distilbert|encoder|lm)\.)+"
)
_ENDING = re.compile(r"\.(weight|bias)$")
_BARE = re.compile(r"(A_log|D|sinks|dt_bias|gate_up_proj|down_proj)(_bias)?$")
_OURS = re.compile(r"blk\.(\d+)\.([a-z0-9_.]+)")
_IN_LAYER_BY_NAME, _OUTSIDE_BY_NAME = (
    [(role, re.compile(names)) for role, names in table.items()] for table in (_IN_LAYER, _OUTSIDE)
)

SANDWICH = ("pre_feedforward_layernorm", "post_feedforward_layernorm")
"""Norms of layers that have one before and one after each of their two parts."""
_SANDWICHED: Mapping[str, str] = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


class Role(NamedTuple):
    """The role of a tensor."""

    name: str
    """``attn_q.weight``."""
    layer: int | None = None
    expert: int | None = None

    @property
    def full(self) -> str:
        """Return the name that a GGUF file would have for it."""
        return self.name if self.layer is None else f"blk.{self.layer}.{self.name}"


def roles_of(names: Collection[str]) -> dict[str, Role]:
    """Return the role of each tensor whose name tells it; one that fits no table is its own."""
    is_sandwich = any(SANDWICH[0] in name or SANDWICH[1] in name for name in names)
    return {name: _role(name, is_sandwich) for name in names}


def _role(name: str, is_sandwich: bool) -> Role:
    ours = _OURS.fullmatch(name)
    if ours is not None:
        return Role(ours[2], int(ours[1]))
    inside = _LAYER.search(name)
    if inside is None:
        known = _outside(_PREFIX.sub("", name))
        return Role(known or name)
    expert = _EXPERT.search(name, inside.end() - 1)
    rest = name[inside.end() :]
    if expert is not None:
        rest = _EXPERT.sub(".experts.", rest, count=1)
    known = _inside(rest, is_sandwich)
    return Role(known or rest, int(inside[1]), int(expert[1]) if expert is not None else None)


@lru_cache(maxsize=4096)
def _inside(rest: str, is_sandwich: bool) -> str:
    stem, ending = _split(rest)
    if is_sandwich and stem in _SANDWICHED:
        return f"{_SANDWICHED[stem]}{ending}"
    return _found(_IN_LAYER_BY_NAME, stem, ending)


@lru_cache(maxsize=1024)
def _outside(name: str) -> str:
    return _found(_OUTSIDE_BY_NAME, *_split(name))


def _found(table: list[tuple[str, re.Pattern[str]]], stem: str, ending: str) -> str:
    role = next((role for role, names in table if role == stem or names.fullmatch(stem)), "")
    if role in ("ssm_a", "ssm_d"):
        return role
    return f"{role}{ending}" if role else ""


def _split(name: str) -> tuple[str, str]:
    """Return a name without its suffix, and the suffix."""
    match = _ENDING.search(name)
    if match is not None:
        return name[: match.start()], match[0]
    if name.endswith("dt_bias"):
        return name, ".bias"
    return (name, ".weight") if _BARE.search(name) else (name, "")
