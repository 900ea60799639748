"""Models to ask runtimes about: ONNX's node tests, and variants of them."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

OLDEST_OPSET = 7
TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
    "float8e4m3fn": TensorProto.FLOAT8E4M3FN,
    "float8e5m2": TensorProto.FLOAT8E5M2,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "float4e2m1": TensorProto.FLOAT4E2M1,
}
SPELT = {"float": "float32", "double": "float64"}
OLDER = (24, 23, 21, 20, 18, 17, 16, 13, 11)
"""Operator sets that a test is tried at when it is refused at its own."""
IR_VERSION = 10


@dataclass
class Case:
    name: str
    model: onnx.ModelProto
    data: Sequence[Any]


def node_tests() -> Sequence[Any]:
    """The onnx package's own tests of single operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "bool" not in vars(
            np
        ):  # in numpy 1, which some runtimes need; the tests are for numpy 2
            vars(np)["bool"] = np.bool_
        from onnx.backend.test.case.node import collect_testcases

        return [test for test in collect_testcases(None) if test.model is not None]


@cache
def cases() -> dict[str, list[Case]]:
    """Node tests of one node each, by operator."""
    found: dict[str, list[Case]] = defaultdict(list)
    for test in node_tests():
        model = test.model
        if len(model.graph.node) != 1 or test.name.endswith("_expanded"):
            continue
        node = model.graph.node[0]
        if node.domain in ("", "ai.onnx"):
            data = test.data_sets[0][0] if test.data_sets else []
            _raise_opset(model)
            found[node.op_type].append(Case(test.name, model, data))
    return dict(sorted(found.items()))


def _raise_opset(model: onnx.ModelProto) -> None:
    """Give a test of an older operator set the oldest one whose nodes all runtimes place."""
    node, opset = model.graph.node[0], model.opset_import[0]
    if opset.version < OLDEST_OPSET:
        since = {
            defs.get_schema(node.op_type, version, node.domain).since_version
            for version in (opset.version, OLDEST_OPSET)
        }
        opset.version = OLDEST_OPSET if len(since) == 1 else opset.version


def forms(case: Case) -> Iterator[onnx.ModelProto]:
    """The test as it is, with its first output alone, and each with all but one input constant."""
    yield case.model
    alone = _with_first_output(case.model)
    for model in (alone, _with_constants(alone or case.model, case.data)):
        if model is not None:
            yield model
    if alone is not None:
        constant = _with_constants(case.model, case.data)
        if constant is not None:
            yield constant


def _with_first_output(model: onnx.ModelProto) -> onnx.ModelProto | None:
    if len(model.graph.node[0].output) < 2 or not model.graph.node[0].output[0]:
        return None
    new = onnx.ModelProto()
    new.CopyFrom(model)
    del new.graph.node[0].output[1:]
    del new.graph.output[1:]
    return new


def _with_constants(model: onnx.ModelProto, data: Sequence[Any]) -> onnx.ModelProto | None:
    inputs = list(model.graph.input)
    if len(inputs) < 2 or len(data) != len(inputs):
        return None
    try:
        constants = [
            numpy_helper.from_array(array, value.name)
            for value, array in zip(inputs[1:], data[1:], strict=True)
        ]
    except (TypeError, ValueError, AttributeError, KeyError):  # sequences and optionals
        return None
    new = onnx.ModelProto()
    new.CopyFrom(model)
    new.graph.initializer.extend(constants)
    del new.graph.input[1:]
    return new


def varied_input(schema: Any) -> int | None:
    """The input with the most types to choose from; the first of several."""
    choices = [len(types_of(schema, each.type_str)) for each in schema.inputs]
    most = max(choices, default=0)
    return choices.index(most) if most > 1 else None


def types_of(schema: Any, variable: str) -> list[str]:
    """Types that a variable of a schema allows."""
    for constraint in schema.type_constraints:
        if constraint.type_param_str == variable:
            names = [re.fullmatch(r"tensor\((\w+)\)", t) for t in constraint.allowed_type_strs]
            spelt = [SPELT.get(name[1], name[1]) for name in names if name]
            return [name for name in spelt if name in TYPES]
    return []


def of_type(name: str) -> onnx.ModelProto:
    """Return a model with an unused input of the type."""
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    unused = helper.make_tensor_value_info("unused", TYPES[name], [2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "m", [x, unused], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def with_type(model: onnx.ModelProto, schema: Any, at: int, name: str) -> list[onnx.ModelProto]:
    """The model with one type variable changed; also with the others that can follow it.

    Kernels exist for combinations of types, as for OneHot, whose three inputs have one each.
    """
    variable = schema.inputs[at].type_str
    others = {each.type_str for each in schema.inputs} - {variable}
    found = [with_types(model, schema, {variable: name})]
    for follower in (name, "int64", "int32"):
        following = {each: follower for each in others if follower in types_of(schema, each)}
        if following:
            found.append(with_types(model, schema, {variable: name, **following}))
    return [model for model in found if model is not None]


def with_types(
    model: onnx.ModelProto, schema: Any, types: Mapping[str, str]
) -> onnx.ModelProto | None:
    """The model with type variables changed wherever its schema names them."""
    node = model.graph.node[0]
    changed: dict[str, str] = {}
    for formal, actual in ((schema.inputs, node.input), (schema.outputs, node.output)):
        for place, value in enumerate(actual):
            variable = formal[min(place, len(formal) - 1)].type_str
            if value and variable in types:
                changed[value] = types[variable]
    new = onnx.ModelProto()
    new.CopyFrom(model)
    for value in [*new.graph.input, *new.graph.output]:
        if value.name in changed:
            if not value.type.HasField("tensor_type"):
                return None
            value.type.tensor_type.elem_type = TYPES[changed[value.name]]
    for tensor in new.graph.initializer:
        if tensor.name in changed:
            try:
                dtype = helper.tensor_dtype_to_np_dtype(TYPES[changed[tensor.name]])
                array = numpy_helper.to_array(tensor).astype(dtype)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
            except (TypeError, ValueError, KeyError, NotImplementedError):
                return None
    return new


def opsets(case: Case, newest: int) -> Iterator[int]:
    """Operator sets to try, newest first: the test's own, as far as the runtime knows it."""
    own = min(case.model.opset_import[0].version, newest)
    yield own
    yield from (opset for opset in OLDER if opset < own)


def at_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    new = onnx.ModelProto()
    new.CopyFrom(model)
    new.opset_import[0].version = opset
    new.ir_version = min(new.ir_version, IR_VERSION)
    return new


def since(op: str, opset: int) -> int | None:
    """The version of an operator that an operator set holds."""
    try:
        version: int = defs.get_schema(op, max_inclusive_version=opset).since_version
    except defs.SchemaError:
        return None
    return version


def joined(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Return one model of several, whose nodes are called after their place."""
    from onnx.compose import add_prefix

    whole = onnx.ModelProto()
    whole.CopyFrom(models[0])
    whole.graph.Clear()
    whole.graph.name = "joined"
    for index, model in enumerate(models):
        own = add_prefix(model, f"m{index}/").graph
        for place, node in enumerate(own.node):
            node.name = f"m{index}/{place}"
        for field_name in ("node", "input", "output", "initializer", "value_info"):
            getattr(whole.graph, field_name).extend(getattr(own, field_name))
    return whole
