"""Compares what is read of OpenVINO models with what OpenVINO itself reads: operators, types,
shapes, constants, and which files it refuses.

    python tools/compare_openvino.py FOLDER...
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openvino
from compared import compare_all

from modellint.formats import read_model
from modellint.formats.openvino.facts import openvino_facts
from modellint.formats.openvino.types import ELEMENT_TYPES
from modellint.model import Model, Shape

NOT_NODES = frozenset({"Parameter", "Result", "Constant"})
IR_NAMES = {"PRelu": "PReLU", "Relu": "ReLU", "Softmax": "SoftMax"}
"""Names in files where OpenVINO's own differ."""
Operators = Counter[tuple[str, str]]


def main(folders: list[str]) -> int:
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.xml"))
    return compare_all(files, differences)


def differences(path: Path, counts: Counter[str]) -> Iterator[str]:
    """Describe how our view of a model differs from OpenVINO's."""
    ours = read_model(path)
    try:
        theirs = openvino.Core().read_model(path)
    except RuntimeError as error:
        if not ours.problems:
            yield f"only OpenVINO refuses it: {str(error).strip().splitlines()[-1]}"
        counts["refused by both"] += 1
        return
    if ours.problems:
        yield f"only we refuse it: {ours.problems[0]}"
        return
    yield from compare(ours, theirs, counts)


def compare(ours: Model, theirs: Any, counts: Counter[str]) -> Iterator[str]:
    expected, found = their_operators(theirs), our_operators(ours)
    counts["operators"] += expected.total()
    if expected != found:
        yield f"operators: missing {expected - found}, surplus {found - expected}"
    for what, mine, others in (
        (
            "inputs",
            types_of(ours.graph.inputs),
            [each.output(0) for each in theirs.get_parameters()],
        ),
        (
            "outputs",
            types_of(ours.graph.outputs),
            [each.input_value(0) for each in theirs.get_results()],
        ),
    ):
        wanted = [(kind_of(each), shape_of(each)) for each in others]
        if Counter(mine) != Counter(wanted):
            yield f"{what}: {mine}, not {wanted}"
    yield from _values(ours, theirs, counts)
    yield from _constants(ours, theirs, counts)


def our_operators(model: Model) -> Operators:
    return Counter((each.name, each.opset) for each in openvino_facts(model).types.values())


def their_operators(model: Any) -> Operators:
    return Counter(
        (IR_NAMES.get(info.name, info.name), info.version_id)
        for node in all_operations(model)
        if (info := node.get_type_info()).name not in NOT_NODES
    )


def all_operations(model: Any) -> Iterator[Any]:
    for node in model.get_ops():
        yield node
        kind = node.get_type_info().name
        if kind == "If":
            yield from all_operations(node.get_function(0))
            yield from all_operations(node.get_function(1))
        elif kind in ("Loop", "TensorIterator"):
            yield from all_operations(node.get_function())


def _values(ours: Model, theirs: Any, counts: Counter[str]) -> Iterator[str]:
    """Compare the types of what nodes give, by the node's name."""
    wanted = {}
    for node in theirs.get_ops():
        if node.get_type_info().name not in NOT_NODES:
            wanted[node.get_friendly_name()] = [
                (kind_of(each), shape_of(each)) for each in node.outputs()
            ]
    for node in ours.graph.nodes:
        others = wanted.get(node.name)
        mine = types_of(value for value in node.outputs if value is not None)
        if others is None or len(mine) != len(others):
            yield f"node {node.name!r}: outputs {mine}, not {others}"
            continue
        for (dtype, shape), (their_dtype, their_shape) in zip(mine, others, strict=True):
            counts["values"] += 1
            if shape is None and their_shape is not None:
                counts["values of which we do not know the rank"] += 1
                shape = their_shape
            if (dtype, shape) != (their_dtype, their_shape):
                yield f"node {node.name!r} is {dtype} {shape}, not {their_dtype} {their_shape}"


def _constants(ours: Model, theirs: Any, counts: Counter[str]) -> Iterator[str]:
    wanted = Counter(
        (kind_of(node.output(0)), tuple(node.output(0).get_shape()))
        for node in all_operations(theirs)
        if node.get_type_info().name == "Constant"
    )
    found = Counter((tensor.dtype.name, tensor.shape) for tensor in ours.tensors)
    counts["constants"] += found.total()
    if wanted - found:
        yield f"constants: missing {wanted - found}, surplus {found - wanted}"


def types_of(values: Any) -> list[tuple[str, Shape | None]]:
    return [(str(value.declared_dtype), value.declared_shape) for value in values]


def kind_of(output: Any) -> str:
    name = output.get_element_type().to_string()
    return str(ELEMENT_TYPES.get(name))


def shape_of(output: Any) -> Shape | None:
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic:
        return None
    return tuple(dim.get_length() if dim.is_static else None for dim in shape)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
