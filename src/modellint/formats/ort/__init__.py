"""ONNX Runtime's own format: an optimized ONNX graph as a flatbuffer."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

ORT = Format(
    "ort",
    "ONNX Runtime (.ort)",
    suffixes=(".ort",),
    tells=frozenset(
        {Capability.GRAPH, Capability.WEIGHTS, Capability.QUANTIZATION, Capability.METADATA}
    ),
    dialect="onnx",
    reader="modellint.formats.ort.reader",
)
