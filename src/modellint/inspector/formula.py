"""MACs as a formula in the open dims: fitted through exact counts, and kept only if it is exact.

Counts are polynomials of the open dims wherever the graph neither rounds nor pads. A few counts at
different sizes give the coefficients; further counts, at sizes that had no say, must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement
from math import prod

from modellint.analysis.cost import ModelCost
from modellint.inspection import Term
from modellint.model import Model
from modellint.targets.deployment import Deployment, ShapeProfile
from modellint.targets.profiles import input_profiles

MOST_SYMBOLS = 3
MOST_NODES = 20_000
"""Of all counts together: a formula is no reason to wait."""
DEGREE = 2
Monomial = tuple[str, ...]
Sizes = Mapping[str, int]


def macs_formula(model: Model, deployment: Deployment, cost: ModelCost) -> list[Term] | None:
    """The terms, largest powers last; None where no dim is open, or none of it is exact.

    `deployment` closes every dim; `cost` is what was counted for it.
    """
    sizes = _open_sizes(model, deployment)
    if not cost.total.macs or not sizes or len(sizes) > MOST_SYMBOLS:
        return None
    monomials = _monomials(tuple(sizes))
    points = _points(sizes, monomials)
    if model.graph is None or len(points) * len(model.graph.nodes) > MOST_NODES:
        return None
    counts = []
    for point in points:
        macs = ModelCost(model, _at(model, deployment, point)).total.macs
        if macs is None:
            return None
        counts.append(macs)
    known = len(monomials)
    coefficients = _solve([[_value(m, p) for m in monomials] for p in points[:known]], counts)
    if coefficients is None or any(c.denominator != 1 for c in coefficients):
        return None
    terms = [(int(c), m) for c, m in zip(coefficients, monomials, strict=True) if c]
    checks = [*zip(points[known:], counts[known:], strict=True), (sizes, cost.total.macs)]
    if any(sum(c * _value(m, p) for c, m in terms) != count for p, count in checks):
        return None
    return [Term(c, {name: m.count(name) for name in dict.fromkeys(m)}) for c, m in terms]


def _open_sizes(model: Model, deployment: Deployment) -> dict[str, int]:
    """Named dims of the inputs, with the sizes they have here."""
    return {
        dim: deployment.symbols[dim]
        for profile in input_profiles(model, deployment)
        for dim in profile.declared
        if isinstance(dim, str) and dim in deployment.symbols
    }


def _monomials(symbols: tuple[str, ...]) -> list[Monomial]:
    """The first symbol, a batch, comes in at most once; the others up to the square together."""
    batch, *others = symbols
    rest = [m for d in range(DEGREE + 1) for m in combinations_with_replacement(others, d)]
    return [*rest, *((batch, *m) for m in rest)]


def _points(sizes: Sizes, monomials: Sequence[Monomial]) -> list[dict[str, int]]:
    """Sizes at which the monomials are independent, and one point more to check with."""
    batch, *others = sizes
    steps = {name: 16 + 8 * at for at, name in enumerate(others)}
    points = [
        {batch: 1 + m.count(batch)}
        | {name: step * (2 + m.count(name)) for name, step in steps.items()}
        for m in monomials
    ]
    return [*points, {batch: 5} | {name: step * 7 for name, step in steps.items()}]


def _at(model: Model, deployment: Deployment, point: Sizes) -> Deployment:
    """The deployment with other sizes for the named dims; unnamed ones stay."""
    shapes = dict(deployment.shapes)
    for profile in input_profiles(model, deployment):
        if profile.is_dynamic and not profile.open_axes:
            shape = tuple(
                point.get(dim, size) if isinstance(dim, str) else size
                for dim, size in zip(profile.declared, profile.bound(1), strict=True)
            )
            shapes[profile.value.name] = ShapeProfile(shape, shape, shape)
    return replace(deployment, batch=None, shapes=shapes, symbols={**deployment.symbols, **point})


def _value(monomial: Monomial, point: Sizes) -> int:
    return prod(point[name] for name in monomial)


def _solve(matrix: list[list[int]], counts: Sequence[int]) -> list[Fraction] | None:
    """Gaussian elimination, exactly; None for dependent rows."""
    rows = [[*map(Fraction, row), Fraction(counts[at])] for at, row in enumerate(matrix)]
    size = len(rows)
    for column in range(size):
        pivot = next((at for at in range(column, size) if rows[at][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for at in range(size):
            if at != column and rows[at][column]:
                factor = rows[at][column]
                rows[at] = [x - factor * y for x, y in zip(rows[at], rows[column], strict=True)]
    return [row[-1] for row in rows]
