"""Versions of Core ML's specification, and what came with each.

From coremltools 9.0: `coremltools/__init__.py` for systems, `mil/ops/registry.py` for operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SYSTEMS: Mapping[int, str] = {
    1: "iOS 11 or macOS 10.13",
    2: "iOS 11.2 or macOS 10.13.2",
    3: "iOS 12 or macOS 10.14",
    4: "iOS 13 or macOS 10.15",
    5: "iOS 14 or macOS 11",
    6: "iOS 15 or macOS 12",
    7: "iOS 16 or macOS 13",
    8: "iOS 17 or macOS 14",
    9: "iOS 18 or macOS 15",
    10: "iOS 26 or macOS 26",
}
"""Systems that first read each version of the specification."""
_NAMES = """
ios11=1 ios12=3 ios13=4 ios14=5 ios15=6 ios16=7 ios17=8 ios18=9 ios26=10
macos10.13=1 macos10.14=3 macos10.15=4 macos11=5 macos12=6 macos13=7 macos14=8 macos15=9 macos26=10
"""
_VERSIONS: Mapping[str, int] = {
    name: int(version) for name, _, version in (pair.partition("=") for pair in _NAMES.split())
}
_OPERATIONS = """
6: affine resample
7: constexpr_affine_dequantize constexpr_cast constexpr_lut_to_dense constexpr_sparse_to_dense
    fill_like pixel_unshuffle reshape_like
8: dequantize quantize resize
9: constexpr_blockwise_shift_scale constexpr_lut_to_sparse constexpr_sparse_blockwise_shift_scale
    read_state scaled_dot_product_attention slice_update write_state
"""
_OPSET = re.compile(r"CoreML(\d{1,2})")
OPSETS_BEHIND = 1
"""The operator set CoreML8 came with version 9 of the specification."""


def version_of_opset(opset: str) -> int | None:
    """Return the version of the specification that an operator set of ML programs came with."""
    found = _OPSET.fullmatch(opset)
    return int(found[1]) + OPSETS_BEHIND if found else None


def version_of_system(name: str) -> int | None:
    """Return the newest version that a system reads: ``iOS16``, ``macOS 13``."""
    return _VERSIONS.get(name.lower().replace(" ", ""))


def _parse(text: str) -> dict[str, int]:
    first: dict[str, int] = {}
    version = 0
    for word in text.split():
        if word.endswith(":"):
            version = int(word[:-1])
        else:
            first[word] = version
    return first


FIRST_VERSION: Mapping[str, int] = _parse(_OPERATIONS)
"""Version of the specification that each newer operation of ML programs came with."""
