"""Quantization map: the precision in which each weighted op actually runs, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from modellint.analysis.assume import Settled, settle
from modellint.analysis.chains import LONGEST
from modellint.analysis.precision import precision_of
from modellint.analysis.quantization.onnxruntime import held_back
from modellint.analysis.quantization.ops import (
    BLOCK_WEIGHT_OPS,
    EXPERTS,
    FLOAT_ONLY,
    FLOAT_PRODUCTS,
    INTEGER_OPS,
    MOVING,
    TYPED_PRODUCTS,
    OperandPlaces,
    output_axis,
)
from modellint.analysis.quantization.parts import (
    Converter,
    Kind,
    Operand,
    WeightedOp,
    root_of,
    stored_root,
    unpacked_from,
)
from modellint.analysis.quantization.scheme import (
    DEQUANTIZE,
    QUANTIZE,
    Arrays,
    Scheme,
    known_type,
    original,
    scheme_of,
)
from modellint.analysis.quantization.tensorrt import is_held_back
from modellint.base.memo import Memo, Remembered
from modellint.model import Graph, Model, Node, Value
from modellint.operators import Operator, Trait, having, of
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellint.analysis.cost import ModelCost


T = TypeVar("T")
_KEPT: Remembered[Any] = Remembered()


def _input(node: Node, index: int | None) -> Value | None:
    return original(node.input(index)) if index is not None else None


_ACTIVATIONS = having(Trait.ACTIVATION)
_MATMULS = having(Trait.MATMUL)
_NUMERIC = frozenset(
    ("int2", "fp4", "int4", "fp6", "fp8", "int8", "int16", "bf16", "fp16", "fp32", "fp64")
)
"""Precisions of arithmetic, which excludes shapes and indices."""


class QuantizationMap:
    """All Q, DQ and weighted ops of a model, and their combined effect."""

    starts_from = (
        *QUANTIZE,
        *DEQUANTIZE,
        *FLOAT_PRODUCTS,
        *INTEGER_OPS,
        *BLOCK_WEIGHT_OPS,
        *FLOAT_ONLY,
        *EXPERTS,
        *TYPED_PRODUCTS,
    )

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.model = model
        self.deployment = deployment
        self.quantizers: list[Converter] = []
        self.dequantizers: list[Converter] = []
        self.ops: list[WeightedOp] = []
        self._arrays: Arrays = {}
        self._kept = Memo()
        self._by_node: dict[int, Converter] = {}
        self._op_by_node: dict[int, WeightedOp] = {}
        for graph in model.graphs(functions=True):
            self._find_converters(graph)
        self._link_converters()
        for graph in model.graphs(functions=True):
            self._find_ops(graph)
        for op in self.ops if deployment.runtime in _HOLDS_BACK else ():
            if op.is_quantized and op.integer is None:
                op.held_back = _HOLDS_BACK[deployment.runtime or ""](self, op)

    # What there is

    def _find_converters(self, graph: Graph) -> None:
        kinds: tuple[tuple[tuple[str, ...], Kind, list[Converter]], ...] = (
            (QUANTIZE, "quantize", self.quantizers),
            (DEQUANTIZE, "dequantize", self.dequantizers),
        )
        for ops, kind, found in kinds:
            for op in ops:
                for node in graph.by_op.get(op, ()):
                    if not node.inputs or not node.outputs:
                        continue
                    source, output = node.inputs[0], node.outputs[0]
                    if source is None or output is None:
                        continue
                    scheme = scheme_of(node, self._arrays, dequantize=kind == "dequantize")
                    is_weight = source.tensor is not None or stored_root(source) is not None
                    converter = Converter(node, kind, scheme, source, output, is_weight)
                    found.append(converter)
                    self._by_node[id(node)] = converter

    def _link_converters(self) -> None:
        by_node = self._by_node
        for converter in self.dequantizers:
            converter.before = by_node.get(id(converter.source.producer))
        for converter in self.quantizers:
            converter.before = by_node.get(id(converter.source.producer))

    def _find_ops(self, graph: Graph) -> None:
        for op in FLOAT_PRODUCTS:
            for node in graph.by_op.get(op, ()):
                self._add(node, 0, 1)
        for op, (data, weight) in INTEGER_OPS.items():
            for node in graph.by_op.get(op, ()):
                self._add(
                    node, data.value, weight.value, integer="int16" if op.endswith("16") else "int8"
                )
                self._give_schemes(node, data, weight)
        for op in BLOCK_WEIGHT_OPS:
            for node in graph.by_op.get(op, ()):
                self._add(node, 0, 1, weight_bits=node.get_int("bits", 4))
        for op in FLOAT_ONLY:
            for node in graph.by_op.get(op, ()):
                self._add(node, 0, 1)
        for op, row in TYPED_PRODUCTS.items():
            for node in graph.by_op.get(op, ()):
                self._add_typed(node, row)
        for op in EXPERTS:
            for node in graph.by_op.get(op, ()):
                packed = of(node).place("weight-scale") is not None
                bits = node.get_int("expert_weight_bits", 4) if packed else None
                self._add(node, 0, of(node).place("weight") or 1, weight_bits=bits)

    def _add_typed(self, node: Node, row: Operator) -> None:
        """Add an op whose precision is that of its inputs, which are quantized as they are."""
        data, weight = row.place("data") or 0, row.place("weight") or 1
        types = [known_type(node.input(at)) for at in (data, weight)]
        if types[0] is not None and types[0].is_integer:
            self._add(node, data, weight, integer=precision_of(types[0]))
        else:
            is_packed = types[1] is not None and types[1].is_integer
            bits = int(types[1].bits) if types[1] is not None and is_packed else None
            self._add(node, data, weight, weight_bits=bits)

    def _add(
        self,
        node: Node,
        data: int,
        weight: int,
        integer: str | None = None,
        weight_bits: int | None = None,
    ) -> None:
        left, right = node.input(data), node.input(weight)
        if left is None or right is None:
            return
        op = WeightedOp(node, self.operand(left), self.operand(right), integer, weight_bits)
        if op.data.is_constant and not op.weight.is_constant and node.op_type in _MATMULS:
            op = WeightedOp(node, op.weight, op.data, integer, weight_bits)  # w @ x
        _unpack(op)
        for operand in (op.data, op.weight):
            if operand.dequantizer is not None:
                operand.dequantizer.feeds_layer = True
            if operand.quantizer is not None:
                operand.quantizer.feeds_layer = True
        self.ops.append(op)
        self._op_by_node[id(node)] = op

    def _give_schemes(self, node: Node, data: OperandPlaces, weight: OperandPlaces) -> None:
        """Set the schemes of an integer op's operands from its other inputs."""
        op = self.op(node)
        if op is None:
            return
        for operand, (index, scale, zero_point) in ((op.data, data), (op.weight, weight)):
            value = node.input(index)
            tensor = operand.root.tensor
            axis = output_axis(node, len(tensor.shape)) if tensor is not None else None
            operand.own_scheme = Scheme(
                node,
                known_type(value) or known_type(_input(node, zero_point)),
                _input(node, scale),
                _input(node, zero_point),
                self._arrays,
                axis,
            )

    # Who is who

    def converter(self, node: Node | None) -> Converter | None:
        """Return the Q or DQ of a node."""
        return self._by_node.get(id(node)) if node is not None else None

    def op(self, node: Node | None) -> WeightedOp | None:
        return self._op_by_node.get(id(node)) if node is not None else None

    def dequantizer_of(self, value: Value) -> Converter | None:
        """Return the DQ that produces a value directly."""
        found = self.converter(value.producer)
        return found if found is not None and found.kind == "dequantize" else None

    def quantizers_after(self, value: Value) -> list[Converter]:
        """Return the Qs that consume a value directly."""
        found = (self.converter(use.node) for use in value.consumers if use.index == 0)
        return [one for one in found if one is not None and one.kind == "quantize"]

    def dequantizers_after(self, quantizer: Converter) -> list[Value]:
        """Return the outputs of the DQs that undo a Q."""
        found = (self.converter(use.node) for use in quantizer.output.consumers)
        return [one.output for one in found if one is not None and one.kind == "dequantize"]

    def operand(self, value: Value) -> Operand:
        """Follow an input of an op up to where its precision is decided."""
        start = value
        moves: list[Node] = []
        while len(moves) < LONGEST:
            producer = value.producer if value.tensor is None else None
            if producer is None:
                break
            dequantizer = self.dequantizer_of(value)
            if dequantizer is not None:
                quantizer = dequantizer.undoes
                source = quantizer.source if quantizer is not None else dequantizer.source
                return Operand(start, root_of(source), dequantizer, quantizer, tuple(moves))
            source_value = producer.input(0)
            if producer.op_type not in MOVING or source_value is None:
                break
            moves.append(producer)
            value = source_value
        return Operand(start, value, None, None, tuple(moves))

    def is_quantized_after(self, node: Node) -> bool:
        """Return True if the result is quantized, possibly after an activation."""
        value = node.output()
        for _ in range(2):
            if value is None:
                return False
            if self.quantizers_after(value):
                return True
            after = value.sole_consumer
            value = after.output() if after is not None and after.op_type in _ACTIVATIONS else None
        return False

    @cached_property
    def is_quantized(self) -> bool:
        """Return True if anything is quantized."""
        return bool(self.quantizers or self.dequantizers) or any(
            op.integer or op.weight_bits for op in self.ops
        )

    @cached_property
    def quantized_ops(self) -> list[WeightedOp]:
        return [op for op in self.ops if op.is_quantized]

    @cached_property
    def main_precision(self) -> str:
        """Return the precision of most quantized ops; int8 without any."""
        counts = Counter(op.operand_precision for op in self.quantized_ops)
        return counts.most_common(1)[0][0] if counts else "int8"

    @cached_property
    def converters(self) -> list[Converter]:
        """Return all Q, then all DQ."""
        return self.quantizers + self.dequantizers

    @cached_property
    def by_type(self) -> dict[str, list[Converter]]:
        """Return converters by quantized type; unknown ones under ``""``."""
        found: dict[str, list[Converter]] = {}
        for converter in self.converters:
            dtype = converter.scheme.dtype
            found.setdefault(dtype.name if dtype is not None else "", []).append(converter)
        return found

    @cached_property
    def shifted(self) -> list[Converter]:
        """Return converters to signed types with a nonzero zero point."""
        return [
            c for c in self.asymmetric if c.scheme.dtype is None or c.scheme.dtype.kind != "uint"
        ]

    @cached_property
    def asymmetric(self) -> list[Converter]:
        """Return converters with a known nonzero zero point."""
        verdicts: dict[int, bool] = {}
        found = []
        for converter in self.converters:
            scheme = converter.scheme
            if scheme.zero_point is None:
                continue
            key = id(scheme.zero_point)
            if key not in verdicts:
                verdicts[key] = scheme.is_symmetric is False
            if verdicts[key]:
                found.append(converter)
        return found

    @cached_property
    def scale_ranges(self) -> ScaleRanges:
        return ScaleRanges(self.converters)

    @cached_property
    def activation_quantizers(self) -> list[Converter]:
        return [q for q in self.quantizers if not q.is_weight]

    @cached_property
    def per_activation(self) -> list[Converter]:
        """Return a converter for each quantized activation: its Q, or a DQ without one."""
        lone = [dq for dq in self.activation_dequantizers if dq.undoes is None]
        return self.activation_quantizers + lone

    @cached_property
    def weight_dequantizers(self) -> list[Converter]:
        """Return DQs of stored tensors, stored quantized or quantized on load."""
        return [dq for dq in self.dequantizers if dq.is_weight]

    @cached_property
    def activation_dequantizers(self) -> list[Converter]:
        return [dq for dq in self.dequantizers if not dq.is_weight]

    # Values

    def precision_of(self, value: Value) -> str:
        """Return the precision of a value once pairs are fused into the kernels around them."""
        dequantizer = self.dequantizer_of(value)
        if dequantizer is not None:
            scheme = dequantizer.scheme
            takes = [self._takes_integers(use.node) for use in value.consumers]
            if takes and all(takes) and scheme.precision is not None:
                return scheme.precision
        quantizers = self.quantizers_after(value)
        if quantizers and len(quantizers) == len(value.consumers) and not value.is_output:
            return quantizers[0].scheme.precision or "int8"
        dtype = known_type(value) or value.dtype
        return precision_of(dtype) if dtype is not None else "unknown"

    def _takes_integers(self, node: Node) -> bool:
        op = self.op(node)
        if op is not None:
            return op.is_quantized
        if self.converter(node) is not None:
            return True
        outputs = [value for value in node.outputs if value is not None]
        return any(self.quantizers_after(value) for value in outputs)

    def value_precisions(self) -> dict[Value, str]:
        """Return the precision of every activation of a float type."""
        found = {}
        for graph in self.model.graphs(functions=True):
            for value in graph.values.values():
                if value.is_constant or (value.producer is None and not value.is_input):
                    continue
                precision = self.precision_of(value)
                if precision in _NUMERIC:
                    found[value] = precision
        return found

    @cached_property
    def end_conversions(self) -> int:
        """Return the number of conversions of model inputs and outputs."""
        entering = sum(q.source.is_input for q in self.activation_quantizers)
        return entering + sum(dq.output.is_output for dq in self.activation_dequantizers)

    def kept(self, analyse: Callable[[QuantizationMap], T]) -> T:
        """Return a result computed from the map, on first use."""
        found: T = self._kept.get(_KEPT, analyse, lambda: analyse(self))
        return found

    # What it is worth

    @cached_property
    def _settled(self) -> Settled:
        return settle(self.model, self.deployment)

    @property
    def assumed(self) -> Mapping[str, int]:
        """Return the assumed dims that MACs are counted for."""
        return self._settled.assumed

    @cached_property
    def cost(self) -> ModelCost:
        from modellint.analysis.cost import ModelCost

        return ModelCost(self.model, self._settled.deployment)

    @cached_property
    def total_macs(self) -> int | None:
        """Return the MACs of all weighted ops, or None if one is unknown."""
        return self.sum_macs(self.ops)

    def macs(self, op: WeightedOp) -> int | None:
        return self.cost.of(op.node).macs

    def share(self, ops: Iterable[WeightedOp]) -> float | None:
        """Return the ops' share of the model's MACs, 0 to 1."""
        mine = self.sum_macs(ops)
        return mine / self.total_macs if self.total_macs and mine is not None else None

    def sum_macs(self, ops: Iterable[WeightedOp]) -> int | None:
        """Return the MACs of ops together, or None if one is unknown."""
        total = 0
        for op in ops:
            macs = self.macs(op)
            if macs is None:
                return None
            total += macs
        return total

    def slowdown(self, quantized: str, floating: str) -> float | None:
        """Return the ratio of the target's peak rates in the quantized and float precision."""
        target = self.deployment.target
        if target is None:
            return None
        fast = target.peak(quantized)
        slow = (target.peak("tf32") if floating == "fp32" else None) or target.peak(floating)
        return fast / slow if fast and slow and fast > slow else None


class ScaleRanges:
    """Distinct scales at their first consumers, with their smallest and largest numbers."""

    def __init__(self, converters: Sequence[Converter]) -> None:
        self.converters: list[Converter] = []
        if not converters:  # most models are not quantized, and do not need numpy
            return
        import numpy as np

        seen: set[int] = set()
        arrays = []
        for converter in converters:
            scale = converter.scheme.scale
            if scale is None or id(scale) in seen:
                continue
            seen.add(id(scale))
            array = converter.scheme.scales
            if array is not None and array.size and array.dtype.kind in "fV":
                self.converters.append(converter)
                arrays.append(array.ravel() if array.dtype.kind == "f" else _widened(array))
        flat = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        starts = np.cumsum([0, *map(len, arrays)])[:-1].astype(np.intp)
        self.lowest = np.minimum.reduceat(flat, starts) if arrays else flat
        self.highest = np.maximum.reduceat(flat, starts) if arrays else flat
        self.smallest = np.minimum.reduceat(np.abs(flat), starts) if arrays else flat

    def outside(self, low: float, high: float) -> list[Converter]:
        """Return those with a number not between `low` and `high`, including NaN."""
        if not self.converters:
            return []
        inside = (self.lowest > low) & (self.highest < high)
        return [self.converters[at] for at in (~inside).nonzero()[0]]

    def below(self, size: float) -> list[Converter]:
        """Return those with a number of smaller magnitude."""
        if not self.converters:
            return []
        return [self.converters[at] for at in (self.smallest < size).nonzero()[0]]


def _widened(array: NDArray[Any]) -> NDArray[Any]:
    """Widen an extension type of numpy, such as bfloat16."""
    return array.ravel().astype("float32")


def _unpack(op: WeightedOp) -> None:
    """Find the integers of a weight that arithmetic unpacks, as in OpenVINO's compressed models."""
    if op.integer is not None or op.weight_bits is not None or op.weight.is_quantized:
        return
    packed = unpacked_from(op.weight.value) if not op.weight.is_constant else None
    if packed is not None and packed.tensor is not None:
        op.weight.root = packed
        op.weight_bits = int(packed.tensor.dtype.bits)


_HOLDS_BACK: Mapping[str, Callable[[QuantizationMap, WeightedOp], str]] = {
    "onnxruntime": held_back,
    "tensorrt-rtx": lambda found, op: "kernel" if is_held_back(op, found.deployment) else "",
}
"""Reasons of runtimes to compute a quantized layer in float all the same."""
