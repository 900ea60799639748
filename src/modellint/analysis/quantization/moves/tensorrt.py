"""Places of pairs as TensorRT wants them."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.precision import dtype_of_precision
from modellint.analysis.quantization.moves.edits import Edit, Form, Move, removal
from modellint.analysis.quantization.moves.placement import (
    ACTIVATIONS,
    PAIR,
    Placement,
)
from modellint.analysis.quantization.ops import MOVING, TENSORRT_TYPES
from modellint.analysis.quantization.parts import Converter, Operand, WeightedOp
from modellint.analysis.quantization.tensorrt import computed_in
from modellint.model import Node, Use, Value
from modellint.operators import Trait, having

_TRANSPOSED = having(Trait.TRANSPOSED_CONVOLUTION)


class TensorRTPlacement(Placement):
    """A layer is integer if both operands have a pair."""

    precisions = ("int8", "fp8")

    def _needed(self, op: WeightedOp) -> list[Edit] | None:
        if op.node.op_type in _TRANSPOSED or not op.has_weight:
            return None  # TensorRT for RTX dequantizes the one, and fuses attention of the other
        schemes = [o.scheme for o in (op.data, op.weight) if o.scheme is not None]
        if any(scheme.precision not in self.precisions for scheme in schemes):
            return None
        if not self._is_built(op):
            return None
        edits: list[Edit] = []
        for operand in (op.data, op.weight):
            if operand.is_quantized:
                continue
            if operand.is_constant:
                edits.append(self._on_weight[operand.root])
            else:
                edits += self._on[self._edge(operand, MOVING)] or ()
        return edits

    def _is_built(self, op: WeightedOp) -> bool:
        """Return False if the target is known to compute such a layer in float all the same."""
        wanted = self.map.main_precision
        computed = computed_in(op, wanted, self.map.deployment)
        return computed is None or computed == dtype_of_precision(wanted)

    def _placed(self, value: Value) -> list[Edit]:
        uses = self._multiplying(value)
        there = self._there[value]
        if there:
            return [Edit("insert", value, uses, "same", there[0].scheme)]
        removed = self._removal_before(value.producer)
        if removed is None:
            return [Edit("insert", value, uses, "calibrate")]
        return [removed, Edit("insert", value, uses, "same", removed.scheme)]

    def misplaced(self) -> Iterator[Move]:
        yield from self._between_layer_and_activation()
        yield from super().misplaced()

    def _between_layer_and_activation(self) -> Iterator[Move]:
        """Pairs inside what would be one kernel, whose result is quantized anyway."""
        for quantizer in self.map.activation_quantizers:
            readers = self._sole_readers(quantizer)
            activation = readers[0].node if len(readers) == 1 else None
            result = activation.output() if activation is not None else None
            if activation is None or activation.op_type not in ACTIVATIONS or result is None:
                continue
            if self._is_integer(quantizer.source) and self._there[result]:
                edits = (removal(quantizer, activation),)
                yield Move(edits, quantizer.node, conversions=PAIR)

    def _at_addition(self, node: Node) -> Move | None:
        """Return the move after which a layer adds the other branch, in integers, in its kernel."""
        if len(node.inputs) != 2 or not self.map.is_quantized_after(node):
            return None
        left, right = node.inputs
        if left is None or right is None or left is right:
            return None
        for own, other in ((left, right), (right, left)):
            branch = self.map.operand(other)
            if branch.is_stored:
                return None
            pair = self._pair_on(own)
            layer = pair.source if pair is not None else own
            if layer.sole_consumer is None or not self._adds_in_kernel(layer):
                continue
            edits = [] if pair is None else [Edit("remove", layer, (_use(node, own),))]
            if not branch.is_quantized:
                edits.append(self._skip(branch, node))
            if edits:
                return Move(tuple(edits), node, conversions=PAIR * (pair is not None))
            return None
        return None

    def _skip(self, branch: Operand, node: Node) -> Edit:
        """Return a pair on the other branch of an addition, like the one that is near."""
        there = self._there[self._edge(branch, MOVING)]
        form: Form = "same" if there else "calibrate"
        scheme = there[0].scheme if there else None
        return Edit("insert", branch.value, (_use(node, branch.value),), form, scheme)

    def _pair_on(self, value: Value) -> Converter | None:
        """Return the Q of a pair that only one node reads."""
        quantizer = self._quantizer_of(value)
        if quantizer is None or len(self._sole_readers(quantizer)) != 1:
            return None
        dtype = quantizer.scheme.dtype
        return quantizer if dtype is not None and dtype.name in TENSORRT_TYPES else None

    def _sole_readers(self, quantizer: Converter) -> list[Use]:
        """Return the readers of a pair, if it is its source's only reader; else none."""
        results = self.map.dequantizers_after(quantizer)
        if quantizer.source.sole_consumer is None or any(value.is_output for value in results):
            return []
        return [use for value in results for use in value.consumers]

    def _adds_in_kernel(self, value: Value) -> bool:
        """Return True if a value is the result of an integer layer with a weight: a product of two
        activations is added to a mask, not to a residual branch."""
        op = self.map.op(value.producer)
        return op is not None and op.is_quantized and op.has_weight

    def _is_integer(self, value: Value) -> bool:
        """Return True if a value is the result of an integer layer."""
        op = self.map.op(value.producer)
        return op is not None and op.is_quantized


def _use(node: Node, value: Value) -> Use:
    return Use(node, next(at for at, each in enumerate(node.inputs) if each is value))
