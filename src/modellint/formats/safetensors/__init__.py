"""safetensors: a JSON header with the names, types and places of tensors, then their bytes."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

SAFETENSORS = Format(
    "safetensors",
    "safetensors",
    suffixes=(".safetensors",),
    tells=frozenset({Capability.WEIGHTS, Capability.METADATA}),
    reader="modellint.formats.safetensors.reader",
    notation="modellint.formats.safetensors.notation",
)
