"""Canonical view of a graph, in which one network looks the same from any exporter.

Nodes become steps. What changes no numbers but their type or place is seen through: Identity, a
Cast between floats, a quantizer and its inverse, the Transpose of a weight. What exporters write in
several ways is one step: a Gemm, and a MatMul with the Add of its bias; a LayerNormalization, and
the nodes that it is written out with. Parameters count as attributes, whichever way a version of an
operator takes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from modellint.analysis.chains import LONGEST
from modellint.analysis.fusion import Norms, is_number, operands
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.differ.attributes import drop_even_split, names_of_inputs, opset_of, stated
from modellint.differ.crossing import (
    FEW,
    common_attributes,
    is_arranging,
    operator_name,
    with_activation,
    with_constants,
)
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having, names, of
from modellint.targets.deployment import Deployment

_PASSED = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
_COMMUTATIVE = having(Trait.COMMUTATIVE)
_PRODUCTS = having(Trait.FLOAT_PRODUCT, Trait.INTEGER_PRODUCT, Trait.BLOCK_WEIGHTS)
LAYERS = names(Trait.GEMM, Trait.MATMUL, Trait.CONVOLUTION)
_BIASED = ("MatMul", "Conv")
_INTEGERS_OUT = frozenset(("MatMulInteger", "ConvInteger", "ArgMax", "ArgMin", "NonZero"))
_COMPARING = frozenset(
    "Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf Shape Size".split()
)
_FLOATING = having(
    Trait.FLOAT_PRODUCT, Trait.ACTIVATION, Trait.SOFTMAX, Trait.NORMALIZATION, Trait.ROOT
)
_FLOATS = frozenset((1, 10, 11, 16))
"""Element types of TensorProto: float, float16, double, bfloat16."""
_LAID_OUT = frozenset(("Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten"))
"""Give a stored weight the shape that an operator takes."""
_SCALING = ("Resize", "Upsample")
_OF_LINEAR = frozenset("alpha beta transA transB K N bits block_size accuracy_level".split())
"""Attributes of a product that say how its weight is stored."""

_OF_KERNELS = frozenset(("kernel_shape", "channels_last", "opset"))

_UNIMPORTANT = {"Reshape": "allowzero"}
"""Attributes that change nothing but for shapes that hardly any model has."""

_NORMS: Remembered[Norms] = Remembered()


@dataclass(frozen=True, slots=True)
class Composed:
    """Several nodes that are one operation; the last makes its output."""

    op: str
    parts: tuple[Node, ...]
    inputs: tuple[Value, ...]


class CanonicalStep:
    """One operation of the canonical view: a node, or several that are one."""

    __slots__ = ("attributes", "index", "inputs", "is_commutative", "nodes", "op", "outputs")

    def __init__(self, op: str, nodes: tuple[Node, ...], index: int) -> None:
        self.op = op
        self.nodes = nodes
        self.index = index
        """Its place in topological order."""
        self.attributes: Mapping[str, object] = {}
        """With parameters that are inputs, and without those that state a default."""
        self.inputs: tuple[Value | None, ...] = ()
        """The values that it reads, before all that is seen through."""
        self.outputs: tuple[Value | None, ...] = ()
        self.is_commutative = op in _COMMUTATIVE

    @property
    def main(self) -> Node:
        return self.nodes[0]

    @property
    def form(self) -> tuple[str, ...]:
        """Return the operators that it is written with."""
        return tuple([node.qualified_op for node in self.nodes])

    @property
    def output(self) -> Value | None:
        return self.outputs[0] if self.outputs else None

    def weights(self) -> Iterator[tuple[int, Value]]:
        """Iterate over the stored tensors that it reads, by input."""
        for at, value in enumerate(self.inputs):
            if value is not None and value.tensor is not None:
                yield at, value

    def __repr__(self) -> str:
        return f"CanonicalStep({self.op} {self.main.label!r})"


class CanonicalGraph:
    """The steps of one graph, in topological order, and who makes and reads their values."""

    def __init__(
        self,
        graph: Graph,
        composed: Mapping[Node, Composed],
        renamed: Mapping[str, str],
        *,
        crossing: bool = False,
    ) -> None:
        self.graph = graph
        self.crossing = crossing
        """True if the other graph is of a format that states operators in other ways."""
        self.light: list[Node] = []
        """Nodes that are seen through."""
        self.steps: list[CanonicalStep] = []
        self.makers: dict[Value, tuple[CanonicalStep, int]] = {}
        """The step of each value, and the place among its outputs."""
        self.readers: dict[Value, list[tuple[CanonicalStep, int]]] = {}
        self._opset = opset_of(graph.model)
        self._roots: dict[Value, Value] = {}
        self._scales: set[Value] = set()
        """Products of scales, in dynamic quantization."""
        self._composed = composed
        self._renamed = renamed
        self._inside = {part for each in composed.values() for part in each.parts}
        for node in graph.ordered:
            self._visit(node)
        for step in self.steps:
            for at, value in enumerate(step.inputs):
                if value is not None:
                    self.readers.setdefault(value, []).append((step, at))

    def root(self, value: Value) -> Value:
        """Return the value that another one is a copy of, seen canonically."""
        return self._roots.get(value, value)

    # One node

    def _visit(self, node: Node) -> None:
        if node.outputs and all(each is None or each.tensor is not None for each in node.outputs):
            return  # a constant
        composed = self._composed.get(node)
        if composed is not None:
            self._add(self._whole(composed))
        elif node not in self._inside:
            source = self._source(node)
            if source is None:
                self._add(self._single(node))
            else:
                self._pass_on(node, source)

    def _pass_on(self, node: Node, source: Value) -> None:
        self.light.append(node)
        output = node.output()
        if output is not None:
            self._roots[output] = self.root(source)

    def _source(self, node: Node) -> Value | None:
        """Return the value that a node passes on; None if it computes one."""
        source, op = node.input(0), node.op_type
        if source is None:
            return None
        if self.crossing and is_arranging(node, source):
            return source
        if op == "Identity" or op in _PASSED:
            return source
        if op == "Dropout":
            mask = node.output(1)
            return source if mask is None or not (mask.consumers or mask.is_output) else None
        if op == "DynamicQuantizeLinear":
            self._scales.update(value for value in node.outputs[1:2] if value is not None)
            return source
        if op == "Cast":
            return source if node.get_int("to") in _FLOATS and self._is_number(source) else None
        if op == "Mul":
            return self._scaled(node)
        if op in _LAID_OUT:
            return source if self.root(source).tensor is not None else None
        return None

    def _is_number(self, value: Value) -> bool:
        """Return True for a value of floats, and for the sum that an integer product makes."""
        for _ in range(LONGEST):
            if value.known_dtype is not None:
                producer = value.producer
                is_sum = producer is not None and producer.op_type.endswith("Integer")
                return value.known_dtype.is_float or is_sum
            node = value.producer
            if node is None or node.op_type in _COMPARING:
                return False
            if node.op_type in _FLOATING:
                return True
            if node.op_type == "Cast":
                return node.get_int("to") in _FLOATS
            if node.op_type.endswith("Integer"):
                return True
            if node.op_type in _INTEGERS_OUT:
                return False
            source = node.input(1 if node.op_type == "Where" else 0)
            if source is None:
                return False
            value = source
        return False

    def _scaled(self, node: Node) -> Value | None:
        """Return the product that a Mul gives its scale, as dynamic quantization writes it."""
        output = node.output()
        if not self._scales or output is None:
            return None
        for scale, rest in operands(node):
            if scale in self._scales:
                if rest.tensor is not None or rest in self._scales:
                    self._scales.add(output)
                    return scale
                return rest
        return None

    # Steps

    def _add(self, step: CanonicalStep) -> None:
        self.steps.append(step)
        for at, value in enumerate(step.outputs):
            if value is not None:
                self.makers.setdefault(value, (step, at))

    def _single(self, node: Node) -> CanonicalStep:
        op, taken = _common_form(node)
        if self.crossing:
            op = op if op in _BIASED else operator_name(node)
        step = CanonicalStep(self._renamed.get(op, op), (node,), len(self.steps))
        inputs = [self.root(value) if value is not None else None for value in taken]
        attributes = _about_numbers(node, op, stated(node, self._opset))
        if node.op_type not in _PRODUCTS:
            inputs = self._without_parameters(node, inputs, attributes)
        if op == "Split":
            drop_even_split(attributes)
        if node.subgraphs:
            inputs += [self.root(value) for value in _captured(node)]
        if self.crossing:
            inputs = _without_integers(node, inputs)
            attributes = common_attributes(op, step.nodes)
        step.inputs, step.attributes, step.outputs = tuple(inputs), attributes, node.outputs
        return step

    def _without_parameters(
        self, node: Node, inputs: list[Value | None], attributes: dict[str, object]
    ) -> list[Value | None]:
        """Move small constants to the attributes, under the names that they have there."""
        named = names_of_inputs(node.op_type, node.domain)
        is_commutative = node.op_type in _COMMUTATIVE
        kept: list[Value | None] = []
        for at, value in enumerate(inputs):
            name = named[at] if at < len(named) else ""
            numbers = _parameter(node, value) if value is not None and name else None
            if numbers is None:
                kept.append(value)
            elif numbers != () and not (name == "constant_value" and numbers == 0):
                attributes["constant" if is_commutative else name] = numbers
                if not is_commutative:
                    kept.append(None)
            elif not is_commutative:
                kept.append(None)
        while kept and kept[-1] is None:
            kept.pop()
        return kept

    def _whole(self, composed: Composed) -> CanonicalStep:
        step = CanonicalStep(composed.op, composed.parts, len(self.steps))
        main = step.main
        step.attributes = (
            common_attributes(step.op, step.nodes)
            if self.crossing
            else _about_numbers(main, step.op, stated(main, self._opset))
        )
        inputs = [self.root(value) for value in composed.inputs]
        step.inputs = tuple(_without_integers(main, inputs) if self.crossing else inputs)
        step.outputs = (composed.parts[-1].output(),)
        return step


class Composing(NamedTuple):
    """Operations that become one step although they are written with several nodes."""

    layers: bool = False
    """A product with a weight, and the Add of its bias."""
    norms: bool = False
    gelus: bool = False
    crossing: bool = False
    """All that formats write differently; this includes layers."""


def canonical(
    graph: Graph, composing: Composing, renamed: Mapping[str, str] = MappingProxyType({})
) -> CanonicalGraph:
    """Return the canonical view of a graph; `renamed` has other names of functions by their own."""
    kinds = zip(composing, (_layers_with_bias, _layer_norms, _gelus), strict=False)
    found = (each for wanted, find in kinds if wanted for each in find(graph))
    composed = {each.parts[-1]: each for each in found}
    if composing.crossing:
        _add_constants(graph, composed)
        _add_activations(graph, composed)
    return CanonicalGraph(graph, composed, renamed, crossing=composing.crossing)


def _add_constants(graph: Graph, composed: dict[Node, Composed]) -> None:
    """Make one step of an operator and the arithmetic with its constants."""
    inside = {part for each in composed.values() for part in each.parts}
    for parts in with_constants(graph):
        if inside.isdisjoint(parts):
            taken = (
                *_common_form(parts[0])[1],
                *(value for node in parts[1:] for value in node.inputs),
            )
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
            op, taken = _common_form(node)
            inputs = tuple([value for value in taken if value is not None])
            whole = Composed(op if op in _BIASED else operator_name(node), (node,), inputs)
        composed[activation] = Composed(whole.op, (*whole.parts, activation), whole.inputs)


def _without_integers(node: Node, inputs: Sequence[Value | None]) -> list[Value | None]:
    """Return inputs without constants that are parameters, which only some formats have."""
    if node.op_type in _PRODUCTS:
        return list(inputs)
    return [
        value
        for value in inputs
        if value is None
        or value.tensor is None
        or value.tensor.dtype.is_float
        or value.tensor.elements > FEW
    ]


def _parameter(node: Node, value: Value) -> object:
    """Return the numbers of a constant that is a parameter; nothing for others and for weights."""
    tensor = value.tensor
    if tensor is None or not tensor.small:
        return None
    is_scalar = tensor.elements == 1 or (node.op_type in _SCALING and tensor.elements <= FEW)
    if tensor.elements == 0:
        return ()
    if not is_scalar and (not tensor.dtype.is_integer or tensor.elements > FEW):
        return None
    numbers = tuple(tensor.small_numbers())
    return (numbers if tensor.shape else numbers[0]) if numbers else None


def _about_numbers(node: Node, op: str, attributes: dict[str, object]) -> dict[str, object]:
    """Return a node's attributes without those that say how a weight or an element is stored."""
    if op == "MatMul":
        return {name: value for name, value in attributes.items() if name not in _OF_LINEAR}
    if op == "Conv" or node.op_type.startswith("QLinear"):
        return {name: value for name, value in attributes.items() if name not in _OF_KERNELS}
    if op == "LayerNormalization" and node.op_type != op:
        return {}
    if op in _UNIMPORTANT:
        return {name: value for name, value in attributes.items() if name != _UNIMPORTANT[op]}
    return attributes


def _common_form(node: Node) -> tuple[str, tuple[Value | None, ...]]:
    """Return the operator that a node is a form of, and that operator's inputs."""
    op = node.op_type
    if op in _PRODUCTS:
        return _common_product(node)
    if op.startswith("QLinear") or op == "QGemm":
        rest, inputs = op.removeprefix("QLinear").removeprefix("Q"), node.inputs
        if rest == "Concat":
            return rest, inputs[2::3]
        return rest, inputs[0:4:3] if rest in ("Add", "Mul") else inputs[:1]
    return node.qualified_op, node.inputs


def _common_product(node: Node) -> tuple[str, tuple[Value | None, ...]]:
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


def _captured(node: Node) -> Iterator[Value]:
    """Iterate over the values of the node's graph that its subgraphs read."""
    seen: set[Value] = set()
    for graph in node.subgraphs.values():
        for inner in graph.walk():
            for each in (*inner.nodes, None):
                for value in each.inputs if each is not None else inner.outputs:
                    if value is not None and value.graph is node.graph and value not in seen:
                        seen.add(value)
                        yield value


# --- Several nodes that are one ------------------------------------------------------------------


def _layers_with_bias(graph: Graph) -> Iterator[Composed]:
    """Find each product with a weight, and the Add of its bias."""
    for op in LAYERS:
        for product in graph.by_op.get(op, ()):
            name, inputs = _common_product(product)
            output = product.output()
            if name not in _BIASED or len(inputs) != 2 or output is None:
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
        if node is None or output is None or node.op_type in _LAID_OUT:
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


_CONVERTING = frozenset(("Identity", "Cast", *_LAID_OUT, *_PASSED))


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


_SCALES = {"Div": 2**0.5, "Mul": 0.5**0.5}


def _gelus(graph: Graph) -> Iterator[Composed]:
    """Find x * 0.5 * (1 + erf(x / sqrt(2))), in any order of the products."""
    for erf in graph.by_op.get("Erf", ()):
        source, output = erf.input(0), erf.output()
        scaled = source.producer if source is not None else None
        add = output.sole_consumer if output is not None else None
        if scaled is None or add is None or add.op_type != "Add" or scaled.op_type not in _SCALES:
            continue
        x, root = scaled.input(0), scaled.input(1)
        if x is None or not is_number(root, _SCALES[scaled.op_type]):
            continue
        if not any(is_number(one, 1.0) for one in add.inputs):
            continue
        products = _halved(add, x)
        if products is not None:
            yield Composed("Gelu", (scaled, erf, add, *products), (x,))


def _halved(add: Node, x: Value) -> tuple[Node, Node] | None:
    """Return the two products of 1 + erf with x and a half; None if there are others."""
    output = add.output()
    first = output.sole_consumer if output is not None else None
    if first is None or first.op_type != "Mul":
        return None
    factor = next((other for one, other in operands(first) if one is output), None)
    if factor is None:
        return None
    before = factor.producer
    if before is not None and before.op_type == "Mul" and factor.sole_consumer is first:
        halves = [half for one, half in operands(before) if one is x]
        if any(is_number(half, 0.5) for half in halves):
            return before, first
    output = first.output()
    second = output.sole_consumer if output is not None else None
    if second is None or second.op_type != "Mul":
        return None
    last = next((other for one, other in operands(second) if one is output), None)
    is_half = (factor is x and is_number(last, 0.5)) or (is_number(factor, 0.5) and last is x)
    return (first, second) if is_half else None
