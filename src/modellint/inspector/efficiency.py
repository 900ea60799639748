"""Efficiency next to named architectures of the same task.

The task is read off the interface alone, and where that leaves a doubt nothing is said: a map of
classes looks like one of depths or of features, so segmenters are not compared. A text is compared
for its own number of tokens, as attention grows with it.
`tools/measure_efficiency.py` computes the figures of the architectures, and writes them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files

from modellint.base.records import dataclass
from modellint.results.inspection import Efficiency, Inspection, Port, Task

FEWEST_REFERENCES = 8
"""A share of fewer architectures says little."""
FEWEST_CLASSES, MOST_CLASSES = 10, 100_000
"""More are features, laid out in a row."""
FEWEST_WORDS = 5_000
"""Fewer results by token are labels, or bytes."""
COLORS = (1, 3)
"""Channels of an image."""
TOKENS = "input_ids"
TEXT = frozenset({TOKENS, "attention_mask", "token_type_ids", "position_ids"})
"""Inputs of models that read a whole text at once."""
FEATURES = frozenset({"last_hidden_state", "token_embeddings"})
"""Results with a vector for each token."""
LOGITS = "logits"
TABLE = "efficiency.json"


@dataclass(frozen=True, slots=True)
class WeightUse:
    """Task of a model, and how often each weight is used for one image or token."""

    task: Task
    macs_per_parameter: float
    tokens: int | None = None


def efficiency(told: Inspection) -> Efficiency | None:
    """Return where a model is among architectures of its task; None if that is not known."""
    use = use_of(told)
    if use is None:
        return None
    known = references(use.task, use.tokens)
    if len(known) < FEWEST_REFERENCES:
        return None
    share = bisect_left(known, use.macs_per_parameter) / len(known)
    return Efficiency(use.task, use.macs_per_parameter, share, len(known), use.tokens)


@cache
def references(task: Task, tokens: int | None = None) -> Sequence[float]:
    """Return the MACs by parameter of all architectures for one image or token, in order."""
    return sorted(_macs(row, tokens) / row["parameters"] for row in _table()[task])


def _macs(row: Mapping[str, float], tokens: int | None) -> float:
    return row["macs"] if tokens is None else row["macs"] + row["macs_per_pair"] * tokens


@cache
def _table() -> Mapping[str, Sequence[Mapping[str, float]]]:
    table = json.loads(files(__package__ or "").joinpath(TABLE).read_text(encoding="utf-8"))
    return {task: each["architectures"] for task, each in table["tasks"].items()}


def use_of(told: Inspection) -> WeightUse | None:
    """Return a model's task; None unless its interface makes it certain."""
    use = told.macs_per_parameter
    if use is None or not told.inputs or not told.outputs:
        return None
    ports = _Interface(told, told.inputs, told.outputs)
    tokens = ports.tokens()
    for task, holds in TASKS.items():
        if holds(ports):
            of_text = task in OF_TEXT
            parts = ports.batch() * (tokens if of_text else 1)
            return WeightUse(task, use / parts, tokens if of_text else None) if parts else None
    return None


@dataclass(frozen=True, slots=True)
class _Interface:
    """Inputs and outputs, with sizes for open dims."""

    told: Inspection
    inputs: Sequence[Port]
    outputs: Sequence[Port]

    def shape(self, port: Port) -> list[int | None]:
        sizes = self.told.sizes or {}
        return [sizes.get(dim) if isinstance(dim, str) else dim for dim in port.shape or []]

    def batch(self) -> int:
        first = self.inputs[0] if self.tokens() == 0 else self._input(TOKENS)
        return self.shape(first)[0] or 0

    def tokens(self) -> int:
        """Return the length of the text, if that is all the model takes; otherwise 0."""
        if TOKENS not in (names := {port.name for port in self.inputs}) or names - TEXT:
            return 0
        lengths = {self.shape(port)[-1] for port in self.inputs if len(port.shape or []) == 2}
        is_text = all(_is_integer(port) and len(port.shape or []) == 2 for port in self.inputs)
        return (lengths.pop() or 0) if is_text and len(lengths) == 1 else 0

    def takes_an_image(self) -> bool:
        return len(self.inputs) == 1 and _is_image(self.inputs[0])

    def has_assumed_sides(self) -> bool:
        assumed = self.told.assumed or {}
        return any(dim is None or dim in assumed for dim in (self.inputs[0].shape or [])[1:])

    def has_values_by_token(self, port: Port, least: int) -> bool:
        shape = self.shape(port)
        return (
            _is_float(port)
            and len(shape) == 3
            and shape[:2] == self.shape(self._input(TOKENS))
            and (shape[2] or 0) >= least
        )

    def _input(self, name: str) -> Port:
        return next(port for port in self.inputs if port.name == name)


def _classifies_images(ports: _Interface) -> bool:
    return ports.takes_an_image() and len(ports.outputs) == 1 and _is_classes(ports.outputs[0])


def _detects_objects(ports: _Interface) -> bool:
    """Return True for what takes an image of a known size to boxes and as many scores."""
    if not ports.takes_an_image() or ports.has_assumed_sides() or len(ports.outputs) != 2:
        return False
    boxes, scores = sorted(ports.outputs, key=lambda port: "boxes" not in port.name.lower())
    shape, scored = ports.shape(boxes), ports.shape(scores)
    return (
        "boxes" in boxes.name.lower()
        and all(_is_float(port) for port in ports.outputs)
        and len(shape) == len(scored) == 3
        and None not in shape
        and shape[:2] == scored[:2]
        and shape[2] == 4
    )


def _encodes_text(ports: _Interface) -> bool:
    """Return True for what takes tokens to a vector for each, and perhaps one for all."""
    vectors = [port for port in ports.outputs if len(port.shape or []) != 2]
    return (
        ports.tokens() > 0
        and len(vectors) == 1
        and vectors[0].name in FEATURES
        and ports.has_values_by_token(vectors[0], least=1)
    )


def _predicts_tokens(ports: _Interface) -> bool:
    """Return True for what takes tokens to a score of each word of a vocabulary at each token."""
    scores, *more = ports.outputs
    return (
        ports.tokens() > 0
        and scores.name == LOGITS
        and ports.has_values_by_token(scores, FEWEST_WORDS)
        and all(port.name.startswith("present") for port in more)
    )


TASKS: Mapping[Task, Callable[[_Interface], bool]] = {
    "image classification": _classifies_images,
    "object detection": _detects_objects,
    "text feature extraction": _encodes_text,
    "language modeling": _predicts_tokens,
}
OF_TEXT = frozenset({"text feature extraction", "language modeling"})


def _is_image(port: Port) -> bool:
    shape = port.shape or []
    return _is_float(port) and len(shape) == 4 and (shape[1] in COLORS or shape[3] in COLORS)


def _is_classes(port: Port) -> bool:
    shape = port.shape or []
    classes = shape[1] if len(shape) == 2 else None
    return isinstance(classes, int) and FEWEST_CLASSES <= classes <= MOST_CLASSES


def _is_float(port: Port) -> bool:
    return (port.dtype or "").startswith(("float", "bfloat"))


def _is_integer(port: Port) -> bool:
    return (port.dtype or "").startswith("int")
