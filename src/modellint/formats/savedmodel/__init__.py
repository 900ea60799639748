"""TensorFlow's SavedModel: a folder with graphs as protobuf, and variables next to them."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

GRAPHS = "saved_model.pb"
VARIABLES = "variables"
"""The folder of variables, and the stem of the files in it."""

SAVED_MODEL = Format(
    "savedmodel",
    "TensorFlow SavedModel",
    is_folder=True,
    contents=((GRAPHS,),),
    pieces=(GRAPHS,),
    tells=frozenset({Capability.GRAPH, Capability.METADATA, Capability.WEIGHTS}),
    reader="modellint.formats.savedmodel.reader",
    notation="modellint.formats.savedmodel.notation",
)
