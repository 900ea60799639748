"""Shapes by depth: channels and positions of each layer."""

from __future__ import annotations

from math import prod

from modellint.base.text import quantity
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import running
from modellint.report.charts.plot import Plot, draw_plot
from modellint.report.charts.scales import linear, logarithmic
from modellint.results.inspection import Dims, Inspection, LayerFacts

HEIGHT = 230
MOST_LAYERS = 600
FEWEST = 3


def depth(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers = [each for each in running(inspection) if each.weight is not None and _sizes(each)]
    if len(layers) < FEWEST:
        return None
    every = -(-len(layers) // MOST_LAYERS)
    layers = layers[::every]
    sizes = [_sizes(each) or (1, 1) for each in layers]
    channels, positions = [each[0] for each in sizes], [each[1] for each in sizes]
    says = (
        f"From {quantity(channels[0])} channels at {quantity(positions[0])} positions to "
        f"{quantity(channels[-1])} at {quantity(positions[-1])}; the widest layer has "
        f"{quantity(max(channels))}."
    )
    canvas = Canvas("depth", "Shapes with depth", says, width)
    canvas.legend([("channels", 1), ("positions: height × width, or length", 3)])
    low, high = min(*channels, *positions), max(*channels, *positions)
    plot = draw_plot(
        canvas,
        lambda start, end: linear(len(layers), start, end, exact=True),
        lambda start, end: logarithmic(low, high, start, end, base=2),
        HEIGHT,
        ("layers with weights, in order", "elements"),
    )
    for values, number in ((positions, 3), (channels, 1)):
        _draw_steps(canvas, plot, values, number)
    table = [
        (each.name, each.op_type, _shape(each.outputs[0]), f"{own:,}", f"{at:,}")
        for each, own, at in zip(layers, channels, positions, strict=True)
    ]
    head = ("layer", "operator", "shape", "channels", "positions")
    return canvas.chart(plot.lowest, ChartTable(head, table))


def _draw_steps(canvas: Canvas, plot: Plot, values: list[int], number: int) -> None:
    step = (plot.right - plot.left) / len(values)
    points = [
        (plot.left + (at + side) * step, plot.y(value))
        for at, value in enumerate(values)
        for side in (0, 1)
    ]
    canvas.polyline(points, f"s{number} thin")


def _sizes(layer: LayerFacts) -> tuple[int, int] | None:
    """Return the channels and the positions of a layer's result, if its shape is known."""
    shape = layer.outputs[0] if layer.outputs else None
    dims = [dim for dim in shape or () if isinstance(dim, int)]
    if not shape or len(dims) != len(shape) or len(dims) < 2 or 0 in dims:
        return None
    inner = dims[1:]
    at = 0 if len(inner) > 1 and inner[0] in (layer.weight or ()) and _is_spatial(layer) else -1
    channels = inner[at]
    return channels, prod(inner) // channels


def _is_spatial(layer: LayerFacts) -> bool:
    return "Conv" in layer.op_type


def _shape(dims: Dims | None) -> str:
    return "×".join("?" if dim is None else str(dim) for dim in dims or ())
