"""Helpers of quantization checks: what follows a node, and what floats cost."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.analysis.quantization import Moves, QuantizationMap, WeightedOp
from modellint.base.text import percent
from modellint.checks.api import Context
from modellint.model import Node
from modellint.operators import Trait, having

SENSITIVE = having(Trait.SENSITIVE)
SURE = ("onnxruntime", "tensorrt-rtx")
"""Runtimes that were seen to move no pair across an activation."""


def nodes_of(ops: Iterable[WeightedOp]) -> list[Node]:
    return [op.node for op in ops]


def move_for(context: Context, node: Node, more: int = 0) -> dict[str, str]:
    """Return the fact ``{move}``: which pair to move and what that gains, ahead of a general fix.

    It is empty if no move is known for the runtime; `more` layers need one of their own.
    """
    moves = context.analysis(QuantizationMap).kept(Moves)
    move = moves.of(node)
    if move is None:
        return {"move": ""}
    others = " 'modellint inspect --quant' lists the moves of all." if more else ""
    return {"move": f"{move.what}: {moves.gain(move)}.{others} "}


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
