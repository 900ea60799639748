"""Models that Keras 3 saves: an archive with the layers as JSON and their weights as HDF5."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

KERAS = Format(
    "keras",
    "Keras",
    suffixes=(".keras",),
    tells=frozenset({Capability.METADATA, Capability.WEIGHTS}),
    reader="modellint.formats.keras.reader",
    notation="modellint.formats.keras.notation",
)
KERAS_HDF5 = Format(
    "keras-hdf5",
    "Keras (HDF5)",
    shared_suffixes=(".h5", ".hdf5"),
    searched=True,
    dialect=KERAS.name,
    tells=KERAS.tells,
    reader="modellint.formats.keras.legacy",
    notation="modellint.formats.keras.hdf5_notation",
)
