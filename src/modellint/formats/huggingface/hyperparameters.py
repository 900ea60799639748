"""Hyperparameters under one name each, with transformers' defaults where the file has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modellint.formats.huggingface.config import JsonTable, natural

TABLE = Path(__file__).with_name("architectures.json")
"""Written by tools/measure_architectures.py, which names the source."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "hidden_dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads", "attention_heads"),
    "num_key_value_heads": (
        "num_kv_heads",
        "n_head_kv",
        "num_query_groups",
        "multi_query_group_num",
    ),
    "head_dim": ("attention_head_dim", "kv_channels"),
    "intermediate_size": ("ffn_hidden_size", "ffn_dim", "n_inner", "d_ff"),
    "max_position_embeddings": (
        "n_positions",
        "max_seq_len",
        "model_max_length",
        "context_length",
        "seq_length",
        "n_ctx",
    ),
    "sliding_window": ("attention_window_size", "window_size", "sliding_window_size"),
    "num_experts": ("num_local_experts", "n_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": (
        "moe_topk",
        "moe_k",
        "num_experts_per_token",
        "moe_top_k",
        "top_k_experts",
    ),
    "n_shared_experts": ("moe_num_shared_experts", "num_shared_experts"),
    "moe_intermediate_size": ("expert_ffn_hidden_size",),
    "shared_intermediate_size": (
        "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size",
    ),
    "state_size": ("mamba_d_state", "ssm_state_size"),
    "conv_kernel": ("mamba_d_conv", "conv1d_width", "linear_conv_kernel_dim", "conv_L_cache"),
    "expand": ("mamba_expand",),
    "n_groups": ("mamba_n_groups", "mamba_ngroups"),
    "num_heads": ("mamba_n_heads", "mamba_num_heads", "n_mamba_heads"),
    "mamba_head_dim": ("mamba_d_head", "mamba_headdim"),
    "layer_types": ("layers_block_type", "block_types", "_block_types", "attention_layers"),
}
"""Other names of a hyperparameter, which vary by class and version."""


class HyperTable:
    """The hyperparameters of a decoder."""

    def __init__(self, config: JsonTable) -> None:
        self.config = config
        self.type, defaults = _defaults(config.text("model_type"))
        self._defaults: Mapping[str, Any] = defaults
        self._layers = _by_layer(config.table("per_layer_config"))

    @property
    def is_known(self) -> bool:
        """True if the table has this type of model."""
        return bool(self._defaults)

    def get(self, name: str) -> object:
        """Return the file's value, null included, or the default of its model type."""
        for each in (name, *NAMES.get(name, ())):
            if self.config.states(each):
                return self.config.get(each)
        for each in (name, *NAMES.get(name, ())):
            if each in self._defaults:
                value: object = self._defaults[each]
                return value
        return None

    def number(self, name: str) -> int | None:
        return natural(self.get(name))

    def count(self, name: str) -> int:
        """Return a number; 0 if missing."""
        return self.number(name) or 0

    def of_layer(self, name: str, index: int) -> int | None:
        """Return a number that may be different for each layer."""
        own = self._layers.get(index)
        value = own.get(name) if own is not None and name in own else self.get(name)
        if isinstance(value, list):
            return natural(value[index]) if index < len(value) else None
        return natural(value)

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        return value if isinstance(value, bool) else None

    def items(self, name: str) -> list[Any]:
        value = self.get(name)
        return value if isinstance(value, list) else []

    def stated_items(self, name: str) -> list[Any]:
        """Return a list that the file itself contains."""
        each = next((n for n in (name, *NAMES.get(name, ())) if self.config.items(n)), name)
        return self.config.items(each)

    def usual_items(self, name: str) -> list[Any]:
        """Return a list that is the default of its model type."""
        value = self._defaults.get(name)
        return value if isinstance(value, list) else []


def _by_layer(tables: JsonTable) -> dict[int, JsonTable]:
    """Return the settings of individual layers, by layer number."""
    digits = [key for key in tables if key.isascii() and key.isdecimal() and len(key) < 6]
    return {int(key): tables.table(key) for key in digits}


def _defaults(model_type: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name in the table and the defaults; text parts have names of their own."""
    types = _types()
    name = next((n for n in (model_type, f"{model_type}_text") if n in types), model_type)
    return name, types.get(name, {})


@cache
def _types() -> Mapping[str, Mapping[str, Any]]:
    types: Mapping[str, Mapping[str, Any]] = json.loads(TABLE.read_bytes())["types"]
    return types
