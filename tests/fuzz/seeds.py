"""Models to start from: examples of rules, pieces of real networks, one node of each operator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import onnx
import onnx.parser
import onnx.shape_inference

from modellint.examples import cases_of
from modellint.rules.registry import load_rules
from tests.exports import EXPORTS
from tests.fuzz.operators import built, fill, operators
from tests.fuzz.tree import Message, copied, kind_of, parse

LENGTHS = (*(3, 8, 15) * 4, 40, 80)
"""Nodes in a piece of a network: enough for every pattern, mostly little to lint."""

MOST_BYTES = 1 << 17
"""Of weights given to a tensor; larger ones are missing."""


@cache
def examples() -> tuple[Message, ...]:
    """The models in the examples of all rules."""
    texts = {
        case.example.model
        for rule in load_rules(plugins=False).values()
        for case in cases_of(rule)
        if case.example.model
    }
    return tuple(filter(None, map(_parsed, sorted(texts))))


def _parsed(text: str) -> Message | None:
    try:
        data = onnx.parser.parse_model(text).SerializeToString()
    except Exception:  # an example of what cannot be parsed
        return None
    return parse(data, kind_of("ModelProto")) if len(data) < 1 << 16 else None


@cache
def exports() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in EXPORTS.glob("*.onnx")))


@cache
def export(name: str) -> Message:
    """A network with the types of all its values, so that any piece of it has typed inputs."""
    model = onnx.load(EXPORTS / name, load_external_data=False)
    typed = onnx.shape_inference.infer_shapes(model)
    return parse(typed.SerializeToString(), kind_of("ModelProto"))


class Parts(NamedTuple):
    """A network taken apart: its nodes, and what each name stands for."""

    model: Message
    graph: Message
    nodes: list[Message]
    tensors: dict[bytes, Message]
    values: dict[bytes, Message]


@cache
def parts(name: str) -> Parts:
    model = export(name)
    graph = model.children("graph")[0]
    tensors = {each.text("name"): each for each in graph.children("initializer")}
    typed = (*graph.children("value_info"), *graph.children("input"))
    values = {each.text("name"): each for each in typed}
    return Parts(model, graph, graph.children("node"), tensors, values)


def piece(chance: random.Random) -> Message:
    """Some successive nodes of a real network, with what they need."""
    network, whole, nodes, tensors, values = parts(chance.choice(exports()))
    count = chance.choice(LENGTHS)
    start = chance.randrange(max(len(nodes) - count, 1))
    kept = nodes[start : start + count]
    made = _named(kept, "output")
    used = [name for name in _named(kept, "input") if name not in made]
    graph = Message(whole.kind)
    graph.set("node", *kept)
    for name in used:
        if name in tensors:
            graph.add("initializer", _brought_home(copied(tensors[name]), chance))
        elif name in values:
            graph.add("input", values[name])
    taken = set(_named(kept, "input"))
    for name in made:
        if name in values and name not in taken:
            graph.add("output", values[name])
    graph.add("name", whole.text("name"))
    model = Message(network.kind, list(network.fields))
    model.set("graph", graph)
    return copied(model)


def _named(nodes: Sequence[Message], side: str) -> list[bytes]:
    """Names of what nodes take or give, in their order."""
    names = (item.value for node in nodes for item in node.all(side))
    return list(dict.fromkeys(name for name in names if isinstance(name, bytes)))


def _brought_home(tensor: Message, chance: random.Random) -> Message:
    """Give a tensor whose weights are elsewhere, as in all networks kept here, some of its own."""
    if tensor.all("external_data"):
        fill(tensor, chance, MOST_BYTES)
    return tensor


def load() -> None:
    """Read all seeds, which are kept from then on."""
    operators()
    examples()
    for name in exports():
        parts(name)


def seed(chance: random.Random) -> Message:
    kind = chance.random()
    if kind < 0.5:
        return copied(chance.choice(examples()))
    if kind < 0.75:
        return piece(chance)
    return built(chance)
