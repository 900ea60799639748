"""Kinds of layers: which attend to everything, to a window, or keep a state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.formats.huggingface.hyperparameters import HyperTable

FULL = frozenset("full_attention attention global indexed_attention *".split())
SLIDING = frozenset("sliding_attention local chunked_attention".split())
CHUNKED = frozenset({"chunked_attention"})
LINEAR = frozenset("linear_attention mamba mamba2 recurrent conv kda M".split())
HYBRID = frozenset({"hybrid"})
"""Layers that attend and keep a state."""
NONE = frozenset("moe mlp cross_attention - E".split())
"""Layers without a mixer of tokens."""
_NAMES = {"*": "full_attention", "M": "linear_attention", "-": "mlp", "E": "moe"}
"""Letters of `hybrid_override_pattern`."""
_ALL_SLIDE = frozenset(
    "mistral ministral ministral3 mixtral phi3 phimoe phi4_multimodal starcoder2 qwen3_moe".split()
)
"""Types of models that use a window, if one is stated, in all layers."""


def mixers_of(hyper: HyperTable, count: int) -> list[str]:
    """Return the kind of each layer, by the names of transformers."""
    kinds = _kinds(hyper, count)
    crossed = hyper.config.items("cross_attention_layers")
    return ["cross_attention" if index in crossed else kind for index, kind in enumerate(kinds)]


def _kinds(hyper: HyperTable, count: int) -> list[str]:
    if hyper.type == "falcon_h1":
        return ["hybrid"] * count
    stated = [str(each) for each in hyper.stated_items("layer_types")]
    if hyper.type == "recurrent_gemma":
        stated = ["sliding_attention" if each == "attention" else each for each in stated]
    if stated:
        return list(_repeated(stated, count))
    pattern = hyper.config.text("hybrid_override_pattern")
    if pattern:
        return list(_repeated([_NAMES.get(each, "mlp") for each in pattern], count))
    kinds = _by_indices(hyper, count) or _by_period(hyper, count)
    if kinds:
        return kinds
    return _by_windows(hyper, count)


def _repeated(kinds: Sequence[str], count: int) -> Iterator[str]:
    yield from (kinds[index % len(kinds)] for index in range(count))


def _chosen(indices: Sequence[object], count: int, kind: str, others: str) -> list[str]:
    return [kind if index in indices else others for index in range(count)]


def _by_indices(hyper: HyperTable, count: int) -> list[str]:
    """Return the kinds if the file lists some of the layers by their numbers."""
    config = hyper.config
    for key, kind, others in (
        ("full_attn_idxs", "full_attention", "conv"),
        ("attn_layer_indices", "full_attention", "mamba"),
        ("hybrid_layer_ids", "hybrid", "mamba"),
    ):
        if config.items(key):
            return _chosen(config.items(key), count, kind, others)
    attend = config.table("linear_attn_config").items("full_attn_layers")
    if attend:  # counted from 1
        return _chosen([0, *attend], count + 1, "full_attention", "kda")[1:]
    listed = config.items("attn_type_list")
    if listed:
        kinds = ["full_attention" if each == 1 else "linear_attention" for each in listed]
        return list(_repeated(kinds, count))
    rotated = config.items("no_rope_layers")
    if rotated and hyper.type == "llama4_text":
        kinds = ["chunked_attention" if each else "full_attention" for each in rotated]
        return list(_repeated(kinds, count))
    if hyper.type == "gpt_neo":
        kinds = [kind for group in config.items("attention_types") for kind in _times(group)]
        return list(_repeated(kinds or ["global", "local"], count))
    return []


def _times(group: object) -> list[str]:
    """Return the kinds of ``[["global", "local"], 12]``."""
    if isinstance(group, list) and len(group) == 2 and isinstance(group[0], list):
        kinds, times = group
        return [str(kind) for kind in kinds] * min(times if type(times) is int else 0, 4096)
    return []


def _by_period(hyper: HyperTable, count: int) -> list[str]:
    """Return the kinds if one of so many layers is different."""
    period = hyper.number("attn_layer_period")
    if period:
        kind = "hybrid" if hyper.type == "zamba" else "full_attention"
        offset = hyper.count("attn_layer_offset")
        first = [index for index in range(count) if index % period == offset]
        if hyper.type == "zamba":
            first = [2, *(index for index in first if index > 2)] if count > 2 else []
        return _chosen(first, count, kind, "mamba")
    every = hyper.config.number("full_attention_interval")
    if every and "linear_attention" in hyper.usual_items("layer_types"):
        kinds = ["linear_attention"] * min(every - 1, count) + ["full_attention"]
        return list(_repeated(kinds, count))
    return []


def _by_windows(hyper: HyperTable, count: int) -> list[str]:
    full = ["full_attention"] * count
    usual = [str(each) for each in hyper.usual_items("layer_types")]
    if any(kind in LINEAR for kind in usual):
        return list(_repeated(usual, count))
    if not hyper.number("sliding_window") and not any(kind in CHUNKED for kind in usual):
        return full
    letters = hyper.config.text("sliding_window_pattern")
    if letters and set(letters) <= {"L", "G"}:
        kinds = ["sliding_attention" if each == "L" else "full_attention" for each in letters]
        return list(_repeated(kinds, count))
    every = hyper.config.number(
        "sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers"
    )
    if every and usual:
        kinds = ["sliding_attention"] * min(every - 1, count) + ["full_attention"]
        return list(_repeated(kinds, count))
    if usual:
        kinds = list(_repeated(usual, count))
        if hyper.type == "gemma4_text":
            kinds[-1] = "full_attention"
        return kinds
    if hyper.flag("use_sliding_window") is False:
        return full
    if hyper.type in _ALL_SLIDE:
        return ["sliding_attention"] * count
    first = hyper.number("max_window_layers")
    if first is not None:
        return full[:first] + ["sliding_attention"] * max(count - first, 0)
    return full
