"""Activations that Transformers keeps while it computes a prompt, layer by layer.

Python's variables decide which tensors are alive together: the embeddings, the input of a layer and
its residual are, until the layer returns. Counted in elements of 16 bits for each token, and held
against PyTorch's own tensors by `tools/measure_transformers_memory.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from modellint.model.architecture import Architecture, LayerShape

ELEMENT = 2
"""Bytes of an activation."""
SCORES = 5
"""Scores of a head, their copy in 32 bits, and the softmax of it: in elements of 16 bits."""
_OTHER_SCORES: Mapping[str, int] = {"gpt2": 2, "falcon": 4}
GATED, PLAIN = 3, 2
"""Tensors as wide as the feed-forward network that are alive together in it."""
_OTHERS: Mapping[str, int] = {
    "phi3": 4,
    "glm": 4,
    "gpt2": 5,
    "gptj": 5,
    "codegen": 5,
    "gptneofor": 5,
}
"""The same by the beginnings of names: projections in one, and activations in several steps."""
_PER_EXPERT = 4
"""Copies of a token for each of its experts: gathered, computed, weighted, put in order."""


def compute_bytes(
    architecture: Architecture,
    tokens: int,
    *,
    flash_attention: bool = True,
    requests: int = 1,
) -> int:
    """Return the bytes that are alive at most, for prompts of `tokens`, all requests together."""
    length = -(-tokens // requests)
    scores = 0 if flash_attention else _by_name(architecture, _OTHER_SCORES, SCORES)
    alive = max(
        max(_fed(layer, architecture), _attending(layer, architecture, length, scores))
        for layer in architecture.layers
    )
    if flash_attention and any((each.window or length) < length for each in architecture.layers):
        alive += length // ELEMENT  # what each token may attend to, in bytes
    logits = requests * (architecture.vocabulary or 0) * ELEMENT
    return tokens * alive * ELEMENT + logits


def _by_name(architecture: Architecture, known: Mapping[str, int], usual: int) -> int:
    name = architecture.name.lower()
    return next((count for start, count in known.items() if name.startswith(start)), usual)


def _fed(layer: LayerShape, architecture: Architecture) -> int:
    """Return the elements of a token that are alive in a layer's feed-forward network."""
    wide = _by_name(architecture, _OTHERS, GATED if layer.gated else PLAIN)
    own = wide * layer.feed_forward
    if layer.active_experts:
        routed = layer.active_experts * (own + _PER_EXPERT * architecture.hidden)
        own = max(routed, wide * layer.shared_width)
    return 4 * architecture.hidden + _rotation(layer) + own


def _attending(layer: LayerShape, architecture: Architecture, length: int, scores: int) -> int:
    """Return the elements of a token that are alive in a layer's attention."""
    key, value = layer.own_key_size or layer.key_size, layer.own_value_size or layer.value_size
    groups = layer.kv_heads * (key + value)
    given = 3 * architecture.hidden + _rotation(layer) + layer.heads * key
    if not scores:  # kept on chip
        return given + groups + layer.heads * value
    repeated = layer.heads * (key + value) if layer.heads != layer.kv_heads else groups
    return given + repeated + length * (1 + scores * layer.heads)


def _rotation(layer: LayerShape) -> int:
    """Return the sines and cosines of a token's position."""
    return 2 * (layer.rotated or layer.own_key_size or layer.key_size)
