"""Models of ncnn: layers as text in a `.param` file, and weights in a `.bin` file next to it."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

NCNN = Format(
    "ncnn",
    "ncnn",
    suffixes=(".ncnn.param",),
    shared_suffixes=(".param",),
    searched=True,
    companions=("{stem}.bin",),
    tells=frozenset({Capability.GRAPH, Capability.METADATA, Capability.WEIGHTS}),
    reader="modellint.formats.ncnn.reader",
)
