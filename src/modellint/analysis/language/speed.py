"""Roofline of a language model: prompts are bound by arithmetic, single tokens by memory.

Lower bounds on times: all units at their peak rates, nothing but weights and cache moved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from modellint.analysis.language.caching import layer_cache
from modellint.analysis.language.needs import LanguageNeeds
from modellint.analysis.roofline import peak_rate
from modellint.base.records import dataclass
from modellint.model.architecture import LayerShape

Bound = Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class ContextSpeed:
    """Bounds at a context length and a number of sequences."""

    tokens: int
    batch: int
    prefill_seconds: float
    """Time to the first token of a prompt that fills the context, at least."""
    prefill_bound: Bound
    decode_rate: float
    """Tokens per second at the end of the context, all sequences together, at most."""
    decode_bound: Bound


def context_speed(needs: LanguageNeeds, tokens: int, batch: int = 1) -> ContextSpeed | None:
    """Return the bounds; None without a target or its figures."""
    target = needs.deployment.target
    if target is None or not target.memory.bandwidth:
        return None
    found = peak_rate(target, needs.deployment.precision or "fp16")
    if found is None:
        return None
    units = needs.split.devices if needs.split.how != "pipeline" else 1
    peak, bandwidth = found[1] * units, target.memory.bandwidth * units
    prefill = _flops(needs, tokens, tokens) / peak
    reading = needs.parts.read_bytes(_touched(needs, tokens)) / bandwidth
    step = batch * _flops(needs, 1, tokens) / peak
    weights = needs.parts.read_bytes(_touched(needs, batch))
    moved = (weights + _read(needs, tokens, batch)) / bandwidth
    if not max(step, moved):
        return None
    return ContextSpeed(
        tokens,
        batch,
        max(prefill, reading),
        "compute" if prefill >= reading else "memory",
        batch / max(step, moved),
        "compute" if step >= moved else "memory",
    )


def break_even(target: LanguageNeeds, draft: LanguageNeeds, tokens: int) -> float | None:
    """Return the share of a draft's tokens that must be accepted for it to gain time.

    With one drafted token per step, a step costs a token of each model, and brings one token and
    the accepted share. More drafted tokens need a higher share.
    """
    of_target, of_draft = context_speed(target, tokens), context_speed(draft, tokens)
    if of_target is None or of_draft is None:
        return None
    return of_target.decode_rate / of_draft.decode_rate


def _flops(needs: LanguageNeeds, tokens: int, context: int) -> float:
    """Return the operations for tokens at the end of a context."""
    attended = 0.0
    for layer in needs.architecture.layers:
        if layer.mixer not in ("attention", "latent"):
            continue
        most = min(context, layer.window or context, layer.chosen or context)
        mean = most if tokens == 1 else most - most * most / (2 * context)
        attended += layer.heads * (layer.key_size + (layer.value_size or layer.key_size)) * mean
    return 2.0 * tokens * (needs.parts.multiplied + attended)


def _read(needs: LanguageNeeds, tokens: int, batch: int) -> int:
    """Return the bytes of the cache that each step reads."""
    return sum(_read_of(layer, needs, tokens, batch) for layer in needs.architecture.layers)


def _read_of(layer: LayerShape, needs: LanguageNeeds, tokens: int, batch: int) -> int:
    """Return the bytes that a step reads for a layer: an index is read whole, and its selection."""
    if not layer.chosen:
        return layer_cache(layer, tokens, needs.kv_precision, needs.runtime, batch)
    attended = replace(layer, index_size=0)
    index = replace(layer, kv_heads=0, state=0)
    most = min(tokens, layer.chosen)
    return layer_cache(attended, most, needs.kv_precision, needs.runtime, batch) + layer_cache(
        index, tokens, needs.kv_precision, needs.runtime, batch
    )


def _touched(needs: LanguageNeeds, tokens: int) -> float:
    """Return the share of the experts that some of the tokens are sent to, on average."""
    idle = 1 - needs.parts.active_share
    return 1 - idle ** min(tokens, 1 << 12) if idle > 0 else 1.0
