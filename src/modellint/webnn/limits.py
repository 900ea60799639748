"""Types and ranks that a context takes, as `MLContext.opSupportLimits()` states them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modellint.webnn.graphs import BYTES, MLOperand

TABLE = Path(__file__).with_name("limits-chromium-147.json")


class LimitError(Exception):
    """An operand that the context does not take."""


class ContextLimits:
    """Limits of one browser's context."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        self._stated = stated
        self.browser: str = stated["browser"]
        self._operators: Mapping[str, Any] = stated["operators"]

    def has(self, method: str) -> bool:
        return method in self._operators

    def types(self, method: str, name: str) -> list[str]:
        """Return the types that an operand may have; empty if nothing is stated."""
        found: list[str] = self._operators.get(method, {}).get(name, {}).get("dataTypes", [])
        return found

    def most_dims(self, method: str, name: str) -> int:
        rank: int = self._operators.get(method, {}).get(name, {}).get("rankRange", {}).get("max", 8)
        return rank

    def require(self, method: str, name: str, operand: MLOperand) -> None:
        """Raise if an operator does not take an operand."""
        stated = self._operators[method].get(name)
        if stated is None:
            return
        if operand.dtype not in stated["dataTypes"]:
            taken = ", ".join(stated["dataTypes"])
            raise LimitError(f"{method} does not support {operand.dtype} as {name}, only {taken}")
        ranks = stated["rankRange"]
        if not ranks["min"] <= operand.rank <= ranks["max"]:
            raise LimitError(
                f"{method} does not support {operand.rank} dims as {name}, only {ranks['min']} to "
                f"{ranks['max']}"
            )

    def require_size(self, dtype: str, shape: tuple[int, ...]) -> None:
        """Raise if a tensor is too large."""
        most = self._stated["maxTensorByteLength"]
        if math.prod(shape) * BYTES[dtype] > most:
            raise LimitError(f"a tensor of {list(shape)} is larger than {most} bytes")


@cache
def measured_limits() -> ContextLimits:
    """Return the limits of the newest browser that was asked."""
    return ContextLimits(json.loads(TABLE.read_text(encoding="utf-8")))
