"""Expected times over devices, precisions and batches, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modellint.base.text import counted, timing, work
from modellint.report.page import LABEL, Page
from modellint.report.table import Row, figures, names
from modellint.report.text import FAIR, GOOD, POOR, Style, Text
from modellint.results.inspection import Candidate, Certainty

MOST = 20
"""Combinations that satisfy nothing, shown without --verbose."""
CERTAINTIES: Mapping[Certainty, Style] = {"surely": GOOD, "expected": FAIR, "no": POOR}


class SweepPage(Page):
    """Part of a page about other devices, precisions and batches."""

    def sweep(self, found: Sequence[Candidate] | None) -> None:
        if found is None:
            return
        self.blank()
        if not found:
            self.line("No times are known for these devices and precisions.")
        elif found[0].satisfies is not None:
            self._ranking(found)
        else:
            self._table(found)

    def _table(self, found: Sequence[Candidate]) -> None:
        """Print a row for each device and precision, and a column for each batch."""
        batches = sorted({each.batch for each in found})
        rows: dict[tuple[str, str], dict[int, Candidate]] = {}
        for each in found:
            rows.setdefault((each.target, each.precision), {})[each.batch] = each
        columns = [
            names("batch"),
            names(),
            *(figures(f"{batch:,}", drop=len(batches) - at) for at, batch in enumerate(batches)),
            figures("per second"),
            figures("within"),
        ]
        self.table(
            columns,
            [self._swept(key, row, batches) for key, row in rows.items()],
            title="expected time of a run",
        )
        self.line("The last columns are for the largest batch; most runs are within the factor.")

    def _swept(
        self, key: tuple[str, str], row: Mapping[int, Candidate], batches: Sequence[int]
    ) -> Row:
        target, precision = key
        last = row[max(row)]
        times = (self.seconds(row[batch].expected) if batch in row else "" for batch in batches)
        factor = f"{self.glyphs.times}{last.high / last.expected:.2f}"
        return [Text(self.words(target), LABEL), precision, *times, work(last.per_second), factor]

    def _ranking(self, found: Sequence[Candidate]) -> None:
        """Print what satisfies the requirements, best first, and what the others lack."""
        good = [each for each in found if each.satisfies != "no"]
        others = [each for each in found if each.satisfies == "no"]
        columns = [
            names("satisfies"),
            names("device"),
            names(),
            figures("batch"),
            figures("time"),
            figures("up to", drop=2),
            figures("per second"),
            figures("price", drop=3),
        ]
        if good:
            self.table(columns, [self._ranked(each) for each in good], title="what satisfies")
        else:
            self.line("Nothing satisfies all requirements.")
        shown = others if self.options.verbose else others[:MOST]
        if shown:
            self.blank()
            reasons: list[Row] = [
                [
                    Text(self.words(each.target), LABEL),
                    each.precision,
                    f"batch {each.batch:,}",
                    self.words("; ".join(each.reasons)),
                ]
                for each in shown
            ]
            self.table([names(), names(), names(), names()], reasons, title="what does not")
        if len(shown) < len(others):
            more = counted(len(others) - len(shown), "more combination")
            self.line(f"{more}: --verbose shows all.")

    def _ranked(self, each: Candidate) -> Row:
        certainty = each.satisfies or "no"
        price = "" if each.price is None else f"{each.price:g} {each.currency}/h"
        return [
            Text(certainty, CERTAINTIES[certainty]),
            self.words(each.target),
            each.precision,
            f"{each.batch:,}",
            self.seconds(each.expected),
            self.seconds(each.high),
            work(each.per_second),
            price,
        ]

    def seconds(self, seconds: float) -> str:
        """Format seconds as in `12 µs`, `3.4 ms`, `1.2 s`."""
        return timing(seconds, "u" if self.is_ascii else "µ")
