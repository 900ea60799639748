"""Edits that layers need to become integer: what all runtimes have in common."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from modellint.analysis.quantization.islands import find_islands
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves.edits import Edit, Move, removal
from modellint.analysis.quantization.ops import MOVING
from modellint.analysis.quantization.parts import Converter, Operand, WeightedOp
from modellint.base.memo import Kept
from modellint.model import Node, Use, Value
from modellint.operators import Trait, having, names

ACTIVATIONS = having(Trait.ACTIVATION)
CONVOLUTIONS = having(Trait.CONVOLUTION)
PAIR = 2
"""Conversions that are spared without a pair."""
FARTHEST = 8
"""Most nodes between a layer and its pair."""
_MOST_READERS = 64
"""Most readers of a value to be looked at."""


class Placement:
    """The edits that each layer needs to become integer; none for a runtime that is not known."""

    precisions: tuple[str, ...] = ()
    """Precisions of its integer kernels."""

    def __init__(self, quantization: QuantizationMap) -> None:
        self.map = quantization
        self._there = Kept(quantization.quantizers_after)
        self._on = Kept(self._placed)
        self._on_weight = Kept(self._stored)

    def needs(self) -> Iterator[tuple[WeightedOp, list[Edit]]]:
        """Iterate over layers that edits make integer, with these edits."""
        if not self.map.activation_quantizers or self.map.main_precision not in self.precisions:
            return  # if only the weights are quantized, it is a choice
        if self._is_slow():
            return
        for op in self._candidates():
            edits = self._needed(op)
            if edits:
                yield op, edits

    def _is_slow(self) -> bool:
        """Return True if the target is slower in the quantized precision than in 16 bits."""
        target = self.map.deployment.target
        fast = target.peak(self.map.main_precision) if target is not None else None
        wide = target.peak("fp16") if target is not None else None
        return fast is not None and wide is not None and fast < wide

    def _needed(self, op: WeightedOp) -> list[Edit] | None:
        """Return the edits that a layer needs; None if no edit helps."""
        return None

    def misplaced(self) -> Iterator[Move]:
        """Iterate over moves that make no layer integer, but spare conversions."""
        if not self.map.activation_quantizers:
            return
        for graph in self.map.model.graphs(functions=True):
            for op in names(Trait.ADDITION):
                for node in graph.by_op.get(op, ()):
                    move = self._at_addition(node)
                    if move is not None:
                        yield move

    def _at_addition(self, node: Node) -> Move | None:
        """Return the move after which an addition is integer."""
        return None

    # What it gains

    def conversions(self, edits: Sequence[Edit], ops: Iterable[WeightedOp]) -> int:
        """Return how many Q and DQ of activations edits save that make these layers integer."""
        integer = {id(op.node) for op in ops}
        inserted = {id(edit.value) for edit in edits if edit.action == "insert"}
        saved = sum(self._saved_around(op, inserted) for op in ops)
        for edit in edits:
            if edit.action == "remove":  # an activation read it; from another pair, it still does
                saved += self.map.dequantizer_of(edit.value) is None
            elif edit.action == "insert" and edit.form != "weight":
                saved -= self._added(edit, integer)
        return saved

    def _saved_around(self, op: WeightedOp, inserted: set[int]) -> int:
        """Return the number of conversions around a float layer that an integer kernel does."""
        pairs = (operand.dequantizer for operand in (op.data, op.weight))
        return sum(pair is not None and not pair.is_weight for pair in pairs)

    def _added(self, edit: Edit, integer: set[int]) -> int:
        """Return the number of conversions that a new pair adds."""
        return self._float_readers(edit, integer) > 0

    def _float_readers(self, edit: Edit, integer: set[int]) -> int:
        """Return the number of nodes that read a new pair, and run in float."""
        return sum(not self._takes(use.node, integer) for use in edit.uses[:_MOST_READERS])

    def _takes(self, node: Node, integer: set[int]) -> bool:
        """Return True if a node, or the layer that it moves elements for, is integer."""
        for _ in range(FARTHEST):
            if id(node) in integer:
                return True
            op = self.map.op(node)
            if op is not None:
                return op.precision in self.precisions
            result = node.output()
            after = result.sole_consumer if result is not None else None
            if node.op_type not in MOVING or after is None:
                return False
            node = after
        return False

    def _candidates(self) -> Iterator[WeightedOp]:
        """Iterate over layers that are half quantized, or surrounded by quantized ones."""
        inside = {id(op) for island in find_islands(self.map) for op in island.ops}
        for op in self.map.ops:
            if op.integer or op.weight_bits or op.is_recurrent or op.is_experts:
                continue
            if op.data.is_quantized or op.weight.is_quantized or id(op) in inside:
                yield op

    def _stored(self, value: Value) -> Edit:
        """Return a pair on a stored weight, for all layers that multiply with it."""
        return Edit("insert", value, self._multiplying(value), "weight")

    def _multiplying(self, value: Value) -> tuple[Use, ...]:
        """Return the uses of a value by layers, and by ops that move its elements to one."""
        return tuple(
            use
            for use in value.consumers
            if self.map.op(use.node) is not None or (use.index == 0 and use.node.op_type in MOVING)
        )

    def _placed(self, value: Value) -> list[Edit] | None:
        """Return a pair on a value for those that read it, like one that is near; None if no pair
        helps."""
        return None

    def _edge(self, operand: Operand, crossed: Container[str]) -> Value:
        """Return the edge for an operand's pair: where there is one already, or the first from
        which it reaches the layer across ops that only move elements."""
        value = operand.value
        for node in operand.moves:
            source = node.input(0)
            if self._there[value] or node.op_type not in crossed or source is None:
                break
            value = source
        return value

    def _quantizer_of(self, value: Value) -> Converter | None:
        """Return the Q of the pair that produces a value."""
        dequantizer = self.map.dequantizer_of(value)
        return dequantizer.undoes if dequantizer is not None else None

    def _removal_before(self, activation: Node | None) -> Edit | None:
        """Return the removal of the pair right before an activation, if nothing else reads it."""
        value = activation.input(0) if activation is not None else None
        if activation is None or activation.op_type not in ACTIVATIONS or value is None:
            return None
        quantizer = self._quantizer_of(value)
        if quantizer is None or value.sole_consumer is None:
            return None
        is_read_once = quantizer.output.sole_consumer is not None
        return removal(quantizer, activation) if is_read_once else None
