"""Compare what the TFLite reader says of files with what LiteRT's own interpreter says.

    python tools/compare_tflite.py FOLDER ...

Tensors (name, shape, open dims, type, scales, zero points, axis, sparsity), operators with their
inputs and outputs, signatures, and the numbers of constants. Prints each difference, and a summary.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from compared import compare_all, files_in

from modellint import check
from modellint.formats import read_model
from modellint.formats.tflite.facts import Quantization, TFLiteFacts, tflite_facts
from modellint.model import Graph, Model, Value

BATCH = 3
REFUSED = "TFL005"
"""The rule about quantization with which LiteRT does not open a file."""


def main(paths: list[str]) -> int:
    return compare_all(files_in(paths, ".tflite"), compare)


def compare(path: Path, counts: Counter[str]) -> Iterator[str]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = read_model(path)
    try:
        theirs = Interpreter(
            str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    except (ValueError, RuntimeError) as error:
        counts["files that LiteRT does not open"] += 1
        if not model.problems and not _refused(path):
            yield f"opens here, not there: {error}"
        return
    if any(problem.fatal for problem in model.problems):
        yield f"opens there, not here: {model.problems}"
        return
    counts["files that both open"] += 1
    facts = tflite_facts(model)
    yield from _tensors(model.graph, theirs, facts, counts)
    yield from _operators(model.graph, theirs, facts, counts)
    yield from _signatures(model, theirs, facts, counts)
    yield from _at_batch(BATCH, model, theirs, facts, counts)


def _refused(path: Path) -> bool:
    """Return True if a rule says that LiteRT refuses the file."""
    return any(finding.code == REFUSED for finding in check(path, isolated=True).findings)


def _at_batch(
    batch: int, model: Model, theirs: Any, facts: TFLiteFacts, counts: Counter[str]
) -> Iterator[str]:
    """Compare all shapes at another batch, if the batch is open."""
    opened = [value for value in model.inputs if None in (value.declared_shape or ())]
    shapes = {value.name: (batch, *(value.declared_shape or ())[1:]) for value in opened}
    types = model.infer_types(shapes).types if model.infer_types is not None else {}
    if not types:
        return
    counts["files at another batch"] += 1
    for details in theirs.get_input_details():
        if -1 in details["shape_signature"]:
            theirs.resize_tensor_input(details["index"], [batch, *details["shape"][1:]])
    try:
        theirs.allocate_tensors()
        for details in theirs.get_input_details():
            zeros = np.zeros(details["shape"], details["dtype"])
            theirs.set_tensor(details["index"], zeros)
        theirs.invoke()  # some shapes are known only then
    except (RuntimeError, ValueError):  # an operator that it does not have
        return
    made = {id(value) for node in model.graph.nodes for value in node.outputs}
    for index, value in enumerate(facts.tensors[model.graph]):
        ours = types.get((model.graph.path, value.name), (None, value.declared_shape))[1]
        if id(value) in made and value.tensor is None:
            shape = tuple(int(dim) for dim in theirs._get_tensor_details(index, 0)["shape"])
            known = ours is not None and None not in ours and len(ours) == len(shape)
            yield from _same(f"shape at batch {batch}", ours if known else shape, shape, index)


def _tensors(graph: Graph, theirs: Any, facts: TFLiteFacts, counts: Counter[str]) -> Iterator[str]:
    for index, value in enumerate(facts.tensors[graph]):
        details = theirs._get_tensor_details(index, 0)
        counts["tensors"] += 1
        name = value.name.rpartition("#")[0] if value.name.endswith(f"#{index}") else value.name
        yield from _same("name", name, details["name"] or f"tensor {index}", index)
        dims = value.declared_shape if value.type_name == "tensor" else None
        if dims is not None:
            signature = [int(dim) for dim in details["shape_signature"]]
            wanted = signature if len(signature) == len(details["shape"]) else details["shape"]
            ours = [-1 if dim is None else dim for dim in dims]
            yield from _same("shape", ours, [int(dim) for dim in wanted], index)
        if value.type_name == "tensor":  # it has no word for resources
            yield from _same("type", _type(value), _their_type(details["dtype"]), index)
        yield from _quantized(facts.quantization.get(value, Quantization()), details, index)
        yield from _same(
            "sparse", value in facts.sparse, bool(details["sparsity_parameters"]), index
        )
        yield from _numbers(value, theirs, index, counts)


def _quantized(ours: Quantization, details: Any, index: int) -> Iterator[str]:
    theirs = details["quantization_parameters"]
    if not ours.block:
        yield from _same("scales", list(ours.scales), theirs["scales"].tolist(), index)
    if ours.scales:
        zeros = list(ours.zero_points) or [0] * len(ours.scales)
        yield from _same("zero points", zeros, theirs["zero_points"].tolist(), index)
        yield from _same("axis", ours.axis, theirs["quantized_dimension"], index)


def _numbers(value: Value, theirs: Any, index: int, counts: Counter[str]) -> Iterator[str]:
    if value.tensor is None or value.tensor.read is None:
        return
    ours = value.tensor.numpy()
    try:
        stored = theirs.tensor(index)()
    except (ValueError, RuntimeError):
        return
    if ours is not None and ours.dtype == stored.dtype:
        counts["constants"] += 1
        yield from _same("numbers", ours.tobytes() == stored.tobytes(), True, index)


def _operators(
    graph: Graph, theirs: Any, facts: TFLiteFacts, counts: Counter[str]
) -> Iterator[str]:
    listed = theirs._get_ops_details()
    yield from _same("number of nodes", len(graph.nodes), len(listed), -1)
    place = {id(value): at for at, value in enumerate(facts.tensors[graph])}
    for node, details in zip(graph.nodes, listed, strict=False):
        counts["operators"] += 1
        yield from _same("operator", node.op_type, details["op_name"], node.index)
        ours = [-1 if value is None else place[id(value)] for value in node.inputs]
        yield from _same("inputs", ours, [int(each) for each in details["inputs"]], node.index)
        ours = [-1 if value is None else place[id(value)] for value in node.outputs]
        yield from _same("outputs", ours, [int(each) for each in details["outputs"]], node.index)


def _signatures(
    model: Model, theirs: Any, facts: TFLiteFacts, counts: Counter[str]
) -> Iterator[str]:
    ours = {
        each.key: {"inputs": sorted(each.inputs), "outputs": sorted(each.outputs)}
        for each in facts.signatures
    }
    listed = {
        key: {part: sorted(names) for part, names in lists.items()}
        for key, lists in theirs.get_signature_list().items()
    }
    counts["signatures"] += len(listed)
    yield from _same("signatures", ours, listed, -1)


def _type(value: Value) -> str:
    return value.declared_dtype.name if value.declared_dtype is not None else ""


def _their_type(dtype: Any) -> str:
    name = str(np.dtype(dtype).name)
    return {"bytes": "string", "object": "string", "str": "string", "bytes0": "string"}.get(
        name, name
    )


def _same(what: str, ours: object, theirs: object, index: int) -> Iterator[str]:
    if ours != theirs:
        yield f"{what} of {index}: {ours!r} here, {theirs!r} there"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
