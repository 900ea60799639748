"""Parsing of the log of ONNX Runtime Web's WebNN provider: nodes taken, nodes left, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modellint.base.records import dataclass

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(
    r"\[[VIWEF]:onnxruntime:[^,\]]*, (?:helper|\w+_builder|webnn_execution_provider)\.(?:cc|h):"
    r"\d+ \w+\] ?(?P<said>.*)"
)
"""Messages of the provider, by the names of its source files."""
_NODE = re.compile(
    r"Operator type: \[(?P<op>.*?)\] index: \[\d+\] name: \[(?P<name>.*?)\] "
    r"supported: \[(?P<yes>[01])\]"
)
_COUNTS = re.compile(r"number of partitions supported by WebNN: (\d+)")
_TYPE = re.compile(r"data type: \[(\d+)\]")
_TYPES = dict(
    enumerate(
        "undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 "
        "uint64 complex64 complex128 bfloat16".split()
    )
)


@dataclass(frozen=True, slots=True)
class WebNode:
    """A node, after ONNX Runtime's optimizations, and whether WebNN takes it."""

    name: str
    op: str
    taken: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WebPlacement:
    """Result of asking the provider about a graph."""

    nodes: tuple[WebNode, ...]
    parts: int
    copied: tuple[str, ...] = ()
    """Values that are copied between units, unless whole parts are handed over."""

    @property
    def left(self) -> tuple[WebNode, ...]:
        return tuple(node for node in self.nodes if not node.taken)


def _named_type(said: re.Match[str]) -> str:
    return f"data type {_TYPES.get(int(said[1]), said[1])}"


def placement_in(messages: Iterable[str]) -> WebPlacement | None:
    """Return the placement of all nodes; None if the provider was never asked.

    It is asked again after a change of layout, about all nodes, and after functions were written
    out, about those that it has not taken yet.
    """
    found: WebPlacement | None = None
    for asked in _passes(messages):
        if found is None or _repeats(found, asked):
            found = asked
        else:
            new = {node.name for node in asked.nodes}
            kept = tuple(node for node in found.nodes if node.taken or node.name not in new)
            found = WebPlacement((*kept, *asked.nodes), found.parts + asked.parts)
    return found


def _repeats(before: WebPlacement, asked: WebPlacement) -> bool:
    taken = {node.name for node in before.nodes if node.taken and node.name}
    return not taken or any(node.name.partition("_token_")[0] in taken for node in asked.nodes)


def _passes(messages: Iterable[str]) -> Iterator[WebPlacement]:
    """Iterate over the times that the provider was asked about a graph."""
    nodes: list[WebNode] = []
    reason = ""
    for message in messages:
        for line in _COLORS.sub("", message).splitlines():
            said = _LINE.search(line)
            if not said:
                continue
            node, counts = _NODE.match(said["said"]), _COUNTS.search(said["said"])
            if node:
                taken = node["yes"] == "1"
                nodes.append(WebNode(node["name"], node["op"], taken, "" if taken else reason))
                reason = ""
            elif counts:
                yield WebPlacement(tuple(nodes), int(counts[1]))
                nodes = []
            elif not reason:
                reason = _TYPE.sub(_named_type, said["said"])
