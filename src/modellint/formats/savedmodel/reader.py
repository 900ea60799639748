"""Reads the operators and signatures of a SavedModel, its variables and large constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from modellint.base.files import open_regular
from modellint.base.text import bounded
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.protobuf import READ_WHOLE, Buffer, FieldSpan, FileWindow, Message
from modellint.formats.savedmodel import GRAPHS, SAVED_MODEL
from modellint.formats.savedmodel.facts import CallSignature, SavedModelFacts, TensorInfo
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.formats.savedmodel.variables import read_variables
from modellint.formats.stored import StoredTensors, mistake_in
from modellint.model import Model, Region, Tensor, product

name = SAVED_MODEL.name
_PRINTS = "PrintV2"
_CONSTANT = "Const"
LEAST_WEIGHT = 1024
"""Elements of a constant that is a weight; shorter ones may be anything."""
_FILE = b"file://"
_UNSIGNED = "__saved_model_init_op"
"""A signature that is for loaders alone."""
LONGEST = 500


def sniff(head: bytes, path: Path) -> bool:
    """True for every folder with the file that the format's description names."""
    return True


def read(path: Path) -> Model:
    model, problems = Model(path, name), Problems()
    try:
        with open_regular(path / GRAPHS) as file:
            size = (path / GRAPHS).stat().st_size
            window = FileWindow(file, size)
            data: Buffer = window[0:size] if size <= READ_WHOLE else window
            _fill(model, Message(data, FieldSpan(0, size)), StoredTensors(problems))
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.external_files.append(path / GRAPHS)
    read_variables(model, StoredTensors(problems))
    model.problems = problems
    model.capabilities = SAVED_MODEL.tells
    return model


def _fill(model: Model, root: Message, stored: StoredTensors) -> None:
    graphs = root.messages(2)
    if not graphs:
        raise MalformedError("corrupt", f"{GRAPHS} holds no graph")
    operators: Counter[str] = Counter()
    places: dict[str, str] = {}
    signatures: dict[str, CallSignature] = {}
    written: dict[str, None] = {}
    tags, functions = [], 0
    for graph in graphs:
        about = graph.message(1)
        tags.append(tuple(map(bounded, about.texts(4))) if about is not None else ())
        if about is not None:
            model.producer_name = "TensorFlow"
            model.producer_version = bounded(about.text(5))
        for function, node in _nodes(graph):
            op = bounded(node.text(2))
            operators[op] += 1
            places.setdefault(op, _label(function, node))
            if op == _CONSTANT:
                model.tensors += _weights(_label(function, node), node, model.path, stored)
            if op == _PRINTS:
                written |= dict.fromkeys(_printed(node))
        functions += len(_functions(graph))
        signatures |= dict(_signatures(graph))
    model.format_facts = SavedModelFacts(
        tuple(tags), signatures, operators, places, functions, tuple(written)
    )
    model.metadata = _words(model.format_facts)


def _functions(graph: Message) -> list[Message]:
    definition = graph.message(2)
    library = definition.message(2) if definition is not None else None
    return library.messages(1) if library is not None else []


def _nodes(graph: Message) -> Iterator[tuple[str, Message]]:
    """Iterate over the nodes of a graph and of its functions, each with the function's name."""
    definition = graph.message(2)
    for node in definition.messages(1) if definition is not None else ():
        yield "", node
    for function in _functions(graph):
        signature = function.message(1)
        named = bounded(signature.text(1)) if signature is not None else ""
        for node in function.messages(3):
            yield named, node


def _label(function: str, node: Message) -> str:
    return f"{function}/{bounded(node.text(1))}".lstrip("/")


def _weights(name: str, node: Message, folder: Path, stored: StoredTensors) -> Iterator[Tensor]:
    """Iterate over the weights in a constant, which is how frozen graphs keep them."""
    for key, value in node.entries(5):
        tensor = value.message(8) if key == "value" else None
        content = tensor.span_of(4) if tensor is not None else None
        if tensor is None or content is None:
            continue
        dtype, shape = tensor_type(tensor.integer(1)), tensor_shape(tensor.message(2))
        sizes = tuple(dim for dim in shape or () if isinstance(dim, int))
        if dtype.kind != "float" or dtype.bits < 8 or product(sizes) < LEAST_WEIGHT:
            continue
        if mistake_in(sizes) or content.length != dtype.nbytes(product(sizes)):
            stored.invalid(name, dtype, sizes, dtype.nbytes(product(sizes)), content.length)
            continue
        yield stored.raw(name, dtype, sizes, Region(folder / GRAPHS, *content, external=True))


def _printed(node: Message) -> Iterator[str]:
    """Iterate over the files that a node prints to."""
    for key, value in node.entries(5):
        if key == "output_stream" and value.raw(2)[: len(_FILE)] == _FILE:
            yield bounded(value.raw(2).decode(errors="replace"))


def _signatures(graph: Message) -> Iterator[tuple[str, CallSignature]]:
    for key, stated in graph.entries(5):
        if key != _UNSIGNED:
            yield bounded(key), CallSignature(dict(_infos(stated, 1)), dict(_infos(stated, 2)))


def _infos(signature: Message, field: int) -> Iterator[tuple[str, TensorInfo]]:
    for key, stated in signature.entries(field):
        yield (
            bounded(key),
            TensorInfo(tensor_type(stated.integer(2)), tensor_shape(stated.message(3))),
        )


def _words(facts: SavedModelFacts) -> Mapping[str, str]:
    """Return what to show of the file."""
    words = {"tags": "; ".join(", ".join(each) for each in facts.tags)}
    for key, parts in facts.signatures.items():
        ends = [", ".join(f"{each} {info}" for each, info in part.items()) for part in parts]
        words[f"signature {key}"] = " -> ".join(ends)
    most = sorted(facts.operators.items(), key=lambda each: (-each[1], each[0]))
    words["operators"] = ", ".join(f"{op} {count}" for op, count in most)
    words["functions"] = str(facts.functions)
    return {key: _shortened(text) for key, text in words.items()}


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
