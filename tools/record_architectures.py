"""Runs a tiny model of each type with transformers, and records what its cache keeps.

Writes tests/formats/architectures.json, for `tests/formats/test_architecture.py`:
`python tools/record_architectures.py` in an environment with transformers and PyTorch.
"""

from __future__ import annotations

import json
import logging
from math import prod
from pathlib import Path
from typing import Any

from measure_architectures import TYPES

RECORDS = Path(__file__).parents[1] / "tests/formats/architectures.json"
TOKENS = 12
WIDTH, LAYERS, HEADS = 64, 8, 4
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "lru_width"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "attention_heads"), HEADS),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "ffn_hidden_size"), 96),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 6),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 256),
    **dict.fromkeys(("mamba_d_state", "ssm_state_size", "state_size"), 12),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "num_heads"), 8),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim"), 16),
    **dict.fromkeys(
        ("n_groups", "mamba_n_groups", "num_key_value_heads", "num_experts_per_tok"), 2
    ),
    **dict.fromkeys(("shared_expert_intermediate_size", "shared_intermediate_size"), 48),
    **dict.fromkeys(("n_group", "topk_group", "bos_token_id"), 1),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 128),
    "head_dim": 24,
    "sliding_window": 5,
    "attention_chunk_size": 8,
    "moe_intermediate_size": 40,
    "kv_lora_rank": 20,
    "q_lora_rank": 28,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 12,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 12,
    "mamba_dt_rank": 4,
    "hidden_size_per_layer_input": 8,
    "pad_token_id": 0,
    "eos_token_id": 2,
}
"""Sizes of all models, as far as their classes know them."""
_LATENT: dict[str, Any] = {"num_key_value_heads": HEADS, "head_dim": None}
_WINDOWED = {"use_sliding_window": True, "max_window_layers": 5}
_ZAMBA = {"num_hidden_layers": 12, "mamba_d_state": 12, "num_key_value_heads": 4}
_MIXED = ["mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "hybrid"] + ["mamba"] * 4
OWN: dict[str, dict[str, Any]] = {
    "afmoe": {"num_dense_layers": 2},
    "aria_text": {"moe_num_experts": 4, "head_dim": 16},
    "bamba": {"attn_layer_indices": [1, 5]},
    "codegen": {"rotary_dim": 8},
    "cohere2": {"sliding_window_pattern": 3},
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "deepseek_v32", "minicpm3"), _LATENT),
    "dots1": {"max_window_layers": 5, "first_k_dense_replace": 2, "n_shared_experts": 1},
    "ernie4_5_moe": {"moe_num_experts": 6, "moe_k": 2, "moe_layer_end_index": 6},
    "exaone4": {"sliding_window_pattern": 4},
    "falcon": {"head_dim": None, "num_kv_heads": 4, "new_decoder_architecture": True},
    "falcon_h1": {"mamba_d_ssm": 128},
    "gemma3_text": {"num_hidden_layers": 13, "sliding_window_pattern": 4},
    "gemma3n_text": {
        "num_hidden_layers": 10,
        "num_kv_shared_layers": 4,
        "altup_num_inputs": 2,
        "laurel_rank": 4,
        "intermediate_size": [96] * 10,
        "activation_sparsity_pattern": [0.0] * 10,
    },
    "gemma4_text": {"num_hidden_layers": 12},
    **dict.fromkeys(("glm4_moe_lite", "glm_moe_dsa"), _LATENT),
    "gptj": {"rotary_dim": 8},
    "gpt_neo": {"num_heads": 4, "attention_types": [[["global", "local"], 4]], "window_size": 5},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 4},
    "helium": {"head_dim": 16},
    "hunyuan_v1_moe": {"moe_topk": 2},
    "kimi_linear": {**_LATENT, "linear_num_heads": 4, "linear_head_dim": 16},
    "lfm2": {"full_attn_idxs": [1, 4]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 4, "num_dense_layers": 2},
    "mamba2": {"head_dim": 16},
    "nemotron_h": {"hybrid_override_pattern": "M-M*EM-*", "num_hidden_layers": None},
    "opt": {"word_embed_proj_dim": WIDTH},
    "qwen2": _WINDOWED,
    "qwen2_moe": _WINDOWED,
    "qwen3": _WINDOWED,
    "qwen3_moe": {"use_sliding_window": True, "decoder_sparse_step": 2},
    "recurrent_gemma": {"attention_window_size": 5},
    "zamba": {
        **_ZAMBA,
        "attention_head_dim": 32,
        "attention_hidden_size": 2 * WIDTH,
        "n_mamba_heads": 2,
    },
    "zamba2": {
        **_ZAMBA,
        "n_mamba_heads": 4,
        "mamba_headdim": 32,
        "mamba_ngroups": 2,
        "hybrid_layer_ids": [2, 7],
        "layers_block_type": _MIXED,
    },
}
"""Values that single types need in addition, or instead; None is left out."""
CACHED_OTHERWISE = frozenset(
    "dbrx minimax mllama_text_model phi4_multimodal recurrent_gemma".split()
)
"""Types that do not run here, are large, or whose caches hold other things."""


def configuration(name: str) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = CONFIG_MAPPING[name]
    stated = {key: value for key, value in SIZES.items() if hasattr(kind, key)} | OWN.get(name, {})
    return kind(**{key: value for key, value in stated.items() if value is not None})


def cache_of(config: Any) -> Any:
    """Return the cache of a random model after some tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        result = model(input_ids=torch.arange(TOKENS)[None], use_cache=True)
    for name in ("past_key_values", "cache_params", "cache"):
        if getattr(result, name, None) is not None:
            return getattr(result, name)
    raise ValueError("no cache")


def layer_record(layer: Any) -> dict[str, object]:
    """Return the heads and size of keys and values, the window, and the state's elements."""
    record: dict[str, object] = {}
    keys: Any = getattr(layer, "keys", None)
    values: Any = getattr(layer, "values", None)
    if keys is not None and keys.numel():
        record["keys"] = [keys.shape[1], keys.shape[-1]]
        record["values"] = [values.shape[1], values.shape[-1]]
    if getattr(layer, "sliding_window", None):
        record["window"] = int(layer.sliding_window)
    convolution = list(_states(layer, "conv_states"))
    if convolution or _states(layer, "recurrent_states"):
        record["convolution"] = sum(shape[1] * (shape[2] - 1) for shape in convolution)
        record["state"] = sum(prod(shape[1:]) for shape in _states(layer, "recurrent_states"))
    return record


def _states(layer: Any, name: str) -> list[list[int]]:
    states = getattr(layer, name, None)
    if states is None:
        return []
    each = states.values() if isinstance(states, dict) else states
    each = each if isinstance(each, (list, tuple)) or isinstance(states, dict) else [states]
    return [list(state.shape) for state in each if state is not None]


def _is_part(name: str) -> bool:
    """True for the text part of a model that only runs as a whole."""
    return any(word in name for word in ("_vl_", "4v_", "_omni_"))


def main() -> None:
    logging.disable(logging.CRITICAL)
    rows = []
    for name in TYPES:
        if name in CACHED_OTHERWISE or _is_part(name):
            continue
        config = configuration(name)
        stated = json.loads(json.dumps(config.to_diff_dict(), default=str))
        stated |= {"model_type": name, "architectures": ["TinyForCausalLM"]}
        layers = [layer_record(layer) for layer in cache_of(config).layers]
        tied = bool(config.tie_word_embeddings)
        record = {"config": stated, "layers": layers, "tied": tied}
        rows.append(f"{json.dumps(name)}: {json.dumps(record)}")
    RECORDS.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
