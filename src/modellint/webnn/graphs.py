"""A WebNN graph as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from modellint.base.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BYTES = {
    "float32": 4,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "int8": 1,
    "uint8": 1,
}
"""Types of WebNN that modellint writes, and the bytes of an element."""


@dataclass(frozen=True, slots=True, eq=False)
class MLOperand:
    """An operand: an input, a constant or an operator's result."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * BYTES[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class MLConstant:
    """A stored operand."""

    operand: MLOperand
    read: Callable[[], NDArray[np.generic] | None]
    """Reads the elements, which are needed only when they are written."""


@dataclass(frozen=True, slots=True, eq=False)
class MLCall:
    """One operator: a method of `MLGraphBuilder` with its arguments by name."""

    method: str
    arguments: Mapping[str, Any]
    """An `MLOperand`, a list of those, or plain values."""
    outputs: tuple[MLOperand, ...]
    node: str = ""
    """Label of the model's node that it is a part of."""


@dataclass(frozen=True, slots=True)
class MLObstacle:
    """A node that cannot become a part of the graph."""

    node: str
    op: str
    reason: str
    fix: str


@dataclass(slots=True)
class MLGraph:
    """A whole graph, with what is in the way of it."""

    inputs: dict[str, MLOperand] = field(default_factory=dict)
    outputs: dict[str, MLOperand] = field(default_factory=dict)
    constants: list[MLConstant] = field(default_factory=list)
    calls: list[MLCall] = field(default_factory=list)
    obstacles: list[MLObstacle] = field(default_factory=list)
    narrowed: list[str] = field(default_factory=list)
    """Labels of nodes whose 64-bit integers are computed in 32 bits."""
