"""Element types at the deployment's precision."""

from __future__ import annotations

from dataclasses import replace

from modellint.model import DTYPES, DType, Model, Node, product
from modellint.model.dtypes import BY_CODE
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

_FLOATS = {
    "fp64": "float64",
    "fp32": "float32",
    "tf32": "float32",  # a compute mode: the elements are still stored as float32
    "bf16": "bfloat16",
    "fp16": "float16",
    "fp8": "float8e4m3fn",
    "fp4": "float4e2m1",
}
_NAMES = {
    "int8": "int8",
    "uint8": "int8",
    "int16": "int16",
    "uint16": "int16",
    "int4": "int4",
    "uint4": "int4",
    "int2": "int2",
    "uint2": "int2",
    "float4e2m1": "fp4",
    "float6e2m3": "fp6",
    "float6e3m2": "fp6",
    "float64": "fp64",
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
}
_HALVES = ("float16", "bfloat16")
_HALF_CODES = tuple(BY_CODE.index(DTYPES[name]) for name in _HALVES)
"""The same as a Cast states them."""
_INTEGERS = {"int8": "int8", "int4": "int4"}
_NARROW = frozenset({"int8", "int4", "int2", "fp8", "fp6", "fp4"})


def precision_of(dtype: DType) -> str:
    """Return the hardware's name: ``int8`` for int8 and uint8, ``fp8`` for all float8 types."""
    return "fp8" if dtype.name.startswith("float8") else _NAMES.get(dtype.name, dtype.name)


def dtype_of_precision(precision: str) -> str | None:
    """Return the element type of a precision: ``float16`` for ``fp16``."""
    return _FLOATS.get(precision) or _INTEGERS.get(precision)


def weight_dtype(stored: DType, precision: str | None) -> DType:
    """Return the deployed type of a layer's weights; narrower types are kept."""
    if precision is None:
        return stored
    wanted = dtype_of_precision(precision)
    if wanted is None or not stored.is_float or stored.bits <= DTYPES[wanted].bits:
        return stored
    return DTYPES[wanted]


def activation_dtype(stored: DType, precision: str | None) -> DType:
    """Return the deployed type of an activation; below 16 bits only if explicit in the graph."""
    if precision in ("fp8", "fp4", "int8", "int4"):
        precision = "fp16"
    return weight_dtype(stored, precision)


def running_precision(model: Model, deployment: Deployment) -> str:
    """Return the precision of floats: the deployment's, else the type of most weights."""
    return deployment.precision or stored_precision(model)


def stored_precision(model: Model) -> str:
    """Return the type of most weights that are floats of 16 bits or more."""
    stored: dict[str, int] = {}
    for tensor in model.tensors:
        if tensor.dtype.is_float and tensor.dtype.bits >= 16:
            name = precision_of(tensor.dtype)
            stored[name] = stored.get(name, 0) + tensor.nbytes
    return max(stored, key=lambda name: stored[name], default="fp32")


def narrow_weights(model: Model) -> str | None:
    """Return the type of most weights, if that is narrower than 16 bits."""
    elements: dict[str, int] = {}
    for tensor in model.tensors:
        name = precision_of(tensor.dtype)
        if tensor.dtype.is_float or tensor.dtype.bits < 16:
            elements[name] = elements.get(name, 0) + product(tensor.shape)
    most = max(elements, key=lambda name: elements[name], default=None)
    return most if most in _NARROW else None


def without_strange_assumption(model: Model, deployment: Deployment) -> Deployment:
    """Drop an assumed precision if the model is not in fp32 throughout, but in types it chose."""
    if deployment.precision is None or not deployment.is_assumed("precision"):
        return deployment
    if stored_precision(model) == "fp32" and not _mixes_floats(model):
        return deployment
    return replace(deployment, precision=None)


def _mixes_floats(model: Model) -> bool:
    """Return True if the graph itself decides what it computes in 16 and what in 32 bits."""
    declared = (value.declared_dtype for value in model.fed)
    if any(dtype is not None and dtype.name in _HALVES for dtype in declared):
        return True
    casts = model.nodes(*having(Trait.CAST))
    return any(node.get_int("to") in _HALF_CODES and _is_computed_with(node) for node in casts)


def _is_computed_with(cast: Node) -> bool:
    """Return True if anything but another cast reads the result of a cast."""
    value = cast.output()
    readers = [use.node.op_type for use in value.consumers] if value is not None else []
    return any(op not in having(Trait.CAST) for op in readers)


def is_narrow(precision: str) -> bool:
    """Return True for 16 bits or fewer."""
    return precision not in ("fp64", "fp32", "tf32")
