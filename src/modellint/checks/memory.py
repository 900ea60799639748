"""Memory needs of a model compared to the target, and the sizes that fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil

from modellint.analysis.kv_cache import KvCache
from modellint.analysis.memory import TIGHT, MemoryEstimate, memory
from modellint.base.units import format_bytes
from modellint.checks.api import Context, Hit
from modellint.model import format_shape
from modellint.targets import load_smaller, load_targets
from modellint.targets.target import Target

LARGER_GROUPS = (2, 4, 8, 16, 32, 64)
"""Numbers of devices that a model is split over: powers of two."""


_ADVICE = {
    "weights": "quantize them, deploy in a narrower precision, split the model over devices",
    "activations": "use smaller inputs, deploy in a narrower precision, run the model in parts",
    "inputs and outputs": "pass less at a time, deploy in a narrower precision",
    "kv cache": "shorten it, keep it in a narrower type, split the model over several devices",
}
"""Advice for the part that takes most."""


def does_not_fit(context: Context) -> Iterator[Hit]:
    """Models that need more memory than the target has at any batch size."""
    estimate = _estimate_above(context, TIGHT)
    if estimate is None or estimate.verdict != "does not fit" or _smaller_sizes(estimate):
        return
    facts = _facts(estimate)
    fitting = _fitting_target(estimate)
    variant = "" if fitting is None else "elsewhere"
    largest = max(
        (part for part in estimate.parts if part.name in _ADVICE), key=lambda part: part.expected
    )
    facts |= {"largest": largest.name, "size": largest.expected, "advice": _ADVICE[largest.name]}
    yield Hit(None, facts | {"fitting": fitting.name if fitting else ""}, variant=variant)


def fits_only_smaller(context: Context) -> Iterator[Hit]:
    """Models that fit the target, but not at the requested batch or length."""
    estimate = _estimate_above(context, TIGHT)
    if estimate is None or estimate.verdict != "does not fit":
        return
    sizes = _smaller_sizes(estimate)
    if sizes:
        asked = [f"{symbol} {estimate.open_symbols[symbol]}" for symbol in sizes]
        fits = [f"{symbol} {size}" for symbol, size in sizes.items()]
        facts = {"asked": " and ".join(asked), "largest": " or ".join(fits)}
        yield Hit(None, _facts(estimate) | facts)


def _smaller_sizes(estimate: MemoryEstimate) -> dict[str, int]:
    """Return the largest size that fits of each open dim, all else equal."""
    sizes = {symbol: estimate.largest(symbol) for symbol in estimate.open_symbols}
    return {symbol: size for symbol, size in sizes.items() if size}


def fits_tightly(context: Context) -> Iterator[Hit]:
    """Models that leave too little of the target's memory free."""
    headroom = 1 - context.options["headroom"]
    estimate = _estimate_above(context, headroom)
    if estimate is None or estimate.usable is None:
        return
    if estimate.verdict_for(headroom) == "tight":
        share = estimate.total.expected / estimate.usable
        yield Hit(None, _facts(estimate) | {"share": share})


def fits_smaller_target(context: Context) -> Iterator[Hit]:
    """Models that also fit a device with less memory."""
    estimate, target = _estimate(context), context.deployment.target
    if estimate is None or target is None:
        return
    smaller = estimate.smallest_target(_smaller_devices(target))
    if smaller is not None and estimate.verdict == "fits":
        facts = {"smaller": smaller.name, "smaller_usable": smaller.memory.usable}
        yield Hit(None, _facts(estimate) | facts)


def _fitting_target(estimate: MemoryEstimate) -> Target | None:
    return estimate.smallest_target(_devices())


@cache
def _devices() -> tuple[Target, ...]:
    """Return all known devices, read once for all models of a run."""
    return tuple(load_targets())


@cache
def _smaller_devices(target: Target) -> tuple[Target, ...]:
    """Return the known devices of a target's kind with less than half its memory."""
    return tuple(load_smaller(target, target.memory.usable / 2))


def one_tensor_peak(context: Context) -> Iterator[Hit]:
    """Models with most of their activation memory in one tensor."""
    estimate = _estimate(context)
    if estimate is None or estimate.footprint.largest_tensor < context.options["min-bytes"]:
        return
    at_peak = estimate.at_peak
    if not at_peak:
        return
    largest, peak = at_peak[0], estimate.peak
    if largest.nbytes < context.options["min-bytes"] or not peak:
        return
    share = largest.nbytes / peak
    if share >= context.options["share"]:
        value = largest.value
        shape = format_shape(context.shape(value))
        facts = {"tensor": value.name, "size": largest.nbytes, "share": share, "shape": shape}
        yield Hit(value.producer or value, facts)


def kv_cache_larger_than_weights(context: Context) -> Iterator[Hit]:
    """Decoders whose cache is larger than their weights."""
    estimate = _estimate(context)
    if estimate is None or estimate.cache is None:
        return
    if estimate.kv_cache.low > estimate.weights.expected:
        token = estimate.cache.bytes_per_token
        facts = {
            "cache": estimate.kv_cache.low,
            "weights": estimate.weights.expected,
            "token": token or 0,
        }
        past = estimate.cache.pairs[0].past
        yield Hit(past, facts | _sizes(estimate), variant="" if token else "unsized")


def shared_memory(context: Context) -> Iterator[Hit]:
    """Models that use a large part of memory shared with the system."""
    target = context.deployment.target
    if target is None or not target.is_unified_memory:
        return
    estimate = _estimate_above(context, context.options["share"])
    if estimate is None or not estimate.usable:
        return
    share = estimate.expected / estimate.usable
    if estimate.verdict != "does not fit" and share >= context.options["share"]:
        yield Hit(None, _facts(estimate) | {"share": share})


def build_needs_more(context: Context) -> Iterator[Hit]:
    """Models that the device can run, but whose engine it cannot build."""
    target = context.deployment.target
    if target is None or not target.is_unified_memory:
        return
    estimate = _estimate(context)
    if estimate is None or estimate.usable is None or estimate.verdict == "does not fit":
        return
    build = context.model.weight_bytes + 2 * estimate.weights.expected
    build += estimate.activations.expected + estimate.overhead.expected
    if build > estimate.usable:
        yield Hit(None, _facts(estimate) | {"build": build})


def needs_several_devices(context: Context) -> Iterator[Hit]:
    """Models whose weights exceed one device: the number of devices needed."""
    estimate = _estimate_above(context, TIGHT)
    if estimate is None or not estimate.usable or estimate.verdict == "fits":
        return
    room = estimate.usable - estimate.overhead.expected
    if room <= 0 or estimate.weights.low <= room:
        return
    needed = ceil((estimate.footprint.expected) / room)
    devices = next((size for size in LARGER_GROUPS if size >= needed), None)
    if devices is None:
        return
    divided, undivided = _divisibility(estimate.cache, devices)
    facts = {"devices": devices, "divided": divided, "undivided": undivided}
    yield Hit(None, _facts(estimate) | facts, variant=_split_variant(divided, undivided))


def _divisibility(cache: KvCache | None, devices: int) -> tuple[str, str]:
    """Return the counts of heads that are divisible by the number of devices, and the others."""
    counts = {
        "query heads": cache.query_heads if cache is not None else None,
        "key and value heads": cache.kv_heads if cache is not None else None,
    }
    known = {name: count for name, count in counts.items() if count}
    even = [f"{count} {name}" for name, count in known.items() if count % devices == 0]
    odd = [f"{count} {name}" for name, count in known.items() if count % devices]
    return " and ".join(even), " and ".join(odd)


def _split_variant(divided: str, undivided: str) -> str:
    if undivided:
        return "odd"
    return "even" if divided else ""


def _estimate(context: Context) -> MemoryEstimate | None:
    """Return the estimate if there is a target to compare it to."""
    return context.analysis(memory) if context.deployment.target is not None else None


def _estimate_above(context: Context, share: float) -> MemoryEstimate | None:
    """Return the estimate unless it surely takes no more than a share of the target's memory."""
    estimate = _estimate(context)
    return None if estimate is None or estimate.takes_at_most(share) else estimate


def _facts(estimate: MemoryEstimate) -> dict[str, object]:
    """Return the facts shared by all findings about memory."""
    total = estimate.total
    return {
        "low": total.low,
        "expected": total.expected,
        "high": total.high,
        "usable": estimate.usable or 0,
        "parts": ", ".join(
            f"{part.name} {format_bytes(part.expected)}" for part in estimate.parts if part.expected
        ),
        **_sizes(estimate),
    }


def _sizes(estimate: MemoryEstimate) -> dict[str, object]:
    """Return the sizes of open dims, and which of them are assumed."""
    sizes = [f"{symbol} {size}" for symbol, size in estimate.open_symbols.items()]
    assumed = " (assumed)" if estimate.assumed else ""
    return {"sizes": f" at {', '.join(sizes)}{assumed}" if sizes else ""}
