"""Figures of stored weights in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted
from modellint.report.page import Page
from modellint.report.table import Row, figures, names
from modellint.report.text import POOR, Text
from modellint.results.inspection import WeightFigures

MOST = 12
HEADS = (
    names("weight"),
    names("type", drop=2),
    figures("lowest"),
    figures("highest"),
    figures("mean", drop=3),
    figures("deviation", drop=1),
    figures("zeros"),
)


class WeightsPage(Page):
    """Page on the spread of weights: those that are not finite first, then the largest numbers."""

    def draw(self, weights: Sequence[WeightFigures]) -> None:
        ordered = sorted(weights, key=lambda each: (-each.not_finite, -_largest(each)))
        shown = ordered if self.options.verbose else ordered[:MOST]
        sampled = sum(each.read < each.elements for each in weights)
        self.heading("weights")
        self.blank()
        self.table(HEADS, [self._row(each) for each in shown])
        if len(shown) < len(ordered):
            self.line(f"and {len(ordered) - len(shown):,} with smaller numbers; -v shows all")
        if sampled:
            self.line(f"{counted(sampled, 'weight')} by a sample of their numbers.")

    def _row(self, each: WeightFigures) -> Row:
        not_finite = f" + {each.not_finite:,} not finite" if each.not_finite else ""
        return [
            self.words(each.name),
            each.dtype,
            f"{each.lowest:.3g}",
            Text(f"{each.highest:.3g}{not_finite}", POOR if not_finite else ""),
            f"{each.mean:.3g}",
            f"{each.deviation:.3g}",
            f"{each.zeros / each.read:.1%}" if each.zeros else "",
        ]


def _largest(each: WeightFigures) -> float:
    return max(abs(each.lowest), abs(each.highest))
