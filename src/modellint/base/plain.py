"""Conversion of evidence to plain data: rules return NumPy numbers, tuples, sets, dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from modellint.base.units import finite


def plain(value: object) -> Any:
    """Convert to JSON types, so that fresh and cached findings are equal; integers saturate."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(finite(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        return plain(value.tolist())
    return str(value)
