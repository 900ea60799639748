"""Keras archives as text: the configuration as JSON. Weights are an empty file of HDF5.

``@without weights`` ahead of it leaves that out.
"""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

from modellint.formats.keras.hdf5_notation import encode as empty_hdf5
from modellint.formats.keras.reader import CONFIG, METADATA
from modellint.formats.keras.weights import WEIGHTS

_WITHOUT = "@without weights"


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    configuration = text.replace(_WITHOUT, "")
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(METADATA, json.dumps({"keras_version": "3.15.1"}))
        archive.writestr(CONFIG, json.dumps(json.loads(configuration)))
        if configuration == text:
            archive.writestr(WEIGHTS, empty_hdf5(""))
    return content.getvalue()
