"""Files of TensorRT: engines, and exports of their layers."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

ENGINE = Format(
    "tensorrt-engine",
    "TensorRT engine",
    shared_suffixes=(".engine", ".plan", ".trt"),
    searched=True,
    tells=frozenset({Capability.METADATA}),
    dialect="tensorrt",
    reader="modellint.formats.trt.engine",
)
LAYERS = Format(
    "tensorrt-layers",
    "TensorRT layer export",
    shared_suffixes=(".json",),
    tells=frozenset({Capability.LAYERS}),
    dialect="tensorrt",
    reader="modellint.formats.trt.layers",
)
