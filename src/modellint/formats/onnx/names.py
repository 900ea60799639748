"""Names in ONNX files, which can be anything: not UTF-8, and as long as the file.

Names that are not UTF-8 arrive as bytes. No writer produces them, nor very long ones, so that a
model is read as if there were none, and if there is one, all are escaped and shortened in its
protobuf and it is read again: the view, inference and all that compare names then see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellint.base.text import LONGEST_NAME, bounded

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


VALUES = frozenset({"value", "doc_string", "location"})
"""Text fields that are not names, and may be long."""


class UnusualNameError(Exception):
    """A name that is not UTF-8, or very long."""


def text(raw: str | bytes) -> str:
    """Return a name, which is text of limited length."""
    if isinstance(raw, str) and len(raw) <= LONGEST_NAME:
        return raw
    raise UnusualNameError


def prose(raw: str | bytes) -> str:
    """Return other text, of any length."""
    if isinstance(raw, str):
        return raw
    raise UnusualNameError


def usual_name(raw: str | bytes) -> str:
    if isinstance(raw, str) and len(raw) <= LONGEST_NAME:
        return raw
    return bounded(escaped(raw))


def escaped(raw: str | bytes) -> str:
    r"""Return a name as text, with bytes that are not UTF-8 as ``\xff``."""
    return raw if isinstance(raw, str) else raw.decode(errors="backslashreplace")


def rename(proto: ModelProto) -> None:
    """Escape every text in a model that is not UTF-8, and shorten every long name."""
    pending: list[Any] = [proto]
    while pending:
        message = pending.pop()
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE:
                pending.extend(value if _is_list(value) else [value])
            elif field.type == field.TYPE_STRING:
                _rename_field(message, field.name, value)


def _rename_field(message: Any, field: str, value: Any) -> None:
    usual = escaped if field in VALUES else usual_name
    if _is_list(value):
        for at, each in enumerate(value):
            if usual(each) is not each:
                value[at] = usual(each)
    elif usual(value) is not value:
        setattr(message, field, usual(value))


def _is_list(value: Any) -> bool:
    return hasattr(value, "extend")


def named_graphs(proto: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """Iterate over a node's subgraphs, by their attributes' names."""
    for attribute in proto.attribute:
        name = usual_name(attribute.name)
        if attribute.HasField("g"):
            yield name, attribute.g
        for place, graph in enumerate(attribute.graphs):
            yield f"{name}[{place}]", graph
