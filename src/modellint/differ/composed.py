"""Operations that are written with several nodes, and forms of one operator under other names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modellint.analysis.chains import LONGEST
from modellint.analysis.fusion import Norms, operands
from modellint.base.memo import Remembered
from modellint.differ.crossing import (
    COPIES,
    FOLDED,
    operator_name,
    with_activation,
    with_constants,
)
from modellint.differ.written_out import Composed, gelus, written_out
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having, names, of
from modellint.targets.deployment import Deployment

LAYERS = names(Trait.GEMM, Trait.MATMUL, Trait.CONVOLUTION)
BIASED = ("MatMul", "Conv")
PASSED = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
PRODUCTS = having(Trait.FLOAT_PRODUCT, Trait.INTEGER_PRODUCT, Trait.BLOCK_WEIGHTS)
GLOBAL_MEAN = "GlobalAveragePool"
FLATTEN = "Flatten"
LAID_OUT = frozenset(("Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten"))
"""Give a stored weight the shape that an operator takes."""
_NORMS: Remembered[Norms] = Remembered()


class Composing(NamedTuple):
    """Operations that become one step although they are written with several nodes."""

    layers: bool = False
    """A product with a weight, and the Add of its bias."""
    norms: bool = False
    gelus: bool = False
    folded: bool = False
    """A convolution, and the normalization after it."""
    means: bool = False
    """The mean over all axes of space: an operator of its own, or a reduction."""
    views: bool = False
    """Another shape of the same numbers, by Flatten or by Reshape."""
    crossing: bool = False
    """All that formats write differently; this includes layers."""


def composed_in(graph: Graph, composing: Composing) -> dict[Node, Composed]:
    """Return the operations that are written with several nodes, by the last of these."""
    finders = (_layers_with_bias, _layer_norms, gelus, _normalized)
    kinds = zip(composing, finders, strict=False)
    found = (each for wanted, find in kinds if wanted for each in find(graph))
    composed = {each.parts[-1]: each for each in found}
    if composing.crossing:
        composed |= {each.parts[-1]: each for each in written_out(graph)}
        _add_constants(graph, composed)
        _add_activations(graph, composed)
    return composed


def axes_of_space(node: Node) -> tuple[int, ...]:
    """Return the axes that a global mean is over; empty if its rank is not known."""
    data = node.input(0)
    shape = data.shape if data is not None else None
    return tuple(range(2, len(shape))) if shape is not None else ()


def _add_constants(graph: Graph, composed: dict[Node, Composed]) -> None:
    """Make one step of an operator and the arithmetic with its constants."""
    owners = {part: each.parts for each in composed.values() for part in each.parts}
    for parts in with_constants(graph):
        shorter = {owners[part] for part in parts if part in owners}
        if all(parts[: len(each)] == each != parts for each in shorter):
            for each in shorter:  # a product with its bias, which a scale follows
                del composed[each[-1]]
            arithmetic = [node for node in parts[1:] if operator_name(node) not in COPIES]
            taken = (*common_form(parts[0])[1], *(v for node in arithmetic for v in node.inputs))
            made = {node.output() for node in parts}
            inputs = tuple([value for value in taken if value is not None and value not in made])
            composed[parts[-1]] = Composed(operator_name(parts[0]), parts, inputs)


def _add_activations(graph: Graph, composed: dict[Node, Composed]) -> None:
    """Make one step of an operator and its activation, as formats that fuse them have it."""
    inside = {part for each in composed.values() for part in each.parts[:-1]}
    for node, activation in with_activation(graph):
        whole = composed.pop(node, None)
        if whole is None and (node in inside or activation in inside):
            continue
        if whole is None:
            op, taken = common_form(node)
            inputs = tuple([value for value in taken if value is not None])
            whole = Composed(op if op in BIASED else operator_name(node), (node,), inputs)
        composed[activation] = Composed(whole.op, (*whole.parts, activation), whole.inputs)


def common_form(node: Node) -> tuple[str, tuple[Value | None, ...]]:
    """Return the operator that a node is a form of, and that operator's inputs."""
    op = node.op_type
    if op in PRODUCTS:
        return common_product(node)
    if op.startswith("QLinear") or op == "QGemm":
        rest, inputs = op.removeprefix("QLinear").removeprefix("Q"), node.inputs
        if rest == "Concat":
            return rest, inputs[2::3]
        return rest, inputs[0:4:3] if rest in ("Add", "Mul") else inputs[:1]
    return node.qualified_op, node.inputs


def common_product(node: Node) -> tuple[str, tuple[Value | None, ...]]:
    row = of(node)
    places = [row.place(role) for role in ("data", "weight", "bias")]
    inputs = [node.input(place) if place is not None else None for place in places]
    while inputs and inputs[-1] is None:
        inputs.pop()
    if Trait.CONVOLUTION in row.traits:
        return "Conv", tuple(inputs)
    if not {Trait.GEMM, Trait.MATMUL} & row.traits or node.op_type.startswith("Fused"):
        return node.qualified_op, node.inputs
    weight = inputs[1] if len(inputs) > 1 else None
    is_plain = (
        node.get_float("alpha", 1.0) == 1.0
        and node.get_float("beta", 1.0) == 1.0
        and not node.get_int("transA", 0)
        and (not node.get_int("transB", 0) or (weight is not None and _is_stored(weight)))
    )
    return ("MatMul", tuple(inputs)) if is_plain else (node.qualified_op, node.inputs)


def _layers_with_bias(graph: Graph) -> Iterator[Composed]:
    """Find each product with a weight, and the Add of its bias."""
    for op in LAYERS:
        for product in graph.by_op.get(op, ()):
            name, inputs = common_product(product)
            output = product.output()
            if name not in BIASED or len(inputs) != 2 or output is None:
                continue
            data, weight = inputs
            if data is None or weight is None or not _is_stored(weight):
                continue
            end = _onward(output)
            add = end.sole_consumer
            if add is None or add.graph is not graph:
                continue
            for value, bias in _summands(add):
                if value is end and _is_vector(bias):
                    yield Composed(name, (product, add), (data, weight, bias))
                    break


def _normalized(graph: Graph) -> Iterator[Composed]:
    """Find each convolution that only a normalization reads, with constants."""
    for node in graph.by_op.get(FOLDED, ()):
        data = node.input(0)
        maker = data.producer if data is not None and data.sole_consumer is node else None
        name, taken = common_product(maker) if maker is not None else ("", ())
        inputs = [value for value in taken if value is not None]
        learned = [value for value in node.inputs[1:] if value is not None and _is_vector(value)]
        if maker is not None and name == "Conv" and maker.graph is graph and len(learned) == 4:
            yield Composed(name, (maker, node), (*inputs, *learned))


def _summands(add: Node) -> Iterator[tuple[Value, Value]]:
    if add.qualified_op == "Add":
        yield from operands(add)
    elif add.op_type == "QLinearAdd":
        one, other = add.input(0), add.input(3)
        if one is not None and other is not None:
            yield from ((one, other), (other, one))


def _is_stored(value: Value) -> bool:
    return _upstream(value).tensor is not None


def _is_vector(value: Value) -> bool:
    tensor = _upstream(value).tensor
    return tensor is not None and 0 < tensor.elements == max(tensor.shape, default=0)


def _upstream(value: Value) -> Value:
    """Return the value before all conversions."""
    for _ in range(LONGEST):
        node = value.producer if value.tensor is None else None
        source = node.input(0) if node is not None and node.op_type in _CONVERTING else None
        if source is None:
            break
        value = source
    return value


def _onward(value: Value) -> Value:
    """Return the value after all conversions that only it goes through."""
    for _ in range(LONGEST):
        node = value.sole_consumer
        output = node.output() if node is not None else None
        if node is None or output is None or node.op_type in LAID_OUT:
            break
        if node.op_type not in _CONVERTING and not _scales_integers(node, value):
            break
        value = output
    return value


def _scales_integers(node: Node, value: Value) -> bool:
    """Return True for the Mul that gives the sum of an integer product its scale."""
    cast = value.producer
    source = cast.input(0) if cast is not None and cast.op_type == "Cast" else None
    maker = source.producer if source is not None else None
    return node.op_type == "Mul" and maker is not None and maker.op_type.endswith("Integer")


_CONVERTING = frozenset(("Identity", "Cast", *LAID_OUT, *PASSED))


def _layer_norms(graph: Graph) -> Iterator[Composed]:
    model = graph.model
    found = model.memo.get(_NORMS, None, lambda: Norms(model, Deployment()))
    for norm in found.found:
        if norm.kind != "layer" or norm.last.graph is not graph:
            continue
        parts = norm.nodes
        mean = next((node for node in parts if node.op_type == "ReduceMean"), None)
        data = mean.input(0) if mean is not None else None
        if data is None or norm.last is not parts[-1]:
            continue
        inside = set(parts)
        learned = [
            value
            for node in parts
            if node.op_type in ("Mul", "Add")
            for value in node.inputs
            if value is not None and value.producer not in inside and _is_vector(value)
        ]
        yield Composed("LayerNormalization", tuple(parts), (data, *learned))
