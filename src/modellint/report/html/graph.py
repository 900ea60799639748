"""The graph of a model as data for the page's script, which lays it out and draws it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modellint.base.text import bounded, escaped
from modellint.report.html.document import data
from modellint.report.html.markup import Markup, element
from modellint.results.drawing import Drawing
from modellint.results.finding import Finding
from modellint.results.inspection import WeightFigures

NO_GROUP = -1


class _Words:
    """Texts of a graph, each once."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._places: dict[str, int] = {}

    def at(self, word: str) -> int:
        found = self._places.get(word)
        if found is None:
            found = self._places[word] = len(self.all)
            self.all.append(escaped(bounded(word)))
        return found


def graph_data(drawing: Drawing, pins: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """Return the graph in columns; `pins` are the numbers of findings by node."""
    words = _Words()
    nodes, values, groups = drawing.nodes, drawing.values, drawing.groups
    return {
        "nodes": {
            "name": [words.at(node.name) for node in nodes],
            "op": [words.at(node.op) for node in nodes],
            "graph": [words.at(node.graph) for node in nodes],
            "group": [NO_GROUP if node.group is None else node.group for node in nodes],
            "inputs": [node.inputs for node in nodes],
            "outputs": [node.outputs for node in nodes],
            "parameters": [node.parameters for node in nodes],
            "macs": [node.macs for node in nodes],
            "bytes": [node.bytes for node in nodes],
            "seconds": _few({at: node.seconds for at, node in enumerate(nodes)}),
            "expected": _few({at: node.expected for at, node in enumerate(nodes)}),
            "measured": _few({at: node.measured for at, node in enumerate(nodes)}),
            "critical": [at for at, node in enumerate(nodes) if node.critical],
            "layer": _few({at: words.at(n.layer) for at, n in enumerate(nodes) if n.layer}),
            "engine": _few({at: words.at(n.engine) for at, n in enumerate(nodes) if n.engine}),
            "precision": [words.at(node.precision) for node in nodes],
            "unit": _few({at: words.at(n.unit) for at, n in enumerate(nodes) if n.unit}),
            "note": _few({at: words.at(n.note) for at, n in enumerate(nodes) if n.note}),
            "change": _few({at: n.change for at, n in enumerate(nodes) if n.change != "same"}),
            "quantized": [at for at, node in enumerate(nodes) if node.quantized],
            "bodies": {at: node.bodies for at, node in enumerate(nodes) if node.bodies},
            "attributes": {
                at: [words.at(part) for pair in node.attributes for part in pair]
                for at, node in enumerate(nodes)
                if node.attributes
            },
        },
        "values": {
            "name": [words.at(value.name) for value in values],
            "type": [words.at(value.type) for value in values],
            "kind": ["-iow"[("", "input", "output", "weight").index(v.kind)] for v in values],
            "figures": _few({at: _figures(v.figures) for at, v in enumerate(values)}),
        },
        "groups": {
            "label": [words.at(group.label) for group in groups],
            "kind": [group.kind for group in groups],
            "parent": [NO_GROUP if group.parent is None else group.parent for group in groups],
            "count": [group.count for group in groups],
        },
        "kernels": drawing.kernels,
        "fused": drawing.fused_by,
        "pins": {node: list(findings) for node, findings in pins.items()},
        "words": words.all,
    }


def _figures(found: WeightFigures | None) -> dict[str, Any] | None:
    """Return what the panel of a node says of a weight; its name and type are there already."""
    if found is None:
        return None
    return {
        "range": [found.lowest, found.highest],
        "mean": found.mean,
        "deviation": found.deviation,
        "zeros": found.zeros / found.read,
        "notFinite": found.not_finite,
        "read": found.read / found.elements,
        "histogram": found.histogram,
    }


def _few(column: Mapping[int, Any]) -> dict[int, Any]:
    return {at: value for at, value in column.items() if value is not None}


def pinned(drawing: Drawing, findings: Iterable[Finding]) -> dict[int, list[int]]:
    """Return the positions of findings in their list by the node that each is about."""
    by_place = {(node.graph, node.index): at for at, node in enumerate(drawing.nodes)}
    by_name: dict[str, int] = {}
    for at, node in enumerate(drawing.nodes):
        by_name.setdefault(node.name, at)
    by_value: dict[str, int] = {}
    for at, node in enumerate(drawing.nodes):
        for value in node.outputs:
            by_value[drawing.values[value].name] = at
    for at, node in enumerate(drawing.nodes):
        for value in node.inputs:
            by_value.setdefault(drawing.values[value].name, at)
    pins: dict[int, list[int]] = defaultdict(list)
    for number, finding in enumerate(findings):
        place = finding.location
        found = {by_name.get(each) for each in finding.nodes}
        if place.index is not None:
            found.add(by_place.get((place.graph or "", place.index)))
        elif place.node or place.value:
            found.add(by_name.get(place.node or "", by_value.get(place.value or "")))
        for at in sorted(each for each in found if each is not None):
            pins[at].append(number)
    return dict(pins)


def _json(graph: dict[str, Any]) -> str:
    """Return the graph as JSON: plain numbers and printable texts, up to a hundred thousand."""
    return json.dumps(graph, separators=(",", ":"))


def graph_section(key: str, drawing: Drawing, findings: Sequence[Finding]) -> Markup:
    """Return the section that the script draws the graph in."""
    told = f"{len(drawing.nodes):,} nodes"
    return element(
        "section",
        element("h2", "Graph ", element("small", told)),
        element("noscript", element("p", "The graph is drawn by the script of this page.")),
        element("div", class_="graph", data_graph=f"{key}-graph"),
        data(f"{key}-graph", _json(graph_data(drawing, pinned(drawing, findings)))),
        class_="wide",
        id=f"{key}-graph-section",
        data_nav="Graph",
    )
