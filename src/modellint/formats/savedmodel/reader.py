"""Reads a SavedModel: its operators, signatures, variables and constants, and its main graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from modellint.base.text import bounded
from modellint.capability import Capability
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.protobuf import Message, message_of
from modellint.formats.savedmodel import GRAPHS, SAVED_MODEL
from modellint.formats.savedmodel.bodies import Bodies, ResultSource, source
from modellint.formats.savedmodel.contents import Contents
from modellint.formats.savedmodel.encoding import check_encoding
from modellint.formats.savedmodel.facts import CallSignature, SavedModelFacts, TensorInfo
from modellint.formats.savedmodel.graph import GraphInput, GraphReader
from modellint.formats.savedmodel.restoring import checkpoint_names
from modellint.formats.savedmodel.sizes import SavedModelSizes
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.formats.savedmodel.variables import read_variables
from modellint.formats.stored import StoredTensors
from modellint.model import Graph, Model, Region, Tensor

name = SAVED_MODEL.name
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
        with message_of(path / GRAPHS) as root:
            _fill(model, root, problems)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.external_files.insert(0, path / GRAPHS)
    model.problems = problems
    return model


def _fill(model: Model, root: Message, problems: Problems) -> None:
    graphs = root.messages(2)
    if not graphs:
        raise MalformedError("corrupt", f"{GRAPHS} holds no graph")
    check_encoding(root, "tensorflow.SavedModel")
    stored = StoredTensors(problems)
    contents = Contents(partial(Region, model.path / GRAPHS, external=True), stored)
    bodies = [Bodies(each.message(2)) for each in graphs]
    constants = [contents.add(each) for each in bodies]
    model.tensors += contents.weights
    read_variables(model, stored)
    tags = [_tags(each) for each in graphs]
    served = next((at for at, each in enumerate(tags) if SERVED in each), 0)
    main = _main_signature(graphs[served])
    if main is not None:
        variables = _variables(model, bodies[served], graphs[served])
        reader = GraphReader(model, bodies[served], problems, constants[served], variables)
        is_read = read_graph(model, reader, _inputs(main[1]), _results(main[1]))
        main = main if is_read else None
    model.capabilities = SAVED_MODEL.tells if main is not None else _WITHOUT_GRAPH
    model.producer_name, model.producer_version = _producer(graphs)
    facts = model.format_facts = SavedModelFacts(
        tuple(tags),
        dict(pair for each in graphs for pair in _signatures(each)),
        contents.operators,
        contents.places,
        sum(len(each.functions) for each in bodies),
        tuple(contents.written),
        bounded(main[0]) if main is not None else "",
    )
    model.metadata = _words(facts)


def read_graph(
    model: Model,
    reader: GraphReader,
    inputs: Iterable[GraphInput],
    results: Mapping[str, ResultSource],
) -> bool:
    """Read the main graph, and return False if it is broken: what else is there may matter."""
    try:
        reader.read(inputs, results)
    except MalformedError as error:
        reader.problems.note("graph-broken", detail=str(error))
        model.graph = Graph(model, "")
        return False
    model.infer_types = SavedModelSizes(model)
    return True


def _variables(model: Model, bodies: Bodies, graph: Message) -> dict[str, Tensor]:
    """Return the tensors of variables by their nodes."""
    tensors = {each.name: each for each in model.tensors}
    names = checkpoint_names(bodies, graph.message(3))
    known = ((node, tensors.get(bounded(name))) for node, name in names.items())
    return {node: tensor for node, tensor in known if tensor is not None}


def _producer(graphs: Sequence[Message]) -> tuple[str, str]:
    """Return who wrote the graphs, and with which release."""
    stated = [about for each in graphs if (about := each.message(1)) is not None]
    return ("TensorFlow", bounded(stated[-1].text(5))) if stated else ("", "")


def _tags(graph: Message) -> tuple[str, ...]:
    about = graph.message(1)
    return tuple(map(bounded, about.texts(4))) if about is not None else ()


def _main_signature(graph: Message) -> tuple[str, Message] | None:
    """Return the signature that servers call by default, or else the first one."""
    stated = {key: each for key, each in graph.entries(5) if key != _UNSIGNED and _is_placed(each)}
    key = DEFAULT if DEFAULT in stated else next(iter(stated), None)
    return (key, stated[key]) if key is not None else None


def _is_placed(signature: Message) -> bool:
    """Return True if a signature says where its results are."""
    results = [stated for _, stated in signature.entries(2)]
    return bool(results) and all(1 in stated for stated in results)


def _inputs(signature: Message) -> Iterator[GraphInput]:
    for key, stated in signature.entries(1):
        dtype, shape = tensor_type(stated.integer(2)), tensor_shape(stated.message(3))
        yield GraphInput(key, source(stated.text(1)).node, dtype, shape)


def _results(signature: Message) -> dict[str, ResultSource]:
    return {key: source(stated.text(1)) for key, stated in signature.entries(2)}


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
    words["operators"] = operator_counts(facts.operators)
    words["functions"] = str(facts.functions)
    return {key: _shortened(text) for key, text in words.items()}


def operator_counts(operators: Mapping[str, int]) -> str:
    """Return the operators with their numbers, those with the most nodes first."""
    most = sorted(operators.items(), key=lambda each: (-each[1], each[0]))
    return _shortened(", ".join(f"{op} {count}" for op, count in most))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
