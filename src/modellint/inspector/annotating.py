"""Facts of an inspection about single nodes, on their drawing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modellint.results.drawing import Drawing, DrawnNode
from modellint.results.inspection import Engine, Inspection, MeasuredLayer

NOT_NAMED = "in no layer"


def annotate(drawing: Drawing, told: Inspection) -> None:
    """Add expected and measured times, an engine's layers, and figures of weights."""
    _add_times(drawing, told)
    if told.engine is not None and told.engine.became is not None:
        _add_engine(drawing, told.engine)
    if told.measured is not None:
        _add_measured(drawing, told.measured)
    figures = {each.name: each for each in told.weights or ()}
    for at, value in enumerate(drawing.values):
        if value.kind == "weight" and value.name in figures:
            drawing.values[at] = replace(value, figures=figures[value.name])


def _add_times(drawing: Drawing, told: Inspection) -> None:
    """Add what every layer of the main graph is expected to take."""
    layers = {each.index: each for each in told.every_layer or ()}
    main = drawing.nodes[0].graph if drawing.nodes else ""
    for node in drawing.nodes:
        layer = layers.get(node.index) if node.graph == main else None
        if layer is not None:
            node.expected, node.critical = layer.expected, layer.critical


def _add_engine(drawing: Drawing, engine: Engine) -> None:
    places = dict(_names(drawing))
    lost = {each.node: each.type for each in engine.became.left_float} if engine.became else {}
    drawing.kernels = []
    for node in drawing.nodes:
        node.engine = NOT_NAMED
    for layer in engine.layers:
        found = [places[name] for name in dict.fromkeys(layer.nodes) if name in places]
        for at in found:
            node = drawing.nodes[at]
            node.layer = f"{layer.kind}: {layer.name}" if layer.kind else layer.name
            node.engine = layer.type or "unknown"
            if node.name in lost:
                node.note = f"quantized in the model, but runs in {lost[node.name]}"
        if len(found) > 1:
            drawing.kernels.append(found)
    drawing.fused_by = "engine"


def _names(drawing: Drawing) -> Iterator[tuple[str, int]]:
    """Iterate over the names that TensorRT's parser gives nodes, which are the model's own."""
    for at, node in enumerate(drawing.nodes):
        if node.outputs:
            yield f"node_of_{drawing.values[node.outputs[0]].name}", at
    for at, node in enumerate(drawing.nodes):
        yield node.name, at


def _add_measured(drawing: Drawing, layers: list[MeasuredLayer]) -> None:
    """Add the time of each layer to its heaviest node, which stands for all of them."""
    by_name = {node.name: node for node in drawing.nodes}
    for layer in layers:
        nodes = [by_name[name] for name in layer.nodes if name in by_name]
        if nodes:
            main = max(nodes, key=_work)
            main.measured = (main.measured or 0.0) + layer.seconds
            for node in nodes:
                node.layer = node.layer or layer.name


def _work(node: DrawnNode) -> int:
    return node.macs or 0
