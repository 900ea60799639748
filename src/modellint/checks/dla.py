"""Ops and shapes that a Jetson's deep-learning accelerator cannot run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from modellint.analysis.cost import ModelCost
from modellint.analysis.origins import Origin, Origins
from modellint.base.store import kept_toml
from modellint.checks.api import Context, Hit
from modellint.model import Node, is_static
from modellint.runtimes.versions import find_table
from modellint.targets.deployment import DLA, runs_on_dla
from modellint.targets.target import Target


def op_not_on_dla(context: Context) -> Iterator[Hit]:
    """Ops that fall back to the GPU if the accelerator is requested."""
    target = context.deployment.target
    if target is None or not _is_used(context, target):
        return
    table = _table(context.deployment.runtime_version)
    origins = context.analysis(Origins)
    refused = [
        node
        for node in context.nodes()
        if not _runs(node, table) and any(origins.of(v) is Origin.DATA for v in node.outputs if v)
    ]
    if refused:
        counts = Counter(node.qualified_op for node in refused)
        share = context.analysis(ModelCost).share(refused)
        facts = {
            "ops": [f"{op} ×{count}" for op, count in counts.most_common()],
            "nodes": len(refused),
            "share": "" if share is None else f", {share:.0%} of the MACs",
        }
        yield Hit(refused[0], facts, count=len(refused))


def dynamic_on_dla(context: Context) -> Iterator[Hit]:
    """Open dims, which the accelerator does not support."""
    target = context.deployment.target
    if target is None or not _is_used(context, target):
        return
    for value in context.model.inputs:
        if not value.is_constant and not is_static(context.shape(value)):
            yield Hit(value)


def _is_used(context: Context, target: Target) -> bool:
    deployment = context.deployment
    return deployment.dla and runs_on_dla("tensorrt", deployment.runtime_version, target)


def _runs(node: Node, table: Mapping[str, Any]) -> bool:
    if node.domain or node.op_type not in table["operators"]:
        return False
    kernel = node.get_ints("kernel_shape") or ()
    return "Pool" not in node.op_type or max(kernel, default=1) <= table["largest-pooling-window"]


@cache
def _table(version: str | None) -> Mapping[str, Any]:
    table = find_table("tensorrt", DLA, version)
    assert table is not None
    return kept_toml(table.path)
