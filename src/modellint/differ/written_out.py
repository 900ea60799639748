"""Functions that exporters and converters write out: Gelu, Swish, normalizations, and others."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import is_number, operands
from modellint.base.records import dataclass
from modellint.differ.crossing import operator_name
from modellint.model import Graph, Node, Use, Value, small_integers
from modellint.operators import Trait, of


@dataclass(frozen=True, slots=True)
class Composed:
    """Several nodes that are one operation; the last makes its output."""

    op: str
    parts: tuple[Node, ...]
    inputs: tuple[Value, ...]


def written_out(graph: Graph) -> Iterator[Composed]:
    """Find what converters write out: x times its gate, the logarithm of a Softmax, moments."""
    for node in graph.nodes:
        name = operator_name(node)
        if name == "Mul":
            yield from _gated(node)
        elif name in ("Log", "coreml.log"):
            source = node.input(0)
            maker = source.producer if source is not None else None
            data = maker.input(0) if maker is not None else None
            if maker is not None and data is not None and operator_name(maker) == "Softmax":
                yield Composed("LogSoftmax", (maker, node), (data,))
        elif node.qualified_op in _SQUARED_DIFFERENCES:
            yield from _normalized(node)


HARD_SIGMOID = "HardSigmoid"
_GATED = {HARD_SIGMOID: "HardSwish", "Sigmoid": "Swish"}
"""Names of x times a function of it."""


def _gated(product: Node) -> Iterator[Composed]:
    """Find x * Sigmoid(x), and x * HardSigmoid(x), of which x may be cut off where that is 0."""
    for gate, data in operands(product):
        sigmoid, cut = gate.producer, data.producer
        op = _GATED.get(operator_name(sigmoid)) if sigmoid is not None else None
        if sigmoid is None or op is None:
            continue
        if gate.sole_consumer is not product or sigmoid.input(0) is not data:
            continue
        source = cut.input(0) if cut is not None else None
        if cut is None or source is None or operator_name(cut) != "ThresholdedRelu":
            yield Composed(op, (sigmoid, product), (data,))
        elif {use.node for use in data.consumers} == {sigmoid, product}:
            yield Composed(op, (cut, sigmoid, product), (source,))
        return


# Gelu

_SCALES = {"Div": 2**0.5, "Mul": 0.5**0.5}


def gelus(graph: Graph) -> Iterator[Composed]:
    """Find x * 0.5 * (1 + erf(x / sqrt(2))), in any order of the products."""
    for erf in graph.nodes:
        if operator_name(erf) != "Erf":
            continue
        source, output = erf.input(0), erf.output()
        scaled = source.producer if source is not None else None
        add = output.sole_consumer if output is not None else None
        if scaled is None or add is None or operator_name(add) != "Add":
            continue
        x, root = scaled.input(0), scaled.input(1)
        scale = _SCALES.get(operator_name(scaled))
        if x is None or scale is None or not is_number(root, scale):
            continue
        if not any(is_number(one, 1.0) for one in add.inputs):
            continue
        products = _halved(add, x)
        if products is not None:
            yield Composed("Gelu", (scaled, erf, add, *products), (x,))


def _halved(add: Node, x: Value) -> tuple[Node, ...] | None:
    """Return the products of 1 + erf with x and a half; None if there are others.

    Between formats, the half may be in the weight of the only layer that reads the result.
    """
    output = add.output()
    first = output.sole_consumer if output is not None else None
    if first is None or operator_name(first) != "Mul":
        return None
    factor = next((other for one, other in operands(first) if one is output), None)
    if factor is None:
        return None
    before = factor.producer
    if before is not None and operator_name(before) == "Mul" and factor.sole_consumer is first:
        halves = [half for one, half in operands(before) if one is x]
        if any(is_number(half, 0.5) for half in halves):
            return before, first
    output = first.output()
    second = output.sole_consumer if output is not None else None
    if second is not None and operator_name(second) == "Mul":
        last = next((other for one, other in operands(second) if one is output), None)
        is_half = (factor is x and is_number(last, 0.5)) or (is_number(factor, 0.5) and last is x)
        if is_half:
            return first, second
    is_read_by_layer = second is not None and Trait.FLOAT_PRODUCT in of(second).traits
    return (first,) if add.domain and factor is x and is_read_by_layer else None


def is_doubled(gelu: Value) -> bool:
    """Return True for x * (1 + erf(x / sqrt(2))), whose half is in the weight that follows."""
    product = gelu.producer
    if product is None or not product.domain or operator_name(product) != "Mul":
        return False
    return any(
        add.producer is not None
        and operator_name(add.producer) == "Add"
        and any(
            each is not None and each.producer is not None and operator_name(each.producer) == "Erf"
            for each in add.producer.inputs
        )
        and _halved(add.producer, x) == (product,)
        for x, add in operands(product)
    )


# Normalizations by their moments

_SQUARED_DIFFERENCES = frozenset(
    ("tflite.SQUARED_DIFFERENCE", "tensorflow.SquaredDifference", "openvino.SquaredDifference")
)


def _normalized(square: Node) -> Iterator[Composed]:
    """Find x * s + (shift - mean * s), where s is scale / sqrt(variance + epsilon).

    TensorFlow writes normalizations over the last axis, or over those of space, in this way.
    """
    data, mean = square.input(0), square.input(1)
    first = mean.producer if mean is not None else None
    spread = _only_reader(square, "ReduceMean")
    add = _only_reader(spread, "Add")
    root = _only_reader(add, "Reciprocal")
    if data is None or first is None or spread is None or add is None or root is None:
        return
    if operator_name(first) != "ReduceMean" or first.input(0) is not data:
        return
    op = _OVER.get(_axes(first) or ())
    scale = _only_reader(root, "Mul")
    learned = [each for each in scale.inputs if each is not root.output()] if scale else []
    if (
        op is None
        or _axes(spread) != _axes(first)
        or any(v is None or not v.tensor for v in learned)
    ):
        return
    makers = [root] if scale is None else [root, scale]
    products = {id(use.node): use.node for use in _uses(makers[-1])}
    scaled = next((n for n in products.values() if any(v is data for v in n.inputs)), None)
    moved = next((n for n in products.values() if any(v is mean for v in n.inputs)), None)
    shift, total = _only_reader(moved, "Sub"), _only_reader(scaled, "Add")
    if len(products) != 2 or scaled is None or moved is None or shift is None or total is None:
        return
    if shift.output() not in total.inputs or shift.input(1) is not moved.output():
        return
    inputs = (data, *(each for each in (*learned, shift.input(0)) if each is not None))
    yield Composed(op, (first, square, spread, add, *makers, moved, shift, scaled, total), inputs)


_OVER: dict[tuple[int, ...], str] = {
    (-1,): "LayerNormalization",
    (-3, -2): "InstanceNormalization",
}
"""Normalizations of data whose channels come last, by the axes of their moments."""


def _axes(mean: Node) -> tuple[int, ...] | None:
    """Return the axes of a mean, counted from the end."""
    numbers, data = small_integers(mean.input(1)), mean.input(0)
    shape = data.shape if data is not None else None
    if numbers is None or shape is None:
        return None
    return tuple(sorted(axis % len(shape) - len(shape) for axis in numbers))


def _only_reader(node: Node | None, name: str) -> Node | None:
    """Return the only node that reads another one's result, if it is of an operator."""
    output = node.output() if node is not None else None
    reader = output.sole_consumer if output is not None else None
    return reader if reader is not None and operator_name(reader) == name else None


def _uses(node: Node) -> list[Use]:
    output = node.output()
    return list(output.consumers) if output is not None else []
