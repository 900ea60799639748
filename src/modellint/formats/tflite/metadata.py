"""Statements of TFLite files about themselves, and about the converter that wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modellint.formats.flatbuffer import FlatTable
from modellint.formats.problems import MalformedError
from modellint.formats.tflite.facts import Entrance
from modellint.model import Tensor, Value

CONVERSION = "CONVERSION_METADATA"
DESCRIPTION = "TFLITE_METADATA"
OLDEST_RUNTIME = "min_runtime_version"
LONGEST_VERSION = 64
MOST_NAMES = 8
_DESCRIBED = {0: "name", 1: "description", 2: "version", 4: "author", 5: "license"}
"""Slots of ModelMetadata that are text."""


def words(
    root: FlatTable, stored: Mapping[str, Tensor], signatures: Sequence[Entrance]
) -> dict[str, str]:
    """Return the texts in the file's metadata, by topic."""
    found = {}
    if description := root.text(3):
        found["converter"] = description
    oldest = stored.get(OLDEST_RUNTIME)
    if oldest is not None and oldest.region is not None and oldest.nbytes <= LONGEST_VERSION:
        content = root.buffer.read(oldest.region.offset, oldest.nbytes)
        found[OLDEST_RUNTIME] = content.partition(b"\0")[0].decode(errors="replace")
    if (described := _nested(root, stored.get(DESCRIPTION))) is not None:
        found.update(_texts(described))
    for each in signatures:
        found[f"signature {each.key}"] = f"{_names(each.inputs)} → {_names(each.outputs)}"
    return found


def _names(values: Mapping[str, Value]) -> str:
    names = list(values)
    more = ", …" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def converter(root: FlatTable, stored: Mapping[str, Tensor]) -> str:
    """Return the release of TensorFlow that converted the model; empty if it is not said."""
    conversion = _nested(root, stored.get(CONVERSION))
    try:
        environment = conversion.table(0) if conversion is not None else None
        return environment.text(0) if environment is not None else ""
    except MalformedError:
        return ""


def _nested(root: FlatTable, stored: Tensor | None) -> FlatTable | None:
    """Return a flatbuffer inside of the flatbuffer; None if it is broken."""
    if stored is None or stored.region is None or stored.nbytes < 8:
        return None
    try:
        return root.buffer.table_at(stored.region.offset)
    except MalformedError:
        return None


def _texts(described: FlatTable) -> Iterator[tuple[str, str]]:
    for slot, name in _DESCRIBED.items():
        try:
            text = described.text(slot)
        except MalformedError:
            return
        if text:
            yield name, text
