"""Parsing of TensorRT messages: the builder's log and the parser's errors, in plain words.

Nothing here needs TensorRT, so that recorded logs are parsed by the same code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from modellint.runtimes.probe import Remark

Severity = Literal["error", "warning", "info", "verbose"]
Line = tuple[Severity, str]

MOST_LAYERS = 2000

_FIGURES = {
    "activation_bytes": re.compile(r"Total Activation Memory: (\d+)"),
    "weight_bytes": re.compile(r"Total Weights Memory: (\d+)"),
    "scratch_bytes": re.compile(r"(?:Max|Total) Scratch Memory: (\d+)"),
}
_OUT_OF_MEMORY = re.compile(r"OutOfMemory \(Requested size was (?P<bytes>\d+) bytes")
LAYERS = ("Engine Layer Information", "Layer(")
"""Prefixes of messages that list layers."""
_LAYER = re.compile(r"^Layer\((?P<kind>[^)]*)\): (?P<rest>.*)$", re.MULTILINE)

_SOURCE = re.compile(r"\s*In [\w:<>~ ]+? at [^\s()]+:\d+")
_PLACE = re.compile(r"^\[[\w.]+:\d+: \w+\] ")
_WRAPPED = re.compile(
    r"(?:\[[^\]]*\] )?(?:[\w:]+: )?Error Code:? \d+: [\w ]*? ?\((?P<text>.*)\)?", re.DOTALL
)
_NUMBERED = re.compile(r"(?:\[[^\]]*\] )?(?:[\w:]+: )?Error Code:? \d+: ")
_ASSERTED = re.compile(r"Assertion failed: (?P<condition>.*)", re.DOTALL)
_QUOTED = re.compile(r'&& "(?P<text>[^"]+)"')
_SPOKEN = re.compile(r"(?<!:): (?P<text>[^:].*)", re.DOTALL)

_SHAPE_CONFLICTS = (
    "violate shape constraints",
    "Shape Error",
    "broadcast dimensions",
    "dimensions mismatched",
)
_PROFILE_TROUBLES = ("optimization profile", "but profile")
_INITIALIZER = re.compile(r"Failed to import initializer: (?!In node)(?P<name>[^:]+)$")
_ADVICE = re.compile(r"Please set k[A-Z_0-9]+ .*", re.DOTALL)
"""Advice to change a parser flag, which the user has no access to."""
NO_IMPORTER = ("false", "")
NO_PLUGIN = "Plugin not found"


def distil(text: str) -> str:
    """Return only the reason, without assertions, error codes and TensorRT source locations."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [
        line
        for line in lines
        if "Cuda Runtime" not in line and not line.startswith("Invalid Node - ")
    ]
    if not lines:
        return ""
    reason = _PLACE.sub("", _SOURCE.sub("", _unwrapped(lines[0])))
    asserted = _ASSERTED.fullmatch(reason)
    condition = asserted["condition"] if asserted else reason
    quoted = _QUOTED.search(condition)
    initializer = _INITIALIZER.search(reason)
    if initializer:
        reason = f"it cannot read the stored tensor {initializer['name']!r}"
    elif quoted:
        reason = quoted["text"]
    elif asserted:
        spoken = _SPOKEN.search(condition)
        reason = spoken["text"] if spoken else condition
    reason = _ADVICE.sub("", reason).partition("; [")[0]
    return _balanced(reason.strip().rstrip(".! "))


def _unwrapped(text: str) -> str:
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped:
        return wrapped["text"].removesuffix(")")
    return _NUMBERED.sub("", text)


def _balanced(text: str) -> str:
    """Remove unbalanced brackets."""
    while text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1].rstrip(". ")
    return text


def refusal(code: str, text: str, node: str, op: str, index: int) -> Remark:
    """Convert an error of the ONNX parser to a remark."""
    reason = distil(text)
    kind = "node-refused"
    if NO_PLUGIN in text:
        kind, reason = "no-plugin", ""
    elif reason in NO_IMPORTER and code == "UNSUPPORTED_NODE":
        kind, reason = "no-importer", ""
    elif not op:
        kind, index = "model-refused", -1
    elif "Shape Error" in text:
        kind = "shape-conflict"
    if not reason and kind not in ("no-plugin", "no-importer"):
        reason = "no reason given"
    return Remark(kind, reason, node, op, index if index >= 0 else None)


def build_failure(lines: Iterable[Line], workspace: int | None = None) -> Remark:
    """Return the reason for a failed build: the first error is the cause of all later ones.

    `workspace` is the limit that was set, which some messages omit.
    """
    errors = [text for severity, text in lines if severity == "error"]
    errors = [text for text in errors if "Cuda Runtime" not in text]
    if not errors:
        return Remark("build-failed", "no reason given")
    first = errors[0]
    memory = _OUT_OF_MEMORY.search(first)
    if memory:
        return Remark("workspace-exceeded", memory["bytes"])
    if workspace is not None and "within workspace limit" in first:
        return Remark("workspace-exceeded", str(workspace))
    kind = "build-failed"
    if any(words in first for words in _SHAPE_CONFLICTS):
        kind = "shape-conflict"
    elif any(words in first for words in _PROFILE_TROUBLES):
        kind = "profile-invalid"
    return Remark(kind, distil(first))


def figures(lines: Iterable[Line]) -> dict[str, int]:
    """Return the planner's memory, by the names of `Figures`."""
    found = {}
    for severity, text in lines:
        if severity != "info":
            continue
        for name, pattern in _FIGURES.items():
            match = pattern.search(text)
            if match:
                found[name] = int(match[1])
    return found


def layers(lines: Iterable[Line]) -> list[str]:
    """Return one line per layer of the engine: its kind, nodes and tensors."""
    found = []
    for severity, text in lines:
        for match in _LAYER.finditer(text) if severity in ("verbose", "info") else ():
            name, _, rest = match["rest"].partition(", Tactic: ")
            _, _, tensors = rest.partition(", ")
            found.append(f"{match['kind']}: {name}" + (f" | {tensors}" if tensors else ""))
    return found[:MOST_LAYERS]


_UNUSED = re.compile(r"Unused Input: (?P<value>.+)")
_OLD_OPSET = re.compile(r"supports ONNX graphs generated with at least opset (?P<opset>\d+)")
_CONVERTED = re.compile(r"Weights \[name=(?P<value>.*?)\] had the following issues")
_ISSUES = {
    "Subnormal FP16 values detected": "subnormal-weights",
    "less than smallest positive FP16": "subnormal-weights",
    "would overflow in FP16": "overflowing-weights",
}


def warnings(lines: Iterable[Line]) -> Iterator[Remark]:
    """Iterate over the warnings that a model's author can act on."""
    weights = ""
    said: set[tuple[str, str]] = set()
    for severity, text in lines:
        if severity != "warning":
            continue
        converted = _CONVERTED.search(text)
        if converted:
            weights = converted["value"]
        for remark in _warning(text, weights):
            if (remark.kind, remark.value) not in said:
                said.add((remark.kind, remark.value))
                yield remark


def _warning(text: str, weights: str) -> Iterator[Remark]:
    unused = _UNUSED.search(text)
    if unused:
        yield Remark("unused-input", value=unused["value"].strip())
    old = _OLD_OPSET.search(text)
    if old:
        yield Remark("old-opset", old["opset"])
    if "does not natively support INT64" in text:
        yield Remark("int64-narrowed")
    if "outside the range of INT32 was clamped" in text:
        yield Remark("int64-clamped")
    if "layernorm after self-attention" in text and "FP16" in text:
        yield Remark("fp16-layernorm")
    for words, kind in _ISSUES.items():
        if words in text:
            yield Remark(kind, value=weights)
