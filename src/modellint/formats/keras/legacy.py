"""Reads models and weights that Keras has saved as one HDF5 file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.base.json_text import parse_json
from modellint.base.text import bounded
from modellint.formats.hdf5 import SIGNATURE, Hdf5
from modellint.formats.keras import KERAS_HDF5
from modellint.formats.keras.reader import keras_layers
from modellint.formats.keras.weights import add_datasets
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors
from modellint.model import Model

name = KERAS_HDF5.name

_CONFIG, _VERSION = "model_config", "keras_version"
_GROUPS = ("layers/", "_layer_checkpoint_dependencies/", "vars/")
"""Outermost groups of weights that Keras 3 saves by themselves."""


def sniff(head: bytes, path: Path) -> bool:
    """Distinguish Keras files from others in this container by their content."""
    if not head.startswith(SIGNATURE):
        return False
    try:
        with Source(path) as source:
            content = Hdf5(source)
    except (MalformedError, OSError):
        return path.name.lower().endswith(KERAS_HDF5.all_suffixes)
    return _is_keras(content)


def _is_keras(content: Hdf5) -> bool:
    if content.attributes.keys() & {_CONFIG, _VERSION}:
        return True
    return any(
        each.path.startswith(_GROUPS) and "/vars/" in f"/{each.path}" for each in content.datasets
    )


def read(path: Path) -> Model:
    model, problems = Model(path, name), Problems()
    try:
        with Source(path) as source:
            content = Hdf5(source)
            add_datasets(model, content, StoredTensors(problems))
            model.format_facts = keras_layers(_config(content.attributes))
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.problems = problems
    model.capabilities = KERAS_HDF5.tells
    model.producer_name = "Keras"
    model.producer_version = bounded(content.attributes.get(_VERSION, ""))
    stated = {key: bounded(text) for key, text in content.attributes.items() if not _is_json(text)}
    model.metadata = {**model.metadata, **stated}
    return model


def _is_json(text: str) -> bool:
    return text.startswith("{")


def _config(attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the description of the layers; empty for a file of weights alone."""
    if _CONFIG not in attributes:
        return {}
    try:
        config = parse_json(attributes[_CONFIG])
    except (ValueError, RecursionError) as error:
        raise MalformedError("corrupt", f"its {_CONFIG} is not JSON ({error})") from error
    return config if isinstance(config, dict) else {}
