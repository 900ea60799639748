"""TensorFlow's graphs: in a SavedModel, a folder with their variables, or in files of their own."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

GRAPHS = "saved_model.pb"
VARIABLES = "variables"
"""The folder of variables, and the stem of the files in it."""

_TELLS = frozenset({Capability.GRAPH, Capability.METADATA, Capability.WEIGHTS})

SAVED_MODEL = Format(
    "savedmodel",
    "TensorFlow SavedModel",
    is_folder=True,
    contents=((GRAPHS,),),
    pieces=(GRAPHS,),
    tells=_TELLS,
    reader="modellint.formats.savedmodel.reader",
    notation="modellint.formats.savedmodel.notation",
)

TENSORFLOW_GRAPH = Format(
    "tensorflow-graph",
    "TensorFlow graph",
    shared_suffixes=(".pb",),
    searched=True,
    tells=_TELLS,
    dialect="savedmodel",
    reader="modellint.formats.savedmodel.frozen",
)
