"""Names of types in profiles, as the precisions of this project."""

from __future__ import annotations

import re

_PRECISIONS = {
    "float": "fp32",
    "float32": "fp32",
    "fp32": "fp32",
    "f32": "fp32",
    "double": "fp64",
    "float64": "fp64",
    "f64": "fp64",
    "half": "fp16",
    "float16": "fp16",
    "fp16": "fp16",
    "f16": "fp16",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "int8": "int8",
    "uint8": "int8",
    "i8": "int8",
    "u8": "int8",
    "s8": "int8",
    "tf32": "tf32",
    "fp8": "fp8",
    "float8e4m3fn": "fp8",
    "int4": "int4",
    "uint4": "int4",
    "i4": "int4",
    "u4": "int4",
    "float4e2m1": "fp4",
    "fp4": "fp4",
}
_WORD = re.compile(r"float8e4m3fn|float4e2m1|[a-z]+\d*")


def precision_of(text: object) -> str | None:
    """Return the precision that a type's name means: ``Half``, ``jit_avx512_FP32``."""
    words = _WORD.findall(str(text or "").lower())
    return next((_PRECISIONS[word] for word in words if word in _PRECISIONS), None)
