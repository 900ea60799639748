"""Core ML: models as single files, and as packages with separate weight files."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

_TELLS = frozenset(
    {Capability.GRAPH, Capability.WEIGHTS, Capability.QUANTIZATION, Capability.METADATA}
)

COREML = Format(
    "coreml",
    "Core ML",
    suffixes=(".mlmodel",),
    tells=_TELLS,
    dialect="coreml",
    reader="modellint.formats.coreml.reader",
    notation="modellint.formats.coreml.notation",
)
COREML_PACKAGE = Format(
    "coreml-package",
    "Core ML package",
    suffixes=(".mlpackage",),
    is_folder=True,
    tells=_TELLS,
    dialect="coreml",
    reader="modellint.formats.coreml.package",
)
