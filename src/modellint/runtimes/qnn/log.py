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
_INVALID = re.compile(
    r"backendValidateOpConfig\(\) failed for node `(?P<name>.*?)` of type `(?P<type>\w+)`"
)
_DETAIL = re.compile(r"<E> (?P<text>.*)")
_NOISE = ("unexpected GraphHtpSettings option", "Stub lib id mismatch")
_OF_NODE = re.compile(r" in the node '(?P<name>[^']*)'|QnnDsp <E> ")
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

    @property
    def is_quantized(self) -> bool:
        """Return True if it computes in integers."""
        return len(self.nodes) > 1


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


def backend_errors(log: str) -> list[str]:
    """Return what the accelerator's own compiler objected to, each text once."""
    texts = (found["text"].strip() for found in _DETAIL.finditer(_COLORS.sub("", log)))
    return list(dict.fromkeys(text for text in texts if not any(each in text for each in _NOISE)))


def refused_by_backend(log: str) -> dict[str, str]:
    """Return the nodes that the accelerator's own compiler refused, and its operators for them."""
    return {found["name"]: found["type"] for found in _INVALID.finditer(_COLORS.sub("", log))}
