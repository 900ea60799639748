"""Compares what is read of Core ML models with what coremltools reads: operators, types, shapes,
and the elements of weights.

    python tools/compare_coreml.py FOLDER...
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from compared import compare_all

from modellint.formats import read_model
from modellint.formats.coreml.facts import coreml_facts
from modellint.formats.coreml.values import DATA_TYPES
from modellint.model import Model, Shape

warnings.simplefilter("ignore")

import coremltools  # noqa: E402
from coremltools.libmilstoragepython import _BlobStorageReader as BlobReader  # noqa: E402

SUFFIXES = (".mlmodel", ".mlpackage")
NETWORKS = ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor")
METHODS = {
    "float32": "read_float_data",
    "float16": "read_fp16_data",
    "bool": "read_uint1_data",
}
"""Methods of coremltools' reader of weights by element type, where they have other names."""


def main(folders: list[str]) -> int:
    paths = sorted(
        path
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.suffix in SUFFIXES and ".mlpackage/" not in str(path)
    )
    return compare_all(paths, differences)


def differences(path: Path, counts: Counter[str]) -> Iterator[str]:
    """Describe how our view of a model differs from coremltools'."""
    ours, spec = read_model(path), coremltools.utils.load_spec(str(path))
    if ours.problems:
        yield f"we refuse it: {ours.problems[0]}"
        return
    facts, kind = coreml_facts(ours), spec.WhichOneof("Type")
    if (facts.kind, facts.version) != (kind, spec.specificationVersion):
        yield f"{facts.kind} {facts.version}, not {kind} {spec.specificationVersion}"
    described = spec.description
    for mine, others in ((facts.inputs, described.input), (facts.outputs, described.output)):
        wanted = [(each.name, each.type.WhichOneof("Type").removesuffix("Type")) for each in others]
        if [(each.name, each.kind) for each in mine] != wanted:
            yield f"features {mine}, not {wanted}"
    if kind == "mlProgram":
        yield from _program(ours, spec.mlProgram, path, counts)
    elif kind in NETWORKS:
        yield from _network(ours, getattr(spec, kind), counts)


def _program(ours: Model, program: Any, path: Path, counts: Counter[str]) -> Iterator[str]:
    expected: Counter[str] = Counter()
    types: dict[str, tuple[str, Shape | None]] = {}
    blobs: dict[int, tuple[str, tuple[int, ...]]] = {}
    function = program.functions[ours.graph.name]
    for operation in _operations(function.block_specializations[function.opset]):
        if operation.type != "const":
            expected[operation.type] += 1
            for output in operation.outputs:
                types[output.name] = _type(output.type)
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                if binding.WhichOneof("binding") == "value":
                    _note(blobs, binding.value)
        for value in operation.attributes.values():
            _note(blobs, value)
    found = Counter(coreml_facts(ours).types.values())
    counts["operators"] += expected.total()
    if found != expected:
        yield f"operators: missing {expected - found}, surplus {found - expected}"
    for graph in ours.graph.walk():
        for node in graph.nodes:
            for value in node.outputs:
                counts["values"] += 1
                mine = (str(value.declared_dtype), value.declared_shape) if value else None
                if value is not None and mine != types[value.name]:
                    yield f"{value.name}: {mine}, not {types[value.name]}"
    yield from _blobs(ours, path, blobs, counts)


def _operations(block: Any) -> Iterator[Any]:
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from _operations(inner)


def _type(type: Any) -> tuple[str, Shape | None]:
    if type.WhichOneof("type") == "stateType":
        return _type(type.stateType.wrappedType)
    if type.WhichOneof("type") != "tensorType":
        return "None", None
    dims: Shape = tuple(
        int(dim.constant.size) if dim.WhichOneof("dimension") == "constant" else None
        for dim in type.tensorType.dimensions
    )
    return str(DATA_TYPES.get(type.tensorType.dataType)), dims


def _note(blobs: dict[int, tuple[str, tuple[int, ...]]], value: Any) -> None:
    if value.WhichOneof("value") == "blobFileValue":
        name, shape = _type(value.type)
        sizes = (dim if isinstance(dim, int) else 0 for dim in shape or ())
        blobs[value.blobFileValue.offset] = name, tuple(sizes)


def _blobs(
    ours: Model, path: Path, blobs: dict[int, tuple[str, tuple[int, ...]]], counts: Counter[str]
) -> Iterator[str]:
    stored = [tensor for tensor in ours.tensors if tensor.region and tensor.region.external]
    wanted = Counter(blobs.values())
    found = Counter((tensor.dtype.name, tensor.shape) for tensor in stored)
    if found - wanted:
        yield f"weights: missing {wanted - found}, surplus {found - wanted}"
    if not blobs:
        return
    reader = BlobReader(str(next(path.rglob("weight.bin"))))
    places = {(tensor.dtype.name, tensor.shape): tensor for tensor in stored}
    for offset, (name, shape) in blobs.items():
        if (name, shape) not in places:
            continue
        theirs = np.array(getattr(reader, METHODS.get(name, f"read_{name}_data"))(offset))
        mine = [t.numpy() for t in stored if (t.dtype.name, t.shape) == (name, shape)]
        counts["weights"] += 1
        if not any(each is not None and _equal(each, theirs) for each in mine):
            yield f"{name} {shape} at {offset}: other elements"


def _equal(mine: Any, theirs: Any) -> bool:
    if mine.dtype == np.float16 and theirs.dtype == np.uint16:
        theirs = theirs.view(np.float16)
    return bool(np.array_equal(mine.reshape(-1), theirs.reshape(-1)[: mine.size]))


def _network(ours: Model, network: Any, counts: Counter[str]) -> Iterator[str]:
    expected: Counter[str] = Counter()
    for layer in _layers(network):
        kind = layer.WhichOneof("layer")
        if kind == "activation":
            kind = layer.activation.WhichOneof("NonlinearityType")
        if kind == "convolution" and layer.convolution.isDeconvolution:
            kind = "deconvolution"
        expected[kind] += 1
    found = Counter(coreml_facts(ours).types.values())
    counts["operators"] += expected.total()
    if found != expected:
        yield f"layers: missing {expected - found}, surplus {found - expected}"


def _layers(network: Any) -> Iterator[Any]:
    for layer in network.layers:
        yield layer
        kind = layer.WhichOneof("layer")
        if kind == "loop":
            yield from _layers(layer.loop.conditionNetwork)
            yield from _layers(layer.loop.bodyNetwork)
        elif kind == "branch":
            yield from _layers(layer.branch.ifBranch)
            yield from _layers(layer.branch.elseBranch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
