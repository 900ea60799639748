"""In the child process: lets LiteRT apply XNNPACK to a TFLite file, and looks what it has taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from modellint.formats.tflite.facts import tflite_facts
from modellint.formats.tflite.reader import read
from modellint.model import Node, Value
from modellint.runtimes.delegated import Delegated, parts_of, tell_parts
from modellint.runtimes.probe import Tell

DELEGATE = "DELEGATE"
UNIT = "XNNPACK"


def answer(request: dict[str, Any], tell: Tell) -> None:
    tell_parts(request, tell, metadata.version("ai-edge-litert"), UNIT, delegated)


def delegated(path: Path) -> Delegated:
    litert = import_module("ai_edge_litert.interpreter")
    try:
        interpreter = litert.Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        listed = interpreter._get_ops_details()  # no public name tells what was delegated
    except (ValueError, RuntimeError) as error:
        return Delegated(error=str(error))
    model = read(path)
    values = tflite_facts(model).tensors[model.graph]
    borders = list(_borders(listed, values))
    found = zip(parts_of(borders), borders, strict=True)
    parts = tuple(_with_ends(part, *border) for part, border in found)
    taken = {id(node) for part in parts for node in part}
    return Delegated(parts, tuple(node for node in model.graph.nodes if id(node) not in taken))


def _with_ends(
    part: tuple[Node, ...], reads: Collection[Value], writes: Collection[Value]
) -> tuple[Node, ...]:
    """Add nodes that lead to no result of the part, such as the assignment of a variable.

    If a value that the part reads has one reader, that is in the part; so are all readers of a
    value that the part makes and does not write.
    """
    written = {id(value) for value in writes}
    members = {id(node): node for node in part}
    found = [value.consumers[0].node for value in reads if len(value.consumers) == 1]
    pending = [*part, *(node for node in found if id(node) not in members)]
    while pending:
        node = pending.pop()
        members[id(node)] = node
        made = (value for value in node.outputs if value is not None and id(value) not in written)
        readers = [use.node for value in made for use in value.consumers]
        pending += [reader for reader in readers if id(reader) not in members]
    return tuple(sorted(members.values(), key=lambda node: node.index))


def _borders(
    listed: list[dict[str, Any]], values: tuple[Value, ...]
) -> Iterator[tuple[Collection[Value], Collection[Value]]]:
    for each in listed:
        if each["op_name"] == DELEGATE:
            reads, writes = (
                [values[int(index)] for index in each[side] if 0 <= int(index) < len(values)]
                for side in ("inputs", "outputs")
            )
            yield reads, writes
