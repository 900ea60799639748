"""The architecture of a language model, from the configuration of its folder.

Defaults and exceptions are those of transformers 5.24, in ``configuration_*.py`` of each model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.formats.huggingface.config import JsonTable, natural
from modellint.formats.huggingface.doubt import doubt
from modellint.formats.huggingface.facts import FolderFacts
from modellint.formats.huggingface.hyperparameters import HyperTable
from modellint.formats.huggingface.mixers import CHUNKED, HYBRID, LINEAR, NONE, SLIDING, mixers_of
from modellint.formats.huggingface.quantization import scheme_of
from modellint.formats.huggingface.recurrent import Recurrence, recurrence
from modellint.model import Tensor
from modellint.model.architecture import Architecture, LayerShape, Mixer, Positions

MOST_LAYERS = 4096
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "text_model", "language_model")
_PARTS = {
    "vision": ("vision_config", "vision_tower", "mm_vision_tower", "visual", "vision_encoder"),
    "audio": ("audio_config", "audio_encoder", "speech_config"),
}
_ALIBI = frozenset({"bloom", "mpt"})
_LEARNED = frozenset("gpt2 gpt_bigcode gpt_neo opt xglm biogpt".split())
_NO_POSITIONS = frozenset(
    "mamba mamba2 falcon_mamba jamba zamba nemotron_h granitemoehybrid kimi_linear".split()
)
_UNGATED = frozenset(
    """gpt2 gpt_bigcode gpt_neo gpt_neox gptj codegen bloom opt mpt falcon phi starcoder2 xglm
    biogpt persimmon nemotron nemotron_h arcee apertus""".split()
)
"""Types of models whose feed-forward networks have one product before the activation."""
_LATENT = frozenset(
    """deepseek_v2 deepseek_v3 deepseek_v32 glm_moe_dsa minicpm3 glm4_moe_lite kimi_linear
    kimi_k2""".split()
)
_GLOBAL_HEAD = 512
"""Size of heads that attend to everything in Gemma 4."""
_INDEXED = frozenset({"deepseek_v32", "glm_moe_dsa"})
"""Types of models whose layers choose what they attend to by an index, which they cache besides."""
_UNSCALED = frozenset(" su longrope llama3 mrope default proportional".split(" "))
"""Schemes that do not extend the context beyond the configured one."""


def architecture_of(facts: FolderFacts, tensors: Iterable[Tensor] = ()) -> Architecture | None:
    """Return the architecture; None if the folder is not that of a decoder."""
    whole = facts.config()
    hyper = HyperTable(decoder_of(facts))
    count = _layer_count(hyper)
    if not _is_decoder(whole, hyper) or not 0 < count <= MOST_LAYERS:
        return None
    layers = tuple(_layers(hyper, count))
    return Architecture(
        name=next(iter(whole.texts("architectures")), whole.text("model_type")),
        layers=layers,
        hidden=hyper.count("hidden_size"),
        vocabulary=hyper.number("vocab_size"),
        context=_context(hyper),
        positions=_positions(hyper),
        tied_embeddings=_tied(whole, hyper),
        parts=_parts(whole, hyper),
        quantization=scheme_of(facts),
        doubt=doubt(hyper, layers, tensors),
        facts={"model_type": whole.text("model_type"), "dtype": whole.text("dtype", "torch_dtype")},
    )


def decoder_of(facts: FolderFacts) -> JsonTable:
    """Return the configuration of the decoder, which models with several parts keep inside."""
    config = facts.config()
    if "thinker_config" in config:
        config = config.table("thinker_config").over(config)
    for key in _TEXT_PARTS:
        inner = config.table(key)
        if inner:
            whole = {name: config.get(name) for name in ("tie_word_embeddings", "vocab_size")}
            whole["model_type"] = f"{config.text('model_type')}_text"
            stated = {name: value for name, value in whole.items() if value is not None}
            return inner.over(JsonTable(stated))
    return config


def _is_decoder(whole: JsonTable, hyper: HyperTable) -> bool:
    if whole.flag("is_encoder_decoder") or not hyper.count("hidden_size"):
        return False
    named = any("CausalLM" in name or "LMHead" in name for name in whole.texts("architectures"))
    return (hyper.is_known or named) and hyper.number("vocab_size") is not None


def _layer_count(hyper: HyperTable) -> int:
    stated = hyper.number("num_hidden_layers")
    pattern = hyper.config.text("hybrid_override_pattern")
    return stated or len(pattern) or len(hyper.stated_items("layer_types"))


def _layers(hyper: HyperTable, count: int) -> Iterator[LayerShape]:
    recurrent = recurrence(hyper)
    shared = hyper.count("num_kv_shared_layers")
    for index, kind in enumerate(mixers_of(hyper, count)):
        caches = index < count - shared
        yield _layer(hyper, index, kind, recurrent, caches=caches)


def _layer(
    hyper: HyperTable, index: int, kind: str, recurrent: Recurrence, *, caches: bool
) -> LayerShape:
    mixer: Mixer = "attention"
    if kind in NONE:
        mixer = "none"
    elif kind in LINEAR:
        mixer = "recurrent"
    elif hyper.type in _LATENT and hyper.count("kv_lora_rank"):
        mixer = "latent"
    attends = mixer in ("attention", "latent")
    heads = _heads(hyper, index) if attends else 0
    kv_heads = _kv_heads(hyper, index, kind, heads) if attends else 0
    size = _head_size(hyper, index, kind, heads) if attends else 0
    rank, rotated = hyper.count("kv_lora_rank"), hyper.count("qk_rope_head_dim")
    latent = mixer == "latent"
    keeps_state = mixer == "recurrent" or kind in HYBRID
    experts, active, shared = _experts(hyper, index, kind)
    return LayerShape(
        mixer=mixer,
        heads=heads,
        kv_heads=1 if latent else kv_heads,
        key_size=(rank + rotated if latent else size) if caches else 0,
        value_size=size if caches and not latent else 0,
        window=_window(hyper, kind),
        state=recurrent.state if keeps_state else 0,
        feed_forward=_feed_forward(hyper, index, kind, sparse=experts > 0),
        experts=experts,
        active_experts=active,
        shared_experts=shared,
        gated=hyper.type not in _UNGATED,
        query_rank=hyper.count("q_lora_rank") if latent else 0,
        shared_feed_forward=_shared_width(hyper, experts, shared),
        rotated=rotated if latent else 0,
        own_key_size=hyper.count("qk_nope_head_dim") + rotated if latent else 0,
        own_value_size=hyper.count("v_head_dim") if latent else 0,
        inner=recurrent.inner if keeps_state else 0,
        convolution=recurrent.convolution if keeps_state else 0,
        **(_index(hyper) if latent and _has_index(hyper, index) else {}),
    )


def _has_index(hyper: HyperTable, index: int) -> bool:
    """Return True for a layer with an index of its own, not the choice of an earlier layer."""
    if hyper.type not in _INDEXED:
        return False
    kinds = hyper.stated_items("indexer_types") or hyper.config.text("index_topk_pattern")
    if kinds:
        return index >= len(kinds) or kinds[index] not in ("shared", "S")
    every = hyper.number("index_topk_freq") or 1
    skipped = hyper.number("index_skip_topk_offset")
    return max(index - (2 if skipped is None else skipped) + 1, 0) % every == 0


def _index(hyper: HyperTable) -> dict[str, int]:
    return {
        "index_size": hyper.count("index_head_dim"),
        "index_heads": hyper.count("index_n_heads"),
        "chosen": hyper.count("index_topk"),
    }


def _heads(hyper: HyperTable, index: int) -> int:
    name = "num_heads" if hyper.type == "gpt_neo" else "num_attention_heads"
    return hyper.of_layer(name, index) or 0


def _kv_heads(hyper: HyperTable, index: int, kind: str, heads: int) -> int:
    by_flag = hyper.type == "gpt_bigcode" or (
        hyper.type == "falcon" and not hyper.flag("new_decoder_architecture")
    )
    if by_flag:
        return 1 if hyper.flag("multi_query") else heads
    if _is_global(hyper, kind) and hyper.flag("attention_k_eq_v") is not False:
        shared = hyper.number("num_global_key_value_heads")
        if shared:
            return shared
    inner = hyper.config.table("attn_config").number("kv_n_heads")
    stated = hyper.of_layer("num_key_value_heads", index)
    return heads if inner is None and stated is None else inner or stated or 0


def _is_global(hyper: HyperTable, kind: str) -> bool:
    """True for a layer of Gemma 4 that attends to everything, whose heads have another size."""
    return hyper.type == "gemma4_text" and kind not in SLIDING


def _head_size(hyper: HyperTable, index: int, kind: str, heads: int) -> int:
    if _is_global(hyper, kind):
        return hyper.number("global_head_dim") or _GLOBAL_HEAD
    stated = hyper.of_layer("head_dim", index)
    if stated:
        return stated
    hidden = hyper.count("hidden_size")
    if hyper.type in ("zamba", "zamba2"):  # their attention sees two layers' results side by side
        hidden = hyper.number("attention_hidden_size") or 2 * hidden
    return hidden // heads if heads else 0


def _window(hyper: HyperTable, kind: str) -> int | None:
    if kind in CHUNKED:
        return hyper.number("attention_chunk_size")
    return hyper.number("sliding_window") if kind in SLIDING else None


def _feed_forward(hyper: HyperTable, index: int, kind: str, *, sparse: bool) -> int:
    """Return the width of a layer's network, or of one of its experts."""
    if hyper.type == "nemotron_h" and kind not in ("mlp", "moe"):
        return 0
    if hyper.type in ("mamba", "mamba2", "falcon_mamba") or (
        kind in LINEAR and "zamba" in hyper.type
    ):
        return 0
    inner = hyper.config.table("ffn_config").number("ffn_hidden_size")
    width = inner or hyper.of_layer("intermediate_size", index)
    if sparse:
        return hyper.of_layer("moe_intermediate_size", index) or width or 0
    if hyper.type == "llama4_text":
        width = hyper.number("intermediate_size_mlp") or width
    return width or (hyper.number("expansion_ratio") or 4) * hyper.count("hidden_size")


def _experts(hyper: HyperTable, index: int, kind: str) -> tuple[int, int, int]:
    """Return the experts of a layer, those that each token uses, and those that all use."""
    inner = hyper.config.table("ffn_config")
    experts = inner.number("moe_num_experts") or hyper.count("num_experts")
    active = inner.number("moe_top_k") or hyper.of_layer("num_experts_per_tok", index) or 0
    if experts < 2 or not _is_sparse(hyper, index, kind):
        return 0, 0, 0
    shared = hyper.count("n_shared_experts")
    if not shared and hyper.count("shared_intermediate_size"):
        shared = 1
    if hyper.type == "llama4_text":
        shared = 1
    return experts, active, shared


def _shared_width(hyper: HyperTable, experts: int, shared: int) -> int:
    """Return the width of what all tokens go through next to the experts, if it is stated."""
    if hyper.type == "gemma4_text" and experts:
        return hyper.count("intermediate_size")
    return hyper.count("shared_intermediate_size") if shared else 0


def _is_sparse(hyper: HyperTable, index: int, kind: str) -> bool:
    """Return True if a layer of a model with experts has them."""
    listed = hyper.config.texts("mlp_layer_types")
    if listed:
        return index < len(listed) and listed[index] != "dense"
    if hyper.type == "nemotron_h":
        return kind == "moe"
    if hyper.type == "jamba":
        period = hyper.number("expert_layer_period") or 1
        return index % period == hyper.count("expert_layer_offset")
    if hyper.type == "llama4_text":
        step = hyper.number("interleave_moe_layer_step") or 1
        chosen = hyper.config.items("moe_layers")
        return index in chosen if chosen else (index + 1) % step == 0
    if hyper.type == "ernie4_5_moe":
        last = hyper.number("moe_layer_end_index")
        interval = hyper.number("moe_layer_interval") or 1
        begun = index >= hyper.count("moe_layer_start_index")
        return begun and (last is None or index <= last) and (index + 1) % interval == 0
    dense = hyper.count("first_k_dense_replace") + hyper.count("num_dense_layers")
    if index < dense or index in hyper.config.items("mlp_only_layers"):
        return False
    if hyper.number("decoder_sparse_step"):
        return (index + 1) % hyper.count("decoder_sparse_step") == 0
    frequencies = hyper.items("moe_layer_freq")
    if frequencies:
        return index < len(frequencies) and bool(frequencies[index])
    return index % (hyper.number("moe_layer_freq") or 1) == 0


def _positions(hyper: HyperTable) -> Positions:
    alibi = hyper.config.table("attn_config").flag("alibi")
    if hyper.flag("alibi") or (hyper.type in _ALIBI and alibi is not False):
        return Positions("alibi")
    if hyper.type in _LEARNED or hyper.type in _ALIBI:
        return Positions("learned")
    if hyper.type in _NO_POSITIONS:
        return Positions("none")
    scaling = _scaling(hyper)
    kind = scaling.text("rope_type", "type")
    return Positions(
        scheme="rope",
        base=scaling.real("rope_theta")
        or hyper.config.real("rope_theta", "rotary_emb_base")
        or _real(hyper.get("default_theta")),
        scaling="" if kind == "default" else kind,
        factor=scaling.real("factor"),
        original=scaling.number("original_max_position_embeddings")
        or hyper.config.number("original_max_position_embeddings"),
    )


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _scaling(hyper: HyperTable) -> JsonTable:
    """Return the parameters of rotation, for layers that attend to everything if they differ."""
    stated = hyper.config.table("rope_parameters")
    stated = stated.table("full_attention") or stated
    return stated.over(hyper.config.table("rope_scaling"))


def _context(hyper: HyperTable) -> int | None:
    """Return the longest sequence, computed as vLLM does."""
    stated = hyper.number("max_position_embeddings")
    scaling = _scaling(hyper)
    kind, factor = scaling.text("rope_type", "type"), scaling.real("factor")
    if stated is None or factor is None or kind in _UNSCALED:
        return stated
    original = scaling.number("original_max_position_embeddings")
    if kind == "yarn" and original is not None:
        stated = original
    return natural(int(stated * factor))


def _tied(whole: JsonTable, hyper: HyperTable) -> bool | None:
    stated = whole.flag("tie_word_embeddings")
    return hyper.flag("tie_word_embeddings") if stated is None else stated


def _parts(whole: JsonTable, hyper: HyperTable) -> tuple[str, ...]:
    inner = whole.table("thinker_config")
    parts = [
        part for part, keys in _PARTS.items() if any(key in whole or key in inner for key in keys)
    ]
    if hyper.config.number("num_nextn_predict_layers"):
        parts.append("draft")
    return tuple(parts)
