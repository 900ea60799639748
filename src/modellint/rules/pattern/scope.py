"""Evaluation scope of expressions, and three-valued logic for unknown values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from modellint.rules.pattern.errors import WorkLimitError

if TYPE_CHECKING:
    from modellint.model import DType, Graph, Node, Shape, Value
    from modellint.targets.deployment import Deployment


STEPS_PER_RULE = 1_000_000
STEPS_PER_NODE = 200
RULES_IN_FULL = 5
"""Number of rules that may use up a budget of their own, if they share one for a model."""


class Budget:
    """Work that a rule's expressions may do on a model: steps, each the handling of one item."""

    __slots__ = ("left", "shared")

    def __init__(self, nodes: int, shared: SharedBudget | None = None) -> None:
        self.left = STEPS_PER_RULE + STEPS_PER_NODE * nodes
        self.shared = shared

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise WorkLimitError("its expressions need too many steps")
        if self.shared is not None:
            self.shared.spend(steps)


class SharedBudget:
    """Work that the expressions of all rules of users may do on a model."""

    __slots__ = ("left",)

    def __init__(self, nodes: int) -> None:
        self.left = RULES_IN_FULL * (STEPS_PER_RULE + STEPS_PER_NODE * nodes)

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise WorkLimitError("the expressions of all such rules need too many steps")


class Environment(Protocol):
    """Environment of expressions beyond the model, such as a check's `Context`."""

    @property
    def options(self) -> Mapping[str, Any]: ...

    @property
    def deployment(self) -> Deployment: ...

    def shape(self, value: Value) -> Shape | None: ...

    def dtype(self, value: Value) -> DType | None: ...

    def is_frozen(self, value: Value) -> bool: ...


class Scope:
    """The match in progress, in its graph, for a deployment."""

    __slots__ = (
        "consuming_nodes",
        "environment",
        "graph",
        "items",
        "nodes",
        "spend",
        "strict",
        "values",
    )

    def __init__(
        self, graph: Graph, environment: Environment, budget: Budget, *, strict: bool = False
    ) -> None:
        self.graph = graph
        self.spend = budget.spend
        self.environment = environment
        self.strict = strict
        self.nodes: dict[int, Node] = {}
        """Nodes matched so far, by line of the pattern."""
        self.values: dict[str, Value | None] = {}
        """Values of the variables bound so far; None for absent optional values."""
        self.items: dict[str, object] = {}
        """Variables of comprehensions."""
        self.consuming_nodes: dict[int, dict[int, Node]] = {}
        """Consumers of a value, by identity, cached."""


class Symbol(str):
    """A symbolic dim: equal to itself, and otherwise unknown."""

    __slots__ = ()


def truth(thing: object) -> bool | None:
    return None if thing is None else bool(thing)


def every(things: Iterable[object]) -> bool | None:
    """Return False if any is false, else None if any is unknown."""
    known = True
    for thing in things:
        if thing is None:
            known = False
        elif not thing:
            return False
    return True if known else None


def some(things: Iterable[object]) -> bool | None:
    """Return True if any is true, else None if any is unknown."""
    known = True
    for thing in things:
        if thing is None:
            known = False
        elif thing:
            return True
    return False if known else None


def equal(scope: Scope, left: object, right: object) -> bool | None:
    """Return True if both are equal; None if unknown."""
    if left is None or right is None:
        return None
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        scope.spend(len(left))
        return every(equal(scope, a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        return left == right or None
    if isinstance(left, Symbol) or isinstance(right, Symbol):
        # A symbolic dim may equal any number, but names are compared as such.
        return left == right if isinstance(left, str) and isinstance(right, str) else None
    return bool(left == right)
