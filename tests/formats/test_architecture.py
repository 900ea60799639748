"""Architectures read from configurations: the caches of transformers' own models agree.

`tools/record_architectures.py` ran a tiny model of each type, and recorded what it keeps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.formats.huggingface.architecture import architecture_of
from modellint.formats.huggingface.config import JsonTable
from modellint.formats.huggingface.facts import FolderFacts
from modellint.formats.huggingface.quantization import scheme_of
from modellint.model import DTYPES, Tensor
from modellint.model.architecture import Architecture, LayerShape

RECORDS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("architectures.json").read_bytes()
)
UNWINDOWED = {"gpt_neo", "gemma3n_text"}
"""Types whose caches hold more than what some layers attend to, or nothing for some layers."""


def facts_of(config: dict[str, Any]) -> FolderFacts:
    return FolderFacts(Path(), configs={"config.json": JsonTable(config)})


def read(config: dict[str, Any]) -> Architecture:
    found = architecture_of(facts_of(config))
    assert found is not None
    return found


@pytest.mark.parametrize("name", RECORDS)
def test_layers_keep_what_transformers_keeps(name: str) -> None:
    record = RECORDS[name]
    found = read(record["config"])
    assert found.tied_embeddings is record["tied"]
    pairs = zip(found.layers, record["layers"], strict=True)
    assert [_recorded(layer, stated) for layer, stated in pairs] == record["layers"]
    if name not in UNWINDOWED:
        windows = [layer.window for layer in found.layers]
        assert windows == [stated.get("window") for stated in record["layers"]]


def _recorded(layer: LayerShape, stated: dict[str, Any]) -> dict[str, Any]:
    """Return a layer as transformers caches it, which decompresses latent keys."""
    ours: dict[str, Any] = {"window": stated["window"]} if "window" in stated else {}
    if layer.mixer == "latent" and stated["keys"] == [layer.heads, layer.own_key_size]:
        ours["keys"] = [layer.heads, layer.own_key_size]
        ours["values"] = [layer.heads, layer.own_value_size]
    elif layer.mixer == "latent":
        ours["keys"], ours["values"] = stated["keys"], stated["values"]
        assert stated["keys"][1] + stated["values"][1] == layer.key_size
    elif layer.cached_per_token:
        ours["keys"] = [layer.kv_heads, layer.key_size]
        ours["values"] = [layer.kv_heads, layer.value_size]
    if layer.state:
        ours["convolution"] = layer.convolution
        ours["state"] = layer.state - layer.convolution
    return ours


def test_a_folder_that_is_not_of_a_decoder_has_none() -> None:
    encoder = {"model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 2}
    both = {**RECORDS["llama"]["config"], "is_encoder_decoder": True}
    for config in ({}, encoder, both):
        assert architecture_of(facts_of(config)) is None


CONFIG = {
    "model_type": "later",
    "architectures": ["LaterForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 48,
}


def weights_of(*names: str, rows: int) -> list[Tensor]:
    projections = [f"model.layers.{layer}.self_attn.{name}" for layer in (0, 1) for name in names]
    return [Tensor(f"{each}.weight", DTYPES["bfloat16"], (rows, 64), 0) for each in projections]


APART = weights_of("k_proj", "v_proj", rows=16)


@pytest.mark.parametrize(
    ("stated", "weights", "why"),
    [
        ({}, APART, ""),
        ({}, weights_of("qkv_proj", rows=96), ""),
        ({}, weights_of("k_proj", "v_proj", rows=32), "plain attention"),
        ({}, weights_of("k_proj", rows=16), "plain attention"),
        ({}, [*APART[:2]], "weights of layer 1"),
        ({}, [], "plain attention"),
        ({"kv_lora_rank": 16}, APART, "states kv_lora_rank"),
        ({"sliding_window": 128}, APART, "which of its layers"),
        ({"sliding_window": 128, "layer_types": ["sliding_attention"] * 2}, APART, ""),
        ({"layer_types": ["lightning"] * 2}, APART, "'lightning'"),
        ({"model_type": "qwen3", "layer_types": ["lightning"] * 2}, APART, "'lightning'"),
        ({"model_type": "llama"}, [], ""),
    ],
)
def test_the_cache_of_a_type_that_is_not_known_is_not_guessed(
    stated: dict[str, Any], weights: list[Tensor], why: str
) -> None:
    found = architecture_of(facts_of({**CONFIG, **stated}), weights)
    assert found is not None
    assert why in found.doubt
    assert bool(found.doubt) is bool(why)


def test_no_record_of_transformers_is_in_doubt() -> None:
    assert [name for name, record in RECORDS.items() if read(record["config"]).doubt] == []


@pytest.mark.parametrize(
    ("stated", "indexed"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"index_topk_freq": 2}, [0, 1, 3, 5]),
        ({"index_topk_freq": 4, "index_skip_topk_offset": 3}, [0, 1, 2]),
        ({"index_topk_pattern": "FSSFSS", "index_topk_freq": 2}, [0, 3]),
        ({"indexer_types": ["full", *["shared"] * 5], "index_topk_pattern": "FFFFFF"}, [0]),
    ],
)
def test_layers_that_share_a_choice_cache_no_index(
    stated: dict[str, Any], indexed: list[int]
) -> None:
    config = {"model_type": "glm_moe_dsa", "num_hidden_layers": 6, **stated}
    found = read(config)
    assert {layer.index_size for layer in found.layers} <= {0, 128}
    assert [at for at, layer in enumerate(found.layers) if layer.index_size] == indexed
    assert {layer.key_size for layer in found.layers} == {512 + 64}
    assert not found.doubt


def test_the_decoder_of_a_model_with_several_parts() -> None:
    text = RECORDS["qwen2"]["config"]
    found = read({"model_type": "llava", "text_config": text, "vision_config": {"depth": 2}})
    assert found.parts == ("vision",)
    assert found.layers == read(text).layers


@pytest.mark.parametrize(
    ("scaling", "context"),
    [
        ({"rope_type": "llama3", "factor": 8.0}, 4096),
        ({"type": "linear", "factor": 4.0}, 16384),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}, 8192),
        ({"rope_type": "yarn", "factor": float("inf")}, 4096),
    ],
)
def test_the_context_of_scaled_positions(scaling: dict[str, Any], context: int) -> None:
    config = RECORDS["llama"]["config"] | {"max_position_embeddings": 4096, "rope_scaling": scaling}
    config.pop("rope_parameters", None)
    assert read(config).context == context


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True},
            "GPTQ 4-bit (group 128, act-order)",
        ),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1, "desc_act": True}, "GPTQ 8-bit"),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, "AWQ 4-bit (group 64)"),
        (
            {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
            "bitsandbytes NF4 (double quantization)",
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes int8"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "FP8 (blocks 128×128)"),
        (
            {
                "config_groups": {
                    "0": {"weights": {"num_bits": 4, "type": "int", "group_size": 128}}
                }
            },
            "compressed-tensors int4 (group 128)",
        ),
        ({"quant_method": "mxfp4"}, "MXFP4"),
        (
            {
                "quant_method": "hqq",
                "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}},
            },
            "HQQ 4-bit (group 64)",
        ),
        ({"quant_method": "torchao", "quant_type": "int8_weight_only"}, "torchao int8_weight_only"),
        ({"quant_method": "novel", "bits": 3}, "novel 3-bit"),
    ],
)
def test_the_scheme_has_a_name(stated: dict[str, Any], name: str) -> None:
    assert scheme_of(facts_of({"quantization_config": stated})) == name


def test_experts_next_to_a_dense_network_are_experts() -> None:
    shape = {
        "num_attention_heads": 8,
        "enable_moe_block": True,
        "num_experts": 128,
        "top_k_experts": 8,
        "moe_intermediate_size": 704,
        "intermediate_size": 2112,
    }
    layer = read({"model_type": "gemma4_text", **shape}).layers[0]
    assert (layer.experts, layer.active_experts, layer.feed_forward) == (128, 8, 704)
    assert layer.shared_width == 2112
