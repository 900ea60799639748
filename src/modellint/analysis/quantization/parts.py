"""Parts of the quantization map: converters, operands and weighted ops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from modellint.analysis.chains import LONGEST
from modellint.analysis.precision import precision_of
from modellint.analysis.quantization.ops import FLOAT_ONLY, MOVING
from modellint.analysis.quantization.scheme import Scheme, known_type
from modellint.base.records import dataclass
from modellint.model import Node, Value
from modellint.operators import Trait, having, of

Kind = Literal["quantize", "dequantize"]

_WIDTHS = ("int2", "fp4", "int4", "fp6", "fp8", "int8", "int16")
"""Narrow precisions first: mixed operands are computed in the wider one."""
_KNOWN = frozenset(_WIDTHS)


@dataclass(slots=True, eq=False)
class Converter:
    """A Q or DQ node."""

    node: Node
    kind: Kind
    scheme: Scheme
    source: Value
    output: Value
    is_weight: bool
    """True if the source is stored in the file, quantized or not."""
    feeds_layer: bool = False
    """True if a weighted op consumes it, ignoring ops that only move elements."""
    before: Converter | None = None
    """The converter that produced its source, such as the Q that a DQ undoes."""

    @property
    def undoes(self) -> Converter | None:
        """Return the Q before a DQ."""
        before = self.before
        return before if before is not None and before.kind == "quantize" else None


@dataclass(slots=True, eq=False)
class Operand:
    """An input of a weighted op, traced to where its precision is decided."""

    value: Value
    """The op's input."""
    root: Value
    """The stored tensor or computed activation, before quantization."""
    dequantizer: Converter | None = None
    quantizer: Converter | None = None
    moves: tuple[Node, ...] = ()
    """Ops that only move elements between the DQ and the op, nearest to the op first."""
    own_scheme: Scheme | None = None
    """Scheme of an integer op's operand, from the op's own inputs."""

    @property
    def scheme(self) -> Scheme | None:
        return self.dequantizer.scheme if self.dequantizer is not None else self.own_scheme

    @property
    def is_quantized(self) -> bool:
        return self.dequantizer is not None

    @property
    def is_constant(self) -> bool:
        return self.root.is_constant

    @property
    def is_stored(self) -> bool:
        """Return True if it is constant, or stored in quantized form."""
        return self.is_constant or (self.dequantizer is not None and self.dequantizer.is_weight)


@dataclass(slots=True, eq=False)
class WeightedOp:
    """A node that multiplies two operands, which is most of a model's work."""

    node: Node
    data: Operand
    weight: Operand
    """The second operand: a stored weight, or an activation if two are multiplied."""
    integer: str | None = None
    """The precision of an op that is integer by itself, such as QLinearConv."""
    weight_bits: int | None = None
    """Bits of the weights of an op that unpacks them itself, such as MatMulNBits."""
    held_back: str = ""
    """Reason why the deployment's runtime runs it in float despite quantized operands."""

    @property
    def is_recurrent(self) -> bool:
        return self.node.op_type in FLOAT_ONLY

    @property
    def is_experts(self) -> bool:
        return self.node.op_type in _EXPERTS

    @property
    def is_depthwise(self) -> bool:
        """Return True for a Conv that does not mix channels."""
        tensor = self.weight.root.tensor
        return (
            tensor is not None
            and self.node.op_type in _CONVOLUTIONS
            and len(tensor.shape) > 2
            and tensor.shape[1] == 1
            and (self.node.get_int("group", 1) or 1) > 1
        )

    @property
    def has_weight(self) -> bool:
        return self.weight.is_constant or self.weight_bits is not None

    @property
    def is_quantized(self) -> bool:
        """Return True if the product is computed on quantized numbers."""
        return self.integer is not None or (self.data.is_quantized and self.weight.is_quantized)

    @property
    def is_weight_only(self) -> bool:
        """Return True for quantized weights with a float product."""
        quantized = self.weight_bits is not None or self.weight.is_quantized
        return quantized and not self.is_quantized

    @property
    def precision(self) -> str:
        """Return the precision of the product: ``int8``, ``fp8``, ``fp16``, ..."""
        if self.integer is not None:
            return self.integer
        return (
            self.operand_precision
            if self.is_quantized and not self.held_back
            else (self.float_precision)
        )

    @property
    def operand_precision(self) -> str:
        """Return the quantized precision of the operands; the wider if they differ."""
        if self.integer is not None:
            return self.integer
        schemes = (self.data.scheme, self.weight.scheme)
        found = {s.precision for s in schemes if s is not None and s.precision}
        return max(found, key=_WIDTHS.index, default="int8") if found <= _KNOWN else min(found)

    @property
    def float_precision(self) -> str:
        """Return the precision of the float inputs, or what it would be without Q/DQ."""
        for operand in (self.weight, self.data):
            known = known_type(operand.value)
            if known is None and operand.scheme is not None:
                known = known_type(operand.scheme.scale)
            if known is None and operand.is_constant:
                known = known_type(operand.root)
            if known is not None and known.is_float and known.bits >= 16:
                return precision_of(known)
        dtype = self.data.value.dtype
        return precision_of(dtype) if dtype is not None and dtype.is_float else "fp32"

    @property
    def weight_precision(self) -> str:
        """Return the precision of the stored weight."""
        if self.weight_bits is not None:
            return f"int{self.weight_bits}"
        scheme = self.weight.scheme
        if scheme is not None and scheme.precision is not None:
            return scheme.precision
        stored = known_type(self.weight.root)
        if self.integer is not None and stored is not None and stored.is_integer:
            return precision_of(stored)
        return self.integer or self.float_precision


def root_of(value: Value) -> Value:
    """Return the value upstream of ops that only move its elements."""
    for _ in range(LONGEST):
        producer = value.producer if value.tensor is None else None
        source = producer.input(0) if producer is not None else None
        if producer is None or source is None or producer.op_type not in MOVING:
            break
        value = source
    return value


_CONVOLUTIONS = having(Trait.CONVOLUTION)
_EXPERTS = having(Trait.EXPERTS)
_KEEPING = {"Gather"} | having(Trait.MOVES, Trait.QUANTIZE, Trait.DEQUANTIZE).keys()


def stored_root(value: Value) -> Value | None:
    """Return the stored weight that a value is, or was converted, moved or selected from."""
    for _ in range(LONGEST):
        if value.tensor is not None:
            return value
        producer = value.producer
        source = producer.input(0) if producer is not None else None
        if producer is None or source is None or producer.op_type not in _KEEPING:
            return None
        value = source
    return None


def unpacked_from(value: Value) -> Value | None:
    """Return the stored integers that a chain converts, shifts and scales to a weight."""
    return _scaled(value, _UNPACKING_STEPS, is_scaled=False)


def _scaled(value: Value, steps: int, *, is_scaled: bool) -> Value | None:
    tensor, node = value.tensor, value.producer
    if tensor is not None:
        is_packed = tensor.dtype.is_integer and tensor.dtype.bits <= 8 and len(tensor.shape) > 1
        return value if is_packed and is_scaled else None
    if node is None or steps == 0 or node.op_type not in _UNPACKING:
        return None
    scales = node.op_type in _SCALES
    if scales and is_scaled:
        return None
    sources = node.inputs if scales else node.inputs[:1]
    found = (
        _scaled(source, steps - 1, is_scaled=is_scaled or scales)
        for source in sources
        if source is not None
    )
    return next((each for each in found if each is not None), None)


_UNPACKING_STEPS = 8
_SCALES = having(Trait.MULTIPLICATION)
_UNPACKING = having(Trait.ARITHMETIC, Trait.CAST, Trait.MOVES)


def walk_consumers(value: Value) -> Iterator[Node]:
    """Iterate over the consumers of a value, past ops that only move its elements."""
    pending, seen = [value], set()
    while pending:
        for use in pending.pop().consumers:
            node = use.node
            if id(node) in seen:
                continue
            seen.add(id(node))
            if node.op_type in MOVING and use.index == 0:
                pending.extend(output for output in node.outputs if output is not None)
            else:
                yield node


def weight_bytes(op: WeightedOp) -> int:
    """Return the size of the op's weight in the file; of all weights of a mixture of experts."""
    places = of(op.node).places("weight") if op.is_experts else ()
    roots = [op.weight.root, *(op.node.input(place) for place in places[1:])]
    tensors = (root.tensor for root in roots if root is not None)
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)
