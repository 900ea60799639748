"""Models to start from: examples of rules, pieces of real networks, one node of each operator."""

from __future__ import annotations

import random
from functools import cache

import onnx
import onnx.parser

from modellint.examples import cases_of
from modellint.rules.registry import load_rules
from tests.exports import EXPORTS
from tests.fuzz.tree import Message, copied, kind_of, parse

LENGTHS = (3, 8, 15, 40, 80)
"""Nodes in a piece of a network: enough for every pattern, little to lint."""


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
    return parse((EXPORTS / name).read_bytes(), kind_of("ModelProto"))


def piece(chance: random.Random) -> Message:
    """Some successive nodes of a real network, with what they need."""
    model = copied_without_graph(export(chance.choice(exports())))
    whole = model.children("graph")[0]
    nodes = whole.all("node")
    count = chance.choice(LENGTHS)
    start = chance.randrange(max(len(nodes) - count, 1))
    kept = nodes[start : start + count]
    used = {
        item.value
        for node in kept
        if isinstance(node.value, Message)
        for item in node.value.all("input")
    }
    graph = Message(whole.kind)
    for item in whole.fields:
        field_name = whole.kind.fields_by_number[item.number].name
        if field_name == "node":
            continue
        if field_name in ("initializer", "value_info") and isinstance(item.value, Message):
            if item.value.text("name") not in used:
                continue
            if field_name == "value_info":  # what came from nodes left out is an input here
                graph.add("input", item.value)
        graph.fields.append(item)
    graph.fields += kept
    model.set("graph", graph)
    return copied(model)


def copied_without_graph(model: Message) -> Message:
    return Message(model.kind, list(model.fields))


def load() -> None:
    """Read all seeds, which are kept from then on."""
    from tests.fuzz.operators import operators

    operators()
    examples()
    for name in exports():
        export(name)


def seed(chance: random.Random) -> Message:
    from tests.fuzz.operators import built

    kind = chance.random()
    if kind < 0.5:
        return copied(chance.choice(examples()))
    if kind < 0.75:
        return piece(chance)
    return built(chance)
