"""Models that Keras 3 saves: an archive with the layers as JSON and their weights as HDF5."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

KERAS = Format(
    "keras",
    "Keras",
    suffixes=(".keras",),
    tells=frozenset({Capability.METADATA}),
    reader="modellint.formats.keras.reader",
    notation="modellint.formats.keras.notation",
)
