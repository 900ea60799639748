"""MACs as a formula in the open dims, fitted to exact counts and kept only if exact.

Counts are polynomials in the open dims unless the graph rounds or pads. A few counts at different
sizes give the coefficients; further counts, at other sizes, must agree with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement
from math import prod

from modellint.analysis.assume import Settled, settle
from modellint.analysis.cost import ModelCost
from modellint.analysis.memory import memory
from modellint.base.records import dataclass
from modellint.model import Model
from modellint.results.inspection import Term
from modellint.targets.deployment import Deployment

MOST_DIMS = 3
MOST_NODES = 30_000
"""Time limit of all counts together: a formula is not worth a wait."""
DEGREE = 2
STEP, NEXT = 16, 8
Monomial = tuple[str, ...]
Sizes = Mapping[str, int]


def macs_formula(model: Model, deployment: Deployment) -> list[Term] | None:
    """Return the terms; None if no dim is open or no formula is exact."""
    dims = _OpenDims.of(model, deployment)
    if not dims.groups or len(dims.groups) > MOST_DIMS:
        return None
    counts = _Counts(model, deployment, dims)
    for monomials in dims.monomials():
        if len(model.graph.nodes) * (len(monomials) + 2) > MOST_NODES:
            return None
        terms = _fit(monomials, dims, counts)
        if terms is not None:
            return terms
    return None


@dataclass(frozen=True, slots=True)
class _OpenDims:
    """Open dims, each with the dims of other names that vary with it."""

    batch: str | None
    groups: Mapping[str, frozenset[str]]
    stated: Sizes

    @classmethod
    def of(cls, model: Model, deployment: Deployment) -> _OpenDims:
        estimate = memory(model, deployment)
        settled = settle(model, deployment)
        groups: dict[str, frozenset[str]] = {}
        for symbol in estimate.open_symbols:
            is_new = not any(symbol in members for members in groups.values())
            if is_new and symbol not in settled.following:
                groups[symbol] = frozenset({symbol, *estimate.tied(symbol)})
        batch = estimate.batch_symbol
        return cls(batch if batch in groups else None, groups, _stated(settled))

    @property
    def others(self) -> list[str]:
        return [name for name in self.groups if name != self.batch]

    def monomials(self) -> list[list[Monomial]]:
        """Return sets of powers up to the square: all times the batch, then also without it."""
        powers = [
            monomial
            for degree in range(DEGREE + 1)
            for monomial in combinations_with_replacement(self.others, degree)
        ]
        if self.batch is None:
            return [powers]
        scaled = [(*monomial, self.batch) for monomial in powers]
        return [scaled, [*powers, *scaled]]

    def point(self, monomial: Monomial) -> dict[str, int]:
        """Return distinct sizes for each monomial, so that the equations are independent."""
        batch = {self.batch: 1 + monomial.count(self.batch)} if self.batch is not None else {}
        return batch | {
            name: (STEP + NEXT * at) * (1 + monomial.count(name))
            for at, name in enumerate(self.others)
        }

    def checks(self) -> list[dict[str, int]]:
        """Return sizes that no monomial uses and that strides and windows do not divide."""
        return [
            {
                name: batch if name == self.batch else size + 6 * at
                for at, name in enumerate(self.groups)
            }
            for batch, size in ((5, 37), (7, 50))
        ]


class _Counts:
    """MACs at any sizes."""

    def __init__(self, model: Model, deployment: Deployment, dims: _OpenDims) -> None:
        self._model = model
        self._deployment = deployment
        self._dims = dims

    def at(self, point: Sizes) -> int | None:
        named = {name: size for key, size in point.items() for name in self._dims.groups[key]}
        sized = replace(
            self._deployment, batch=None, shapes={}, symbols={**self._dims.stated, **named}
        )
        return ModelCost(self._model, settle(self._model, sized).deployment).macs


def _stated(settled: Settled) -> dict[str, int]:
    symbols = settled.deployment.symbols
    return {name: size for name, size in symbols.items() if name not in settled.assumed}


def _fit(monomials: Sequence[Monomial], dims: _OpenDims, counts: _Counts) -> list[Term] | None:
    points = [dims.point(monomial) for monomial in monomials]
    found = [counts.at(point) for point in points]
    known = [count for count in found if count is not None]
    if len(known) < len(found):
        return None
    matrix = [[_value(monomial, point) for monomial in monomials] for point in points]
    coefficients = _solve(matrix, known)
    if coefficients is None or any(c.denominator != 1 for c in coefficients):
        return None
    terms = [(int(c), m) for c, m in zip(coefficients, monomials, strict=True) if c]
    for point in dims.checks():
        if counts.at(point) != sum(c * _value(m, point) for c, m in terms):
            return None
    return [Term(c, {name: m.count(name) for name in dict.fromkeys(m)}) for c, m in terms]


def _value(monomial: Monomial, point: Sizes) -> int:
    return prod(point[name] for name in monomial)


def _solve(matrix: Sequence[Sequence[int]], counts: Sequence[int]) -> list[Fraction] | None:
    """Solve by exact Gaussian elimination; None if the rows are dependent."""
    rows = [[*map(Fraction, row), Fraction(counts[at])] for at, row in enumerate(matrix)]
    for column in range(len(rows)):
        pivot = next((at for at in range(column, len(rows)) if rows[at][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for at, row in enumerate(rows):
            if at != column and row[column]:
                factor = row[column]
                rows[at] = [x - factor * y for x, y in zip(row, rows[column], strict=True)]
    return [row[-1] for row in rows]
