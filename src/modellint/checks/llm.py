"""Language models: contexts, caches, and how runtimes and devices handle them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modellint.analysis.language import (
    LanguageNeeds,
    cache_bytes,
    language_needs,
    language_runtime,
)
from modellint.analysis.language.caching import NEAREST
from modellint.analysis.memory import memory
from modellint.checks.api import Context, Hit
from modellint.results.finding import Severity
from modellint.runtimes import LanguageMemory, title_of

_QUANTIZED = ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Types of a cache that are stored in blocks."""
BLOCK = 32
LLAMA = "llama.cpp"
_UNITS = {"mxfp4": "fp4", "nvfp4": "fp4", "fp4": "fp4", "fp8": "fp8"}
"""Schemes by a part of their name, and the precision of units that compute in them."""


def context_beyond_training(context: Context) -> Iterator[Hit]:
    """Contexts that are longer than the model was trained for."""
    needs = context.analysis(language_needs)
    longest = max(context.deployment.serving.contexts, default=0)
    trained = needs.architecture.context if needs is not None else None
    if trained and longest > trained:
        yield Hit(None, {"tokens": longest, "trained": trained})


def cache_larger_than_weights(context: Context) -> Iterator[Hit]:
    """Caches that take more memory than the weights."""
    needs, longest = _configured(context)
    if needs is None:
        return
    need = needs.at(longest)
    if need.cache > need.weights:
        yield Hit(
            None,
            {
                "tokens": longest,
                "cache": need.cache,
                "weights": need.weights,
                "type": needs.kv_precision,
            },
        )


def context_does_not_fit(context: Context) -> Iterator[Hit]:
    """Configured contexts with which the model exceeds the device."""
    needs, longest = _configured(context)
    if needs is None or needs.fit(longest) != "does not fit":
        return
    need = needs.at(longest)
    facts = {
        "tokens": longest,
        "total": need.total,
        "room": needs.room,
        "weights": need.weights,
        "cache": need.cache,
        "rest": need.compute + need.overhead,
        "fits": needs.longest or 0,
        "layers": len(needs.architecture.layers),
        "offloaded": needs.offloaded(longest),
    }
    if facts["offloaded"]:
        yield Hit(None, facts, variant="offloaded", severity=Severity.WARNING)
    else:
        yield Hit(None, facts, variant="" if needs.longest else "never")


def weights_do_not_fit(context: Context) -> Iterator[Hit]:
    """Models without a graph whose weights alone do not fit, whatever is cached.

    With a configured context and a cache that is known, another rule says more.
    """
    model, deployment = context.model, context.deployment
    if model.has_graph or deployment.target is None:
        return
    if deployment.serving.contexts and context.analysis(language_needs) is not None:
        return
    estimate, devices = context.analysis(memory), deployment.serving.devices
    low = estimate.weights.low + devices * estimate.overhead.low
    usable = devices * deployment.target.memory.usable
    if low <= usable:
        return
    _, runtime = language_runtime(model, deployment)
    if runtime.offloads and not deployment.target.is_unified_memory:
        yield Hit(None, {"low": low, "usable": usable}, "offloaded", Severity.WARNING)
    else:
        yield Hit(None, {"low": low, "usable": usable})


def heads_not_divisible(context: Context) -> Iterator[Hit]:
    """Counts of heads that the devices do not share evenly."""
    needs = context.analysis(language_needs)
    if needs is None or needs.split.how != "tensor" or not needs.runtime.even_heads:
        return
    odd = [count for count in needs.split.undivided if "head" in count]
    if odd:
        yield Hit(None, {"counts": " and ".join(odd), "devices": needs.split.devices})


def window_ignored(context: Context) -> Iterator[Hit]:
    """Windows of attention that a runtime does not use to limit the cache."""
    needs, longest = _configured(context)
    if needs is None or needs.runtime.windows:
        return
    windows = [layer.window for layer in needs.architecture.layers if layer.window is not None]
    if not windows or longest <= max(windows):
        return
    full = needs.at(longest).cache
    limited = cache_bytes(
        needs.architecture,
        longest,
        needs.kv_precision,
        _with_windows(needs),
    )
    facts = {"layers": len(windows), "window": max(windows), "cache": full, "limited": limited}
    yield Hit(None, facts | {"tokens": longest, "name": title_of(needs.runtime_name)})


def quantized_ends(context: Context) -> Iterator[Hit]:
    """Output layers, and embeddings that serve as such, that are strongly quantized."""
    needs = context.analysis(language_needs)
    if needs is None:
        return
    least = context.options["min-bits"]
    output, embeddings = needs.parts.of("output"), needs.parts.of("embeddings")
    part = output if output.nbytes else embeddings
    if part.bits is not None and part.bits < least:
        variant = "" if output.nbytes else "tied"
        yield Hit(None, {"bits": part.bits, "size": part.nbytes}, variant=variant)


def scheme_dequantized(context: Context) -> Iterator[Hit]:
    """Weight schemes that a device has no units for."""
    needs, target = context.analysis(language_needs), context.deployment.target
    if needs is None or target is None:
        return
    scheme = needs.architecture.quantization
    units = next((unit for name, unit in _UNITS.items() if name in scheme.lower()), None)
    if units is not None and target.lacks(units):
        yield Hit(None, {"scheme": scheme, "units": units})


def cache_type_unknown(context: Context) -> Iterator[Hit]:
    """Types of the cache that a runtime does not have."""
    needs, asked = context.analysis(language_needs), context.deployment.serving.kv_precision
    if needs is None or asked is None:
        return
    known = needs.runtime.cache_types
    if needs.kv_precision not in known:
        near = [name for name in NEAREST.get(asked, ()) if name in known]
        facts = {"asked": asked, "known": ", ".join(known), "name": title_of(needs.runtime_name)}
        yield Hit(None, facts | {"near": near})


def cache_needs_flash_attention(context: Context) -> Iterator[Hit]:
    """Quantized caches without the attention that reads them."""
    needs = context.analysis(language_needs)
    if needs is None or needs.runtime_name != LLAMA:
        return
    if needs.kv_precision in _QUANTIZED and not needs.flash_attention:
        yield Hit(None, {"type": needs.kv_precision})


def head_not_in_blocks(context: Context) -> Iterator[Hit]:
    """Heads whose size the blocks of a quantized cache do not divide."""
    needs = context.analysis(language_needs)
    if needs is None or needs.runtime_name != LLAMA or needs.kv_precision not in _QUANTIZED:
        return
    layers = [layer for layer in needs.architecture.layers if layer.mixer == "attention"]
    sizes = {size for layer in layers for size in (layer.key_size, layer.value_size)}
    odd = sorted(size for size in sizes if size % BLOCK)
    if odd:
        yield Hit(None, {"size": odd[0], "type": needs.kv_precision, "block": BLOCK})


def _configured(context: Context) -> tuple[LanguageNeeds | None, int]:
    """Return the needs and the longest configured context; nothing where none is configured."""
    longest = max(context.deployment.serving.contexts, default=0)
    return (context.analysis(language_needs) if longest else None), longest


def _with_windows(needs: LanguageNeeds) -> LanguageMemory:
    return replace(needs.runtime, windows=True, step=0)
