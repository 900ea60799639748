"""Quantizers of the library `quantized_decomposed`."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import Meaning, Stated
from modellint.model import DType, Value, small_constant


def _integer_type(given: AtenArguments) -> DType | None:
    dtype = given.element_type("dtype")
    return dtype if dtype is not None and dtype.is_integer and dtype.bits <= 16 else None


def _quantizer(given: AtenArguments) -> Stated | None:
    """Have a meaning if all numbers of the type are used, or all but the lowest."""
    data, dtype = given.tensor("input"), _integer_type(given)
    low, high = given.integer("quant_min"), given.integer("quant_max")
    if data is None or dtype is None or low is None or high is None:
        return None
    bits = int(dtype.bits)
    least = -(1 << bits - 1) if dtype.kind == "int" else 0
    if high != least + (1 << bits) - 1 or low not in (least, least + (dtype.kind == "int")):
        return None
    if "scales" in given:
        axis, zeros = given.integer("axis", 0), given.tensor("zero_points")
        if axis is None or (zeros is not None and not _is_zero(zeros)):
            return None
        return (data, given.tensor("scales")), {"axis": axis}
    scale, zero = given.number("scale", None), given.integer("zero_point")
    if scale is None or zero is None:
        return None
    constants = (
        given.constant("scale", float(scale), "float32"),
        given.constant("zero_point", zero, dtype.name),
    )
    return (data, *constants), {}


def _is_zero(value: Value) -> bool:
    """Return True for zero points that say nothing: PyTorch stores them as wider integers."""
    numbers = small_constant(value)
    return numbers is not None and not numbers.any()


_BY_NAME: Mapping[str, Meaning] = {
    "quantizer": _quantizer,
}
MEANINGS: Mapping[str, Meaning] = meanings(
    """
quantizer: quantize_per_tensor dequantize_per_tensor quantize_per_channel dequantize_per_channel
""",
    _BY_NAME,
)
