"""Nodes and dims that keep a model off a Jetson's deep-learning accelerator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modellint.analysis.cost import ModelCost
from modellint.checks.api import Context, Hit
from modellint.checks.placement import OWN, shared_out
from modellint.model import is_static


def op_not_on_dla(context: Context) -> Iterator[Hit]:
    """Ops that fall back to the GPU if the accelerator is requested."""
    found = shared_out(context)
    if found is None:
        return
    refusals = ((node, found.refusal_of(node)) for node in found.nodes)
    refused = {node: why for node, why in refusals if why is not None and why.cause in OWN}
    if refused:
        counts = Counter(node.qualified_op for node in refused)
        share = context.analysis(ModelCost).share(list(refused))
        first, why = next(iter(refused.items()))
        facts = {
            "ops": [f"{op} ×{count}" for op, count in counts.most_common()],
            "nodes": len(refused),
            "share": "" if share is None else f", {share:.0%} of the MACs",
            "reason": why.words,
        }
        yield Hit(first, facts, count=len(refused))


def dynamic_on_dla(context: Context) -> Iterator[Hit]:
    """Open dims, which the accelerator does not support."""
    if not context.deployment.is_on_dla:
        return
    for value in context.model.inputs:
        if not value.is_constant and not is_static(context.shape(value)):
            yield Hit(value)


def many_loadables(context: Context) -> Iterator[Hit]:
    """More parts than a core can load."""
    found = shared_out(context)
    if found is not None and 0 < found.most < len(found.accelerated):
        yield Hit(None, {"parts": len(found.accelerated), "most": found.most})
