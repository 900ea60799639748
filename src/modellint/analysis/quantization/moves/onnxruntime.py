"""Places of pairs as ONNX Runtime wants them."""

from __future__ import annotations

from collections.abc import Container

from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves.edits import Edit, Form, Move
from modellint.analysis.quantization.moves.placement import (
    CONVOLUTIONS,
    FARTHEST,
    PAIR,
    Placement,
)
from modellint.analysis.quantization.onnxruntime import (
    CARRIES,
    CLIPPING,
    bias_fits,
    bias_of,
    ends_in_quantizer,
    has_float_bias,
    has_odd_parameters,
    is_8_bits,
    limits_of,
    shared_int8_pairs,
)
from modellint.analysis.quantization.parts import Converter, Operand, WeightedOp
from modellint.analysis.quantization.scheme import Scheme
from modellint.base.memo import Kept
from modellint.model import Node, Use, Value
from modellint.operators import Trait, having

_KERNELS = having(Trait.CONVOLUTION, Trait.GEMM, Trait.MATMUL)
"""Layers that it makes integer."""
_CARRIES_OR_CLIPS = CARRIES.keys() | CLIPPING.keys()
_MATMULS = having(Trait.MATMUL)
_NORMALIZATIONS = having(Trait.NORMALIZATION)


class OnnxRuntimePlacement(Placement):
    """A layer is integer if both operands have a pair that reaches it, and so has its result,
    unless it is a product of matrices."""

    precisions = ("int8",)

    def __init__(self, quantization: QuantizationMap) -> None:
        super().__init__(quantization)
        on_host = quantization.deployment.target is None
        self._shared = set(shared_int8_pairs(quantization)) if on_host else set()
        self._replacement = Kept(self._replaced)
        self._copies: dict[Value, Edit] = {}

    def _saved_around(self, op: WeightedOp, inserted: set[int]) -> int:
        result = op.node.output()
        is_quantized = result is not None and self._quantizer_after(result, inserted) is not None
        return super()._saved_around(op, inserted) + is_quantized

    def _added(self, edit: Edit, integer: set[int]) -> int:
        """Return the number of new conversions: each reader has a DQ of its own."""
        is_new = not self._there[edit.value]
        is_given = self._is_given(edit.value, integer)
        readers = self._float_readers(edit, integer) + edit.value.is_output
        return readers + (is_new and not is_given)

    def _needed(self, op: WeightedOp) -> list[Edit] | None:
        if op.node.op_type not in _KERNELS or not self._can_be_integer(op):
            return None
        edits: list[Edit] = []
        for operand in (op.data, op.weight):
            found = self._operand(op, operand)
            if found is None:
                return None
            edits += found
        result = op.node.output()
        if result is None:
            return None
        needs_output = op.node.op_type in CONVOLUTIONS or has_float_bias(self.map, op)
        if needs_output and not ends_in_quantizer(self.map, result):
            after = self._result(result)
            if after is None:
                return None
            edits += after
        return edits + self._unshared(op, result)

    def _at_addition(self, node: Node) -> Move | None:
        operands = [self.map.operand(value) for value in node.inputs if value is not None]
        branches = [operand for operand in operands if not operand.is_quantized]
        result = node.output()
        if (
            len(operands) != 2
            or len(branches) != 1
            or result is None
            or any(operand.is_stored for operand in operands)
        ):
            return None
        after = self._quantizer_after(result, set())
        schemes = [operand.scheme for operand in operands if operand.is_quantized]
        schemes.append(after.scheme if after is not None else None)
        if not all(map(_is_uint8, schemes)) or not ends_in_quantizer(self.map, result):
            return None  # on x86 int8 pairs stay only where nothing else reads them
        edits = self._on[self._edge(branches[0], CARRIES)]
        if not edits or any(edit.action != "insert" for edit in edits):
            return None
        saved = PAIR - sum(self._added(edit, {id(node)}) for edit in edits)
        return Move(tuple(edits), node, conversions=saved)

    def _can_be_integer(self, op: WeightedOp) -> bool:
        schemes = [o.scheme for o in (op.data, op.weight) if o.is_quantized]
        if not all(is_8_bits(scheme) for scheme in schemes):
            return False
        bias = bias_of(self.map, op)
        is_half = not (op.data.is_quantized and op.weight.is_quantized)
        if bias is not None and is_half and bias.output.sole_consumer is not op.node:
            return False  # it has the scale of another layer
        if has_odd_parameters(self.map, op):
            return False
        return bias is None or bias_fits(op, bias.scheme)

    def _operand(self, op: WeightedOp, operand: Operand) -> list[Edit] | None:
        if operand.is_quantized:
            blocking = next((n for n in operand.moves if n.op_type not in CARRIES), None)
            if blocking is None:
                return []
            moved = blocking.output()
            if moved is None or operand.is_constant:
                return None
            if moved not in self._copies:
                self._copies[moved] = self._like(moved, operand.scheme)
            return [self._copies[moved]]
        if not operand.is_constant:
            return self._on[self._edge(operand, CARRIES)]
        if op.node.op_type in _MATMULS:
            return [self._on_weight[operand.root]]
        bias = bias_of(self.map, op)
        if bias is None:
            return []  # ONNX Runtime quantizes the weight itself
        scales = op.data.scheme.scales if op.data.scheme is not None else None
        if scales is None:
            return None
        scale = float(scales.flat[0])
        if not 0 < scale < float("inf"):
            return None
        uses = self._on_weight[operand.root].uses
        return [Edit("insert", operand.root, uses, "weight", bias.scheme, scale)]

    def _placed(self, value: Value) -> list[Edit] | None:
        there = self._there[value]
        if there and value.is_output:
            return None  # it is also returned in float
        if there:
            scheme = there[0].scheme
            insert = Edit("insert", value, _readers(value), "same", scheme)
            return [self._replacement[there[0]], insert] if _is_signed(scheme) else [insert]
        activation = value.producer
        removed = self._removal_before(activation)
        is_clipping = activation is not None and activation.op_type in CLIPPING
        wanted = self._wanted_scale(value)
        if removed is None or not is_clipping:
            form: Form = "from-zero" if is_clipping else "calibrate"
            return [Edit("insert", value, _readers(value), form, scale=wanted)]
        if wanted is not None:
            return [self._like(value, removed.scheme)]
        return [removed, Edit("insert", value, _readers(value), "from-zero", removed.scheme)]

    def _like(self, value: Value, scheme: Scheme | None) -> Edit:
        form: Form = "unsigned" if _is_signed(scheme) else "same"
        return Edit("insert", value, _readers(value), form, scheme)

    def _wanted_scale(self, value: Value) -> float | None:
        """Return the scale that the int32 biases of the layers that read a value imply."""
        for use in value.consumers:
            op = self.map.op(use.node)
            bias = bias_of(self.map, op) if op is not None else None
            weight = op.weight.scheme if op is not None else None
            if bias is None or weight is None or bias.output.sole_consumer is not use.node:
                continue
            own, others = bias.scheme.scales, weight.scales
            if own is None or others is None or not float(others.flat[0]) > 0:
                continue
            scale = float(own.flat[0]) / float(others.flat[0])
            if 0 < scale < float("inf"):
                return scale
        return None

    def _result(self, value: Value) -> list[Edit] | None:
        """Return the edits after which a result goes to a Q alone."""
        after = value.sole_consumer
        if after is not None and after.op_type in _NORMALIZATIONS:
            return None  # to be folded first
        if after is None or after.op_type not in CLIPPING:
            return self._on[value]
        clipped = after.output()
        if clipped is None:
            return None
        quantizer = self._quantizer_behind(clipped)
        if quantizer is None:
            return self._on[value if self._wanted_scale(clipped) else clipped]
        if self._may_start_at_zero(quantizer, after):
            return [self._replacement[quantizer]]
        return self._on[value]

    def _replaced(self, quantizer: Converter) -> Edit:
        """Return a pair as uint8, from zero if it quantizes the result of a Relu or Clip."""
        before = _producer(quantizer.source, CARRIES)
        form: Form = "unsigned"
        if before is not None and before.op_type in CLIPPING:
            form = "from-zero" if self._may_start_at_zero(quantizer, before) else form
        return Edit("replace", quantizer.source, (), form, quantizer.scheme)

    def _quantizer_after(self, value: Value, inserted: set[int]) -> Converter | None:
        """Return a Q that reads a result, or what a Relu or Clip leaves of it without a new pair
        in between."""
        there = self._there[value]
        after = value.sole_consumer
        clipped = after.output() if after is not None and after.op_type in CLIPPING else None
        if there:
            return there[0]
        if id(value) in inserted:
            return None
        return self._quantizer_behind(value if clipped is None else clipped)

    def _is_given(self, value: Value, integer: set[int]) -> bool:
        """Return True if a value is the result of an integer layer."""
        op = self.map.op(_producer(value, _CARRIES_OR_CLIPS))
        return op is not None and (id(op.node) in integer or op.precision == "int8")

    def _quantizer_behind(self, value: Value) -> Converter | None:
        for _ in range(FARTHEST):
            after = value.sole_consumer
            if after is None:
                return None
            quantizer = self.map.converter(after)
            if quantizer is not None:
                return quantizer if quantizer.kind == "quantize" else None
            result = after.output()
            if after.op_type not in CARRIES or result is None:
                return None
            value = result
        return None

    def _may_start_at_zero(self, quantizer: Converter, activation: Node) -> bool:
        """Return True if a pair can use its range for the results of the activation before it."""
        scheme = quantizer.scheme
        scales, points = scheme.scales, scheme.zero_points
        if not scheme.is_per_tensor or scales is None or (scheme.zero_point and points is None):
            return False
        if any(self._wanted_scale(v) for v in self.map.dequantizers_after(quantizer)):
            return False  # the biases are quantized with the present scale
        point = float(points.flat[0]) if points is not None else 0.0
        low, high = limits_of(activation)
        top = 127 if _is_signed(scheme) else 255
        return low <= 0 and (top - point) * float(scales.flat[0]) <= high

    def _unshared(self, op: WeightedOp, result: Value) -> list[Edit]:
        """Return int8 pairs around a layer that several nodes read, to be replaced by uint8."""
        around = [op.data.dequantizer]
        after = self._there[result]
        if after:
            around.append(op.weight.dequantizer)
        results = (value for q in after for value in self.map.dequantizers_after(q))
        around += [self.map.dequantizer_of(value) for value in results]
        quantizers = (pair.undoes for pair in around if pair in self._shared)
        return [self._replacement[q] for q in dict.fromkeys(quantizers) if q is not None]


def _producer(value: Value, crossed: Container[str]) -> Node | None:
    """Return the node that a value comes from, upstream of ops that are crossed."""
    producer = value.producer
    for _ in range(FARTHEST):
        if producer is None or producer.op_type not in crossed:
            break
        source = producer.input(0)
        producer = source.producer if source is not None else None
    return producer


def _is_signed(scheme: Scheme | None) -> bool:
    return scheme is not None and scheme.dtype is not None and scheme.dtype.kind == "int"


def _is_uint8(scheme: Scheme | None) -> bool:
    return scheme is not None and scheme.dtype is not None and scheme.dtype.name == "uint8"


def _readers(value: Value) -> tuple[Use, ...]:
    """Return the uses of a value by anything but a Q."""
    return tuple(use for use in value.consumers if "Quantize" not in use.node.op_type)
