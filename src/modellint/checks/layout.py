"""Structure of the network as a whole: its inputs, and the distribution of its weights."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.weights import WEIGHTED
from modellint.checks.api import Context, Hit
from modellint.model import Node, Value, element_count
from modellint.operators import Trait, having

TO_CHANNELS_FIRST = (0, 3, 1, 2)
SCALINGS = having(Trait.ARITHMETIC)
JOINS = having(Trait.JOINS)


def channels_last_input(context: Context) -> Iterator[Hit]:
    """Channels-last image inputs that are transposed first."""
    for value in _images(context):
        turns = [use.node for use in value.consumers]
        if turns and all(
            node.op_type == "Transpose" and node.get_ints("perm") == TO_CHANNELS_FIRST
            for node in turns
        ):
            size = _bytes(context, value)
            yield Hit(turns[0], {"input": value.name, "size": size or 0})


def normalization_left_in(context: Context) -> Iterator[Hit]:
    """Scalings of an image by constants before the first convolution."""
    for value in _images(context):
        scalings = _scalings(value)
        if scalings:
            size = _bytes(context, value)
            names = [node.op_type for node in scalings]
            facts = {"input": value.name, "ops": names, "size": 2 * len(names) * (size or 0)}
            yield Hit(scalings[0], facts, related=tuple(scalings[1:]))


def _images(context: Context) -> Iterator[Value]:
    for value in context.model.fed:
        if len(value.declared_shape or ()) == 4:
            yield value


def _scalings(value: Value) -> list[Node]:
    """Return the chain of scalings between an input and a convolution."""
    chain: list[Node] = []
    node = value.sole_consumer
    while node is not None and node.op_type in SCALINGS and len(chain) < 4:
        if not any(each is not None and each.is_constant for each in node.inputs):
            return []
        chain.append(node)
        output = node.output(0)
        node = output.sole_consumer if output is not None else None
    return chain if node is not None and node.op_type in having(Trait.CONVOLUTION) else []


def _bytes(context: Context, value: Value) -> int | None:
    elements = element_count(context.shape(value))
    return value.dtype.nbytes(elements) if elements is not None and value.dtype else None


def oversized_dense_layer(context: Context) -> Iterator[Hit]:
    """A fully connected layer with most of the model's weights."""
    for node in context.nodes("Gemm", "MatMul"):
        value = node.input(1)
        size = value.tensor.nbytes if value is not None and value.tensor is not None else 0
        if not size or size < context.options["min-bytes"]:
            continue
        total = context.model.weight_bytes  # without what a format does not count as weights
        if context.options["share"] * total <= size <= total:
            yield Hit(node, {"size": size, "share": size / total})


def deep_without_skip(context: Context) -> Iterator[Hit]:
    """Long chains of layers without a skip connection."""
    graph = context.model.graph
    if sum([node.op_type in WEIGHTED for node in graph.nodes]) < context.options["layers"]:
        return
    depths: dict[int, int] = {}
    deepest: Node | None = None
    for node in graph.ordered:
        if node.op_type in JOINS and len([v for v in node.inputs if v and not v.is_constant]) > 1:
            continue  # a skip connection resets the count
        before = max((depths.get(id(each), 0) for each in node.predecessors), default=0)
        depths[id(node)] = before + (node.op_type in WEIGHTED)
        if deepest is None or depths[id(node)] > depths[id(deepest)]:
            deepest = node
    if deepest is not None and depths[id(deepest)] >= context.options["layers"]:
        yield Hit(deepest, {"layers": depths[id(deepest)]})
