"""Cache of keys and values: its types, and its size by context length and runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from modellint.model.architecture import Architecture, LayerShape
from modellint.model.dims import MOST
from modellint.runtimes import LanguageMemory

_BLOCKS: Mapping[str, tuple[int, int]] = {
    "fp32": (1, 4),
    "fp16": (1, 2),
    "bf16": (1, 2),
    "fp8": (1, 1),
    "int8": (1, 1),
    "int4": (2, 1),
    "f32": (1, 4),
    "f16": (1, 2),
    "q8": (32, 34),
    "q4": (32, 18),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}
"""Elements and bytes of a block of each type."""
NEAREST: Mapping[str, tuple[str, ...]] = {
    "f32": ("fp32",),
    "f16": ("fp16",),
    "q8": ("q8_0", "int8", "fp8"),
    "q4": ("q4_0", "int4"),
    "fp8": ("q8_0", "int8"),
    "int8": ("q8_0", "fp8"),
    "int4": ("q4_0",),
    "q8_0": ("int8", "fp8"),
    "q4_0": ("int4",),
}
"""Other names, and types of other runtimes that are as wide."""


def element_bytes(precision: str) -> float:
    """Return the bytes of a cached element."""
    elements, size = _BLOCKS[precision]
    return size / elements


def cached_type(runtime: LanguageMemory, precision: str | None) -> str:
    """Return the type that a runtime caches in, if asked for a precision."""
    if precision is None:
        return runtime.cache_types[0]
    names = (precision, *NEAREST.get(precision, ()))
    return next((name for name in names if name in runtime.cache_types), precision)


def stored_bytes(elements: int, precision: str) -> int:
    """Return the size of cached elements, in whole blocks."""
    block, size = _BLOCKS[precision]
    return min(-(-elements // block) * size, MOST)


def cached_per_token(architecture: Architecture, precision: str) -> int:
    """Return the bytes that each token adds, as long as no window is full."""
    return sum(
        stored_bytes(layer.kv_heads * layer.key_size, precision)
        + stored_bytes(layer.kv_heads * layer.value_size, precision)
        + stored_bytes(layer.index_size, precision)
        for layer in architecture.layers
        if layer.mixer in ("attention", "latent")
    )


def cells(layer: LayerShape, tokens: int, runtime: LanguageMemory, requests: int = 1) -> int:
    """Return the tokens that a layer has room for: a window, or the whole context.

    With a window, tokens that are computed at once need room besides.
    """
    whole = _rounded(tokens, runtime.block) * requests
    if layer.window is None or not runtime.windows:
        return whole
    step = runtime.step or tokens
    return min(whole, _rounded(layer.window + step, runtime.block) * requests)


def cache_bytes(
    architecture: Architecture,
    tokens: int,
    precision: str,
    runtime: LanguageMemory,
    requests: int = 1,
) -> int:
    """Return the bytes of the cache and of recurrent states for sequences of equal length."""
    return sum(
        layer_cache(layer, tokens, precision, runtime, requests) for layer in architecture.layers
    )


def layer_cache(
    layer: LayerShape,
    tokens: int,
    precision: str,
    runtime: LanguageMemory,
    requests: int = 1,
) -> int:
    """Return the bytes that one layer keeps between tokens."""
    states = layer.state * runtime.state_bytes * requests
    if layer.mixer not in ("attention", "latent"):
        return min(states, MOST)
    room = cells(layer, tokens, runtime, requests)
    keys = stored_bytes(layer.kv_heads * layer.key_size, precision)
    values = stored_bytes(layer.kv_heads * layer.value_size, precision)
    index = stored_bytes(layer.index_size, precision)
    return min(room * (keys + values + index) + states, MOST)


def padded(architecture: Architecture) -> Architecture:
    """Return the architecture with values as wide in all layers as in the widest."""
    widest = max((each.kv_heads * each.value_size for each in architecture.layers), default=0)
    layers = [
        replace(each, value_size=-(-widest // each.kv_heads))
        if each.kv_heads and each.value_size
        else each
        for each in architecture.layers
    ]
    return replace(architecture, layers=tuple(layers))


def _rounded(tokens: int, block: int) -> int:
    return -(-tokens // block) * block
