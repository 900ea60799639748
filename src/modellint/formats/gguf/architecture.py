"""The architecture of a language model, from the metadata of its GGUF file."""

from __future__ import annotations

from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.families import (
    ALIBI,
    BOTH,
    ENCODERS,
    FUSED_GATES,
    INDEXED,
    LEARNED,
    UNKNOWN_CACHES,
)
from modellint.formats.gguf.hyperparameters import MOST_LAYERS, Hyperparameters
from modellint.formats.gguf.llama import loader
from modellint.formats.gguf.types import FILE_TYPES, GUESSED, TYPES
from modellint.model import product
from modellint.model.architecture import Architecture, LayerShape, Mixer, Positions


def architecture_of(facts: GgufFacts) -> Architecture | None:
    """Return the architecture; None if the file says too little, or is not a language model."""
    hyper = Hyperparameters(facts)
    if not facts.architecture or not 0 < hyper.all_layers <= MOST_LAYERS:
        return None
    names = frozenset(tensor.name for _, tensor in facts.tensors())
    return Architecture(
        name=facts.architecture,
        layers=tuple(_layer(hyper, index, names) for index in range(hyper.layers)),
        hidden=hyper.number("embedding_length"),
        vocabulary=_vocabulary(facts),
        context=hyper.number("context_length") or None,
        positions=_positions(hyper),
        tied_embeddings=_tied(facts, names),
        parts=_parts(hyper),
        quantization=scheme_of(facts),
        doubt=_doubt(facts.architecture),
        facts=hyper.stated(),
    )


def _doubt(architecture: str) -> str:
    known = loader()
    if architecture in UNKNOWN_CACHES:
        return f"the cache of the architecture '{architecture}' is not known"
    if architecture in known.architectures:
        return ""
    return f"llama.cpp ({known.release}) has no architecture '{architecture}'"


def _layer(hyper: Hyperparameters, index: int, names: frozenset[str]) -> LayerShape:
    experts = _experts(hyper, index, names)
    width = hyper.of_layer("feed_forward_length", index)
    if experts:
        width = hyper.of_layer("expert_feed_forward_length", index, width)
    keeps_state = hyper.keeps_state(index)
    heads, kv_heads = hyper.of_layer("attention.head_count", index), hyper.kv_heads(index)
    mixer: Mixer = "attention" if kv_heads else "none"
    if keeps_state:
        mixer = "recurrent"
    elif hyper.is_latent and kv_heads:
        mixer = "latent"
    windowed = mixer in ("attention", "latent") and hyper.has_window(index)
    key_size, value_size = _head_sizes(hyper, windowed=windowed)
    if index >= hyper.layers_with_cache or mixer not in ("attention", "latent"):
        key_size = value_size = 0
    return LayerShape(
        mixer=mixer,
        heads=0 if keeps_state else heads,
        kv_heads=0 if keeps_state else kv_heads,
        key_size=key_size,
        value_size=0 if hyper.is_latent else value_size,
        window=hyper.window if windowed else None,
        state=hyper.state if keeps_state or hyper.name in BOTH else 0,
        feed_forward=width,
        experts=experts,
        active_experts=hyper.of_layer("expert_used_count", index) if experts else 0,
        shared_experts=hyper.number("expert_shared_count") if experts else 0,
        shared_feed_forward=_shared(hyper, index, names) if experts else 0,
        gated=hyper.name in FUSED_GATES or _is_gated(index, names),
        inner=hyper.number("ssm.inner_size") if keeps_state else 0,
        **(_index(hyper) if _has_index(hyper, index, names) else {}),
        **(_decompressed(hyper) if mixer == "latent" else {}),
    )


def _is_gated(index: int, names: frozenset[str]) -> bool:
    """Return False for a layer whose feed-forward network has tensors, but no gate."""
    block = f"blk.{index}.ffn_"
    gates = (f"{block}{name}.weight" for name in ("gate", "gate_exps", "gate_up_exps"))
    is_stored = not names.isdisjoint({f"{block}up.weight", f"{block}up_exps.weight"})
    return not is_stored or any(gate in names for gate in gates)


def _has_index(hyper: Hyperparameters, index: int, names: frozenset[str]) -> bool:
    """Return True if a layer has an index: by its tensors, or without tensors by the metadata."""
    if hyper.name not in INDEXED:
        return False
    keys = {f"blk.{index}.indexer.{name}.weight" for name in ("attn_k", "k_proj")}
    return not names or not names.isdisjoint(keys)


def _index(hyper: Hyperparameters) -> dict[str, int]:
    return {
        "index_size": INDEXED[hyper.name] * hyper.number("attention.indexer.key_length"),
        "index_heads": hyper.number("attention.indexer.head_count"),
        "chosen": hyper.number("attention.indexer.top_k")
        * (hyper.number("attention.indexer.block_size") or 1),
    }


def _decompressed(hyper: Hyperparameters) -> dict[str, int]:
    """Return the sizes of latent attention's queries, keys and values, apart from the cache."""
    return {
        "query_rank": hyper.number("attention.q_lora_rank"),
        "rotated": hyper.number("rope.dimension_count"),
        "own_key_size": hyper.number("attention.key_length_mla"),
        "own_value_size": hyper.number("attention.value_length_mla"),
    }


def _head_sizes(hyper: Hyperparameters, *, windowed: bool) -> tuple[int, int]:
    key = hyper.number("attention.key_length", hyper.head_size)
    value = hyper.number("attention.value_length", hyper.head_size)
    if windowed:
        key = hyper.number("attention.key_length_swa", key)
        value = hyper.number("attention.value_length_swa", value)
    return key, value


def _experts(hyper: Hyperparameters, index: int, names: frozenset[str]) -> int:
    """Return the experts of a layer: by its tensors, or without tensors by the metadata."""
    experts = hyper.number("expert_count")
    if not experts:
        return 0
    down = f"blk.{index}.ffn_down"
    if f"{down}_exps.weight" in names or f"{down}.0.weight" in names:
        return experts
    if f"{down}.weight" in names:
        return 0
    return experts if index >= hyper.number("leading_dense_block_count") else 0


def _shared(hyper: Hyperparameters, index: int, names: frozenset[str]) -> int:
    """Return the width of what all tokens of a layer with experts go through besides them.

    Some have a whole dense network next to the experts, which is as wide as the model if only the
    width of experts is stated.
    """
    if f"blk.{index}.ffn_down.weight" not in names:
        return hyper.number("expert_shared_feed_forward_length")
    is_stated = hyper.of_layer("expert_feed_forward_length", index)
    return (
        hyper.of_layer("feed_forward_length", index)
        if is_stated
        else hyper.number("embedding_length")
    )


def _vocabulary(facts: GgufFacts) -> int | None:
    if facts.vocabulary is not None:
        return facts.vocabulary
    tables = (each for _, each in facts.tensors() if each.name == "token_embd.weight")
    table = next(tables, None)
    return table.dims[1] if table is not None and len(table.dims) == 2 else None


def _positions(hyper: Hyperparameters) -> Positions:
    facts, key = hyper.facts, hyper.facts.of_architecture
    if hyper.name in ALIBI:
        return Positions("alibi")
    if hyper.name in LEARNED:
        return Positions("learned")
    if hyper.name in loader().without_rope:
        return Positions("none")
    scaling = facts.text(key("rope.scaling.type")) or ""
    factor = facts.real(key("rope.scaling.factor")) or facts.real(key("rope.scale_linear"))
    return Positions(
        scheme="rope",
        base=facts.real(key("rope.freq_base")) or 10000.0,
        scaling="" if scaling == "none" else scaling,
        factor=factor or None,
        original=hyper.number("rope.scaling.original_context_length") or None,
    )


def _tied(facts: GgufFacts, names: frozenset[str]) -> bool | None:
    """Return True if the output layer is the table of embeddings; None if that is not known."""
    if not facts.is_complete or "token_embd.weight" not in names:
        return None
    return "output.weight" not in names


def _parts(hyper: Hyperparameters) -> tuple[str, ...]:
    parts = []
    if hyper.name in ENCODERS or hyper.name == "t5":
        parts.append("encoder")
    if hyper.draft_layers:
        parts.append("draft")
    return tuple(parts)


def scheme_of(facts: GgufFacts) -> str:
    """Return the name of the scheme that the weights are quantized with; empty for none."""
    stated = facts.integer("general.file_type")
    name = FILE_TYPES.get(stated & ~GUESSED, "") if stated is not None else ""
    if not name:
        name = _most_common(facts)
    return "" if name in ("F32", "F16", "BF16") else name


def _most_common(facts: GgufFacts) -> str:
    """Return the block type with most elements."""
    counts: dict[str, int] = {}
    for _, tensor in facts.tensors():
        dtype = TYPES.get(tensor.type)
        if dtype is not None and dtype.is_block:
            counts[dtype.name] = counts.get(dtype.name, 0) + product(map(abs, tensor.dims))
    return max(counts, key=lambda name: counts[name], default="")
