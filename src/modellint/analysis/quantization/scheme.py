"""Quantization scheme of a tensor: element type, granularity, scale and zero point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modellint.analysis.chains import LONGEST
from modellint.analysis.precision import precision_of
from modellint.base.records import dataclass
from modellint.model import DTYPES, UNDEFINED, DType, Node, Shape, Value, dtype_of
from modellint.operators import Trait, names

if TYPE_CHECKING:
    from numpy.typing import NDArray

Granularity = Literal["tensor", "channel", "block"]

READABLE = 1 << 20
"""Maximum bytes of parameters to read; larger ones are left to rules that read weights."""

QUANTIZE = names(Trait.QUANTIZE)
DEQUANTIZE = names(Trait.DEQUANTIZE)

_CUSTOM_TYPES = {"TRT_INT8": "int8", "TRT_FP8": "float8e4m3fn", "TRT_INT4": "int4"}


def numbers(value: Value | None) -> NDArray[Any] | None:
    """Return the elements of a constant small enough to be a quantization parameter.

    There is at least one, and all are real numbers.
    """
    tensor = value.tensor if value is not None else None
    if tensor is None or tensor.read is None or not (tensor.small or tensor.nbytes <= READABLE):
        return None
    if tensor.dtype.kind in ("string", "complex"):
        return None
    array = tensor.read()
    return array if array is not None and array.size else None


Arrays = dict[int, "NDArray[Any] | None"]
"""Contents of constants by id of their value: many nodes share a zero point."""


@dataclass(slots=True, eq=False)
class Scheme:
    """Parameters of a Q or DQ node. There are thousands, so attributes are read lazily."""

    node: Node
    dtype: DType | None
    scale: Value | None
    zero_point: Value | None
    arrays: Arrays
    fixed_axis: int | None = None
    """Axis for integer ops, which have no attribute for it."""

    @property
    def axis(self) -> int:
        if self.fixed_axis is not None:
            return self.fixed_axis
        axis = self.node.get_int("axis", 1)
        return axis if axis is not None else 1

    @property
    def block(self) -> int:
        return self.node.get_int("block_size", 0) or 0

    @property
    def scales(self) -> NDArray[Any] | None:
        """Return the scale's numbers, or None if not constant."""
        return self._numbers(self.scale)

    @property
    def zero_points(self) -> NDArray[Any] | None:
        """Return the zero point's finite numbers, or None if not constant."""
        points = self._numbers(self.zero_point)
        if points is None or points.dtype.kind in "iub":
            return points
        return points if bool((abs(points) < float("inf")).all()) else None

    def _numbers(self, value: Value | None) -> NDArray[Any] | None:
        if value is None:
            return None
        key = id(value)
        if key not in self.arrays:
            self.arrays[key] = numbers(value)
        return self.arrays[key]

    @property
    def scale_shape(self) -> Shape | None:
        given = self.scale if self.scale is not None else self.zero_point
        if given is None:
            return None
        return given.tensor.shape if given.tensor else given.shape

    @property
    def is_per_tensor(self) -> bool:
        """Return True if the whole tensor is known to have one scale."""
        shape = self.scale_shape
        return shape is not None and (not shape or all(dim == 1 for dim in shape))

    @property
    def granularity(self) -> Granularity | None:
        """Return the granularity; None if the scale's shape is unknown."""
        if self.is_per_tensor:
            return "tensor"
        if self.block:
            return "block"
        shape = self.scale_shape
        if shape is None:
            return None
        return "channel" if len(shape) == 1 else "block"

    @property
    def is_symmetric(self) -> bool | None:
        """Return True if all zero points are zero; None if unknown."""
        if self.zero_point is None:
            return True
        points = self.zero_points
        return None if points is None else not points.any()

    @property
    def precision(self) -> str | None:
        return precision_of(self.dtype) if self.dtype is not None else None

    def takes_same(self, other: Scheme) -> bool:
        """Return True if both refer to the same scale and zero point values."""
        return self.scale is other.scale and self.zero_point is other.zero_point

    def same_as(self, other: Scheme) -> bool | None:
        """Return True if both have equal numbers; None if one is not constant."""
        if self.dtype is not other.dtype and None not in (self.dtype, other.dtype):
            return False
        if self.scale is not other.scale:
            scale = _equal(self.scale, other.scale, self.scales, other.scales)
            if not scale:
                return scale
        if self.zero_point is other.zero_point or (self.is_symmetric and other.is_symmetric):
            return True
        return _equal(
            self.zero_point, other.zero_point, self.zero_points, other.zero_points, default=0
        )

    def describe(self) -> str:
        """Return ``int8, per-channel (axis 0), symmetric``."""
        kind = {
            "tensor": "per-tensor",
            "channel": f"per-channel (axis {self.axis})",
            "block": f"per-block of {self.block} (axis {self.axis})" if self.block else "per-block",
            None: "unknown granularity",
        }[self.granularity]
        symmetry = {True: "symmetric", False: "asymmetric", None: "unknown zero point"}
        return f"{self.dtype or 'unknown type'}, {kind}, {symmetry[self.is_symmetric]}"


def _equal(
    left: Value | None,
    right: Value | None,
    left_numbers: NDArray[Any] | None,
    right_numbers: NDArray[Any] | None,
    default: float | None = None,
) -> bool | None:
    if left is right:
        return True
    if left_numbers is None and left is None and default is not None:
        return None if right_numbers is None else not (right_numbers != default).any()
    if right_numbers is None and right is None and default is not None:
        return None if left_numbers is None else not (left_numbers != default).any()
    if left_numbers is None or right_numbers is None:
        return None
    if left_numbers.size != right_numbers.size:
        return False
    return bool((left_numbers.reshape(-1) == right_numbers.reshape(-1)).all())


def original(value: Value | None) -> Value | None:
    """Return the value upstream of Identity, which exporters use to share equal parameters."""
    for _ in range(LONGEST):
        producer = value.producer if value is not None and value.tensor is None else None
        if producer is None or producer.op_type != "Identity":
            break
        value = producer.input(0)
    return value


def scheme_of(node: Node, arrays: Arrays, *, dequantize: bool) -> Scheme:
    """Return the scheme of a Q or DQ node."""
    inputs = node.inputs
    scale = inputs[1] if len(inputs) > 1 else None
    if scale is not None and scale.tensor is None:
        scale = original(scale)
    zero_point = inputs[2] if len(inputs) > 2 else None
    if zero_point is not None and zero_point.tensor is None:
        zero_point = original(zero_point)
    dtype = _type_of(node, zero_point, dequantize=dequantize)
    return Scheme(node, dtype, scale, zero_point, arrays)


def _type_of(node: Node, zero_point: Value | None, *, dequantize: bool) -> DType | None:
    stated = _custom_type(node)
    if stated is not None:
        return stated
    if dequantize:
        known = known_type(node.inputs[0]) if node.inputs else None
        return known if known is not None else known_type(zero_point)
    return known_type(zero_point) if zero_point is not None else _output_type(node)


def _custom_type(node: Node) -> DType | None:
    """Return the type that the name of a custom Q or DQ states."""
    if node.domain:
        for prefix, name in _CUSTOM_TYPES.items():
            if node.op_type.startswith(prefix):
                return DTYPES[name]
    return None


def _output_type(node: Node) -> DType:
    """Return the type that a Q without zero point quantizes to."""
    chosen = dtype_of(node.get_int("output_dtype", 0) or 0)
    return chosen if chosen is not UNDEFINED else DTYPES["uint8"]


def known_type(value: Value | None) -> DType | None:
    """Return a value's element type if stated in the file, without inference."""
    for _ in range(LONGEST):
        if value is None:
            return None
        if value.tensor is not None:
            return value.tensor.dtype
        producer = value.producer
        if value.declared_dtype is not None or producer is None:
            return value.declared_dtype
        if producer.op_type == "DynamicQuantizeLinear" and value.index == 0:
            return DTYPES["uint8"]
        if producer.qualified_op not in QUANTIZE:
            return None
        stated = _custom_type(producer)
        if stated is not None:
            return stated
        value = producer.input(2)  # its type is the output's
        if value is None:
            return _output_type(producer)
    return None
