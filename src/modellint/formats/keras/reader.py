"""Reads the layers that a `.keras` archive describes, and the tensors in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.base.text import bounded
from modellint.formats.archive import Archive, first_member
from modellint.formats.keras import KERAS
from modellint.formats.keras.facts import KerasFacts
from modellint.formats.keras.weights import STEM, WEIGHTS, read_weights
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors
from modellint.model import Model

name = KERAS.name

CONFIG, METADATA = "config.json", "metadata.json"
_FIRST = (METADATA, CONFIG, WEIGHTS)
_BYTECODE, _OLD_BYTECODE = "__lambda__", "lambda"
_OWN = ("keras", "tensorflow.keras", "tf_keras", "builtins")


def sniff(head: bytes, path: Path) -> bool:
    return first_member(head) in _FIRST


def read(path: Path) -> Model:
    model, problems = Model(path, name), Problems()
    try:
        with Source(path) as source, Archive(source) as archive:
            config, metadata = (_table(archive, each) for each in (CONFIG, METADATA))
            read_weights(model, archive, source, StoredTensors(problems))
            has_weights = any(each.startswith(STEM) for each in archive.members)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.problems = problems
    model.capabilities = KERAS.tells
    model.producer_name = "Keras"
    model.producer_version = bounded(str(metadata.get("keras_version", "")))
    stated = {bounded(key): bounded(str(value)) for key, value in metadata.items()}
    model.metadata = {**model.metadata, **stated}
    model.format_facts = replace(keras_layers(config), has_weights=has_weights)
    return model


def _table(archive: Archive, member: str) -> Mapping[str, Any]:
    if member not in archive.members:
        raise MalformedError("corrupt", f"the archive has no {member}")
    table = archive.json(member)
    if not isinstance(table, dict):
        raise MalformedError("corrupt", f"{member} is not a table")
    return table


def keras_layers(config: Mapping[str, Any]) -> KerasFacts:
    layers: Counter[str] = Counter()
    bytecode: dict[str, None] = {}
    custom: dict[str, None] = {}
    for layer, described in _objects(config):
        kind = bounded(str(described["class_name"]))
        inner = described.get("config")
        if kind == _BYTECODE:
            bytecode[layer] = None
        elif _is_layer(described, inner):
            layers[kind] += 1
            if isinstance(inner, dict) and inner.get("function_type") == _OLD_BYTECODE:
                bytecode[bounded(str(inner.get("name")))] = None
        if _is_custom(described):
            custom[bounded(str(described.get("registered_name") or kind))] = None
    return KerasFacts(dict(layers), tuple(bytecode), tuple(custom))


def _is_layer(described: Mapping[str, Any], inner: Any) -> bool:
    """Return True for a layer; before Keras 3, models listed them with nothing but a name."""
    if "build_config" in described or described["class_name"] == "InputLayer":
        return True
    is_old = "module" not in described and isinstance(inner, dict)
    return is_old and "name" in inner and "layers" not in inner


def _objects(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Iterate over all described objects, each with the name of the layer that it is part of."""
    waiting: list[tuple[str, Any]] = [("", config)]
    while waiting:
        layer, each = waiting.pop()
        if isinstance(each, dict):
            inner = each.get("config")
            if isinstance(each.get("class_name"), str):
                yield layer, each
                if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                    layer = bounded(inner["name"])
            waiting += [(layer, value) for value in reversed(list(each.values()))]
        elif isinstance(each, list):
            waiting += [(layer, value) for value in reversed(each)]


def _is_custom(described: Mapping[str, Any]) -> bool:
    """Return True for what Keras looks up among the objects that a program registers."""
    if "registered_name" not in described or "module" not in described:
        return False
    module = described["module"]
    return not isinstance(module, str) or not module.startswith(_OWN)
