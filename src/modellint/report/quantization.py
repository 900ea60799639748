"""Quantization of a model, or its readiness for it: `inspect --quant`.

It is rendered from the JSON form of the summary, so that both always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from modellint.base.text import counted, percent, quantity
from modellint.base.units import format_bytes
from modellint.report.options import Options
from modellint.report.page import HEADING, LABEL, Page
from modellint.report.table import Column, Row, figures, names, prose
from modellint.report.text import FAIR, GOOD, LINES, POOR, Text

Summary = Mapping[str, Any]

MOST_ROWS = 10
BAR = 20

COVERAGE = (
    names("precision"),
    figures("layers"),
    figures("MACs"),
    names(drop=1),
    figures("weights"),
)
SCHEMES = (names(), names("quantized as"), figures("times"))
ISLANDS = (
    figures("float islands"),
    names("opened by"),
    names("first", drop=1),
    figures("nodes"),
    figures("conversions"),
    figures("MACs"),
    names("slower"),
)
DEDUCTIONS = (
    figures("points"),
    figures("of the work"),
    prose("because of", least=40),
    names("first", drop=1),
    names(drop=2),
)
LAYERS = (names("layer"), names("op"), names("runs in"), names("weights"), figures("MACs"))


def write(summary: Summary, stream: TextIO, options: Options) -> None:
    QuantizationPage(stream, options).draw(summary)


class QuantizationPage(Page):
    def draw(self, summary: Summary) -> None:
        """Print the report; a verbose one shows all rows."""
        self._headline(summary)
        self._coverage(summary["coverage"])
        self._schemes(summary["schemes"])
        self._islands(summary["islands"])
        self._score(summary)
        self._gains(summary["gains"])
        self._moves(summary["moves"])
        if self.options.verbose:
            self._layers(summary["layers"])

    def _rows(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        self.table(columns, rows, indent=self.indent + 2)

    def _headline(self, summary: Summary) -> None:
        method, precision = summary["method"], summary["precision"]
        if method == "none":
            said = f"none: all products run in {precision}"
        else:
            conversions = counted(summary["conversions"], "conversion")
            said = f"{method}: products mostly in {precision}, {conversions} between precisions"
        self.line(Text("Quantization", HEADING), f"  {said}")

    def _coverage(self, coverage: Mapping[str, Mapping[str, Any]]) -> None:
        rows: list[Row] = []
        for name, covered in coverage.items():
            share = covered["macs_share"]
            known = share if share is not None else covered["ops_share"]
            bar = "#" if self.is_ascii else "█"
            rows.append(
                [
                    name,
                    f"{covered['ops']:,}",
                    _percent(share),
                    Text(bar * round(BAR * known), LINES),
                    format_bytes(covered["weight_bytes"]),
                ]
            )
        self.blank()
        self._rows(COVERAGE, rows)

    def _schemes(self, schemes: Mapping[str, Mapping[str, int]]) -> None:
        rows = [
            [kind, self.words(description), f"{count:,}"]
            for kind in ("activations", "weights")
            for description, count in schemes[kind].items()
        ]
        if rows:
            self.blank()
            self._rows(SCHEMES, rows)

    def _islands(self, islands: Iterable[Mapping[str, Any]]) -> None:
        """Print float islands, one row per opening op: they repeat with a model's blocks."""
        kinds: dict[tuple[str, float | None], list[Mapping[str, Any]]] = {}
        for island in islands:
            slowdown = island["slowdown"] if island["products"] else None
            kinds.setdefault((island["op_type"], slowdown), []).append(island)
        if not kinds:
            return
        ordered = sorted(kinds.items(), key=lambda kind: -_share(kind[1]))
        most = len(ordered) if self.options.verbose else MOST_ROWS
        rows = [self._island(op, slowdown, alike) for (op, slowdown), alike in ordered[:most]]
        self.blank()
        self._rows(ISLANDS, rows)
        if len(ordered) > most:
            self.line(f"  and {len(ordered) - most} more")

    def _island(
        self, op_type: str, slowdown: float | None, alike: Sequence[Mapping[str, Any]]
    ) -> Row:
        shares = [island["macs_share"] for island in alike]
        return [
            f"{len(alike):,}",
            self.words(op_type),
            self.short(alike[0]["node"]),
            f"{sum(island['nodes'] for island in alike):,}",
            f"{sum(island['conversions'] for island in alike):,}",
            _percent(None if None in shares else sum(shares)),
            "" if slowdown is None else f"{slowdown:.1f}{self.glyphs.times}",
        ]

    def _score(self, summary: Summary) -> None:
        score = summary["score"]
        self.blank()
        if score is None:
            self.line("Nothing to quantize: there are no matrix products or convolutions.")
            return
        style = GOOD if score >= 80 else FAIR if score >= 50 else POOR
        what = "Readiness" if summary["method"] == "none" else "Coverage"
        self.line(Text(what, HEADING), "  ", Text(f"{score}", style), " of 100")
        if summary["deductions"]:
            self._rows(DEDUCTIONS, [self._deduction(each) for each in summary["deductions"]])
            self.line(f"  shares are of {self.words(_unit(summary))}")
        if summary["refused"]:
            titles = [
                f"{one['title']} ({counted(one['nodes'], 'node')})" for one in summary["refused"]
            ]
            self.line(f"  but with {self.words(' and '.join(titles))}")

    def _deduction(self, one: Mapping[str, Any]) -> Row:
        return [
            Text(f"-{one['points']}", POOR if one["points"] >= 20 else FAIR),
            _percent(one["share"]),
            self.words(one["title"]),
            self.short(one["first"]),
            f"and {one['nodes'] - 1:,} more" if one["nodes"] > 1 else "",
        ]

    def _gains(self, gains: Sequence[Mapping[str, Any]]) -> None:
        if not gains:
            return
        self.blank()
        self.line(Text("Largest gains", HEADING))
        for number, gain in enumerate(gains, start=1):
            remedy = f"{self.words(gain['remedy'])} ({self.words(gain['title'])}): "
            points = Text(f"+{gain['points']}", GOOD)
            self.line(Text(f"  {number}. ", LABEL), remedy, points)

    def _moves(self, moves: Sequence[Mapping[str, Any]]) -> None:
        """Print the pairs to move, those with the largest gain first."""
        if not moves:
            return
        most = len(moves) if self.options.verbose else MOST_ROWS
        self.blank()
        self.line(Text("Pairs to move", HEADING))
        for number, move in enumerate(moves[:most], start=1):
            gained = Text(self.words(move["gain"]), GOOD)
            self.line(Text(f"  {number}. ", LABEL), f"{self.words(move['what'])}: ", gained)
        if len(moves) > most:
            self.line(f"  and {len(moves) - most} more")

    def _layers(self, layers: Iterable[Mapping[str, Any]]) -> None:
        rows = [
            [
                self.short(layer["node"]),
                self.words(layer["op_type"]),
                layer["precision"],
                layer["weight_precision"],
                "?" if layer["macs"] is None else quantity(layer["macs"]),
            ]
            for layer in layers
        ]
        self.blank()
        self._rows(LAYERS, rows)


def _share(islands: Iterable[Mapping[str, Any]]) -> float:
    return sum(island["macs_share"] or 0.0 for island in islands)


def _percent(share: float | None) -> str:
    return "?" if share is None else percent(share)


def _unit(summary: Summary) -> str:
    """Return what the shares are shares of."""
    if not summary["by_work"]:
        return "layers, since shapes are open"
    sizes = ", ".join(f"{name} = {size}" for name, size in summary["assumed"].items())
    return f"MACs with {sizes}" if sizes else "MACs"
