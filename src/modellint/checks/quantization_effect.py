"""What a finding about quantization costs: the share of work that leaves it, at what price."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.analysis.quantization import QuantizationMap, WeightedOp


def effect(quantization: QuantizationMap, ops: Iterable[WeightedOp]) -> dict[str, object]:
    """Facts about ops that run in float where they could be quantized.

    ``{effect}`` is a clause that a message ends with, empty where no shape is known.
    """
    ops = list(ops)
    share = quantization.share(ops)
    facts: dict[str, object] = {"share": share, "slowdown": None, "effect": ""}
    if not share:
        return facts
    if quantization.assumed:
        facts["assumed"] = dict(quantization.assumed)
    fast, slow = quantization.main_precision, ops[0].float_precision
    work = f"{'about ' if quantization.assumed else ''}{percent(share)} of the model's MACs"
    facts["effect"] = f"; {work} leave {fast}"
    slowdown = quantization.slowdown(fast, slow)
    target = quantization.deployment.target
    if slowdown is not None and target is not None:
        facts["slowdown"] = slowdown
        facts["effect"] = (
            f"; {work} leave {fast} for {slow}, which peaks {slowdown:.1f}× lower on {target.name}"
        )
    return facts


def percent(share: float) -> str:
    """``11.3%``; what is small but not nothing is ``<0.1%``."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "<0.1%"
