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
_ERROR = re.compile(r"QnnLogging\]\s+<E> (?P<text>.*)")
_SAYS_NOTHING = (
    "unexpected GraphHtpSettings",
    "QnnBackend_validateOpConfig failed",
    "Failed to validate op",
    "Op specific validation failed",
)
"""Starts of errors that come with every refusal, or with every run."""
_NO_FLOATS = "The SocModel doesn't support FP16"
_VAGUE = "Failed to add node"
_CLONED = re.compile(r"(_token_\d+|/duplicated)+$")
"""Suffixes that ONNX Runtime gives to copies of nodes in another layout."""
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
        """Return the name of the node that the unit is about, as it is in the file."""
        return plain_name(next((name for name, op in self.nodes if op == self.op), ""))


def plain_name(name: str) -> str:
    """Return the name that a node has in the file."""
    return _CLONED.sub("", name)


def node_units(log: str) -> list[NodeUnit]:
    """Return the units as they were judged last: the provider asks twice."""
    units: list[NodeUnit] = []
    error = ""
    lines = _COLORS.sub("", log).splitlines()
    for index, line in enumerate(lines):
        if _ASKED in line:
            units = []
        said = _ERROR.search(line)
        if said and not said["text"].startswith(_SAYS_NOTHING):
            error = error or said["text"]
        unit = _UNIT.search(line)
        if unit:
            units.append(_unit(unit, lines[index + 1 : index + 200], error))
            error = ""
    return units


def _unit(head: re.Match[str], following: list[str], error: str) -> NodeUnit:
    """Return a unit, of which the library may have said before why it is not taken."""
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
    if error and reason.startswith(_VAGUE):
        reason = "the chip does not compute floats" if error == _NO_FLOATS else error
    return NodeUnit(head["op"], tuple(nodes), head["verdict"] == "PASSED", reason)
