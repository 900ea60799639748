"""Pages of devices: a list, one in full, or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from modellint.base.text import clean, work
from modellint.base.units import (
    format_bandwidth,
    format_bytes,
    format_hertz,
    format_rate,
    format_watts,
)
from modellint.report.page import ListPage
from modellint.report.table import Cell, Row, figures, names
from modellint.report.text import BOLD, LINES, NAME, PLAIN, Text
from modellint.targets.target import Precision

if TYPE_CHECKING:
    from modellint.analysis.latency import TimeEstimate
    from modellint.targets.target import Provenance, Target

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
LISTED: tuple[Precision, ...] = ("fp16", "int8", "fp8")
"""Rates shown in the list."""
WIDEST = 120
"""Width of a comparison in a pipe or a file."""
LACKS, UNKNOWN = "-", "?"


# The list


def print_list(targets: Sequence[Target], page: ListPage) -> None:
    """Print one line per device, by vendor; names only where there is room."""
    from modellint.targets.target import natural_order, vendor_name

    blocks: dict[str, list[Row]] = {}
    for target in sorted(targets, key=lambda each: (each.vendor, natural_order(each.id))):
        blocks.setdefault(vendor_name(target.vendor), []).append(_row(target))
    columns = (
        names("target"),
        figures("memory"),
        figures("bandwidth"),
        *(figures(precision, drop=5 - at) for at, precision in enumerate(LISTED)),
        figures("cc", drop=2),
        names("name", drop=1),
    )
    page.blocks(columns, blocks)
    page.print("Rates are dense peaks in TFLOPS (TOPS for int8).")
    page.print(f"{LACKS} no hardware support; {UNKNOWN} supported, but no published rate.")


def _row(target: Target) -> Row:
    return (
        Text(target.id, NAME),
        format_bytes(target.memory.nominal),
        format_bandwidth(target.memory.bandwidth) if target.memory.bandwidth else UNKNOWN,
        *(_rate(target, precision) for precision in LISTED),
        _capability(target) or LACKS,
        target.name,
    )


def _rate(target: Target, precision: Precision) -> str:
    rate = target.peak(precision)
    if rate is None:
        return LACKS if target.lacks(precision) else UNKNOWN
    return format_rate(rate)


def _capability(target: Target) -> str:
    return ".".join(map(str, target.compute_capability or ()))


# One device


def print_device(target: Target, page: ListPage) -> None:
    """Print everything known, each group of figures with its confidence and source."""
    page.print(Text(target.name, BOLD), "  ", Text(target.id, NAME))
    for label, text in _identity(target):
        page.field(label, text)
    page.blank()
    sources: list[str] = []
    for label, text, origin in _figures(target):
        _field(page, label, text, _reference(origin, sources))
    for law, reason in target.exceptions.items():
        page.field("but", page.words(f"not {law}: {reason}"))
    if target.notes:
        page.blank()
        page.field("note", page.words(target.notes))
    page.blank()
    for number, source in enumerate(sources, 1):
        page.beside(f"[{number}]", Text(clean(source)))  # whole, to be opened
    page.blank()


def _field(page: ListPage, label: str, text: str, reference: str) -> None:
    """Print a label, its text, and the reference to its source after or below it."""
    *lines, last = Text(page.words(text)).wrapped(page.page - page.gutter)
    origin = Text(reference, LINES)
    whole = last + "  " + origin if reference else last
    lines += [whole] if whole.width <= page.page - page.gutter else [last, origin]
    for line in lines:
        page.beside(label, line)
        label = ""


def _identity(target: Target) -> Iterator[tuple[str, str]]:
    from modellint.targets.target import vendor_name

    capability = _capability(target)
    parts = (
        vendor_name(target.vendor),
        target.architecture,
        capability and f"compute capability {capability}",
        target.released and str(target.released),
    )
    yield "is", ", ".join(part for part in parts if part)
    if target.aliases:
        yield "also", ", ".join(target.aliases)
    yield "in", ", ".join(dict.fromkeys((target.vendor, *target.groups, "all")))
    yield "runtime", _runtime(target)


def _runtime(target: Target) -> str:
    """Return the default runtime, and the newest known version of it that runs there."""
    from modellint.targets.deployment import version_of

    name = target.default_runtime
    return " ".join(filter(None, (name, version_of(name, None, target))))


def _figures(target: Target) -> Iterator[tuple[str, str, Provenance | None]]:
    origins, memory = target.origins, target.memory
    unified = ", shared with the system" if memory.unified else ""
    kind = f" {memory.kind}" if memory.kind else ""
    bandwidth = f", {format_bandwidth(memory.bandwidth)}" if memory.bandwidth else ""
    nominal = f"{format_bytes(memory.nominal)}{kind}{bandwidth}{unified}"
    yield "memory", nominal, origins.get("memory")
    if "usable" in origins:
        yield "usable", format_bytes(memory.usable), origins["usable"]
    if target.matrix_precisions:
        text = f"{' '.join(_ordered(target.matrix_precisions))} in matrix units"
        yield "computes", text, origins.get("precisions")
    if target.vector_precisions:
        text = f"{' '.join(_ordered(target.vector_precisions))} in ordinary units"
        yield "computes", text, origins.get("precisions")
    if target.rates:
        yield "peak", f"{_rates(target.rates)} (dense T(FL)OPS)", origins.get("peak")
    if _chip(target):
        yield "chip", ", ".join(_chip(target)), origins.get("chip")
    if target.dla:
        rates = f": {_rates(target.dla.rates)} (dense T(FL)OPS)" if target.dla.rates else ""
        yield "DLA", f"{target.dla.cores} cores{rates}", origins.get("dla")
    if target.interconnect:
        speed = target.interconnect.bandwidth
        text = f", {format_bandwidth(speed)} both ways together" if speed else ""
        yield "link", f"{target.interconnect.kind}{text}", origins.get("interconnect")
    for runtime, overhead in target.overheads.items():
        low, high = format_bytes(overhead.low), format_bytes(overhead.high)
        yield "overhead", f"{runtime} itself takes {low} to {high}", overhead.origin
    for runtime, newest in target.newest.items():
        yield "newest", f"{runtime} {newest.version} runs there", newest.origin
    for runtime, found in target.calibrations.items():
        text = f"{runtime} was fitted to {found.rows} runs; times are within a factor of "
        yield "latency", f"{text}{found.error:g}", found.origin
    if target.price:
        price = target.price
        text = f"{price.per_hour:g} {price.currency} an hour: {price.offer} ({price.date})"
        yield "price", text, None


def _ordered(precisions: Sequence[Precision]) -> list[Precision]:
    return sorted(precisions, key=PRECISIONS.index)


def _rates(rates: Mapping[Precision, float]) -> str:
    return ", ".join(f"{name} {format_rate(rates[name])}" for name in PRECISIONS if name in rates)


def _chip(target: Target) -> list[str]:
    parts = (
        target.units and f"{target.units} units",
        target.clock and format_hertz(target.clock),
        target.l2_bytes and f"L2 {format_bytes(target.l2_bytes)}",
        target.tdp_watts and format_watts(target.tdp_watts),
    )
    return [part for part in parts if part]


def _reference(origin: Provenance | None, sources: list[str]) -> str:
    """Return ``theoretical [1]`` and record the source for the list below."""
    if origin is None:
        return ""
    if origin.source not in sources:
        sources.append(origin.source)
    return f"{origin.confidence} [{sources.index(origin.source) + 1}]"


# Several


def print_comparison(
    targets: Sequence[Target], times: Mapping[str, TimeEstimate | None], page: ListPage
) -> None:
    """Print one column per device, as many as fit side by side; rows with differences are bold."""
    if times:
        targets = sorted(targets, key=lambda each: _expected(times[each.id]))
    rows = [*_timed(targets, times), *_comparison(targets)]
    rows = [row for row in rows if {*row[1]} - {"", UNKNOWN}]
    titles = [target.id for target in targets]
    labels = max(len(label) for label, _ in rows)
    widths = [
        max(map(len, cells)) for cells in zip(titles, *(cells for _, cells in rows), strict=True)
    ]
    room = min(page.width, WIDEST) if not page.is_terminal else page.width
    for shown in _fitting(widths, room - page.indent - labels):
        columns = [names(), *(figures(Text(titles[at], NAME)) for at in shown)]
        table: list[Row] = [[label, *_compared(cells, shown)] for label, cells in rows]
        page.table(columns, table, width=room)
        page.blank()


def _compared(cells: Sequence[str], shown: Sequence[int]) -> list[Cell]:
    style = BOLD if len({*cells}) > 1 else PLAIN
    return [Text(cells[at] or UNKNOWN, style) for at in shown]


def _fitting(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Split columns into groups that fit the width, at least one column per group."""
    columns: list[int] = []
    taken = 0
    for number, width in enumerate(widths):
        if columns and taken + 2 + width > room:
            yield columns
            columns, taken = [], 0
        columns.append(number)
        taken += 2 + width
    yield columns


def _expected(time: TimeEstimate | None) -> float:
    return time.expected if time is not None else float("inf")


def _timed(
    targets: Sequence[Target], times: Mapping[str, TimeEstimate | None]
) -> Iterator[tuple[str, list[str]]]:
    if not times:
        return
    each = [times[target.id] for target in targets]
    yield "time", [f"{time.expected * 1e3:.3g} ms" if time else "" for time in each]
    yield "at most", [f"{time.high * 1e3:.3g} ms" if time else "" for time in each]
    yield "per second", [work(time.per_second) if time else "" for time in each]
    yield "in", [time.precision if time else "" for time in each]
    yield "confidence", [time.confidence if time else "" for time in each]


def _comparison(targets: Sequence[Target]) -> Iterator[tuple[str, list[str]]]:
    def row(label: str, cell: Callable[[Target], object]) -> tuple[str, list[str]]:
        return label, [str(cell(target) or "") for target in targets]

    yield row("architecture", lambda t: t.architecture)
    yield row("compute capability", lambda t: _capability(t) or LACKS)
    yield row("released", lambda t: t.released)
    yield row("memory", lambda t: format_bytes(t.memory.nominal))
    yield row("usable", lambda t: "usable" in t.origins and format_bytes(t.memory.usable))
    yield row("kind", lambda t: t.memory.kind)
    yield row("shared with the system", lambda t: "yes" if t.memory.unified else "no")
    yield row("bandwidth", lambda t: t.memory.bandwidth and format_bandwidth(t.memory.bandwidth))
    for precision in PRECISIONS:
        if any(target.supports(precision) for target in targets):
            unit = "TOPS" if precision.startswith("int") else "TFLOPS"
            yield f"{precision} {unit}", [_rate(target, precision) for target in targets]
    yield row("L2", lambda t: t.l2_bytes and format_bytes(t.l2_bytes))
    yield row("units", lambda t: t.units)
    yield row("power", lambda t: t.tdp_watts and format_watts(t.tdp_watts))
    if any(target.dla for target in targets):
        yield row("DLA cores", lambda t: t.dla_cores or LACKS)
    yield row("link", lambda t: t.interconnect and t.interconnect.kind)
    yield row("runtime", _runtime)
