"""Keras archives as text: the configuration as JSON. Weights are left out."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

from modellint.formats.keras.reader import CONFIG, METADATA


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(METADATA, json.dumps({"keras_version": "3.15.1"}))
        archive.writestr(CONFIG, json.dumps(json.loads(text)))
    return content.getvalue()
