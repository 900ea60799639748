"""Moves: where a pair of Q and DQ is missing or misplaced, and what changing it gains.

A move is data: edits of pairs on edges. Applied together, they make its layers integer.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

from modellint.analysis.precision import dtype_of_precision
from modellint.analysis.quantization.islands import find_islands
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.onnxruntime import (
    CARRIES,
    CLIPPING,
    bias_fits,
    bias_of,
    ends_in_quantizer,
    has_odd_parameters,
    is_8_bits,
    limits_of,
    shared_int8_pairs,
)
from modellint.analysis.quantization.ops import MOVING, TENSORRT_TYPES
from modellint.analysis.quantization.parts import Converter, Operand, WeightedOp
from modellint.analysis.quantization.scheme import Scheme
from modellint.base.memo import Kept
from modellint.base.records import dataclass
from modellint.base.text import counted, quantity
from modellint.model import Node, Use, Value
from modellint.operators import Trait, having, names
from modellint.runtimes.support import precisions

Action = Literal["insert", "remove", "replace"]
Form = Literal["same", "unsigned", "from-zero", "calibrate", "weight"]
"""Relation of a pair's parameters to its scheme: as they are, as uint8 of the same numbers, or as
uint8 of the numbers from zero up. Without a scheme they are calibrated, or taken from a weight."""

_ACTIVATIONS = having(Trait.ACTIVATION)
_CONVOLUTIONS = having(Trait.CONVOLUTION)
_MATMULS = having(Trait.MATMUL)
_NORMALIZATIONS = having(Trait.NORMALIZATION)
_TRANSPOSED = having(Trait.TRANSPOSED_CONVOLUTION)
_KERNELS = having(Trait.CONVOLUTION, Trait.GEMM, Trait.MATMUL)
"""Layers that ONNX Runtime makes integer."""
_PAIR = 2
"""Conversions that are spared without a pair."""
_LONGEST = 8
"""Most nodes between a layer and its pair."""
_MOST_EDITS = 6
"""Most edits of a move whose parts are looked up."""
_MOST_NAMED = 3
"""Most edits to be named."""
_MOST_READERS = 64
"""Most readers of a value to be looked at."""

_Keys = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """A pair to be inserted, removed or replaced on an edge."""

    action: Action
    value: Value
    """The float value that the pair quantizes."""
    uses: tuple[Use, ...]
    """The consumers that read, or read instead, what the pair returns."""
    form: Form = "same"
    scheme: Scheme | None = None
    scale: float | None = None
    """The scale that a bias implies, where there is no scheme."""

    @property
    def key(self) -> tuple[str, int]:
        """Return its identity among the edits that layers need: one per action and edge."""
        return self.action, id(self.value)

    def to_json(self) -> dict[str, Any]:
        """Return the edit as JSON data."""
        like = self.scheme.node.label if self.scheme is not None else None
        return {
            "action": self.action,
            "value": self.value.name,
            "uses": [{"node": use.node.label, "input": use.index} for use in self.uses],
            "form": self.form,
            "like": like,
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Edits that belong together, and the layers that they make integer."""

    what: str
    """Instruction, as a sentence without a full stop."""
    edits: tuple[Edit, ...]
    node: Node
    """The node that it is about: a layer, an addition, or the Q of a pair to be removed."""
    ops: tuple[WeightedOp, ...] = ()
    """The layers that become integer."""
    conversions: int = 0
    """Number of Q and DQ of activations that no longer run on their own; negative if more do."""


class Moves:
    """The moves that a model needs on a runtime; a runtime that is not known here has none."""

    def __init__(self, quantization: QuantizationMap) -> None:
        self.map = quantization
        makers = {"tensorrt": _ForTensorRT, "onnxruntime": _ForOnnxRuntime}
        self._maker = makers.get(quantization.deployment.builder, _Placement)(quantization)

    @cached_property
    def all(self) -> list[Move]:
        """Return all moves, those with the largest gain first."""
        return [*self.of_layers, *(m for m in self.misplaced if self._including(m) is None)]

    @cached_property
    def of_layers(self) -> list[Move]:
        """Return the moves that make layers integer, those with the largest gain first."""
        groups: dict[_Keys, list[tuple[WeightedOp, list[Edit]]]] = {}
        for op, edits in self._maker.needs():
            groups.setdefault(frozenset(edit.key for edit in edits), []).append((op, edits))
        moves = [self._move(keys, groups) for keys in groups]
        return sorted(moves, key=lambda move: -(self.map.share(move.ops) or 0))

    @cached_property
    def misplaced(self) -> list[Move]:
        """Return the moves that make no layer integer, but spare conversions."""
        return list(self._maker.misplaced())

    def gain(self, move: Move) -> str:
        """Return what a move gains: ``1.2 M MACs (11.3%) become int8``."""
        if not move.ops:
            fewer = f"{counted(move.conversions, 'conversion')} fewer"
            return (
                fewer if move.conversions > 0 else f"both branches become {self.map.main_precision}"
            )
        macs, share = self.macs(move), self.map.share(move.ops)
        work = counted(len(move.ops), "layer")
        if macs is not None and share is not None:
            about = "about " if self.map.assumed else ""
            work = f"{about}{quantity(macs)} MACs ({share:.1%})"
        become = "becomes" if work.startswith("1 layer") else "become"
        gained = f"{work} {become} {self.map.main_precision}"
        if move.conversions > 0:
            gained += f", {counted(move.conversions, 'conversion')} fewer"
        return gained

    def macs(self, move: Move) -> int | None:
        """Return the MACs that become integer, or None if some are unknown."""
        total = 0
        for op in move.ops:
            macs = self.map.macs(op)
            if macs is None:
                return None
            total += macs
        return total

    def of(self, node: Node) -> Move | None:
        """Return the move that makes a node's layer integer, or that is about the node."""
        return self._by_node.get(id(node))

    @cached_property
    def _by_node(self) -> dict[int, Move]:
        found: dict[int, Move] = {}
        for move in self.misplaced:
            found[id(move.node)] = self._including(move) or move
        for move in reversed(self.of_layers):
            found |= {id(op.node): move for op in move.ops}
        return found

    def _including(self, move: Move) -> Move | None:
        """Return the move of layers that has all edits of another."""
        whole = self._by_edit.get(move.edits[0].key)
        keys = {edit.key for edit in whole.edits} if whole is not None else set()
        return whole if all(edit.key in keys for edit in move.edits) else None

    @cached_property
    def _by_edit(self) -> dict[tuple[str, int], Move]:
        return {edit.key: move for move in self.of_layers for edit in move.edits}

    def _move(
        self, keys: _Keys, groups: Mapping[_Keys, list[tuple[WeightedOp, list[Edit]]]]
    ) -> Move:
        """Return the move of layers with equal needs, with all others that need no more."""
        first, edits = groups[keys][0]
        ops = [op for op, _ in groups[keys]]
        for size in range(1, len(keys) if len(keys) <= _MOST_EDITS else 0):
            for part in combinations(keys, size):
                ops += [op for op, _ in groups.get(frozenset(part), ())]
        conversions = self._maker.conversions(edits, ops)
        return Move(_what(edits, first.node), tuple(edits), first.node, tuple(ops), conversions)


class _Placement:
    """The edits that each layer needs to become integer."""

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
        return any(not self._takes(use.node, integer) for use in edit.uses[:_MOST_READERS])

    def _takes(self, node: Node, integer: set[int]) -> bool:
        """Return True if a node, or the layer that it moves elements for, is integer."""
        for _ in range(_LONGEST):
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
        uses = (use for use in value.consumers if self._is_layer(use.node) or _moves(use))
        return Edit("insert", value, tuple(uses), "weight")

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

    def _is_layer(self, node: Node) -> bool:
        return self.map.op(node) is not None

    def _pair_before(self, activation: Node | None) -> Converter | None:
        """Return the Q of the pair right before an activation, if nothing else reads it."""
        value = activation.input(0) if activation is not None else None
        if activation is None or activation.op_type not in _ACTIVATIONS or value is None:
            return None
        dequantizer = self.map.dequantizer_of(value)
        quantizer = dequantizer.undoes if dequantizer is not None else None
        if quantizer is None or value.sole_consumer is None:
            return None
        return quantizer if quantizer.output.sole_consumer is not None else None


def _moves(use: Use) -> bool:
    return use.index == 0 and use.node.op_type in MOVING


def _remove(quantizer: Converter, reader: Node) -> Edit:
    """Return the removal of a pair before the first input of a node."""
    return Edit("remove", quantizer.source, (Use(reader, 0),), "same", quantizer.scheme)


class _ForTensorRT(_Placement):
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
        target, runtime = self.map.deployment.target, self.map.deployment.runtime
        capability = target.compute_capability if target is not None else None
        if capability is None:
            return True
        layers = precisions(runtime or "", self.map.deployment.runtime_version)
        rows = layers.get("convolution" if op.node.op_type in _CONVOLUTIONS else "product", {})
        quantized = dtype_of_precision(self.map.main_precision)
        wide = dtype_of_precision(op.float_precision)
        computed = rows.get(f"{quantized} {wide}", {}).get("{}.{}".format(*capability), quantized)
        return bool(computed == quantized)

    def _placed(self, value: Value) -> list[Edit]:
        uses = tuple(u for u in value.consumers if self._is_layer(u.node) or _moves(u))
        there = self._there[value]
        if there:
            return [Edit("insert", value, uses, "same", there[0].scheme)]
        activation = value.producer
        before = self._pair_before(activation)
        if before is None or activation is None:
            return [Edit("insert", value, uses, "calibrate")]
        return [_remove(before, activation), Edit("insert", value, uses, "same", before.scheme)]

    def misplaced(self) -> Iterator[Move]:
        yield from self._between_layer_and_activation()
        yield from super().misplaced()

    def _between_layer_and_activation(self) -> Iterator[Move]:
        """Pairs inside what would be one kernel, whose result is quantized anyway."""
        for quantizer in self.map.activation_quantizers:
            readers = self._sole_readers(quantizer)
            activation = readers[0].node if len(readers) == 1 else None
            result = activation.output() if activation is not None else None
            if activation is None or activation.op_type not in _ACTIVATIONS or result is None:
                continue
            if self._is_integer(quantizer.source) and self._there[result]:
                edits = [_remove(quantizer, activation)]
                what = _what(edits, activation)
                yield Move(what, tuple(edits), quantizer.node, conversions=_PAIR)

    def _at_addition(self, node: Node) -> Move | None:
        """Return the move after which a layer adds the other branch, in integers, in its kernel."""
        if len(node.inputs) != 2 or not self.map.is_quantized_after(node):
            return None
        left, right = node.inputs
        if left is None or right is None or left is right:
            return None
        for own, other in ((left, right), (right, left)):
            branch = self.map.operand(other)
            if _is_stored(branch):
                return None
            pair = self._pair_on(own)
            layer = pair.source if pair is not None else own
            if layer.sole_consumer is None or not self._adds_in_kernel(layer):
                continue
            edits = [] if pair is None else [Edit("remove", layer, (_use(node, own),))]
            if not branch.is_quantized:
                edits.append(self._skip(branch, node))
            if edits:
                conversions = _PAIR * (pair is not None)
                return Move(_what(edits, node), tuple(edits), node, conversions=conversions)
            return None
        return None

    def _skip(self, branch: Operand, node: Node) -> Edit:
        """Return a pair on the other branch of an addition, like the one that is near."""
        there = self.map.quantizers_after(self._edge(branch, MOVING))
        form: Form = "same" if there else "calibrate"
        scheme = there[0].scheme if there else None
        return Edit("insert", branch.value, (_use(node, branch.value),), form, scheme)

    def _pair_on(self, value: Value) -> Converter | None:
        """Return the Q of a pair that only one node reads."""
        dequantizer = self.map.dequantizer_of(value)
        quantizer = dequantizer.undoes if dequantizer is not None else None
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


class _ForOnnxRuntime(_Placement):
    """A layer is integer if both operands have a pair that reaches it, and so has its result,
    unless it is a product of matrices."""

    precisions = ("int8",)

    def __init__(self, quantization: QuantizationMap) -> None:
        super().__init__(quantization)
        on_host = quantization.deployment.target is None
        shared = shared_int8_pairs(quantization) if on_host else []
        self.shared = {id(pair) for pair in shared}
        self._replacement = Kept(self._replaced)
        self._copies: dict[int, Edit] = {}

    def _saved_around(self, op: WeightedOp, inserted: set[int]) -> int:
        result = op.node.output()
        is_quantized = result is not None and self._quantizer_after(result, inserted) is not None
        return super()._saved_around(op, inserted) + is_quantized

    def _added(self, edit: Edit, integer: set[int]) -> int:
        """Return the number of new conversions: each reader has a DQ of its own."""
        is_new = not self._there[edit.value]
        is_given = self._is_given(edit.value, integer)
        uses = edit.uses[:_MOST_READERS]
        readers = sum(not self._takes(use.node, integer) for use in uses)
        return readers + edit.value.is_output + (is_new and not is_given)

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
        is_convolution = op.node.op_type in _CONVOLUTIONS
        has_float_bias = op.node.input(2) is not None and bias_of(self.map, op) is None
        if (is_convolution or has_float_bias) and not ends_in_quantizer(self.map, result):
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
            or any(map(_is_stored, operands))
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
        saved = _PAIR - sum(self._added(edit, {id(node)}) for edit in edits)
        return Move(_what(edits, node), tuple(edits), node, conversions=saved)

    def _can_be_integer(self, op: WeightedOp) -> bool:
        schemes = [o.scheme for o in (op.data, op.weight) if o.is_quantized]
        if not all(is_8_bits(scheme) for scheme in schemes):
            return False
        bias = bias_of(self.map, op)
        is_half = not (op.data.is_quantized and op.weight.is_quantized)
        if bias is not None and is_half and bias.output.sole_consumer is not op.node:
            return False  # it has the scale of another layer
        has_float_bias = op.node.input(2) is not None and bias is None
        if has_odd_parameters(op, has_float_bias=has_float_bias):
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
            if id(moved) not in self._copies:
                self._copies[id(moved)] = self._like(moved, operand.scheme)
            return [self._copies[id(moved)]]
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
        like, scale = bias.scheme, float(scales.flat[0])
        if not 0 < scale < float("inf"):
            return None
        return [
            Edit("insert", operand.root, self._on_weight[operand.root].uses, "weight", like, scale)
        ]

    def _placed(self, value: Value) -> list[Edit] | None:
        there = self._there[value]
        if there and value.is_output:
            return None  # it is also returned in float
        if there:
            insert = Edit("insert", value, _readers(value), "same", there[0].scheme)
            return (
                [self._replacement[there[0]], insert] if _is_signed(there[0].scheme) else [insert]
            )
        activation = value.producer
        before = self._pair_before(activation)
        is_clipping = activation is not None and activation.op_type in CLIPPING
        wanted = self._wanted_scale(value)
        if before is None or activation is None or not is_clipping:
            form: Form = "from-zero" if is_clipping else "calibrate"
            return [Edit("insert", value, _readers(value), form, scale=wanted)]
        if wanted is not None:
            return [self._like(value, before.scheme)]
        insert = Edit("insert", value, _readers(value), "from-zero", before.scheme)
        return [_remove(before, activation), insert]

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
        """Return a pair as uint8, from zero if it quantizes what a Relu or Clip returns."""
        form: Form = "unsigned"
        before = quantizer.source.producer
        for _ in range(_LONGEST):
            if before is None or before.op_type not in CARRIES:
                break
            source = before.input(0)
            before = source.producer if source is not None else None
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
        producer = value.producer
        for _ in range(_LONGEST):
            if producer is None or producer.op_type not in (*CARRIES, *CLIPPING):
                break
            source = producer.input(0)
            producer = source.producer if source is not None else None
        op = self.map.op(producer)
        return op is not None and (id(op.node) in integer or op.precision == "int8")

    def _quantizer_behind(self, value: Value) -> Converter | None:
        for _ in range(_LONGEST):
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
        """Return True if a pair can spend its range on what the activation before it returns."""
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
        found: dict[int, Edit] = {}
        for pair in around:
            quantizer = pair.undoes if pair is not None else None
            if id(pair) in self.shared and quantizer is not None:
                found[id(quantizer)] = self._replacement[quantizer]
        return list(found.values())


def _is_signed(scheme: Scheme | None) -> bool:
    return scheme is not None and scheme.dtype is not None and scheme.dtype.kind == "int"


def _is_stored(operand: Operand) -> bool:
    is_weight = operand.dequantizer is not None and operand.dequantizer.is_weight
    return is_weight or operand.is_constant


def _is_uint8(scheme: Scheme | None) -> bool:
    return scheme is not None and scheme.dtype is not None and scheme.dtype.name == "uint8"


def _readers(value: Value) -> tuple[Use, ...]:
    """Return the uses of a value by anything but a Q."""
    return tuple(use for use in value.consumers if "Quantize" not in use.node.op_type)


def _use(node: Node, value: Value) -> Use:
    return Use(node, next(at for at, each in enumerate(node.inputs) if each is value))


def _what(edits: list[Edit], node: Node) -> str:
    """Return what to do as a sentence without a full stop."""
    said: list[str] = []
    left = list(edits)
    while left:
        edit = left.pop(0)
        target = _target(edit, left)
        if target is not None:
            left.remove(target)
            said.append(_moved(edit, target))
        else:
            said.append(_alone(edit, node))
    if len(said) > _MOST_NAMED + 1:
        said[_MOST_NAMED:] = [f"and {len(said) - _MOST_NAMED} more pairs like it"]
    text = ", ".join(said)
    return text[:1].upper() + text[1:]


def _target(edit: Edit, others: list[Edit]) -> Edit | None:
    """Return the insertion that a removal makes a move."""
    if edit.action != "remove":
        return None
    reader = edit.uses[0].node
    wanted = (reader.output(), *reader.inputs)
    return next(
        (e for e in others if e.action == "insert" and any(e.value is v for v in wanted)), None
    )


def _moved(edit: Edit, target: Edit) -> str:
    reader = edit.uses[0].node
    if any(target.value is value for value in reader.inputs):
        layer = edit.value.producer
        branch = f" of {_named(layer)}" if layer is not None else ""
        return f"move the pair from before {_named(reader)} to the skip branch{branch}"
    form = ", as uint8 from zero" if target.form == "from-zero" else ""
    return f"move the pair from before {_named(reader)} to after it{form}"


def _alone(edit: Edit, node: Node) -> str:
    place = _place(edit.value)
    readers = [use.node for use in edit.uses]
    if edit.form == "weight":
        implied = " with the scales that its bias implies" if edit.scale is not None else ""
        return f"quantize the weight of {_named(node)}{implied}"
    if edit.action == "replace":
        form = "uint8 from zero" if edit.form == "from-zero" else "uint8 of the same scale"
        return f"replace the pair {place} by {form}"
    if edit.action == "remove":
        return f"remove the pair between {_named_source(edit.value)} and {_named(readers[0])}"
    if _is_there(edit) and readers:
        rest = f" and {len(readers) - 1} more" if len(readers) > 1 else ""
        return f"let {_named(readers[0])}{rest} read the pair {place}"
    if edit.scheme is not None:
        return f"insert a pair {place} like that of '{edit.scheme.node.label}'"
    form = ", as uint8 from zero" if edit.form == "from-zero" else ""
    scale = f" with scale {edit.scale:.3g}, which the bias implies" if edit.scale else ""
    return f"insert a pair {place}{form}{scale}"


def _is_there(edit: Edit) -> bool:
    """Return True if the pair to insert is one that quantizes the value already."""
    like = edit.scheme.node if edit.scheme is not None and edit.form == "same" else None
    return like is not None and like.input(0) is edit.value


def _place(value: Value) -> str:
    return (
        f"after {_named_source(value)}"
        if value.producer is not None
        else f"on input '{value.name}'"
    )


def _named_source(value: Value) -> str:
    return _named(value.producer) if value.producer is not None else f"'{value.name}'"


def _named(node: Node) -> str:
    return f"{node.op_type} '{node.label}'"
