"""Pairs of models of two folders: by path, else by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from heapq import nlargest
from pathlib import Path

from modellint.base.records import dataclass
from modellint.differ.crossing import operator_name, weight_sizes
from modellint.formats import read_model
from modellint.model import Model

LEAST_ALIKE = 0.6
"""Minimum share of the contents that a renamed model has in common with the old one."""
MOST_COMPARED = 300
"""Models of each folder without one of the same path that are compared by content."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model in a folder, or in a version of it."""

    name: str
    """Path below the folder."""
    path: Path


@dataclass(frozen=True, slots=True)
class ModelPair:
    """One model in both folders, or in one of them."""

    old: ModelFile | None
    new: ModelFile | None

    @property
    def is_renamed(self) -> bool:
        return self.old is not None and self.new is not None and self.old.name != self.new.name

    @property
    def name(self) -> str:
        file = self.new or self.old
        return file.name if file is not None else ""


def pair_models(old: Sequence[ModelFile], new: Sequence[ModelFile]) -> list[ModelPair]:
    """Pair the models of two folders, in the order of their names."""
    theirs = {file.name: file for file in new}
    ours = {file.name: file for file in old}
    pairs = [ModelPair(file, theirs[file.name]) for file in old if file.name in theirs]
    left = [file for file in old if file.name not in theirs]
    right = [file for file in new if file.name not in ours]
    renamed = list(_renamed(left, right))
    taken = {id(file) for pair in renamed for file in (pair.old, pair.new)}
    pairs += renamed
    pairs += [ModelPair(file, None) for file in left if id(file) not in taken]
    pairs += [ModelPair(None, file) for file in right if id(file) not in taken]
    return sorted(pairs, key=lambda pair: pair.name)


def _renamed(old: Sequence[ModelFile], new: Sequence[ModelFile]) -> Iterator[ModelPair]:
    """Iterate over models whose contents are most alike, the most alike first."""
    if not old or not new or max(len(old), len(new)) > MOST_COMPARED:
        return
    ours, theirs = [_contents(file) for file in old], [_contents(file) for file in new]
    candidates = [
        (alike, SequenceMatcher(None, old[at].name, new[place].name).ratio(), -at, -place)
        for at in range(len(old))
        for place in range(len(new))
        if (alike := _alike(ours[at], theirs[place])) >= LEAST_ALIKE
    ]
    taken: set[tuple[str, int]] = set()
    for _, _, at, place in nlargest(len(candidates), candidates):
        if ("old", at) not in taken and ("new", place) not in taken:
            taken |= {("old", at), ("new", place)}
            yield ModelPair(old[-at], new[-place])


Contents = Counter[Hashable]


def _contents(file: ModelFile) -> Contents:
    """Count the operators of a model with the sizes of their weights, or its tensors by size."""
    model = read_model(file.path)
    return _of_graph(model) if model.has_graph else _of_tensors(model)


def _of_graph(model: Model) -> Contents:
    return Counter(
        (operator_name(node), weight_sizes(v.tensor for v in node.inputs if v and v.tensor))
        for node in model.nodes()
    )


def _of_tensors(model: Model) -> Contents:
    return Counter(weight_sizes([tensor]) for tensor in model.tensors)


def _alike(one: Contents, other: Contents) -> float:
    if not one or not other or min(len(one), len(other)) * 2 < max(len(one), len(other)):
        return 0.0
    return (one & other).total() / (one | other).total()
