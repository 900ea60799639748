"""ONNX: files as protobuf, the usual form, and files as ONNX's own text."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

_TELLS = frozenset(
    {Capability.GRAPH, Capability.WEIGHTS, Capability.QUANTIZATION, Capability.METADATA}
)
EXTERNAL_DATA = ("{name}.data", "{name}_data", "{name}_data_*", "{stem}.data")

ONNX = Format(
    "onnx",
    "ONNX",
    suffixes=(".onnx",),
    companions=EXTERNAL_DATA,
    names_companions=True,
    tells=_TELLS,
    dialect="onnx",
    is_acyclic=True,
    reader="modellint.formats.onnx.binary",
    editor="modellint.formats.onnx.edit",
)
ONNX_TEXT = Format(
    "onnx-text",
    "ONNX text",
    suffixes=(".onnxtxt", ".onnxtext"),
    companions=EXTERNAL_DATA,
    names_companions=True,
    tells=_TELLS,
    dialect="onnx",
    is_acyclic=True,
    reader="modellint.formats.onnx.text",
    parses_by_name=True,
)
