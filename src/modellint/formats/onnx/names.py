"""Names in ONNX files: protobuf does not hold them to UTF-8, and everything else does.

Names that are not UTF-8 arrive as bytes. No writer produces them, so that a model is read as if
there were none, and if there is one, all are escaped in its protobuf and it is read again: the
view, inference and all that compare names then see the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


class NotUnicodeError(Exception):
    """A name that is not UTF-8."""


def text(raw: str | bytes) -> str:
    """Return a name, which is text."""
    if isinstance(raw, str):
        return raw
    raise NotUnicodeError


def escaped(raw: str | bytes) -> str:
    r"""Return a name as text, with bytes that are not UTF-8 as ``\xff``."""
    return raw if isinstance(raw, str) else raw.decode(errors="backslashreplace")


def escape_names(proto: ModelProto) -> None:
    """Escape every name in a model that is not UTF-8."""
    pending: list[Any] = [proto]
    while pending:
        message = pending.pop()
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE:
                pending.extend(value if _is_list(value) else [value])
            elif field.type == field.TYPE_STRING:
                _escape_field(message, field.name, value)


def _escape_field(message: Any, field: str, value: Any) -> None:
    if isinstance(value, bytes):
        setattr(message, field, escaped(value))
    elif _is_list(value):
        for at, each in enumerate(value):
            if isinstance(each, bytes):
                value[at] = escaped(each)


def _is_list(value: Any) -> bool:
    return hasattr(value, "extend")


def named_graphs(proto: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """Iterate over a node's subgraphs, by their attributes' names."""
    for attribute in proto.attribute:
        name = escaped(attribute.name)
        if attribute.HasField("g"):
            yield name, attribute.g
        for place, graph in enumerate(attribute.graphs):
            yield f"{name}[{place}]", graph
