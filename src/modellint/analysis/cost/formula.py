"""MACs as a formula in the dims that a model leaves open: ``4.09 G x batch``.

Counts are polynomials in the open dims: linear in the batch, at most quadratic in a sequence
length. So they are counted exactly at a few sizes, and the polynomial through those is checked at
one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod

from modellint.analysis.assume import settle
from modellint.model import Model
from modellint.targets.deployment import Deployment

MOST_SYMBOLS = 3
_UNITS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

Exponents = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """A polynomial: a coefficient for each product of powers of the symbols."""

    symbols: tuple[str, ...]
    terms: Mapping[Exponents, Fraction]

    def at(self, sizes: Mapping[str, int]) -> int:
        """The value for these sizes of all symbols."""
        values = [sizes[symbol] for symbol in self.symbols]
        total: Fraction = sum(
            (
                factor * prod(value**power for value, power in zip(values, powers, strict=True))
                for powers, factor in self.terms.items()
            ),
            Fraction(0),
        )
        return round(total)

    def __str__(self) -> str:
        """What all terms share stands in front: ``batch x (85 M x seq + 18.4 k x seq^2)``."""
        if not self.terms:
            return "0"
        shared = tuple(min(powers) for powers in zip(*self.terms, strict=True))
        terms = {
            tuple(a - b for a, b in zip(powers, shared, strict=True)): factor
            for powers, factor in sorted(self.terms.items())
        }
        front = self._powers(shared)
        written = [
            " x ".join([_short(factor), *self._powers(powers)]) for powers, factor in terms.items()
        ]
        if len(written) == 1:
            return " x ".join([*written, *front])
        inner = " + ".join(written).replace("+ -", "- ")
        return f"{' x '.join(front)} x ({inner})" if front else inner

    def _powers(self, powers: Exponents) -> list[str]:
        return [
            symbol if power == 1 else f"{symbol}^{power}"
            for symbol, power in zip(self.symbols, powers, strict=True)
            if power
        ]


def find_formula(
    model: Model, deployment: Deployment, count: Callable[[Deployment], int | None]
) -> Formula | None:
    """The polynomial that `count` follows; None when dims are too many, or it follows none.

    Dims that the deployment states are numbers, not symbols.
    """
    settled = settle(model, deployment)
    symbols = tuple(name for name in settled.assumed if "[" not in name)
    if not symbols or len(symbols) > MOST_SYMBOLS or len(symbols) < len(settled.assumed):
        return None
    base = [settled.assumed[symbol] for symbol in symbols]
    steps: list[tuple[int, ...]] = [(1, 2) if size == 1 else (1, 2, 3) for size in base]

    def at(factors: tuple[int, ...]) -> int | None:
        sizes = {
            symbol: size * factor
            for symbol, size, factor in zip(symbols, base, factors, strict=True)
        }
        return count(replace(deployment, symbols={**settled.deployment.symbols, **sizes}))

    known: dict[tuple[int, ...], int] = {}
    for factors in product(*steps):
        value = at(factors)
        if value is None:
            return None
        known[factors] = value
    terms = _interpolate(known, steps)
    scaled = {
        powers: factor / prod(size**power for size, power in zip(base, powers, strict=True))
        for powers, factor in terms.items()
    }
    formula = Formula(symbols, scaled)
    beyond = tuple(max(step) + 1 for step in steps)
    sizes = {s: b * f for s, b, f in zip(symbols, base, beyond, strict=True)}
    return formula if at(beyond) == formula.at(sizes) else None


def _interpolate(
    known: Mapping[tuple[int, ...], int], steps: list[tuple[int, ...]]
) -> dict[Exponents, Fraction]:
    """Coefficients of the polynomial through all points of a grid."""
    terms: dict[Exponents, Fraction] = {}
    bases = [list(_lagrange(step)) for step in steps]
    for at, value in known.items():
        rows = [bases[axis][steps[axis].index(point)] for axis, point in enumerate(at)]
        for powers in product(*(range(len(row)) for row in rows)):
            factor = prod(row[power] for row, power in zip(rows, powers, strict=True))
            terms[powers] = terms.get(powers, Fraction(0)) + factor * value
    return {powers: factor for powers, factor in terms.items() if factor}


def _lagrange(points: tuple[int, ...]) -> Iterator[list[Fraction]]:
    """For each point, the polynomial that is 1 there and 0 at the others, lowest power first."""
    for point in points:
        row = [Fraction(1)]
        for other in points:
            if other != point:
                scale = Fraction(1, point - other)
                shifted = [Fraction(0), *(factor * scale for factor in row)]
                for power, factor in enumerate(row):
                    shifted[power] -= factor * other * scale
                row = shifted
        yield row


def _short(number: Fraction) -> str:
    value = float(number)
    for size, unit in _UNITS:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"
