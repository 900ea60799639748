"""Pairs of models that differ by rule, so that what a comparison has to find is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)

SMALL = Path(__file__).parents[1] / "data" / "diff"
"""Small networks of two exporters."""
UNARY = ("Relu", "Sigmoid", "Tanh", "Erf", "Sqrt", "HardSwish", "LeakyRelu", "Elu")
PASSED = ("Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear")


@dataclass
class Expected:
    """Differences by names in the new model; removed nodes by those in the old one."""

    changed: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    weights: set[str] = field(default_factory=set)
    interface: set[tuple[str, str]] = field(default_factory=set)


Rule = Callable[[ModelProto, random.Random], Expected | None]
"""Changes a model and returns what is to be found; None if the model has nothing to change."""


def name_nodes(model: ModelProto) -> None:
    """Give each node a name that no other has."""
    for at, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}-{at}"


# --- Rules that change nothing -------------------------------------------------------------------


def unchanged(model: ModelProto, rng: random.Random) -> Expected:
    return Expected()


def renamed(model: ModelProto, rng: random.Random) -> Expected:
    """All values inside have other names."""
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""}

    def new(name: str) -> str:
        if name in kept:
            return name
        return names.setdefault(name, f"v{rng.getrandbits(48):x}")

    def walk(inner: GraphProto) -> None:
        for node in inner.node:
            node.input[:] = [new(name) for name in node.input]
            node.output[:] = [new(name) for name in node.output]
            for attribute in node.attribute:
                for sub in (attribute.g, *attribute.graphs):
                    walk(sub)
        for initializer in inner.initializer:
            initializer.name = new(initializer.name)
        for value in (*inner.value_info, *(inner.input if inner is not graph else ())):
            value.name = new(value.name)
        if inner is not graph:
            for value in inner.output:
                value.name = new(value.name)

    walk(graph)
    return Expected()


def shuffled(model: ModelProto, rng: random.Random) -> Expected | None:
    """Nodes are in another topological order, and initializers in any."""
    graph = model.graph
    made = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    waiting = [{made[name] for name in _reads(node) if name in made} for node in graph.node]
    followers: dict[int, list[int]] = {}
    for at, sources in enumerate(waiting):
        for source in sources:
            followers.setdefault(source, []).append(at)
    ready = [at for at, sources in enumerate(waiting) if not sources]
    order: list[int] = []
    while ready:
        at = ready.pop(rng.randrange(len(ready)))
        order.append(at)
        for follower in followers.get(at, ()):
            waiting[follower].discard(at)
            if not waiting[follower]:
                ready.append(follower)
    if len(order) < len(graph.node):
        return None  # names of subgraphs hide outer ones
    _set(graph.node, [graph.node[at] for at in order])
    tensors = list(graph.initializer)
    rng.shuffle(tensors)
    _set(graph.initializer, tensors)
    return Expected()


def identities(model: ModelProto, rng: random.Random) -> Expected:
    """Some values go through an Identity."""
    graph = model.graph
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        if node.output and node.output[0] and rng.random() < 0.2 and not _is_inside(graph, node):
            passed = f"{node.output[0]}-passed"
            _rewire(graph, node.output[0], passed)
            nodes.append(helper.make_node("Identity", [node.output[0]], [passed]))
    _set(graph.node, nodes)
    return Expected()


def constants_as_nodes(model: ModelProto, rng: random.Random) -> Expected | None:
    """Small initializers become Constant nodes."""
    graph = model.graph
    small = [t for t in graph.initializer if t.data_location != TensorProto.EXTERNAL]
    if not small:
        return None
    made = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in small]
    names = {tensor.name for tensor in small} & {value.name for value in graph.input}
    _set(graph.initializer, [t for t in graph.initializer if t not in small or t.name in names])
    _set(graph.node, [*(n for n in made if n.output[0] not in names), *graph.node])
    return Expected()


def gemms_written_out(model: ModelProto, rng: random.Random) -> Expected | None:
    """Each Gemm that is a plain layer becomes a MatMul and an Add."""
    graph = model.graph
    nodes: list[NodeProto] = []
    stored = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    found = False
    for node in graph.node:
        ranks = [stored.get(name) for name in node.input[1:]]
        stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        plain = stated.get("alpha", 1.0) == stated.get("beta", 1.0) == 1.0
        if node.op_type != "Gemm" or ranks != [2, 1] or not plain or stated.get("transA"):
            nodes.append(node)
            continue
        found = True
        weight, product = node.input[1], f"{node.output[0]}-product"
        if stated.get("transB"):
            nodes.append(
                helper.make_node("Transpose", [weight], [f"{product}-weight"], perm=[1, 0])
            )
            weight = f"{product}-weight"
        nodes.append(helper.make_node("MatMul", [node.input[0], weight], [product]))
        nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]]))
    _set(graph.node, nodes)
    return Expected() if found else None


def opset_raised(model: ModelProto, rng: random.Random) -> Expected | None:
    """The opset is raised by the version converter, where that needs no other nodes."""
    is_new = any(entry.domain == "" and entry.version >= 21 for entry in model.opset_import)
    if is_new or model.functions:  # which the converter drops
        return None
    try:
        converted = onnx.version_converter.convert_version(model, 21)
    except Exception:
        return None
    names = [node.name for node in model.graph.node if node.op_type != "Constant"]
    kept = [node for node in converted.graph.node if node.op_type != "Constant"]
    if len(names) != len(kept):
        return None
    for ends in ("input", "output"):
        _set(getattr(converted.graph, ends), getattr(model.graph, ends))
    model.CopyFrom(converted)
    return Expected(interface={("opset", "version")})


# --- Rules that change one thing -----------------------------------------------------------------


def one_attribute(model: ModelProto, rng: random.Random) -> Expected | None:
    """One number of one attribute is another."""
    found = [
        (node, attribute)
        for node in model.graph.node
        if node.op_type not in (*PASSED, "Constant", "Gemm", "Split", "Reshape", "ConstantOfShape")
        for attribute in node.attribute
        if attribute.type in (AttributeProto.INT, AttributeProto.FLOAT, AttributeProto.INTS)
        and attribute.name not in ("to", "kernel_shape", "allowzero", "num_outputs")
        and (attribute.type != AttributeProto.INTS or attribute.ints)
        and np.isfinite(attribute.f)
    ]
    if not found:
        return None
    node, attribute = rng.choice(found)
    if attribute.type == AttributeProto.INT:
        attribute.i += 1
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = attribute.f * 1.5 + 0.25
    else:
        attribute.ints[-1] += 1
    return Expected(changed={node.name})


def one_inserted(model: ModelProto, rng: random.Random) -> Expected | None:
    """One activation more."""
    graph = model.graph
    node = rng.choice(_of_floats(model) or [NodeProto()])
    if not node.output or any(other.op_type == "Softsign" for other in graph.node):
        return None
    name = node.output[0]
    after = f"{name}-after"
    _rewire(graph, name, after)
    at = list(graph.node).index(node)
    made = helper.make_node("Softsign", [name], [after], name="inserted")
    _set(graph.node, [*graph.node[: at + 1], made, *graph.node[at + 1 :]])
    return Expected(added={"inserted"})


def one_removed(model: ModelProto, rng: random.Random) -> Expected | None:
    """One activation less."""
    graph = model.graph
    outputs = {value.name for value in graph.output}
    found = [n for n in graph.node if n.op_type in UNARY and n.output[0] not in outputs]
    if not found:
        return None
    node = rng.choice(found)
    _rewire(graph, node.output[0], node.input[0])
    graph.node.remove(node)
    return Expected(removed={node.name})


def one_replaced(model: ModelProto, rng: random.Random) -> Expected | None:
    """One activation is another one."""
    found = [node for node in model.graph.node if node.op_type in UNARY]
    if not found:
        return None
    node = rng.choice(found)
    node.op_type = "Softsign"
    del node.attribute[:]
    return Expected(replaced={node.name})


def one_weight(model: ModelProto, rng: random.Random) -> Expected | None:
    """One number of one weight is another."""
    read = {name for node in model.graph.node for name in node.input}
    found = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location != TensorProto.EXTERNAL
        and tensor.data_type == TensorProto.FLOAT
        and int(np.prod(tensor.dims)) > 64
        and tensor.name in read
    ]
    if not found:
        return None
    tensor = rng.choice(found)
    numbers = numpy_helper.to_array(tensor).copy()
    numbers.reshape(-1)[rng.randrange(numbers.size)] += 0.5
    tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    return Expected(weights={tensor.name})


def output_renamed(model: ModelProto, rng: random.Random) -> Expected | None:
    graph = model.graph
    output = rng.choice(list(graph.output) or [onnx.ValueInfoProto()])
    if sum(output.name in node.output for node in graph.node) != 1:
        return None
    _rewire(graph, output.name, f"{output.name}-other")
    for node in graph.node:
        node.output[:] = [f"{n}-other" if n == output.name else n for n in node.output]
    output.name = f"{output.name}-other"
    return Expected(interface={("output", "name")})


def output_added(model: ModelProto, rng: random.Random) -> Expected | None:
    graph = model.graph
    outputs = {value.name for value in graph.output}
    found = [n.output[0] for n in _of_floats(model) if n.output[0] not in outputs]
    if not found:
        return None
    graph.output.append(helper.make_empty_tensor_value_info(rng.choice(found)))
    return Expected(interface={("output", "added")})


def input_type(model: ModelProto, rng: random.Random) -> Expected | None:
    values = [value for value in _fed(model) if value.type.tensor_type.elem_type]
    if not values:
        return None
    kind = rng.choice(values).type.tensor_type
    kind.elem_type = (
        TensorProto.DOUBLE if kind.elem_type != TensorProto.DOUBLE else TensorProto.FLOAT
    )
    return Expected(interface={("input", "type")})


def input_dim(model: ModelProto, rng: random.Random) -> Expected | None:
    values = [value for value in _fed(model) if value.type.tensor_type.shape.dim]
    if not values:
        return None
    dim = rng.choice(list(rng.choice(values).type.tensor_type.shape.dim))
    dim.dim_value = dim.dim_value + 1 if dim.dim_value else 7
    return Expected(interface={("input", "shape")})


SAME: dict[str, Rule] = {
    "unchanged": unchanged,
    "renamed": renamed,
    "shuffled": shuffled,
    "identities": identities,
    "constants as nodes": constants_as_nodes,
    "Gemms written out": gemms_written_out,
    "opset 21": opset_raised,
}
ONE: dict[str, Rule] = {
    "one attribute": one_attribute,
    "one inserted": one_inserted,
    "one removed": one_removed,
    "one replaced": one_replaced,
    "one weight": one_weight,
    "output renamed": output_renamed,
    "output added": output_added,
    "input type": input_type,
    "input dim": input_dim,
}


def disguised(rule: Rule) -> Rule:
    """Besides, everything has another name and another place."""

    def changed(model: ModelProto, rng: random.Random) -> Expected | None:
        expected = rule(model, rng)
        if expected is None:
            return None
        before = {tensor.name: at for at, tensor in enumerate(model.graph.initializer)}
        renamed(model, rng)
        after = [tensor.name for tensor in model.graph.initializer]
        expected.weights = {after[before[name]] for name in expected.weights}
        return expected if shuffled(model, rng) is not None else None

    return changed


RULES: dict[str, Rule] = {
    **SAME,
    **ONE,
    **{f"{name}, disguised": disguised(rule) for name, rule in ONE.items()},
}


# --- Other types ---------------------------------------------------------------------------------


def in_half(model: ModelProto) -> ModelProto:
    """All floats in half precision, with Casts at both ends."""
    graph = model.graph
    for tensor in graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        if numbers.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(numbers.astype(np.float16), tensor.name))
    is_float = graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    first, last = graph.input[0].name if is_float else "", graph.output[0].name
    for node in graph.node:
        node.input[:] = [f"{first}-half" if name and name == first else name for name in node.input]
        node.output[:] = [f"{last}-half" if name == last else name for name in node.output]
    half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    begin = helper.make_node("Cast", [first], [f"{first}-half"], to=half)
    end = helper.make_node("Cast", [f"{last}-half"], [last], to=full)
    nodes = [*([begin] if is_float else []), *graph.node, end]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    return model


def quantized(model: ModelProto, recipe: str) -> ModelProto:
    """Each layer reads its input and its weight from int8, or only its weight."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for at, node in enumerate(graph.node):
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in stored:
            _quantize_weight(graph, node, stored[node.input[1]], at, nodes)
            if recipe != "weights":
                _pair(graph, node, at, nodes, np.uint8 if recipe == "uint8" else np.int8)
        nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    return model


def _add(graph: onnx.GraphProto, name: str, numbers: np.ndarray) -> str:
    graph.initializer.append(numpy_helper.from_array(numbers, name))
    return name


def _quantize_weight(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    tensor: onnx.TensorProto,
    at: int,
    nodes: list[onnx.NodeProto],
) -> None:
    numbers = numpy_helper.to_array(tensor)
    scale = np.float32(np.abs(numbers).max() / 127)
    whole = np.round(numbers / scale).astype(np.int8)
    inputs = [
        _add(graph, f"weight-{at}", whole),
        _add(graph, f"scale-{at}", np.array(scale)),
        _add(graph, f"zero-{at}", np.array(0, np.int8)),
    ]
    nodes.append(helper.make_node("DequantizeLinear", inputs, [f"dequantized-{at}"]))
    node.input[1] = f"dequantized-{at}"


def _pair(
    graph: onnx.GraphProto, node: onnx.NodeProto, at: int, nodes: list[onnx.NodeProto], dtype: type
) -> None:
    parameters = [
        _add(graph, f"step-{at}", np.array(0.05, np.float32)),
        _add(graph, f"offset-{at}", np.array(128 if dtype is np.uint8 else 0, dtype)),
    ]
    whole, back = f"whole-{at}", f"back-{at}"
    nodes.append(helper.make_node("QuantizeLinear", [node.input[0], *parameters], [whole]))
    nodes.append(helper.make_node("DequantizeLinear", [whole, *parameters], [back]))
    node.input[0] = back


# --- Helpers -------------------------------------------------------------------------------------


def _set(field: Any, items: Sequence[Any]) -> None:
    copies = [type(item)() for item in items]
    for copy, item in zip(copies, items, strict=True):
        copy.CopyFrom(item)
    del field[:]
    field.extend(copies)


def _fed(model: ModelProto) -> list[onnx.ValueInfoProto]:
    other = {each.name for each in (*model.graph.initializer, *model.graph.output)}
    return [value for value in model.graph.input if value.name not in other]


def _reads(node: NodeProto) -> set[str]:
    """Names that a node or its subgraphs read."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _reads(inner)
            names |= {value.name for value in graph.output}
    return names


def _is_inside(graph: GraphProto, node: NodeProto) -> bool:
    """True if a result is an output, or read by a subgraph."""
    name = node.output[0]
    return name in {value.name for value in graph.output} or any(
        name in _reads(other) and name not in other.input for other in graph.node
    )


def _rewire(graph: GraphProto, old: str, new: str) -> None:
    """All consumers of a value, but not the outputs of the graph, read another one."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def _of_floats(model: ModelProto) -> list[NodeProto]:
    """Nodes whose result is certainly floats and is read by a node."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    sure = (*UNARY, "Conv", "Gemm", "MatMul", "Softmax", "LayerNormalization", "MaxPool")
    return [
        n
        for n in graph.node
        if n.op_type in sure and n.output[0] in read and not _is_inside(graph, n)
    ]
