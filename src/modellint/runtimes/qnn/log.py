"""Parsing of the log of ONNX Runtime's QNN provider: what it takes, and why not the rest."""

from __future__ import annotations

import re

from modellint.base.records import dataclass

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_ASKED = "GetCapability pass"
_UNIT = re.compile(
    r"Validation (?P<verdict>PASSED|FAILED) for (?P<nodes>\d+) nodes in OrtNodeUnit \((?P<op>\w+)\)"
)
_NODE = re.compile(
    r"^\tOperator type: (?P<op>.*?) Node name: (?P<name>.*?) Node index: (?P<at>\d+)"
)
_REASON = re.compile(r"^\tREASON : (?P<reason>.*)")
_AFTER_DOT = re.compile(r"\.?\s*\w+ node `.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NodeUnit:
    """A node with the Q/DQ nodes around it, which go to the accelerator together or not at all."""

    op: str
    nodes: tuple[tuple[str, str], ...]
    """Names and operators."""
    taken: bool
    reason: str = ""

    @property
    def name(self) -> str:
        """Return the name of the node that the unit is about."""
        return next((name for name, op in self.nodes if op == self.op), "")


def node_units(log: str) -> list[NodeUnit]:
    """Return the units as they were judged last: the provider asks twice."""
    units: list[NodeUnit] = []
    lines = _COLORS.sub("", log).splitlines()
    for index, line in enumerate(lines):
        if _ASKED in line:
            units = []
        unit = _UNIT.search(line)
        if unit:
            units.append(_unit(unit, lines[index + 1 : index + 200]))
    return units


def _unit(head: re.Match[str], following: list[str]) -> NodeUnit:
    nodes: list[tuple[str, str]] = []
    reason = ""
    for line in following:
        node, why = _NODE.match(line), _REASON.match(line)
        if node:
            nodes.append((node["name"], node["op"]))
        elif why:
            reason = _AFTER_DOT.sub("", why["reason"]).strip()
        elif not line.startswith("\t"):
            break
    return NodeUnit(head["op"], tuple(nodes), head["verdict"] == "PASSED", reason)
