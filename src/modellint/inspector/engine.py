"""Facts about an engine, from the layers that its runtime reports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from modellint.analysis.layers import (
    Comparison,
    Layers,
    compare,
    is_reformat,
    onnx_names,
    precision,
)
from modellint.base.errors import UsageError
from modellint.capability import Capability
from modellint.formats.trt.layers import UNTOLD
from modellint.model import Model, Node
from modellint.results.inspection import Became, Bottleneck, Engine, EngineLayer, LeftFloat, Zone
from modellint.session import Session

TABLES = ("csv", "jsonl", "parquet")
"""Formats that a user may have meant to name."""


def layers_in(path: Path) -> Model:
    """Read the layers of a file: an export of layers, or an engine."""
    if not path.exists():
        kind = {"json": "jsonl"}.get(path.name, path.name)
        hint = f"; '-o {kind}:FILE' writes a table of all layers" if kind in TABLES else ""
        raise UsageError(f"{path}: no such file{hint}")
    return Session().open(path, str(path)).engine_layers()


def compared(path: Path, export: Path) -> Engine:
    """Compare a model with the engine built from it."""
    source = Session().open(path, str(path)).model
    if Capability.GRAPH not in source.capabilities:
        raise UsageError(f"{path} contains no graph ({source.format})")
    return engine_of(layers_in(export), source)


def engine_of(export: Model, source: Model | None = None) -> Engine:
    """Describe an engine from its layers and, if given, the model it was built from."""
    layers = Layers(export)
    found = compare(source, layers) if source is not None else None
    kinds = Counter(layer.op_type for layer in layers.all if layer.op_type != UNTOLD)
    return Engine(
        layers=_layers(layers, found),
        kinds=dict(kinds.most_common()),
        types=dict(layers.by_precision().most_common()),
        bottlenecks=[Bottleneck(each.layer.label, each.type) for each in layers.bottlenecks],
        zones=[Zone(zone[0].label, zone[-1].label, len(zone)) for zone in layers.zones],
        became=_became(found) if found is not None else None,
    )


def _layers(layers: Layers, found: Comparison | None) -> list[EngineLayer]:
    recognised: dict[int, list[str]] = {}
    for name, layer in found.placed.items() if found is not None else ():
        recognised.setdefault(layer.index, []).append(name)
    return [_layer(layer, recognised.get(layer.index, [])) for layer in layers.all]


def _layer(layer: Node, recognised: list[str]) -> EngineLayer:
    return EngineLayer(
        name=layer.label,
        kind=layer.op_type if layer.op_type != UNTOLD else None,
        type=precision(layer),
        reformat=is_reformat(layer),
        nodes=onnx_names(layer) or recognised,
    )


def _became(found: Comparison) -> Became:
    return Became(
        nodes=found.nodes,
        placed=len(found.placed),
        gone=dict(found.gone.most_common()),
        left_float=[LeftFloat(node.label, kind) for node, kind in found.left_float],
        unknown=found.unknown,
    )
