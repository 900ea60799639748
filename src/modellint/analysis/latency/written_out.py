"""Operators that models write out, and that runtimes compute at once without any other fusion."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import Norms, is_number, number, operands
from modellint.model import Graph, Model, Node
from modellint.targets.deployment import Deployment

_LONGEST = 4
"""Nodes of a Gelu after its Erf."""


def written_out(model: Model, deployment: Deployment) -> list[list[Node]]:
    """Return the nodes of each decomposed operator, and those that a product absorbs."""
    found = [norm.nodes for norm in Norms(model, deployment).found]
    graph = model.graph
    return [*found, *_gelus(graph), *_silus(graph), *_sums(graph), *_scaled(graph)]


def _sums(graph: Graph) -> Iterator[list[Node]]:
    """Iterate over sums that are computed with the product, convolution or norm next to them."""
    for add in graph.by_op.get("Add", ()):
        result = add.output()
        reader = result.consumers[0].node if result is not None and result.consumers else None
        for value, other in operands(add):
            maker = value.producer
            if maker is None or value.sole_consumer is not add:
                continue
            is_bias = maker.op_type == "MatMul" and other.is_constant
            if is_bias or (maker.op_type == "Conv" and not other.is_constant):
                yield [maker, add]
                break
        if reader is not None and reader.op_type == "LayerNormalization":
            yield [add, reader]


def _scaled(graph: Graph) -> Iterator[list[Node]]:
    """Iterate over products of matrices and the number that they are multiplied by."""
    for product in graph.by_op.get("MatMul", ()):
        result = product.output()
        scale = result.sole_consumer if result is not None else None
        if scale is None or scale.op_type not in ("Mul", "Div"):
            continue
        if any(number(other) is not None for value, other in operands(scale) if value is result):
            yield [product, scale]


def _gelus(graph: Graph) -> Iterator[list[Node]]:
    """Iterate over x * (1 + erf(x / sqrt(2))) / 2, whose last product may come before the half."""
    for erf in graph.by_op.get("Erf", ()):
        scaled = erf.input(0)
        before = scaled.producer if scaled is not None else None
        nodes = [erf]
        if before is not None and before.op_type in ("Mul", "Div"):
            nodes.insert(0, before)
        last: Node | None = erf
        for _ in range(_LONGEST):
            value = last.output() if last is not None else None
            last = value.sole_consumer if value is not None else None
            if last is None or last.op_type not in ("Add", "Mul"):
                break
            nodes.append(last)
        halves = (v for n in nodes if n.op_type == "Mul" for v, _ in operands(n))
        if len(nodes) >= 4 and any(is_number(value, 0.5) for value in halves):
            yield nodes[:5]


def _silus(graph: Graph) -> Iterator[list[Node]]:
    """Iterate over x * sigmoid(x)."""
    for sigmoid in graph.by_op.get("Sigmoid", ()):
        value, source = sigmoid.output(), sigmoid.input(0)
        product = value.sole_consumer if value is not None else None
        if product is not None and product.op_type == "Mul" and source in product.inputs:
            yield [sigmoid, product]
