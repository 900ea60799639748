"""Parsing of what RKNN-Toolkit2 prints when it builds a model: its layers and their units."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modellint.base.records import dataclass

NPU, CPU = "NPU", "CPU"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_TABLE, _TABLE_ENDS = "Network Layer Information Table", "Feature Tensor Information Table"
_ROW = re.compile(
    r"\]\s+\d+\s+(?P<op>\S+)\s+(?P<dtype>\S+)\s+(?P<unit>NPU|CPU|GPU)\s+\S+\s+\S+\s+"
    r"\d+/\d+/(?P<cycles>\d+)\s+(?P<kilobytes>\d*)\s*\S+?:(?P<name>.*?)\s*$"
)
_MADE = re.compile(r"(_[a-zA-Z0-9]+|#\d+|-rs)$")
_BORDER = frozenset({"InputOperator", "OutputOperator"})
_MEMORY = re.compile(r"Total (?P<kind>Internal|Weight) Memory Size: (?P<size>[\d.]+)KB")
_ERROR = re.compile(r"^E (?:RKNN: \[[\d:.]+\] )?(?P<text>.*)$", re.MULTILINE)
_NOISE = re.compile(r"rknn-toolkit2 version|Traceback|Unkown op target|^\s*$|Catch exception|^=+$")


@dataclass(frozen=True, slots=True)
class RknnLayer:
    """A layer after fusion, in the order in which layers run."""

    op: str
    name: str
    """The name of a node of the model, often with an ending that says what became of it."""
    unit: str
    dtype: str = ""
    cycles: int = 0
    moved_bytes: int = 0


def layers(log: str) -> list[RknnLayer]:
    """Return the layers of the last table; what only feeds and fetches is not one."""
    found: list[RknnLayer] = []
    in_table = False
    for line in _COLORS.sub("", log).splitlines():
        if _TABLE in line:
            in_table, found = True, []
        elif _TABLE_ENDS in line:
            in_table = False
        row = _ROW.search(line) if in_table else None
        if row is not None and row["op"] not in _BORDER:
            moved = int(row["kilobytes"] or 0) << 10
            cycles = int(row["cycles"])
            found.append(
                RknnLayer(row["op"], row["name"], row["unit"], row["dtype"], cycles, moved)
            )
    return found


def memory(log: str) -> dict[str, int]:
    """Return the bytes that the plan needs, by kind: internal and weight."""
    return {
        found["kind"].lower(): round(float(found["size"]) * 1024)
        for found in _MEMORY.finditer(_COLORS.sub("", log))
    }


def errors(log: str) -> list[str]:
    """Return the messages of a build that failed, each once."""
    found = (each["text"].strip() for each in _ERROR.finditer(_COLORS.sub("", log)))
    return list(dict.fromkeys(each for each in found if not _NOISE.search(each)))


def possible_names(layer: RknnLayer) -> Iterator[str]:
    """Iterate over names of nodes that a layer may stand for, the likeliest first."""
    name = layer.name
    yield name
    while True:
        shorter = _MADE.sub("", name)
        if shorter == name or not shorter:
            return
        name = shorter
        yield name
