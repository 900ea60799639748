"""Decomposed normalizations."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import NormKind, Norms
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, unfused


def layer_norm(context: Context) -> Iterator[Hit]:
    """LayerNormalization as exported before operator set 17."""
    yield from _norms(context, "layer")


def rms_norm(context: Context) -> Iterator[Hit]:
    """RMSNormalization as exported before operator set 23."""
    yield from _norms(context, "rms")


def instance_norm(context: Context) -> Iterator[Hit]:
    """InstanceNormalization over the spatial axes."""
    yield from _norms(context, "instance")


def _norms(context: Context, kind: NormKind) -> Iterator[Hit]:
    for norm in context.analysis(Norms).found:
        if norm.kind != kind:
            continue
        blocker = norm.blockers[0] if norm.blockers else None
        facts: dict[str, object] = {
            "nodes": len(norm.nodes),
            "first": norm.nodes[0].label,
            "breaker": blocker.node.label if blocker else None,
            "reason": blocker.reason if blocker else None,
            "detail": blocker.detail if blocker else "",
        }
        yield from unfused(
            context,
            blocker.node if blocker and kind != "instance" else norm.last,
            norm.nodes,
            facts,
            variant=blocker.reason if blocker and kind != "instance" else "",
            stopped=(ORT,) if blocker else (),
            witness=norm.root,
        )
