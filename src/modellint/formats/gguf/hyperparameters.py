"""The hyperparameters of a language model, from the metadata of its GGUF file.

Defaults and exceptions are those of llama.cpp, in ``load_hparams`` and ``load_arch_hparams``:
https://github.com/ggml-org/llama.cpp/tree/master/src/models (October 2026).
"""

from __future__ import annotations

from functools import cached_property
from math import isfinite

from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.families import (
    ALL_WINDOWS,
    EXAONE4_LAYERS,
    INTERVALS,
    NEEDS_SIZE,
    RECURRENT_WITHOUT_HEADS,
    STATED_WINDOWS,
    WINDOWS,
)
from modellint.formats.gguf.header import ARRAY
from modellint.formats.gguf.llama import loader

MOST_LAYERS = 512
"""llama.cpp's own limit."""
MOST = 1 << 40
"""Limit on any hyperparameter: what exceeds it is a mistake, and products stay numbers."""


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
        """Return the numbers of an array with one per layer; empty if it is not such an array."""
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
        usual = WINDOWS.get(self.name)
        if self.name in NEEDS_SIZE and not size:
            return 0
        if self.name == "exaone4" and self.layers != EXAONE4_LAYERS:
            return 0
        if usual is not None:
            is_off = self.states("attention.sliding_window") and not size
            return 0 if is_off else usual.always or size or usual.size
        return size if self.name in STATED_WINDOWS | ALL_WINDOWS else 0

    def has_window(self, index: int) -> bool:
        if not self.window:
            return False
        stated = self.each("attention.sliding_window_pattern")
        if stated and self.name not in ALL_WINDOWS:
            return index < len(stated) and bool(stated[index])
        usual = WINDOWS.get(self.name)
        if usual is None:
            return self.name in ALL_WINDOWS
        every = self.number("attention.sliding_window_pattern", usual.every)
        if not every:
            return True
        return index % every != (0 if usual.dense_first else every - 1)

    def keeps_state(self, index: int) -> bool:
        """Return True if a layer keeps a state rather than a cache."""
        if self.name in loader().recurrent:
            return True
        if self.name in INTERVALS:
            stated = self.each("attention.recurrent_layers")
            if stated:
                return index < len(stated) and bool(stated[index])
            interval = self.number("full_attention_interval", INTERVALS[self.name])
            return interval == 0 or (index + 1) % interval != 0
        without_heads = self.kv_heads(index) == 0
        if self.name in ("nemotron_h", "nemotron_h_moe"):
            return without_heads and self.of_layer("feed_forward_length", index) == 0
        return without_heads and self.name in RECURRENT_WITHOUT_HEADS

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
