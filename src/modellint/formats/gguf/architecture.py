"""The architecture of a language model, from the metadata of its GGUF file.

Defaults and exceptions are those of llama.cpp, in ``load_hparams`` and ``load_arch_hparams``:
https://github.com/ggml-org/llama.cpp/tree/master/src/models (October 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import isfinite

from modellint.base.records import dataclass
from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.header import ARRAY
from modellint.formats.gguf.llama import loader
from modellint.formats.gguf.types import FILE_TYPES, GUESSED, TYPES
from modellint.model import product
from modellint.model.architecture import Architecture, LayerShape, Mixer, Positions

MOST_LAYERS = 512
"""llama.cpp's own limit."""
MOST = 1 << 40
"""Limit on any hyperparameter: what exceeds it is a mistake, and products stay numbers."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Layers that attend to a window, unless the file says which do."""

    every: int = 0
    """One of so many layers attends to all tokens; 0 if none does."""
    dense_first: bool = False
    """True if that is the first of them, not the last."""
    size: int = 0
    """Size if the file states none."""
    always: int = 0
    """Size whatever the file states."""


_WINDOWS: Mapping[str, _Window] = {
    "afmoe": _Window(4),
    "cohere2": _Window(4),
    "cohere2moe": _Window(4, dense_first=True),
    "deepseek4": _Window(),
    "exaone-moe": _Window(4, size=128),
    "exaone4": _Window(4, size=4096),
    "gemma-embedding": _Window(6),
    "gemma2": _Window(2, size=4096),
    "gemma3": _Window(6),
    "gemma3n": _Window(5),
    "gpt-oss": _Window(2),
    "laguna": _Window(4, dense_first=True),
    "llama4": _Window(4, always=8192),
    "mellum": _Window(4),
    "modern-bert": _Window(3, dense_first=True),
    "muse-glimmer": _Window(4),
    "olmo2": _Window(4),
    "plamo3": _Window(8),
    "smallthinker": _Window(4, dense_first=True, always=4096),
}
_STATED_WINDOWS = frozenset(
    "dots3note gemma4 gemma4-assistant granite_swa maple mimo2 spark2_5 step35".split()
)
"""Architectures whose files list the layers with a window."""
_ALL_WINDOWS = frozenset({"lfm2", "lfm2moe"})
"""Architectures with a window in each layer that attends, if the file states a size."""
_NEEDS_SIZE = frozenset(
    "afmoe gemma3 laguna lfm2 lfm2moe mellum modern-bert olmo2 plamo3 smallthinker".split()
)
"""Architectures without windows if the file states no size."""
_EXAONE4_LAYERS = 64
"""Layers of the only exaone4 model with windows."""

_RECURRENT_WITHOUT_HEADS = frozenset(
    """bailingmoe3 glm5-next granitehybrid jamba kimi-k3 kimi-linear lfm2 lfm2moe nemotron_h
    nemotron_h_moe plamo2""".split()
)
"""Architectures whose layers without key-value heads keep a state."""
_INTERVALS = {
    "minimax-01": 8,
    "qwen35": 4,
    "qwen35moe": 4,
    "qwen3next": 4,
    "qwen4exp": 4,
}
"""Architectures where one of so many layers attends, and the others keep a state."""
_BOTH = frozenset({"falcon-h1"})
"""Architectures whose layers attend and also keep a state."""
_FUSED_GATES = frozenset("chatglm glm4 internlm3 neo-bert phi3 phimoe plamo2 plamo3".split())
"""Architectures whose gate is stored in one tensor with what it gates."""
_INDEXED = {"deepseek32": 1, "glm-dsa": 1, "minimax-m3": 2}
"""Architectures whose layers choose what they attend to by an index, and the rows that llama.cpp
caches of it for each token: a key, or as many elements again as if it had values."""
_UNKNOWN_CACHES = frozenset("deepseek4 dflash dots3note glm5-next hy_v4 qwen4exp".split())
"""Architectures whose layers compress or share what they cache in ways that are not known here."""
_ALIBI = frozenset("bloom jais jina-bert-v2 mpt refact".split())
_LEARNED = frozenset("bert gpt2 starcoder".split())
_ENCODERS = frozenset(
    """bert eurobert gemma-embedding jina-bert-v2 jina-bert-v3 modern-bert neo-bert nomic-bert
    nomic-bert-moe t5encoder""".split()
)


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
    if architecture in _UNKNOWN_CACHES:
        return f"the cache of the architecture '{architecture}' is not known"
    if architecture in known.architectures:
        return ""
    return f"llama.cpp ({known.release}) has no architecture '{architecture}'"


class Hyperparameters:
    """Hyperparameters of an architecture, with llama.cpp's defaults."""

    def __init__(self, facts: GgufFacts) -> None:
        self.facts = facts
        self.name = facts.architecture
        self._lists: dict[str, list[int]] = {}

    def number(self, key: str, default: int = 0) -> int:
        """Return a whole number that is not negative."""
        value = self.facts.integer(self.facts.of_architecture(key))
        return default if value is None else max(0, min(value, MOST))

    def states(self, key: str) -> bool:
        return self.facts.entry(self.facts.of_architecture(key)) is not None

    def of_layer(self, key: str, index: int, default: int = 0) -> int:
        """Return a number that may be different for each layer."""
        entry = self.facts.entry(self.facts.of_architecture(key))
        if entry is None or entry.type != ARRAY:
            return self.number(key, default)
        values = self.each(key)
        return values[index] if index < len(values) else default

    def each(self, key: str) -> list[int]:
        """Return the numbers of an array with one for each layer; empty if it is none."""
        if key not in self._lists:
            array = self.facts.array(self.facts.of_architecture(key))
            values = array.numbers(MOST_LAYERS) if array is not None else []
            self._lists[key] = [
                max(0, min(int(value), MOST)) for value in values if isfinite(value)
            ]
        return self._lists[key]

    @cached_property
    def all_layers(self) -> int:
        """Return the number of layers, with those that predict further tokens."""
        return self.number("block_count")

    @cached_property
    def draft_layers(self) -> int:
        """Return the number of layers that predict further tokens."""
        stated = self.number("nextn_predict_layers")
        return stated if stated < self.all_layers else 0

    @property
    def layers(self) -> int:
        """Return the number of layers, at most as many as llama.cpp loads."""
        decoders = self.number("decoder_block_count") if self.name == "t5" else 0
        return min(decoders or self.all_layers - self.draft_layers, MOST_LAYERS)

    @cached_property
    def head_size(self) -> int:
        """Return the size of a head, as far as it follows from the number of heads."""
        heads = self.of_layer("attention.head_count", 0)
        return self.number("embedding_length") // heads if heads else 0

    @property
    def is_latent(self) -> bool:
        return bool(
            self.number("attention.key_length_mla") and self.number("attention.value_length_mla")
        )

    @cached_property
    def window(self) -> int:
        """Return the size of windows; 0 without any."""
        size = self.number("attention.sliding_window")
        usual = _WINDOWS.get(self.name)
        if self.name in _NEEDS_SIZE and not size:
            return 0
        if self.name == "exaone4" and self.layers != _EXAONE4_LAYERS:
            return 0
        if usual is not None:
            is_off = self.states("attention.sliding_window") and not size
            return 0 if is_off else usual.always or size or usual.size
        return size if self.name in _STATED_WINDOWS | _ALL_WINDOWS else 0

    def has_window(self, index: int) -> bool:
        if not self.window:
            return False
        stated = self.each("attention.sliding_window_pattern")
        if stated and self.name not in _ALL_WINDOWS:
            return index < len(stated) and bool(stated[index])
        usual = _WINDOWS.get(self.name)
        if usual is None:
            return self.name in _ALL_WINDOWS
        every = self.number("attention.sliding_window_pattern", usual.every)
        if not every:
            return True
        return index % every != (0 if usual.dense_first else every - 1)

    def keeps_state(self, index: int) -> bool:
        """Return True if a layer keeps a state rather than a cache."""
        if self.name in loader().recurrent:
            return True
        if self.name in _INTERVALS:
            stated = self.each("attention.recurrent_layers")
            if stated:
                return index < len(stated) and bool(stated[index])
            interval = self.number("full_attention_interval", _INTERVALS[self.name])
            return interval == 0 or (index + 1) % interval != 0
        without_heads = self.kv_heads(index) == 0
        if self.name in ("nemotron_h", "nemotron_h_moe"):
            return without_heads and self.of_layer("feed_forward_length", index) == 0
        return without_heads and self.name in _RECURRENT_WITHOUT_HEADS

    def kv_heads(self, index: int) -> int:
        heads = self.of_layer("attention.head_count", index)
        return self.of_layer("attention.head_count_kv", index, heads)

    @cached_property
    def state(self) -> int:
        """Return the elements of a recurrent layer's state for each sequence."""
        hidden, heads = self.number("embedding_length"), self.of_layer("attention.head_count", 0)
        if size := self.number("wkv.head_size"):
            return hidden * (self.number("token_shift_count", 2) + size)
        if taps := self.number("shortconv.l_cache"):
            return hidden * (taps - 1)
        taps = self.number("ssm.conv_kernel")
        if size := self.number("kda.head_dim"):
            return 3 * (taps - 1 if taps else 3) * heads * size + size * size * heads
        if self.name == "minimax-01":
            size = self.number("attention.key_length", self.head_size)
            return size * size * heads
        inner, state = self.number("ssm.inner_size"), self.number("ssm.state_size")
        groups = self.number("ssm.group_count")
        return max(taps - 1, 0) * (inner + 2 * groups * state) + inner * state

    @property
    def layers_with_cache(self) -> int:
        """Return how many layers have a cache of their own; later ones share it."""
        if self.name == "gemma3n":
            return 20
        if self.name == "gemma4":
            return max(0, self.all_layers - self.number("attention.shared_kv_layers"))
        return self.all_layers

    def stated(self) -> dict[str, object]:
        """Return all hyperparameters that are not arrays, by their full keys."""
        prefix = f"{self.name}."
        return {
            key: entry.value
            for key, entry in self.facts.first.entries.items()
            if key.startswith(prefix) and entry.type != ARRAY
        }


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
        state=hyper.state if keeps_state or hyper.name in _BOTH else 0,
        feed_forward=width,
        experts=experts,
        active_experts=hyper.of_layer("expert_used_count", index) if experts else 0,
        shared_experts=hyper.number("expert_shared_count") if experts else 0,
        shared_feed_forward=hyper.number("expert_shared_feed_forward_length") if experts else 0,
        gated=hyper.name in _FUSED_GATES or _is_gated(index, names),
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
    if hyper.name not in _INDEXED:
        return False
    keys = {f"blk.{index}.indexer.{name}.weight" for name in ("attn_k", "k_proj")}
    return not names or not names.isdisjoint(keys)


def _index(hyper: Hyperparameters) -> dict[str, int]:
    return {
        "index_size": _INDEXED[hyper.name] * hyper.number("attention.indexer.key_length"),
        "index_heads": hyper.number("attention.indexer.head_count"),
        "chosen": hyper.number("attention.indexer.top_k")
        * (hyper.number("attention.indexer.block_size") or 1),
    }


def _decompressed(hyper: Hyperparameters) -> dict[str, int]:
    """Return the sizes of latent attention's queries, keys and values besides what is cached."""
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
    if f"{down}.weight" in names:
        return 0
    if f"{down}_exps.weight" in names or f"{down}.0.weight" in names:
        return experts
    return experts if index >= hyper.number("leading_dense_block_count") else 0


def _vocabulary(facts: GgufFacts) -> int | None:
    if facts.vocabulary is not None:
        return facts.vocabulary
    tables = (each for _, each in facts.tensors() if each.name == "token_embd.weight")
    table = next(tables, None)
    return table.dims[1] if table is not None and len(table.dims) == 2 else None


def _positions(hyper: Hyperparameters) -> Positions:
    facts, key = hyper.facts, hyper.facts.of_architecture
    if hyper.name in _ALIBI:
        return Positions("alibi")
    if hyper.name in _LEARNED:
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
    if hyper.name in _ENCODERS or hyper.name == "t5":
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
