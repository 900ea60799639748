"""Nodes of graphs and functions as TensorFlow states them, before calls are followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.protobuf import Message
from modellint.formats.savedmodel.attributes import StatedAttributes
from modellint.formats.savedmodel.types import tensor_type
from modellint.model import DType

_CONTROL = "^"
_WORK = 24
"""Fields that take as long to read as a node takes besides its own."""


class ResultSource(NamedTuple):
    """A result of another node that a node waits for, or only that it has run."""

    node: str
    port: str = ""
    """Name of the result, which functions state."""
    place: int = 0
    """Place of the result, among those of that name."""
    is_control: bool = False


def source(stated: str) -> ResultSource:
    """Parse ``name``, ``name:1``, ``name:output:0`` or ``^name``."""
    if stated.startswith(_CONTROL):
        return ResultSource(stated[1:], is_control=True)
    name, *rest = stated.split(":")
    place = int(rest[-1]) if rest and rest[-1].isdecimal() and len(rest[-1]) < 7 else 0
    return ResultSource(name, rest[0] if len(rest) > 1 else "", place)


class StatedNode:
    """A node of a graph or function."""

    __slots__ = ("_message", "name", "op", "sources")

    def __init__(self, message: Message) -> None:
        message.charge(_WORK)
        self._message = message
        self.name = message.text(1)
        self.op = message.text(2)
        self.sources = tuple([source(each) for each in message.texts(3)])

    @property
    def attributes(self) -> StatedAttributes:
        """Return the attributes, which are parsed again each time."""
        return StatedAttributes(self._message)

    @property
    def label(self) -> str:
        return bounded(self.name)


class FunctionParameter(NamedTuple):
    """A parameter of a function."""

    name: str
    dtype: DType


class FunctionBody:
    """A graph, or a function of its library."""

    def __init__(self, name: str, nodes: Sequence[Message], function: Message | None) -> None:
        self.name = name
        self._messages = nodes
        self._function = function

    @cached_property
    def nodes(self) -> Mapping[str, StatedNode]:
        """Return the nodes by name; of two with one name, the first counts."""
        found: dict[str, StatedNode] = {}
        for message in self._messages:
            node = StatedNode(message)
            found.setdefault(node.name, node)
        return found

    @cached_property
    def arguments(self) -> Sequence[FunctionParameter]:
        return [
            FunctionParameter(each.text(1), tensor_type(each.integer(3)))
            for each in self._signature(2)
        ]

    @property
    def argument_attributes(self) -> Mapping[int, StatedAttributes]:
        """Return the declarations of the function's parameters, by position."""
        entries = self._function.messages(7) if self._function is not None else ()
        return {
            entry.integer(1): StatedAttributes(stated, 1)
            for entry in entries
            if (stated := entry.message(2)) is not None
        }

    @cached_property
    def results(self) -> Sequence[ResultSource]:
        """Return the results of the function, in order."""
        returned = dict(_texts(self._function, 4))
        named = [each.text(1) for each in self._signature(3)]
        return [source(returned.get(name, name)) for name in named]

    @cached_property
    def effects(self) -> Sequence[ResultSource]:
        """Return the nodes that a call runs, whether or not anything reads their results."""
        return [ResultSource(node, is_control=True) for _, node in _texts(self._function, 6)]

    def _signature(self, field: int) -> Sequence[Message]:
        signature = self._function.message(1) if self._function is not None else None
        return signature.messages(field) if signature is not None else ()


def _texts(message: Message | None, field: int) -> Iterator[tuple[str, str]]:
    """Iterate over a map of texts."""
    for entry in message.messages(field) if message is not None else ():
        yield entry.text(1), entry.text(2)


class Bodies:
    """The main graph of a file, and the functions of its library."""

    def __init__(self, definition: Message | None) -> None:
        self.main = FunctionBody("", definition.messages(1) if definition is not None else (), None)
        self.functions: dict[str, FunctionBody] = {}
        library = definition.message(2) if definition is not None else None
        for function in library.messages(1) if library is not None else ():
            signature = function.message(1)
            name = signature.text(1) if signature is not None else ""
            self.functions.setdefault(name, FunctionBody(name, function.messages(3), function))

    def all(self) -> Iterator[FunctionBody]:
        yield self.main
        yield from self.functions.values()
