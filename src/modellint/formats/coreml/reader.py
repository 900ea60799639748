"""Reader of Core ML models."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from modellint.base.text import bounded
from modellint.formats.coreml import COREML
from modellint.formats.coreml.facts import CoreMlFacts, Feature
from modellint.formats.coreml.features import dtype_of, feature, shape_of
from modellint.formats.coreml.network import LayerReader, scalings
from modellint.formats.coreml.program import MAIN, ProgramReader
from modellint.formats.coreml.values import ValueReader
from modellint.formats.coreml.versions import SYSTEMS
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.protobuf import (
    LENGTH,
    VARINT,
    Message,
    message_of,
    read_varint,
)
from modellint.formats.wiring import Wiring
from modellint.model import Graph, Model

name = COREML.name

VERSION, DESCRIPTION, UPDATABLE = 1, 2, 10
KINDS: Mapping[int, str] = {
    200: "pipelineClassifier",
    201: "pipelineRegressor",
    202: "pipeline",
    300: "glmRegressor",
    301: "supportVectorRegressor",
    302: "treeEnsembleRegressor",
    303: "neuralNetworkRegressor",
    304: "bayesianProbitRegressor",
    400: "glmClassifier",
    401: "supportVectorClassifier",
    402: "treeEnsembleClassifier",
    403: "neuralNetworkClassifier",
    404: "kNearestNeighborsClassifier",
    500: "neuralNetwork",
    501: "itemSimilarityRecommender",
    502: "mlProgram",
    555: "customModel",
    556: "linkedModel",
    560: "classConfidenceThresholding",
    600: "oneHotEncoder",
    601: "imputer",
    602: "featureVectorizer",
    603: "dictVectorizer",
    604: "scaler",
    606: "categoricalMapping",
    607: "normalizer",
    609: "arrayFeatureExtractor",
    610: "nonMaximumSuppression",
    900: "identity",
    2000: "textClassifier",
    2001: "wordTagger",
    2002: "visionFeaturePrint",
    2003: "soundAnalysisPreprocessing",
    2004: "gazetteer",
    2005: "wordEmbedding",
    2006: "audioFeaturePrint",
    3000: "serializedModel",
}
"""Kinds of models by their number in Model.proto."""
PROGRAM, CUSTOM, SUPPRESSION = 502, 555, 610
NETWORKS = frozenset({303, 403, 500})
PIPELINES = frozenset({200, 201, 202})
MOST_PARTS = 256
HIGHEST_VERSION = 100
_MODEL_FIELDS = {
    VERSION: VARINT,
    DESCRIPTION: LENGTH,
    UPDATABLE: VARINT,
    **dict.fromkeys(KINDS, LENGTH),
}
_DESCRIPTION_FIELDS = frozenset({1, 10, 11, 12, 13, 20, 21, 50, 100})
_METADATA = {1: "description", 2: "version", 3: "author", 4: "license"}


def sniff(head: bytes, path: Path) -> bool:
    """Return True if the fields in the head are those of a Model, its description included."""
    position = 0
    described = False
    while position < len(head):
        try:
            tag, position = read_varint(head, position, len(head))
            number, position = read_varint(head, position, len(head))
        except MalformedError:
            return described
        field = tag >> 3
        if _MODEL_FIELDS.get(field) != tag & 7:
            return False
        if field == VERSION and not 0 < number < HIGHEST_VERSION:
            return False
        if field in KINDS:
            return True
        if field == DESCRIPTION:
            described = _is_description(head[position : position + number])
            if not described:
                return False
        if tag & 7 == LENGTH:
            position += number
    return described


def _is_description(head: bytes) -> bool:
    """Return True if these may be the first bytes of a description of a model."""
    position = 0
    while position < len(head):
        try:
            tag, position = read_varint(head, position, len(head))
            length, position = read_varint(head, position, len(head))
        except MalformedError:
            break
        if tag >> 3 not in _DESCRIPTION_FIELDS or tag & 7 != LENGTH:
            return False
        position += length
    return True


def read(path: Path) -> Model:
    return read_file(path, Model(path, name), path.parent)


def read_file(path: Path, model: Model, home: Path) -> Model:
    """Fill a model from a file, whose weights may be anywhere below a folder."""
    problems = Problems()
    model.problems = problems
    model.capabilities = COREML.tells
    try:
        with message_of(path) as message:
            reader = _ModelReader(path, model, home, problems)
            try:
                model.format_facts = reader.read(message)
            finally:
                reader.values.close()
            model.tensors = [*reader.values.tensors, *reader.network.tensors]
            model.external_files = reader.values.paths
    except MalformedError as error:
        return broken(model.path, model.format, error.kind, **error.facts)
    return model


class _ModelReader:
    def __init__(self, path: Path, model: Model, home: Path, problems: Problems) -> None:
        self.model = model
        self.values = ValueReader(path, home, problems)
        self.program = ProgramReader(model, self.values, problems)
        self.network = LayerReader(model, path, problems)

    def read(self, message: Message) -> CoreMlFacts:
        facts = self._facts(message, depth=0)
        description = message.message(DESCRIPTION)
        metadata = description.message(100) if description is not None else None
        stated = _metadata(metadata) if metadata is not None else {}
        self._producer(stated)
        self.model.metadata = {**_described(facts), **stated}
        return facts

    def _facts(self, message: Message, depth: int) -> CoreMlFacts:
        number = next((field for field in message.fields if field in KINDS), None)
        content = message.message(number) if number is not None else None
        if number is None or content is None:
            raise MalformedError("corrupt", "a model of unknown kind")
        description = message.message(DESCRIPTION)
        inputs, outputs, states = (
            tuple(map(feature, description.messages(field))) if description is not None else ()
            for field in (1, 10, 13)
        )
        facts = CoreMlFacts(
            version=message.integer(VERSION),
            kind=KINDS[number],
            inputs=inputs,
            outputs=outputs,
            states=states,
            updatable=bool(message.integer(UPDATABLE)),
        )
        if number == PROGRAM and depth == 0:
            default = description.text(21) if description is not None else ""
            return self._with_program(facts, content, default or MAIN)
        if number in NETWORKS and depth == 0:
            return self._with_network(facts, content)
        if number in PIPELINES:
            return self._with_parts(facts, content, number, depth)
        if depth == 0:
            facts = self._without_layers(facts)
        if number == SUPPRESSION:
            limits = (next(content.floats(field, "d"), 0.0) for field in (110, 111))
            return _changed(facts, threshold=tuple(limits))
        if number == CUSTOM:
            return _changed(facts, custom_layers=(bounded(content.text(10)),))
        return facts

    def _with_program(self, facts: CoreMlFacts, content: Message, main: str) -> CoreMlFacts:
        graphs = self.program.read(content, main)
        others = {name: graph for name, graph in graphs.items() if graph is not self.model.graph}
        return _changed(facts, types=self.program.types, opset=self.program.opset, functions=others)

    def _with_network(self, facts: CoreMlFacts, content: Message) -> CoreMlFacts:
        graph = self._with_features(facts)
        values = self.network.read(content, graph)
        wiring = Wiring(graph)
        for described in facts.outputs:
            value = values.get(described.name)
            if value is not None:
                value.declare(None, shape_of(described))
                wiring.output(value)
        return _changed(
            facts,
            types=self.network.types,
            custom_layers=tuple(dict.fromkeys(self.network.custom)),
            scalings=tuple(scalings(content)),
            weight_bits=dict(self.network.stored),
        )

    def _with_features(self, facts: CoreMlFacts) -> Graph:
        """Return a graph with the inputs that the description states."""
        graph = self.model.graph = Graph(self.model, facts.kind)
        wiring = Wiring(graph)
        for described in facts.inputs:
            value = wiring.value(described.name)
            value.declare(dtype_of(described), _shape(described))
            wiring.input(value)
        return graph

    def _without_layers(self, facts: CoreMlFacts) -> CoreMlFacts:
        """Show a model that has no layers as a single node."""
        graph = self._with_features(facts)
        wiring = Wiring(graph)
        outputs = []
        for described in facts.outputs:
            value = wiring.value(described.name)
            value.declare(dtype_of(described), _shape(described))
            wiring.output(value)
            outputs.append(value)
        node = wiring.node(facts.kind, "coreml", "", graph.inputs, outputs)
        return _changed(facts, types={node: facts.kind})

    def _with_parts(
        self, facts: CoreMlFacts, content: Message, number: int, depth: int
    ) -> CoreMlFacts:
        """Show a pipeline as a graph of its models, each of them a node."""
        pipeline = content if KINDS[number] == "pipeline" else content.message(1)
        models = pipeline.messages(1)[:MOST_PARTS] if pipeline is not None else []
        parts = tuple(self._facts(each, depth + 1) for each in models)
        if depth == 0:
            self._chain(facts, parts)
        return _changed(facts, parts=parts)

    def _chain(self, facts: CoreMlFacts, parts: tuple[CoreMlFacts, ...]) -> None:
        graph = self._with_features(facts)
        wiring = Wiring(graph)
        values = dict(graph.values)
        for part in parts:
            inputs = [values.get(each.name) for each in part.inputs]
            outputs = []
            for described in part.outputs:
                value = values[described.name] = wiring.value(described.name)
                value.declare(dtype_of(described), _shape(described))
                outputs.append(value)
            wiring.node(part.kind, "coreml", "", inputs, outputs)
        for described in facts.outputs:
            if described.name in values:
                wiring.output(values[described.name])

    def _producer(self, metadata: Mapping[str, str]) -> None:
        prefix = "com.github.apple.coremltools"
        version = metadata.get(f"{prefix}.version")
        if version is not None:
            self.model.producer_name, self.model.producer_version = "coremltools", bounded(version)


def _shape(described: Feature) -> tuple[int | str | None, ...] | None:
    if described.kind != "image":
        return shape_of(described)
    channels = 1 if described.dtype.startswith("GRAYSCALE") else 3
    height, width = (size if size > 0 else None for size in described.shape)
    return (1, channels, height, width)


def _described(facts: CoreMlFacts) -> dict[str, str]:
    """Describe a model's interface to an app, for its metadata."""
    kind = " ".join(filter(None, (facts.kind, facts.opset)))
    system = SYSTEMS.get(facts.version, "an unknown system")
    described = {
        "kind": kind,
        "specification": f"version {facts.version}, needs {system}",
    }
    for each in (*facts.inputs, *facts.states):
        if each.is_flexible:
            described[f"shapes of {each.name}"] = _flexibility(each)
    if facts.states:
        described["states"] = ", ".join(each.name for each in facts.states)
    return described


def _flexibility(described: Feature) -> str:
    if described.ranges:
        bounds = (
            str(low) if low == high else f"{low}…{high if high is not None else ''}"
            for low, high in described.ranges
        )
        return "×".join(bounds)
    return ", ".join("×".join(map(str, shape)) for shape in described.shapes[:8])


def _metadata(message: Message) -> dict[str, str]:
    stated = {key: message.text(field) for field, key in _METADATA.items() if field in message}
    for entry in islice(message.messages(100), 10_000):
        stated.setdefault(bounded(entry.text(1)), entry.text(2))
    return stated


def _changed(facts: CoreMlFacts, **changes: object) -> CoreMlFacts:
    from dataclasses import replace

    return replace(facts, **changes)  # type: ignore[arg-type]
