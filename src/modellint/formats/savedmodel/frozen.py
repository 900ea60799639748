"""Reads a graph by itself, such as a frozen one: its variables have become constants.

It states no signature. What is fed are its placeholders, and its results are those of nodes that no
other reads, as TensorFlow's own `summarize_graph` has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from modellint.capability import Capability
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.protobuf import LENGTH, Message, message_of, read_varint
from modellint.formats.savedmodel import TENSORFLOW_GRAPH
from modellint.formats.savedmodel.bodies import Bodies, ResultSource
from modellint.formats.savedmodel.contents import Contents
from modellint.formats.savedmodel.encoding import check_encoding
from modellint.formats.savedmodel.facts import SavedModelFacts
from modellint.formats.savedmodel.graph import CONSTANT, FED, NOTHING, GraphInput, GraphReader
from modellint.formats.savedmodel.reader import operator_counts, read_graph
from modellint.formats.savedmodel.results import registered, result_types
from modellint.formats.stored import StoredTensors
from modellint.model import Model, Region

name = TENSORFLOW_GRAPH.name
_WITHOUT_GRAPH = TENSORFLOW_GRAPH.tells - {Capability.GRAPH}
_NO_RESULTS = {*FED, CONSTANT, NOTHING}
_NODE, _NAME, _OPERATOR = ((field << 3 | LENGTH) for field in (1, 1, 2))


def sniff(head: bytes, path: Path) -> bool:
    """Return True if the first field is a node with a name, and one of TensorFlow's operators."""
    try:
        _, at = _length(head, 0, _NODE)
        length, at = _length(head, at, _NAME)
        length, at = _length(head, at + length, _OPERATOR)
    except MalformedError:
        return False
    return head[at : at + length].decode(errors="replace") in registered().operators


def _length(head: bytes, at: int, expected: int) -> tuple[int, int]:
    """Return the length of the field at a place, and where it begins."""
    if head[at : at + 1] != bytes([expected]):
        raise MalformedError("corrupt", "another field")
    return read_varint(head, at + 1, len(head))


def read(path: Path) -> Model:
    model, problems = Model(path, name), Problems()
    try:
        with message_of(path) as root:
            _fill(model, root, problems)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.problems = problems
    return model


def _fill(model: Model, root: Message, problems: Problems) -> None:
    bodies = Bodies(root)
    check_encoding(root, "tensorflow.GraphDef")
    contents = Contents(partial(Region, model.path), StoredTensors(problems))
    reader = GraphReader(model, bodies, problems, contents.add(bodies), {})
    model.tensors += contents.weights
    results = dict(_results(bodies))
    is_read = bool(results) and read_graph(model, reader, _inputs(bodies), results)
    model.capabilities = TENSORFLOW_GRAPH.tells if is_read else _WITHOUT_GRAPH
    model.producer_name = "TensorFlow"
    model.format_facts = SavedModelFacts(
        (),
        {},
        contents.operators,
        contents.places,
        len(bodies.functions),
        tuple(contents.written),
    )
    model.metadata = {
        "operators": operator_counts(contents.operators),
        "functions": str(len(bodies.functions)),
    }


def _inputs(bodies: Bodies) -> Iterator[GraphInput]:
    for node in bodies.main.nodes.values():
        if node.op in FED and not node.sources:
            stated = node.attributes
            yield GraphInput(node.name, node.name, stated.dtype("dtype"), stated.shape("shape"))


def _results(bodies: Bodies) -> Iterator[tuple[str, ResultSource]]:
    """Iterate over the results of nodes that no other reads, by name."""
    nodes = bodies.main.nodes.values()
    read = {each.node for node in nodes for each in node.sources}
    for node in nodes:
        if node.name not in read and node.op not in _NO_RESULTS:
            for place in range(len(result_types(node.op, node.attributes))):
                key = f"{node.name}:{place}" if place else node.name
                yield key, ResultSource(node.name, place=place)
