"""Known facts of a node's inputs, for the shapes of its results."""

from __future__ import annotations

from collections.abc import Callable

from modellint.model import Node, Value

Sizes = tuple[int, ...]
Numbers = tuple[int, ...]
MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
"""Sets of dims that a slice treats in another way than its bounds say."""
MOST_NUMBERS = 64
"""More numbers than any shape has, with pairs of them for each dim."""
MISTAKES = (ValueError, LookupError, TypeError, ArithmeticError)


class KnownValues:
    """Known shapes and numbers of a node's inputs; access to unknown ones raises."""

    def __init__(
        self,
        node: Node,
        shape: Callable[[Value | None], Sizes | None],
        number: Callable[[Value | None], Numbers | None],
    ) -> None:
        self.node = node
        self._shape = shape
        self._number = number

    def shape(self, place: int) -> Sizes:
        found = self._shape(self.node.inputs[place])
        if found is None:
            raise ValueError("an open shape")
        return found

    def shapes(self) -> list[Sizes]:
        return [self.shape(place) for place in range(len(self.node.inputs))]

    def numbers(self, place: int) -> Numbers:
        found = self._number(self.node.inputs[place])
        if found is None:
            raise ValueError("unknown numbers")
        return found

    def number(self, place: int) -> int:
        (found,) = self.numbers(place)
        return found

    def ints(self, name: str) -> Numbers:
        return self.node.get_ints(name) or ()

    def integer(self, name: str, default: int | None = None) -> int:
        found = self.node.get_int(name, default)
        if found is None:
            raise ValueError("no attribute")
        return found

    def text(self, name: str, default: str = "") -> str:
        return self.node.get_str(name, default) or default

    @property
    def count(self) -> int:
        """Return the number of results."""
        return len(self.node.outputs)
