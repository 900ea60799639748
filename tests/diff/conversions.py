"""Alterations of a model whose conversion to another format is at hand: each is to be named."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper


class Altered(NamedTuple):
    """A node of which one thing is another one now, and how that is called."""

    node: str
    aspect: str


Alteration = Callable[[ModelProto, random.Random], "Altered | None"]


def _attribute(node: NodeProto, name: str) -> AttributeProto | None:
    return next((each for each in node.attribute if each.name == name), None)


def _set(node: NodeProto, name: str, value: object) -> None:
    kept = [each for each in node.attribute if each.name != name]
    kept.append(helper.make_attribute(name, value))
    copies = [AttributeProto.FromString(each.SerializeToString()) for each in kept]
    del node.attribute[:]
    node.attribute.extend(copies)


def _chosen(
    model: ModelProto, rng: random.Random, ops: str, holds: Callable[[NodeProto], bool]
) -> NodeProto | None:
    found = [node for node in model.graph.node if node.op_type in ops.split() and holds(node)]
    return rng.choice(found) if found else None


def _kernel(model: ModelProto, node: NodeProto) -> list[int]:
    stated = _attribute(node, "kernel_shape")
    if stated is not None:
        return list(stated.ints)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return list(weights[node.input[1]].dims[2:])


WINDOWS = "Conv MaxPool AveragePool ConvTranspose"


def _numbers(name: str, change: Callable[[int], int], default: int) -> Alteration:
    """Change a number that a window has for each of its axes."""

    def alter(model: ModelProto, rng: random.Random) -> Altered | None:
        node = _chosen(model, rng, WINDOWS, lambda node: max(_kernel(model, node)) > 1)
        if node is None or (name == "dilations" and node.op_type == "AveragePool"):
            return None
        kernel = _kernel(model, node)
        count = len(kernel) * (2 if name == "pads" else 1)
        stated = _attribute(node, name)
        numbers = list(stated.ints) if stated is not None else [default] * count
        at = rng.choice([at for at in range(len(kernel)) if kernel[at] > 1])
        numbers[at] = change(numbers[at])
        _set(node, name, numbers)
        return Altered(node.name, name)

    return alter


def _parameter(ops: str, name: str, default: float) -> Alteration:
    """Change a number of a formula."""

    def alter(model: ModelProto, rng: random.Random) -> Altered | None:
        node = _chosen(model, rng, ops, lambda node: True)
        if node is None:
            return None
        stated = _attribute(node, name)
        _set(node, name, (stated.f if stated is not None else default) * 1.5 + 0.01)
        return Altered(node.name, name)

    return alter


def groups(model: ModelProto, rng: random.Random) -> Altered | None:
    """Half as many groups, of a weight that is twice as large."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}

    def is_grouped(node: NodeProto) -> bool:
        group = _attribute(node, "group")
        return group is not None and group.i > 1 and group.i % 2 == 0 and node.input[1] in stored

    node = _chosen(model, rng, "Conv", is_grouped)
    if node is None:
        return None
    tensor = stored[node.input[1]]
    numbers = np.concatenate([numpy_helper.to_array(tensor)] * 2, axis=1)
    tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    group = _attribute(node, "group")
    assert group is not None
    _set(node, "group", group.i // 2)
    return Altered(node.name, "group")


def counts_padding(model: ModelProto, rng: random.Random) -> Altered | None:
    def is_padded(node: NodeProto) -> bool:
        pads = _attribute(node, "pads")
        return pads is not None and any(pads.ints)

    node = _chosen(model, rng, "AveragePool", is_padded)
    if node is None:
        return None
    stated = _attribute(node, "count_include_pad")
    _set(node, "count_include_pad", 1 - (stated.i if stated is not None else 0))
    return Altered(node.name, "count_include_pad")


def axis(model: ModelProto, rng: random.Random) -> Altered | None:
    """Another axis of a Softmax, or of a reduction to one number for each channel."""
    node = _chosen(model, rng, "Softmax LogSoftmax", lambda node: True)
    if node is None:
        return None
    stated = _attribute(node, "axis")
    _set(node, "axis", 0 if stated is None or stated.i in (-1, 1, 2, 3) else -1)
    return Altered(node.name, "axis")


def reduced_axes(model: ModelProto, rng: random.Random) -> Altered | None:
    def states(node: NodeProto) -> bool:
        axes = _attribute(node, "axes")
        return axes is not None and len(axes.ints) == 2

    node = _chosen(model, rng, "ReduceMean ReduceMax ReduceSum", states)
    if node is None:
        return None
    axes = _attribute(node, "axes")
    assert axes is not None
    _set(node, "axes", [1, *list(axes.ints)[:1]])
    return Altered(node.name, "axes")


def bounds(model: ModelProto, rng: random.Random) -> Altered | None:
    """Another upper bound of a Clip; the finding is at what it is the end of, or at the Clip."""
    node = _chosen(model, rng, "Clip", lambda node: len(node.input) == 3)
    if node is None:
        return None
    name = f"{node.name}-high"
    model.graph.initializer.append(numpy_helper.from_array(np.array(7.5, np.float32), name))
    node.input[2] = name
    makers = {output: each for each in model.graph.node for output in each.output}
    maker = makers.get(node.input[0])
    return Altered(maker.name if maker is not None else node.name, "bounds")


def constant(model: ModelProto, rng: random.Random) -> Altered | None:
    """Another number that is added or multiplied with."""
    scalars = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and int(np.prod(tensor.dims)) == 1
    }
    node = _chosen(model, rng, "Mul Add Div Sub", lambda n: len(scalars & set(n.input)) == 1)
    if node is None:
        return None
    at = next(at for at, name in enumerate(node.input) if name in scalars)
    name = f"{node.name}-number"
    model.graph.initializer.append(numpy_helper.from_array(np.array(1.75, np.float32), name))
    node.input[at] = name
    return Altered(node.name, "constant")


ALTERATIONS: dict[str, Alteration] = {
    "pads": _numbers("pads", lambda pad: pad + 1, 0),
    "strides": _numbers("strides", lambda step: step + 1, 1),
    "dilations": _numbers("dilations", lambda step: step + 1, 1),
    "groups": groups,
    "counts padding": counts_padding,
    "axis": axis,
    "reduced axes": reduced_axes,
    "alpha": _parameter("LeakyRelu Elu HardSigmoid", "alpha", 0.2),
    "epsilon": _parameter("LayerNormalization BatchNormalization", "epsilon", 1e-5),
    "bounds": bounds,
    "constant": constant,
}
