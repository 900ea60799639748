"""Parsing of the log of ONNX Runtime Web's WebGPU provider: where each node and each copy is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modellint.runtimes.webnn.log import WebNode, WebPlacement

PROVIDER = "WebGpuExecutionProvider"
COPIES = ("MemcpyFromHost", "MemcpyToHost")
_WITHOUT = re.compile(
    r"webgpu kernel not found in registries for Op type: (?P<op>\S+) node name: (?P<name>.*)"
)
_COPY = re.compile(r"AddCopyNode\] Add (?:MemcpyFromHost after|MemcpyToHost before) (.*) for \w+$")
_ALL = re.compile(r"All nodes placed on \[(?P<unit>\w+)\]\. Number of nodes: (?P<count>\d+)")
_UNIT = re.compile(r"Node\(s\) placed on \[(?P<unit>\w+)\]")
_PLACED = re.compile(r"VerifyEachNodeIsAssignedToAnEp\] {3}(?P<op>\S+) \((?P<name>.*)\)$")
_NO_KERNEL, _NEIGHBOR = "no kernel takes it", "reads only what the CPU has, such as shapes"


def without_kernel(messages: Iterable[str]) -> set[str]:
    """Return the names of nodes that the provider has no kernel for."""
    return {found["name"] for message in messages for found in _WITHOUT.finditer(message)}


def placement_in(messages: Iterable[str]) -> WebPlacement | None:
    """Return the placement of all nodes; None if the log does not come to it.

    It does not name the nodes if all are in one place.
    """
    messages = list(messages)
    without = without_kernel(messages)
    copied: list[str] = []
    nodes: list[WebNode] = []
    unit = ""
    for line in (line for message in messages for line in message.splitlines()):
        if found := _COPY.search(line):
            copied.append(found[1])
        elif found := _UNIT.search(line):
            unit = found["unit"]
        elif found := _ALL.search(line):
            unit, taken = found["unit"], found["unit"] == PROVIDER
            nodes += [WebNode("", "", taken, "" if taken else _NO_KERNEL)] * int(found["count"])
        elif (found := _PLACED.search(line)) and found["op"] not in COPIES:
            taken, name = unit == PROVIDER, found["name"]
            reason = "" if taken else _NO_KERNEL if name in without else _NEIGHBOR
            nodes.append(WebNode(name, found["op"], taken, reason))
    if not unit:
        return None
    return WebPlacement(tuple(nodes), int(any(node.taken for node in nodes)), tuple(copied))
