"""Built engines: the release they need, and how their layers fit together."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.layers import Layers
from modellint.checks.api import Context, Hit
from modellint.results.finding import Severity
from modellint.runtimes.versions import is_of

ENGINE = "tensorrt-engine"


def engine_release(context: Context) -> Iterator[Hit]:
    """The release that wrote the engine, the only one that can load it."""
    model = context.model
    if model.format != ENGINE:
        return
    deployment = context.deployment
    is_stated = not deployment.is_assumed("runtime_version")
    wanted = (deployment.runtime_version or "") if is_stated else ""
    facts = {"writer": model.producer_name, "version": model.producer_version, "wanted": wanted}
    if not wanted:
        yield Hit(None, facts)
    elif not is_of(model.producer_version, wanted):
        yield Hit(None, facts, variant="other", severity=Severity.ERROR)


def many_reformats(context: Context) -> Iterator[Hit]:
    """Layers that only change the type or layout of tensors."""
    layers = context.analysis(Layers)
    share = len(layers.reformats) / max(1, len(layers.all))
    if layers.reformats and share >= context.options["share"]:
        first = [each.label for each in layers.reformats[:3]]
        facts = {
            "reformats": len(layers.reformats),
            "layers": len(layers.all),
            "share": share,
            "first": first,
        }
        yield Hit(layers.reformats[0], facts, count=len(layers.reformats))


def quantization_bottleneck(context: Context) -> Iterator[Hit]:
    """A heavy layer in a wide type whose neighbors are quantized."""
    for found in context.analysis(Layers).bottlenecks:
        names = [each.label for each in found.neighbours]
        yield Hit(found.layer, {"type": found.type, "neighbours": names}, related=found.neighbours)


def unfused_zone(context: Context) -> Iterator[Hit]:
    """Consecutive light layers that were not fused."""
    for zone in context.analysis(Layers).zones:
        facts = {"layers": len(zone), "last": zone[-1].label}
        yield Hit(zone[0], facts, count=len(zone), related=tuple(zone))
