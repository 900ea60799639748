"""A model for a deployment, as conditions on forms ask about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from modellint.analysis.folding import folding
from modellint.analysis.shapes import DeployedTypes
from modellint.model import DType, Model, Shape, Value
from modellint.targets.deployment import Deployment

T = TypeVar("T")


class Facts:
    """Base of what knows a model for a deployment: the context of a check is one."""

    __slots__ = ()

    @property
    def model(self) -> Model:
        raise NotImplementedError

    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T:
        raise NotImplementedError

    def shape(self, value: Value) -> Shape | None:
        """Return the value's shape with the deployment's bindings applied."""
        return self.analysis(DeployedTypes).shape(value)

    def dtype(self, value: Value) -> DType | None:
        return value.dtype

    def is_frozen(self, value: Value) -> bool:
        """Return True for constants and for values computed only from constants."""
        return self.analysis(folding).is_constant(value)
