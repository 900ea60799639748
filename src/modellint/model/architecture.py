"""Hyperparameters of a language model, whatever file states them.

Layers may differ: some attend to a window only, some keep a state instead of a cache. What they
have in common is stated for each of them, so that sums over layers are always right.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from modellint.base.records import dataclass

Mixer = Literal["attention", "latent", "recurrent", "none"]
"""Mixing of tokens by a layer. ``latent`` attention caches a compressed vector per token (MLA), and
``recurrent`` layers keep a state of constant size."""


@dataclass(frozen=True, slots=True)
class LayerShape:
    """One layer of a language model."""

    mixer: Mixer = "attention"
    heads: int = 0
    kv_heads: int = 0
    key_size: int = 0
    """Elements of a key of one head; for ``latent``, of the compressed key and its positions."""
    value_size: int = 0
    """Elements of a value of one head; 0 if values are computed from what keys store."""
    window: int | None = None
    """Tokens it attends to, if fewer than all."""
    state: int = 0
    """Elements of the state that a recurrent layer keeps for each sequence."""
    feed_forward: int = 0
    """Width of its feed-forward network, or of each expert."""
    experts: int = 0
    active_experts: int = 0
    shared_experts: int = 0
    gated: bool = True
    """True if two products are multiplied in its feed-forward network, as in SwiGLU."""
    query_rank: int = 0
    """Width of compressed queries; 0 if they are not compressed."""
    shared_feed_forward: int = 0
    """Width of all shared experts together; 0 if they are as wide as the others."""
    rotated: int = 0
    """Elements of a compressed key, counted in `key_size`, that carry positions."""
    own_key_size: int = 0
    """Elements of a key of one head once it is decompressed, for ``latent``."""
    own_value_size: int = 0
    inner: int = 0
    """Width in which a recurrent layer computes."""
    convolution: int = 0
    """Elements of the state, counted in `state`, that a recurrent layer keeps for convolution."""
    index_size: int = 0
    """Elements of a token's key in the index by which the layer chooses what it attends to."""
    index_heads: int = 0
    """Heads of the queries of that index."""
    chosen: int = 0
    """Tokens that it attends to, at most, by that index."""

    @property
    def reach(self) -> int | None:
        """Return the tokens that the layer attends to, None for all, 0 for a recurrent layer."""
        return self.window if self.mixer in ("attention", "latent") else 0

    @property
    def shared_width(self) -> int:
        """Return the width of all shared experts together."""
        return self.shared_feed_forward or self.shared_experts * self.feed_forward

    @property
    def cached_per_token(self) -> int:
        """Return the elements that each token adds to the cache."""
        if self.mixer not in ("attention", "latent"):
            return 0
        return self.kv_heads * (self.key_size + self.value_size) + self.index_size


@dataclass(frozen=True, slots=True)
class Positions:
    """Encoding of positions, and up to which one the model was trained."""

    scheme: str = ""
    """``rope``, ``learned``, ``alibi``, …; empty if unknown."""
    base: float | None = None
    scaling: str = ""
    """``linear``, ``yarn``, ``llama3``, …"""
    factor: float | None = None
    original: int | None = None
    """Context length before scaling."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A language model."""

    name: str
    """As the file calls it: ``llama``, ``Qwen2ForCausalLM``."""
    layers: tuple[LayerShape, ...]
    hidden: int = 0
    vocabulary: int | None = None
    context: int | None = None
    """Tokens of the longest sequence, by training or by extended positions."""
    positions: Positions = Positions()
    tied_embeddings: bool | None = None
    parts: tuple[str, ...] = ()
    """Parts besides the decoder: ``vision``, ``audio``, ``encoder``, ``draft``."""
    quantization: str = ""
    """Name of its scheme: ``Q4_K_M``, ``GPTQ 4-bit (group 128, act-order)``; empty for none."""
    doubt: str = ""
    """The reason why the cache of its layers is not known; empty if it is."""
    facts: dict[str, object] = field(default_factory=dict)
    """Other statements of the file that rules refer to, by the names that the file uses."""

    @property
    def cached_per_token(self) -> int:
        """Return the elements that each token adds to the cache, without windows' limits."""
        return sum(layer.cached_per_token for layer in self.layers)
