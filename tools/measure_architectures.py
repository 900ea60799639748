"""Writes what transformers assumes of a model whose config.json says nothing: defaults, patterns.

Needs transformers, and nothing of it is needed afterwards:
`python tools/measure_architectures.py` in an environment that has it.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "src/modellint/formats/huggingface/architectures.json"
SOURCE = "https://github.com/huggingface/transformers/tree/v{version}/src/transformers/models"
TYPES = """
afmoe apertus arcee aria_text bamba biogpt bitnet bloom codegen cohere cohere2 cwm dbrx deepseek_v2
deepseek_v3 deepseek_v32 diffllama dots1 ernie4_5 ernie4_5_moe exaone4 falcon falcon_h1
falcon_mamba flex_olmo gemma gemma2 gemma3_text gemma3n_text gemma4_text glm glm4 glm4_moe
glm4_moe_lite glm4v_moe_text glm4v_text glm_moe_dsa gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj
granite granitemoe granitemoehybrid granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe jamba
jetmoe kimi_linear lfm2 lfm2_moe llama llama4_text mamba mamba2 minicpm3 minimax minimax_m2
ministral ministral3 mistral mixtral mllama_text_model mpt nemotron nemotron_h olmo olmo2 olmo3
olmoe opt persimmon phi phi3 phi4_multimodal phimoe qwen2 qwen2_5_omni_text qwen2_5_vl_text
qwen2_moe qwen2_vl_text qwen3 qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next
qwen3_omni_moe_text qwen3_vl_moe_text qwen3_vl_text recurrent_gemma seed_oss smollm3 stablelm
starcoder2 vaultgemma xglm zamba zamba2
""".split()
NAMES = """
hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim intermediate_size
vocab_size max_position_embeddings tie_word_embeddings
sliding_window use_sliding_window max_window_layers sliding_window_pattern attention_chunk_size
window_size global_attn_every_n_layers
kv_lora_rank q_lora_rank qk_rope_head_dim qk_nope_head_dim v_head_dim
index_head_dim index_n_heads index_topk
num_experts num_local_experts n_routed_experts moe_num_experts num_experts_per_tok moe_topk
n_shared_experts moe_num_shared_experts num_shared_experts
shared_expert_intermediate_size shared_intermediate_size moe_shared_expert_intermediate_size
moe_intermediate_size first_k_dense_replace moe_layer_freq decoder_sparse_step
interleave_moe_layer_step intermediate_size_mlp expert_layer_period expert_layer_offset
attn_layer_period attn_layer_offset num_dense_layers num_kv_shared_layers
moe_layer_start_index moe_layer_end_index moe_layer_interval
state_size ssm_state_size mamba_d_state conv_kernel mamba_d_conv conv1d_width conv_L_cache expand
mamba_expand n_groups mamba_n_groups mamba_ngroups num_heads mamba_n_heads n_mamba_heads
mamba_num_heads mamba_d_head mamba_head_dim mamba_headdim mamba_d_ssm lru_width
linear_conv_kernel_dim linear_key_head_dim linear_value_head_dim linear_num_key_heads
linear_num_value_heads linear_head_dim linear_num_heads
multi_query new_decoder_architecture alibi expansion_ratio hidden_act hidden_activation
activation_function default_theta num_nextn_predict_layers
""".split()
"""Names that a default is kept for, those of the newest classes."""
LONGEST_PATTERN = 12
LAYERS = 48
"""Layers of the configuration that shows a pattern."""


def defaults(kind: Any) -> dict[str, object]:
    """Return the defaults of a configuration's class that are not derived from other values."""
    own_names = getattr(kind, "attribute_map", {})
    found = {name: getattr(kind, own_names.get(name, name), None) for name in NAMES}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, (bool, int, float, str)) and value is not None
    }


def pattern(kind: Any) -> list[str]:
    """Return the period of the layers' types; empty if all attend to everything."""
    config = kind()
    if not isinstance(getattr(config, "layer_types", None), list):
        return []
    layers = next(
        (name for name in ("num_hidden_layers", "n_layer", "num_layers") if hasattr(kind, name)), ""
    )
    try:
        types = list(kind(**{layers: LAYERS}).layer_types)
    except Exception:  # some classes take no other number of layers
        types = list(config.layer_types)
    if set(types) == {"full_attention"}:
        return []
    for period in range(1, LONGEST_PATTERN + 1):
        if all(each == types[index % period] for index, each in enumerate(types)):
            return types[:period]
    return []


def main() -> None:
    logging.disable(logging.CRITICAL)
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    types = {}
    for name in sorted(TYPES):
        kind = CONFIG_MAPPING[name]
        stated: dict[str, object] = defaults(kind)
        if found := pattern(kind):
            stated["layer_types"] = found
        types[name] = stated
    version = transformers.__version__
    table = {
        "source": SOURCE.format(version=version),
        "version": f"transformers {version}",
        "types": types,
    }
    rows = [f"    {json.dumps(name)}: {json.dumps(stated)}" for name, stated in types.items()]
    head = "\n".join(
        f"  {json.dumps(key)}: {json.dumps(table[key])}," for key in ("source", "version")
    )
    TABLE.write_text(f'{{\n{head}\n  "types": {{\n' + ",\n".join(rows) + "\n  }\n}\n")


if __name__ == "__main__":
    main()
