"""Models to start from: examples of rules, pieces of real networks, one node of each operator."""

from __future__ import annotations

import random
from functools import cache

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


def piece(chance: random.Random) -> Message:
    """Some successive nodes of a real network, with what they need."""
    network = export(chance.choice(exports()))
    whole = network.children("graph")[0]
    nodes = whole.children("node")
    count = chance.choice(LENGTHS)
    start = chance.randrange(max(len(nodes) - count, 1))
    kept = nodes[start : start + count]
    made = {item.value for node in kept for item in node.all("output")}
    used = {item.value for node in kept for item in node.all("input")}
    graph = Message(whole.kind)
    graph.set("node", *kept)
    for tensor in whole.children("initializer"):
        if tensor.text("name") in used:
            graph.add("initializer", _brought_home(copied(tensor), chance))
            used.discard(tensor.text("name"))
    for value in (*whole.children("input"), *whole.children("value_info")):
        if value.text("name") in used - made:
            graph.add("input", value)
        elif value.text("name") in made - used:
            graph.add("output", value)
    graph.add("name", whole.text("name"))
    model = Message(network.kind, list(network.fields))
    model.set("graph", graph)
    return copied(model)


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
        export(name)


def seed(chance: random.Random) -> Message:
    kind = chance.random()
    if kind < 0.5:
        return copied(chance.choice(examples()))
    if kind < 0.75:
        return piece(chance)
    return built(chance)
