"""Budget of the weights that rules read in full.

Most rules read a sample of each tensor. Some ask what only all elements can answer: each such
question may read as many bytes as the setting `weights-budget` says.
"""

from __future__ import annotations

from modellint.base.watching import tell
from modellint.model.tensor import Tensor

BUDGET = 2 << 30
"""Bytes to read in full by default: a few seconds from a disk."""


class Reading:
    """Budget of each question for itself: rules do not compete."""

    def __init__(self, name: str, limit: int = BUDGET) -> None:
        self.name = name
        self.limit = limit
        self._spent: dict[str, int] = {}
        self._granted: set[tuple[str, int]] = set()

    def affords(self, question: str, *tensors: Tensor) -> bool:
        """Return True if all of these may be read for this question; again, they cost nothing."""
        new = [tensor for tensor in tensors if (question, id(tensor)) not in self._granted]
        spent = self._spent.get(question, 0) + sum(tensor.nbytes for tensor in new)
        if spent > self.limit:
            return False
        self._spent[question] = spent
        self._granted.update((question, id(tensor)) for tensor in new)
        tell(self.name, sum(self._spent.values()))
        return True
