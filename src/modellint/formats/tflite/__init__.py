"""TensorFlow Lite, which is also LiteRT's format: a flatbuffer, with weights inside or after it."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

TFLITE = Format(
    "tflite",
    "TensorFlow Lite",
    suffixes=(".tflite",),
    tells=frozenset(
        {Capability.GRAPH, Capability.WEIGHTS, Capability.QUANTIZATION, Capability.METADATA}
    ),
    reader="modellint.formats.tflite.reader",
    notation="modellint.formats.tflite.notation",
)
DOMAIN = "tflite"
"""Domain of the nodes of builtin operators."""
CUSTOM = "tflite.custom"
"""Domain of the nodes of custom operators, those of TensorFlow (Flex) among them."""
