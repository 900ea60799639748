"""Reads the operators and signatures of a SavedModel, its variables, constants and main graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from modellint.base.files import open_regular
from modellint.base.text import bounded
from modellint.capability import Capability
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.protobuf import READ_WHOLE, Buffer, FieldSpan, FileWindow, Message
from modellint.formats.savedmodel import GRAPHS, SAVED_MODEL
from modellint.formats.savedmodel.bodies import Bodies, FunctionBody, StatedNode
from modellint.formats.savedmodel.constants import constant
from modellint.formats.savedmodel.facts import CallSignature, SavedModelFacts, TensorInfo
from modellint.formats.savedmodel.graph import SignatureReader
from modellint.formats.savedmodel.restoring import checkpoint_names
from modellint.formats.savedmodel.sizes import SavedModelSizes
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.formats.savedmodel.variables import read_variables
from modellint.formats.stored import StoredTensors
from modellint.model import Graph, Model, Tensor

name = SAVED_MODEL.name
_PRINTS = "PrintV2"
_CONSTANT = "Const"
LEAST_WEIGHT = 1024
"""Elements of a constant that is a weight; shorter ones may be anything."""
_FILE = b"file://"
_UNSIGNED = "__saved_model_init_op"
"""A signature that is for loaders alone."""
DEFAULT = "serving_default"
"""The signature that servers call if none is named."""
SERVED = "serve"
_WITHOUT_GRAPH = SAVED_MODEL.tells - {Capability.GRAPH}
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
            _fill(model, Message(data, FieldSpan(0, size)), problems)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.external_files.insert(0, path / GRAPHS)
    model.problems = problems
    return model


class _Content:
    """Findings of the pass over a file's nodes."""

    def __init__(self) -> None:
        self.operators: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        self.written: dict[str, None] = {}
        self.constants: dict[tuple[str, str], Tensor] = {}
        """Constants by the names of their function and node, in the graph that servers load."""


def _fill(model: Model, root: Message, problems: Problems) -> None:
    graphs = root.messages(2)
    if not graphs:
        raise MalformedError("corrupt", f"{GRAPHS} holds no graph")
    found, stored = _Content(), StoredTensors(problems)
    tags = [_tags(graph) for graph in graphs]
    served = next((at for at, each in enumerate(tags) if SERVED in each), 0)
    signatures: dict[str, CallSignature] = {}
    functions, main = 0, None
    for at, graph in enumerate(graphs):
        about = graph.message(1)
        if about is not None:
            model.producer_name = "TensorFlow"
            model.producer_version = bounded(about.text(5))
        bodies = Bodies(graph.message(2))
        _count(model, bodies, found, stored, keeps=at == served)
        functions += len(bodies.functions)
        signatures |= dict(_signatures(graph))
        if at == served:
            main = _main_signature(graph)
            names = checkpoint_names(bodies, graph.message(3))
            read_variables(model, stored)
            if main is not None:
                kept = {each.name: each for each in model.tensors}
                variables = {
                    node: kept[bounded(name)]
                    for node, name in names.items()
                    if bounded(name) in kept
                }
                reader = SignatureReader(model, bodies, problems, found.constants, variables)
                try:
                    reader.read(main[1])
                except MalformedError as error:  # what else the file says may still matter
                    problems.note("graph-broken", detail=str(error))
                    model.graph, main = Graph(model, ""), None
    model.capabilities = SAVED_MODEL.tells if main is not None else _WITHOUT_GRAPH
    model.format_facts = SavedModelFacts(
        tuple(tags),
        signatures,
        found.operators,
        found.places,
        functions,
        tuple(found.written),
        bounded(main[0]) if main is not None else "",
    )
    model.metadata = _words(model.format_facts)
    if main is not None:
        model.infer_types = SavedModelSizes(model)


def _tags(graph: Message) -> tuple[str, ...]:
    about = graph.message(1)
    return tuple(map(bounded, about.texts(4))) if about is not None else ()


def _count(
    model: Model, bodies: Bodies, found: _Content, stored: StoredTensors, *, keeps: bool
) -> None:
    """Count operators, and create the constants' tensors."""
    for body in bodies.all():
        for node in body.nodes.values():
            op = bounded(node.op)
            found.operators[op] += 1
            if op not in found.places:
                found.places[op] = _label(body, node)
            if op == _CONSTANT:
                stated = node.attributes.tensor("value")
                if stated is None:
                    continue
                tensor = constant(_label(body, node), stated, model.path, stored)
                if keeps:
                    found.constants[body.name, node.name] = tensor
                if _is_weight(tensor):
                    model.tensors.append(tensor)
            elif op == _PRINTS:
                stream = node.attributes.raw("output_stream")
                if stream.startswith(_FILE):
                    found.written[bounded(stream.decode(errors="replace"))] = None


def _label(body: FunctionBody, node: StatedNode) -> str:
    return f"{bounded(body.name)}/{node.label}".lstrip("/")


def _is_weight(tensor: Tensor) -> bool:
    """Return True for the weights of frozen graphs, which are constants."""
    is_stored = tensor.region is not None and tensor.elements >= LEAST_WEIGHT
    return is_stored and tensor.dtype.kind == "float" and tensor.dtype.bits >= 8


def _main_signature(graph: Message) -> tuple[str, Message] | None:
    """Return the signature that servers call by default, or else the first one."""
    stated = {key: each for key, each in graph.entries(5) if key != _UNSIGNED and _is_placed(each)}
    key = DEFAULT if DEFAULT in stated else next(iter(stated), None)
    return (key, stated[key]) if key is not None else None


def _is_placed(signature: Message) -> bool:
    """Return True if a signature says where its results are."""
    results = [stated for _, stated in signature.entries(2)]
    return bool(results) and all(1 in stated for stated in results)


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
    words = {"graph": f"signature {facts.main}"} if facts.main else {}
    words |= {"tags": "; ".join(", ".join(each) for each in facts.tags)}
    for key, parts in facts.signatures.items():
        ends = [", ".join(f"{each} {info}" for each, info in part.items()) for part in parts]
        words[f"signature {key}"] = " -> ".join(ends)
    most = sorted(facts.operators.items(), key=lambda each: (-each[1], each[0]))
    words["operators"] = ", ".join(f"{op} {count}" for op, count in most)
    words["functions"] = str(facts.functions)
    return {key: _shortened(text) for key, text in words.items()}


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
