"""The texts of a picture, read back from its SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from modellint.report.charts.measure import SIZE, width_of

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"title": 15.0, "small": 11.0}
ABOVE, BELOW = 0.75, 0.1
"""Height of usual letters above and below their line, as shares of the size."""
TOUCHING = 1.0
"""Pixels that two texts may share: letters have some room around them."""


@dataclass(frozen=True)
class DrawnText:
    """A text, and the place that it takes."""

    said: str
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: DrawnText) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > TOUCHING and down > TOUCHING


def texts(svg: str) -> Iterator[DrawnText]:
    for element in ET.fromstring(svg).iter(f"{SVG}text"):
        kinds = element.get("class", "").split()
        if "halo" in kinds:
            continue  # the outline of the next one
        size = next((SIZES[kind] for kind in kinds if kind in SIZES), SIZE)
        said = element.text or ""
        bold = "strong" in kinds or "title" in kinds
        width = width_of(said, size, bold=bold)
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        left = x - {"middle": width / 2, "end": width}.get(element.get("text-anchor", ""), 0.0)
        yield DrawnText(said, left, y - ABOVE * size, left + width, y + BELOW * size)


def mistakes(svg: str) -> list[str]:
    """Return texts that touch others, or leave the picture."""
    root = ET.fromstring(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    drawn = list(texts(svg))
    outside = [
        f"{each.said!r} leaves the picture"
        for each in drawn
        if each.left < 0 or each.right > width + TOUCHING or each.bottom > height
    ]
    touching = [
        f"{one.said!r} touches {other.said!r}"
        for one, other in combinations(drawn, 2)
        if one.touches(other)
    ]
    return outside + touching
