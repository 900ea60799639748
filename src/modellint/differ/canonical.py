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

from modellint.analysis.chains import LONGEST
from modellint.analysis.fusion import operands
from modellint.differ.attributes import drop_even_split, names_of_inputs, opset_of, stated
from modellint.differ.composed import (
    BIASED,
    FLATTEN,
    GLOBAL_MEAN,
    LAID_OUT,
    PASSED,
    PRODUCTS,
    Composing,
    axes_of_space,
    common_form,
    composed_in,
)
from modellint.differ.crossing import FEW, common_attributes, is_seen_through, operator_name
from modellint.differ.written_out import Composed
from modellint.model import Graph, Node, Value
from modellint.operators import Trait, having

_COMMUTATIVE = having(Trait.COMMUTATIVE)
_INTEGERS_OUT = frozenset(("MatMulInteger", "ConvInteger", "ArgMax", "ArgMin", "NonZero"))
_COMPARING = frozenset(
    "Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf Shape Size".split()
)
_FLOATING = having(
    Trait.FLOAT_PRODUCT, Trait.ACTIVATION, Trait.SOFTMAX, Trait.NORMALIZATION, Trait.ROOT
)
_FLOATS = frozenset((1, 10, 11, 16))
"""Element types of TensorProto: float, float16, double, bfloat16."""
_SCALING = ("Resize", "Upsample")
_OF_LINEAR = frozenset("alpha beta transA transB K N bits block_size accuracy_level".split())
"""Attributes of a product that say how its weight is stored."""

_OF_KERNELS = frozenset(("kernel_shape", "channels_last", "opset"))

_UNIMPORTANT = {"Reshape": "allowzero"}
"""Attributes that change nothing but for shapes that hardly any model has."""


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
        composing: Composing,
    ) -> None:
        self.graph = graph
        self.crossing = composing.crossing
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
        self._means, self._views = composing.means, composing.views
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
        if self.crossing and is_seen_through(node):
            return source
        if op == "Identity" or op in PASSED:
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
        if op in LAID_OUT:
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
        op, taken = common_form(node)
        if self.crossing:
            op = op if op in BIASED else operator_name(node)
        step = CanonicalStep(self._renamed.get(op, op), (node,), len(self.steps))
        inputs = [self.root(value) if value is not None else None for value in taken]
        attributes = _about_numbers(node, op, stated(node, self._opset))
        if node.op_type not in PRODUCTS:
            inputs = self._without_parameters(node, inputs, attributes)
        if op == "Split":
            drop_even_split(attributes)
        axes = axes_of_space(node) if self._means and op == GLOBAL_MEAN else ()
        if axes:
            step.op, attributes = "ReduceMean", {"axes": axes}
        if self._views and op == FLATTEN:
            step.op = "Reshape"
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


def canonical(
    graph: Graph, composing: Composing, renamed: Mapping[str, str] = MappingProxyType({})
) -> CanonicalGraph:
    """Return the canonical view of a graph; `renamed` has other names of functions by their own."""
    composed = composed_in(graph, composing)
    return CanonicalGraph(graph, composed, renamed, composing)


def _without_integers(node: Node, inputs: Sequence[Value | None]) -> list[Value | None]:
    """Return inputs without constants that are parameters, which only some formats have."""
    if node.op_type in PRODUCTS:
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
