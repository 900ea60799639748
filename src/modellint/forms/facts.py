"""Interface of a model for a deployment, as conditions on forms need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from modellint.model import DType, Model, Shape, Value
from modellint.targets.deployment import Deployment

T = TypeVar("T")


class Facts(Protocol):
    """A model for a deployment, as the context of a check is one."""

    @property
    def model(self) -> Model: ...
    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T: ...
    def shape(self, value: Value) -> Shape | None: ...
    def dtype(self, value: Value) -> DType | None: ...
    def is_frozen(self, value: Value) -> bool: ...
