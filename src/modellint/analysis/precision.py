"""What a stored element becomes at the deployment's precision."""

from __future__ import annotations

from modellint.model import DTYPES, DType

_FLOATS = {
    "fp64": "float64",
    "fp32": "float32",
    "tf32": "float32",  # a compute mode: the elements are still stored as float32
    "bf16": "bfloat16",
    "fp16": "float16",
    "fp8": "float8e4m3fn",
    "fp4": "float4e2m1",
}
_INTEGERS = {"int8": "int8", "int4": "int4"}


def weight_dtype(stored: DType, precision: str | None) -> DType:
    """The type of a layer's weights as deployed; what is narrower already stays as it is."""
    wanted = _FLOATS.get(precision or "") or _INTEGERS.get(precision or "")
    if wanted is None or not stored.is_float or stored.bits <= DTYPES[wanted].bits:
        return stored
    return DTYPES[wanted]


def activation_dtype(stored: DType, precision: str | None) -> DType:
    """The type of an activation as deployed: below 16 bits only where the graph says so itself."""
    if precision in ("fp8", "fp4", "int8", "int4"):
        precision = "fp16"
    return weight_dtype(stored, precision)
