"""Quantization of a model, or its readiness for it: `inspect --quant`.

It is rendered from the JSON form of the summary, so that both always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from modellint.base.text import brief, counted, quantity, shorten
from modellint.base.units import format_bytes
from modellint.report.options import Options
from modellint.report.page import HEADING, LABEL, LINES, console_for

Summary = Mapping[str, Any]
_NUMBERS = frozenset(
    {
        "MACs",
        "conversions",
        "float islands",
        "layers",
        "nodes",
        "of the work",
        "points",
        "times",
        "weights",
    }
)

MOST_ROWS = 10
LONGEST_NAME = 44
BAR = 20
GOOD, FAIR, POOR = Style(color="green"), Style(color="yellow"), Style(color="red", bold=True)


def write(summary: Summary, stream: TextIO, options: Options) -> None:
    console_for(stream, options).print(render(summary, verbose=options.verbose))


def render(summary: Summary, *, verbose: bool = False) -> RenderableType:
    """Return the report; `verbose` shows all rows."""
    most = None if verbose else MOST_ROWS
    parts: list[RenderableType] = [_headline(summary), Text(), _coverage(summary)]
    parts += _schemes(summary)
    parts += _islands(summary, most)
    parts += _score(summary)
    parts += _gains(summary)
    if verbose:
        parts += _layers(summary["layers"])
    return Group(*parts)


def _headline(summary: Summary) -> Text:
    method = summary["method"]
    text = Text("Quantization  ", HEADING)
    if method == "none":
        return text.append(f"none: all products run in {summary['precision']}")
    counts = summary["conversions"]
    return text.append(
        f"{method}: products mostly in {summary['precision']}, "
        f"{counted(counts, 'conversion')} between precisions"
    )


def _coverage(summary: Summary) -> RenderableType:
    table = _table("precision", "layers", "MACs", "", "weights")
    for name, covered in summary["coverage"].items():
        share = covered["macs_share"]
        known = share if share is not None else covered["ops_share"]
        macs = "?" if share is None else f"{share:.1%}"
        table.add_row(
            Text(name),
            Text(f"{covered['ops']:,}"),
            Text(macs),
            Text("█" * round(BAR * known), LINES),
            Text(format_bytes(covered["weight_bytes"])),
        )
    return _indented(table)


def _schemes(summary: Summary) -> list[RenderableType]:
    rows = [
        (kind, description, count)
        for kind in ("activations", "weights")
        for description, count in summary["schemes"][kind].items()
    ]
    if not rows:
        return []
    table = _table("", "quantized as", "times")
    for kind, description, count in rows:
        table.add_row(Text(kind), Text(brief(description)), Text(f"{count:,}"))
    return [Text(), _indented(table)]


def _islands(summary: Summary, most: int | None) -> list[RenderableType]:
    """Return float islands, one row per opening op: they repeat with a model's blocks."""
    kinds: dict[tuple[str, float | None], list[Mapping[str, Any]]] = {}
    for island in summary["islands"]:
        slowdown = island["slowdown"] if island["products"] else None
        kinds.setdefault((island["op_type"], slowdown), []).append(island)
    if not kinds:
        return []
    rows = sorted(kinds.items(), key=lambda row: -sum(one["macs_share"] or 0 for one in row[1]))
    table = _table("float islands", "opened by", "first", "nodes", "conversions", "MACs", "slower")
    for (op_type, slowdown), islands in rows[:most]:
        shares = [island["macs_share"] for island in islands]
        table.add_row(
            Text(f"{len(islands):,}"),
            Text(brief(op_type)),
            _name(islands[0]["node"]),
            Text(f"{sum(island['nodes'] for island in islands):,}"),
            Text(f"{sum(island['conversions'] for island in islands):,}"),
            Text("?" if None in shares else f"{sum(shares):.1%}"),
            Text("" if slowdown is None else f"{slowdown:.1f}×"),
        )
    return [Text(), _indented(table), *_more(len(rows), most)]


def _score(summary: Summary) -> list[RenderableType]:
    score = summary["score"]
    if score is None:
        return [Text(), Text("Nothing to quantize: no layer multiplies weights.")]
    style = GOOD if score >= 80 else FAIR if score >= 50 else POOR
    what = "Readiness  " if summary["method"] == "none" else "Coverage  "
    line = Text(what, HEADING).append(f"{score}", style).append(" of 100")
    table = _table("points", "of the work", "because of", "first", "")
    for one in summary["deductions"]:
        table.add_row(
            Text(f"-{one['points']}", POOR if one["points"] >= 20 else FAIR),
            Text(f"{one['share']:.1%}"),
            Text(brief(one["title"])),
            _name(one["first"]),
            Text(f"and {one['nodes'] - 1:,} more" if one["nodes"] > 1 else ""),
        )
    unit = "MACs" if summary["by_work"] else "layers, since shapes are open"
    if summary["by_work"] and summary["assumed"]:
        unit += " with " + ", ".join(f"{n} = {size}" for n, size in summary["assumed"].items())
    body: list[RenderableType] = [Text(), line]
    if summary["deductions"]:
        body += [_indented(table), Text(f"  shares are of {brief(unit)}")]
    return body


def _gains(summary: Summary) -> list[RenderableType]:
    gains: Sequence[Mapping[str, Any]] = summary["gains"]
    if not gains:
        return []
    lines: list[RenderableType] = [Text(), Text("Largest gains", HEADING)]
    for number, gain in enumerate(gains, start=1):
        lines.append(
            Text(f"  {number}. ", LABEL)
            .append(brief(gain["remedy"]))
            .append(f" ({brief(gain['title'])}): ")
            .append(f"+{gain['points']}", GOOD)
        )
    return lines


def _layers(layers: Iterable[Mapping[str, Any]]) -> list[RenderableType]:
    table = _table("layer", "op", "runs in", "weights", "MACs")
    for layer in layers:
        macs = layer["macs"]
        table.add_row(
            _name(layer["node"]),
            Text(brief(layer["op_type"])),
            Text(layer["precision"]),
            Text(layer["weight_precision"]),
            Text("?" if macs is None else quantity(macs)),
        )
    return [Text(), _indented(table)]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=LABEL)
    for column in columns:
        is_number = column in _NUMBERS
        table.add_column(Text(column), justify="right" if is_number else "left", no_wrap=is_number)
    return table


def _indented(table: Table) -> RenderableType:
    return Padding(table, (0, 0, 0, 2), expand=False)


def _name(name: str) -> Text:
    return Text(shorten(brief(name), LONGEST_NAME))


def _more(total: int, most: int | None) -> list[RenderableType]:
    hidden = total - most if most is not None else 0
    return [Text(f"  and {hidden} more")] if hidden > 0 else []


__all__ = ["render", "write"]
