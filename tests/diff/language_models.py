"""Small language models with random weights, as Hugging Face and llama.cpp store them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, HEADS, KV_HEADS, HIDDEN, WIDTH, VOCABULARY = 2, 4, 2, 64, 96, 128
IN_LAYER = {
    "input_layernorm": (HIDDEN,),
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.v_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "post_attention_layernorm": (HIDDEN,),
    "mlp.gate_proj": (WIDTH, HIDDEN),
    "mlp.up_proj": (WIDTH, HIDDEN),
    "mlp.down_proj": (HIDDEN, WIDTH),
}
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
}
Weights = dict[str, Any]


def weights() -> Weights:
    random = np.random.default_rng(0)
    shapes = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "model.norm.weight": (HIDDEN,),
        "lm_head.weight": (VOCABULARY, HIDDEN),
        **{
            f"model.layers.{layer}.{name}.weight": shape
            for layer in range(LAYERS)
            for name, shape in IN_LAYER.items()
        },
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def save_folder(folder: Path, tensors: Weights, **config: object) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    save_file(tensors, folder / "model.safetensors")
    return folder


def convert(path: Path, tensors: Weights, kind: str) -> Path:
    """Write what llama.cpp's converter would, with its package's names and quantizers."""
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    quantized = gguf.GGMLQuantizationType[kind]
    for key, stored in tensors.items():
        heads = HEADS if "q_proj" in key else KV_HEADS if "k_proj" in key else 0
        tensor = interleaved(stored, heads) if heads else stored
        name = str(names.get_name(key, try_suffixes=(".weight",)))
        if tensor.ndim == 1 or kind == "F32":
            writer.add_tensor(name, tensor)
        else:
            data = gguf.quants.quantize(np.ascontiguousarray(tensor), quantized)
            writer.add_tensor(name, data, raw_dtype=quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def interleaved(tensor: Any, heads: int) -> Any:
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, -1)
    return halves.swapaxes(1, 2).reshape(tensor.shape)
