"""Helpers of fusion rules: whether the runtime fuses automatically, and the cost if not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import nbytes, total_of
from modellint.analysis.folding import folding
from modellint.analysis.shapes import DeployedTypes
from modellint.base.units import format_bytes
from modellint.checks.api import Context, Hit
from modellint.formats.onnx.facts import is_default
from modellint.model import Node, Value
from modellint.operators import Trait, having
from modellint.results.finding import Severity
from modellint.rules.rule import Fuser
from modellint.targets.deployment import Deployment

ORT, TENSORRT = "onnxruntime", "tensorrt"
_LEAST_SHARE = 0.001
_NO_VALUES: Mapping[str, Value] = {}


def unfused(
    context: Context,
    place: Node | Value,
    nodes: Sequence[Node],
    facts: Mapping[str, object] | None = None,
    *,
    variant: str = "",
    vanishes: bool = False,
    stopped: Collection[str] = (),
    witness: Node | None = None,
    severity: Severity | None = None,
    folded: bool = False,
    values: Mapping[str, Value] = _NO_VALUES,
) -> Iterator[Hit]:
    """Return a hit about nodes that could be fused, or removed if it `vanishes`.

    Returns None if the runtime fuses them by itself, or if they are folded, unless that is the
    point: `folded`. `stopped` names the runtimes whose pass does not match this variant.
    """
    loud = _loudness(context.rule.fused_by, context.deployment, stopped)
    if loud is None or (not folded and context.analysis(folding).is_folded(nodes[0])):
        return
    yield Hit(
        place,
        {**lost(context, nodes, vanishes=vanishes), **(facts or {})},
        variant=variant,
        severity=min(severity, loud) if severity is not None else _at_most(context, loud),
        related=tuple(nodes),
        witness=witness,
        values=values,
    )


def is_moot(context: Context, stopped: Collection[str] = ()) -> bool:
    """Return True if the runtime fuses automatically, so that the check can be skipped."""
    return _loudness(context.rule.fused_by, context.deployment, stopped) is None


def _loudness(
    fusers: Mapping[str, Fuser], deployment: Deployment, stopped: Collection[str]
) -> Severity | None:
    """Return the maximum severity; None if the runtime fuses, or may fuse, automatically."""
    builder = deployment.builder
    done_by_some = any(fuser.by for fuser in fusers.values())
    done_by_all = all(fuser.by for fuser in fusers.values())
    if not builder:
        return Severity.INFO if done_by_all and not stopped else Severity.ERROR
    if builder in stopped:
        return Severity.ERROR
    if builder in fusers:
        if not fusers[builder].by:
            return Severity.ERROR
        return Severity.INFO if _is_older(deployment, fusers[builder]) else None
    return None if done_by_some or stopped else Severity.INFO


def _is_older(deployment: Deployment, fuser: Fuser) -> bool:
    """Return True if the deployed version is older than the first that is known to fuse."""
    version = deployment.runtime_version
    is_comparable = version is not None and fuser.since and deployment.builder == deployment.runtime
    return bool(is_comparable) and not deployment.is_since(fuser.since)


def _at_most(context: Context, loud: Severity) -> Severity | None:
    return Severity.INFO if loud is Severity.INFO else None


def lost(context: Context, nodes: Iterable[Node], *, vanishes: bool = False) -> dict[str, object]:
    """Return the ops, bytes and share of memory traffic that fusing the nodes saves."""
    nodes = list({id(node): node for node in nodes}.values())
    ops = len(nodes) - (not vanishes)
    moved = _all_traffic(context, nodes) if vanishes else _inner_traffic(context, nodes)
    total = context.analysis(cost).bytes_moved
    share = moved / total if moved and total else None
    return {"ops": ops, "bytes": moved, "share": share, "lost": describe(ops, moved, share)}


def constant_shape(context: Context, value: Value | None) -> tuple[int, ...] | None:
    """Return the shape of a stored or folded constant; None for what a caller may replace."""
    if value is None or is_default(value):
        return None
    if value.tensor is not None:
        return value.tensor.shape
    if not context.analysis(folding).is_constant(value):
        return None
    shape = context.shape(value)
    known = tuple(dim for dim in shape or () if isinstance(dim, int))
    return known if shape is not None and len(known) == len(shape) else None


def describe(ops: int, moved: int | None = None, share: float | None = None) -> str:
    """Return ``8 ops and 3.1 MiB of memory traffic (2.4% of the model's)``."""
    text = f"{ops} op{'' if ops == 1 else 's'}"
    if moved:
        text += f" and {format_bytes(moved)} of memory traffic"
        if share is not None and share >= _LEAST_SHARE:
            text += f" ({share:.1%} of the model's)"
    return text


def _inner_traffic(context: Context, nodes: Sequence[Node]) -> int | None:
    """Return the bytes written by one of the nodes and read by another."""
    inside = {id(node) for node in nodes}
    types, precision = context.analysis(DeployedTypes), context.deployment.precision
    moved = 0
    for node in nodes:
        for value in node.outputs:
            if value is None or node.op_type in having(Trait.VIEW):
                continue
            reads = sum(id(use.node) in inside for use in value.consumers)
            if not reads:
                continue
            size = nbytes(value, types, precision)
            if size is None:
                return None
            wanted_outside = value.is_output or reads < len(value.consumers)
            moved += size * (reads + (not wanted_outside))
    return moved


def _all_traffic(context: Context, nodes: Sequence[Node]) -> int | None:
    costs = context.analysis(cost)
    return total_of([costs.bytes_moved_by(node) for node in nodes])
