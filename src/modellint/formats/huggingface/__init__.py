"""Hugging Face folders: a configuration, its weights as safetensors, a tokenizer. One model."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"
INDEX, SHARD = "*.safetensors.index.json", "*-of-*.safetensors"
WEIGHTS = ("model", "diffusion_pytorch_model", "adapter_model")
"""Names of weights without suffixes, in order of preference."""

HUGGING_FACE = Format(
    "huggingface",
    "Hugging Face folder",
    is_folder=True,
    contents=(
        (CONFIG, "model*.safetensors"),
        (CONFIG, "diffusion_pytorch_model*.safetensors"),
        (ADAPTER_CONFIG, "adapter_model*.safetensors"),
        (INDEX,),
    ),
    pieces=(SHARD,),
    tells=frozenset({Capability.WEIGHTS, Capability.METADATA, Capability.ARCHITECTURE}),
    reader="modellint.formats.huggingface.reader",
)
