"""Parsing of ONNX Runtime errors: the node concerned, and the reason in plain words."""

from __future__ import annotations

import re

from modellint.runtimes.probe import Remark

_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : (?P<code>\w+) : ", re.DOTALL)
_LOADING = re.compile(r"(?:Load model from .*? failed:\s*|Exception during initialization: )")
_SOURCE = re.compile(r"^\S*\.(?:cc|h|cpp):\d+ .*?(?:\)|\w) (?=[A-Z])", re.DOTALL)

_UNREGISTERED = re.compile(
    r"(?:Fatal error: )?(?P<domain>[\w.]*):(?P<op>\w+)\((?P<version>-?\d+)\) "
    r"is not a registered function/op"
)
_NO_KERNEL = re.compile(
    r"Could not find an implementation for (?P<op>\w+)\((?P<version>\d+)\) "
    r"node with name '(?P<node>.*?)'"
)
_INVALID = re.compile(
    r'In Node, \("(?P<node>.*?)", (?P<op>\w+), "(?P<domain>.*?)", -?\d+\) : '
    r'.*?-> \("?(?P<value>[^":,)]*).*?, Error (?P<reason>.*)',
    re.DOTALL,
)
_TYPE = re.compile(
    r"Type Error: (?P<reason>.*?(?:operator|Optype) \((?P<op>\w+)\).*? "
    r"in node \((?P<node>.*?)\).*)",
    re.DOTALL,
)
_NODE = re.compile(r"Node ?\((?P<node>.*?)\) Op ?\((?P<op>\w+)\) (?P<reason>.*)", re.DOTALL)
_NODE_COLON = re.compile(r"Node:(?P<node>\S*) .*?(?P<reason>[A-Z].*)", re.DOTALL)


def refusal(text: str) -> Remark:
    """Return the reason why no session could be created."""
    reason = _LOADING.sub("", _CODE.sub("", text.strip())).strip()
    unregistered = _UNREGISTERED.search(reason)
    if unregistered:
        return Remark("no-importer", op=unregistered["op"])
    missing = _NO_KERNEL.search(reason)
    if missing:
        return Remark("no-kernel", op=missing["op"], node=missing["node"])
    invalid = _INVALID.search(reason)
    if invalid:
        remark = _about(invalid["reason"], invalid["node"], invalid["op"])
        return Remark(remark.kind, remark.text, remark.node, remark.op, value=invalid["value"])
    for pattern in (_TYPE, _NODE):
        found = pattern.search(reason)
        if found:
            return _about(found["reason"], found["node"], found["op"])
    found = _NODE_COLON.search(reason)
    if found and found["node"]:
        return _about(found["reason"], found["node"], "")
    return Remark("model-refused", _plain(reason))


def _about(reason: str, node: str, op: str) -> Remark:
    if "No Op registered for" in reason or "No opset import for domain" in reason:
        return Remark("no-importer", node=node, op=op)
    kind = "shape-conflict" if "ShapeInferenceError" in reason else "node-refused"
    return Remark(kind, _plain(reason), node, op)


def _plain(reason: str) -> str:
    reason = re.sub(r"\[(?:Shape|Type)InferenceError\] ", "", reason)
    reason = re.sub(r"\(op_type:.*?\): ", "", reason)
    reason = _SOURCE.sub("", reason)
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "")
    return line.rstrip(".! ") or "no reason given"
