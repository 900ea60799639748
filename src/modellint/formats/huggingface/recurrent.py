"""Sizes of what recurrent layers keep for each sequence, by type of model."""

from __future__ import annotations

from typing import NamedTuple

from modellint.formats.huggingface.hyperparameters import HyperTable


class Recurrence(NamedTuple):
    """State of a recurrent layer, in elements."""

    state: int = 0
    """All that it keeps for each sequence."""
    convolution: int = 0
    """Part of it that is the input of its convolution."""
    inner: int = 0
    """Width of its computation."""


def recurrence(hyper: HyperTable) -> Recurrence:
    """Return the state of the recurrent layers; nothing if there are none."""
    if hyper.number("linear_num_value_heads"):
        return _delta_rule(hyper)
    if hyper.type == "kimi_linear":
        return _kimi(hyper)
    if hyper.type in ("lfm2", "lfm2_moe"):
        hidden = hyper.count("hidden_size")
        kept = hidden * max(hyper.count("conv_kernel") - 1, 0)
        return Recurrence(kept, kept, hidden)
    if hyper.type == "recurrent_gemma":
        width = hyper.number("lru_width") or hyper.count("hidden_size")
        kept = width * max(hyper.count("conv_kernel") - 1, 0)
        return Recurrence(width + kept, kept, width)
    if hyper.type == "minimax":
        heads, size = hyper.count("num_attention_heads"), hyper.number("head_dim")
        size = size or (hyper.count("hidden_size") // heads if heads else 0)
        return Recurrence(heads * size * size, 0, heads * size)
    if hyper.number("state_size"):
        return _mamba(hyper)
    return Recurrence()


def _mamba(hyper: HyperTable) -> Recurrence:
    """Return the state of Mamba, or of Mamba 2, whose heads share groups of it."""
    hidden, size = hyper.count("hidden_size"), hyper.count("state_size")
    taps = max(hyper.count("conv_kernel") - 1, 0)
    inner = hyper.number("mamba_d_ssm") or (hyper.number("expand") or 2) * hidden
    groups = hyper.count("n_groups")
    if not groups:
        if hyper.type in ("mamba", "falcon_mamba") and hyper.config.number("intermediate_size"):
            inner = hyper.count("intermediate_size")
        return Recurrence(inner * (size + taps), inner * taps, inner)
    heads, width = hyper.count("num_heads"), hyper.number("mamba_head_dim")
    if hyper.type == "mamba2":
        width = hyper.number("head_dim")
    if heads and width and hyper.type != "falcon_h1":
        inner = heads * width
    kept = (inner + 2 * groups * size) * taps
    return Recurrence(kept + inner * size, kept, inner)


def _delta_rule(hyper: HyperTable) -> Recurrence:
    keys = hyper.count("linear_num_key_heads") * hyper.count("linear_key_head_dim")
    heads, size = hyper.count("linear_num_value_heads"), hyper.count("linear_value_head_dim")
    kept = (2 * keys + heads * size) * max(hyper.count("conv_kernel") - 1, 0)
    return Recurrence(kept + heads * size * hyper.count("linear_key_head_dim"), kept, heads * size)


def _kimi(hyper: HyperTable) -> Recurrence:
    linear = hyper.config.table("linear_attn_config")
    heads = linear.number("num_heads") or hyper.count("linear_num_heads")
    size = linear.number("head_dim") or hyper.count("linear_head_dim")
    taps = linear.number("short_conv_kernel_size") or hyper.count("conv_kernel")
    kept = 3 * heads * size * max(taps - 1, 0)
    return Recurrence(kept + heads * size * size, kept, heads * size)
