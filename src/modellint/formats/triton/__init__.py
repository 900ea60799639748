"""Triton: the configuration of a model in a repository of NVIDIA's inference server."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

TRITON = Format(
    "triton",
    "Triton model configuration",
    suffixes=("config.pbtxt",),
    tells=frozenset({Capability.METADATA}),
    reader="modellint.formats.triton.reader",
    parses_by_name=True,
)
