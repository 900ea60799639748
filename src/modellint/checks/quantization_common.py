"""Helpers of quantization checks: what follows a node, and what floats cost."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.analysis.quantization import QuantizationMap, WeightedOp
from modellint.model import Node
from modellint.operators import Trait, having

ACTIVATIONS = having(Trait.ACTIVATION)
SENSITIVE = having(Trait.SENSITIVE)


def nodes_of(ops: Iterable[WeightedOp]) -> list[Node]:
    return [op.node for op in ops]


def is_quantized_after(quantization: QuantizationMap, node: Node) -> bool:
    """Return True if the result is quantized, possibly after an activation."""
    value = node.output()
    for _ in range(2):
        if value is None:
            return False
        if quantization.quantizers_after(value):
            return True
        after = value.sole_consumer
        value = after.output() if after is not None and after.op_type in ACTIVATIONS else None
    return False


def effect(quantization: QuantizationMap, ops: Iterable[WeightedOp]) -> dict[str, object]:
    """Return facts about ops that run in float but could be quantized.

    ``{effect}`` is the last clause of a message, empty if no shape is known.
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
    """Return ``11.3%``; small nonzero shares are ``<0.1%``."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "<0.1%"
