"""The page of differences: what changed, what breaks, and what that costs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

from modellint.base.text import counted, growth, timing
from modellint.base.units import format_bytes
from modellint.report.diff import write as write_text
from modellint.report.diff_words import TITLES, as_text, figure_text, overview_row
from modellint.report.grouping import grouped
from modellint.report.html.findings import findings_section, told_apart
from modellint.report.html.graph import graph_section
from modellint.report.html.markup import Markup, element, joined, name
from modellint.report.html.needs import TONES
from modellint.report.html.pages import Answer, ModelPage, page
from modellint.report.html.parts import (
    Cell,
    Sorted,
    bar,
    card,
    columns,
    dims,
    panel,
    quiet,
    section,
    table,
)
from modellint.report.options import Options
from modellint.results.difference import (
    DeviceDifference,
    Difference,
    FindingChange,
    NodeDifference,
    NodePlace,
    Overview,
    OverviewRow,
    WeightDifference,
)
from modellint.results.drawing import Drawing
from modellint.results.finding import Finding, Location, Severity

SAID: Mapping[str, tuple[str, str]] = {
    "same": ("The same", "good"),
    "changed": ("Changed, nothing breaks", "fair"),
    "breaking": ("Breaks what depends on it", "poor"),
    "unreadable": ("Cannot be read", "poor"),
}
ARROW = " → "


def diff_page(
    differences: Sequence[Difference],
    overview: Overview | None,
    drawings: Sequence[Drawing | None] = (),
) -> str:
    models = [
        _compared(f"m{at}", each, drawings[at] if at < len(drawings) else None)
        for at, each in enumerate(differences)
    ]
    json: list[object] = [each.to_json() for each in differences]
    alone = []
    if overview is not None:
        json.append({"overview": asdict(overview)})
        alone = [row for row in overview.models if row.status in ("added", "removed")]
    heads = ("status", "what changed", "#nodes", "#bytes")
    answer = _overall(overview) if overview is not None else None
    return page(
        "Diff",
        models,
        heads,
        json[0] if len(json) == 1 else json,
        answer=answer,
        first=_alone(alone),
    )


def _overall(overview: Overview) -> Answer:
    counts = {
        status: sum(row.status == status for row in overview.models)
        for status in ("breaking", "unreadable", "changed", "added", "removed", "same")
    }
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    tone = "poor" if counts["breaking"] or counts["unreadable"] else "good"
    return Answer(said, tone, f"{overview.old}{ARROW}{overview.new or 'the working tree'}")


def _alone(rows: Sequence[OverviewRow]) -> Markup | None:
    if not rows:
        return None
    return section(
        "alone",
        "Only on one side",
        table(
            "models of one side",
            columns("model", "status"),
            [[name(r.name), r.status] for r in rows],
        ),
    )


def _compared(key: str, told: Difference, drawing: Drawing | None) -> ModelPage:
    row = overview_row(told, told.old.path, told.new.path)
    said, tone = SAID[row.status]
    findings = told.findings
    new = [_as_finding(each, told.new.path) for each in (findings.new if findings else ())]
    groups = grouped(new)
    graph = (
        graph_section(key, drawing, told_apart(groups))
        if drawing is not None and drawing.nodes
        else None
    )
    return ModelPage(
        told.new.path,
        Answer(said, tone, f"against {told.old.path}: {row.says}"),
        list(_cards(told)),
        [
            section(f"{key}-interface", "Interface", _interface(told)),
            findings_section(key, groups),
            graph,
            section(f"{key}-changes", "Changes", element("div", [*_panels(told)], class_="panels")),
            section(f"{key}-text", "As in the terminal", _text(told)),
        ],
        [
            element("span", row.status, class_=tone),
            row.says,
            told.new.nodes if told.new.nodes is not None else "",
            Sorted(format_bytes(row.bytes[1]), row.bytes[1]) if row.bytes[1] is not None else "",
        ],
    )


def _as_finding(change: FindingChange, path: str) -> Finding:
    severity = Severity.parse(change.severity)
    place = Location(node=change.place or None)
    return Finding(change.code, "new", "", severity, change.message, path, place)


def _cards(told: Difference) -> Iterator[Markup | None]:
    nodes = told.nodes
    if nodes is not None:
        counts = [
            ("added", len(nodes.added)),
            ("removed", len(nodes.removed)),
            ("changed", len(nodes.changed) + len(nodes.replaced)),
        ]
        said = " · ".join(f"{count:,} {kind}" for kind, count in counts)
        parts = [("same", float(nodes.matched), f"{nodes.matched:,} in both")]
        parts += [(kind, float(count), f"{count:,} {kind}") for kind, count in counts]
        whole = sum(size for _, size, _ in parts)
        yield card(
            "Operations in both", f"{nodes.matched:,}", quiet(f" {said}"), bar(said, parts, whole)
        )
    for figure in told.figures:
        if figure.name == "weight-bytes" and figure.new is not None:
            yield card("Weights", *_grown(figure.old, figure.new, format_bytes))
    for device in told.devices[:1]:
        where = f" on {device.device}" if device.device else ""
        tone = TONES[device.verdict[1]]
        old_memory, new_memory = device.memory
        yield card(f"Memory{where}", *_grown(old_memory, new_memory, format_bytes), tone=tone)
        old, new = device.seconds
        if new is not None:
            yield card("Minimum time per run", *_grown(old, new, timing))


def _grown(old: float | None, new: float, written: Callable[[float], str]) -> tuple[str, Markup]:
    change = growth(old, new)
    if old is None:
        was = ""
    elif written(old) == written(new):
        was = " as before"
    else:
        was = f" was {written(old)}{f', {change}' if change else ''}"
    return written(new), quiet(was)


def _interface(told: Difference) -> Markup | None:
    if not told.interface:
        return None
    changes = table(
        "changes of the interface",
        columns("name", "part", "aspect", "old", "new", "breaks"),
        [
            [
                name(each.name),
                each.what,
                each.aspect,
                each.old or "",
                each.new or "",
                element("span", each.why or "yes", class_="poor") if each.breaking else "",
            ]
            for each in told.interface
        ],
    )
    return element("div", changes, class_="panel")


def _panels(told: Difference) -> Iterator[Markup | None]:
    for side in (told.old, told.new):
        if side.problems:
            messages = [element("li", each.message) for each in side.problems]
            yield panel(f"Problems of {side.path}", element("ul", messages))
    if told.nodes is not None:
        yield _nodes(told.nodes)
    if told.weights is not None:
        yield _weights(told.weights)
    yield panel("Figures", _figures(told))
    if told.devices:
        yield panel("Devices", _devices(told.devices), is_wide=True)
    if told.precisions is not None and told.precisions.changed:
        yield panel(
            "Precision of layers",
            table(
                "layers in another precision",
                columns("layer", "operator", "old", "new"),
                [
                    [name(each.layer), each.op_type, each.old, each.new]
                    for each in told.precisions.changed
                ],
            ),
        )
    if told.budgets:
        yield panel("Budgets", _budgets(told))
    if told.findings is not None and told.findings.gone:
        yield panel(
            "Findings that are gone",
            element(
                "ul", [element("li", f"{e.code} {e.message}") for e in told.findings.gone[:100]]
            ),
        )


def _nodes(nodes: NodeDifference) -> Markup | None:
    rows: list[list[Cell | Sorted]] = []
    for change in nodes.changed:
        parts = [f"{e.name}: {as_text(e.old)}{ARROW}{as_text(e.new)}" for e in change.attributes]
        parts += [f"input {e.index}: {e.old}{ARROW}{e.new}" for e in change.inputs]
        rows.append(_node_row("changed", change.new, "; ".join(parts)))
    rows += [
        _node_row("changed", each.new, f"was {each.old.op_type} {each.old.name}")
        for each in nodes.replaced
    ]
    rows += [_node_row("added", place) for place in nodes.added]
    rows += [_node_row("removed", place) for place in nodes.removed]
    if not rows:
        return None
    heads = columns("change", "operator", "name", "difference")
    return panel(
        counted(len(rows), "operation that is different", "operations that are different"),
        table("operations", heads, rows),
        is_wide=True,
    )


def _node_row(kind: str, place: NodePlace, said: str = "") -> list[Cell | Sorted]:
    swatch = element("span", class_=f"swatch change-{kind}")
    shown = element("span", name(place.name), class_="place", data_place=place.name)
    return [joined([swatch, kind]), place.op_type, shown, said]


def _weights(weights: WeightDifference) -> Markup | None:
    rows: list[list[Cell | Sorted]] = [
        [
            name(each.name),
            ARROW.join(dict.fromkeys(each.dtype)),
            ARROW.join(dict.fromkeys(map(dims, each.shape))),
            each.numbers,
            Sorted(f"{each.largest:.3g}", each.largest) if each.largest is not None else "",
        ]
        for each in weights.changed
    ]
    rows += [[name(e.name), e.dtype, dims(e.shape), "added", ""] for e in weights.added]
    rows += [[name(e.name), e.dtype, dims(e.shape), "removed", ""] for e in weights.removed]
    if not rows:
        return None
    heads = columns("weight", "type", "shape", "numbers", "#largest difference")
    return panel(
        f"Weights: {weights.equal:,} are equal", table("weights", heads, rows), is_wide=True
    )


def _figures(told: Difference) -> Markup | None:
    rows = [
        [
            TITLES.get(each.name, each.name),
            figure_text(each, each.old),
            figure_text(each, each.new),
            growth(each.old, each.new),
        ]
        for each in told.figures
        if each.old is not None or each.new is not None
    ]
    return table("figures", columns("figure", "#old", "#new", "#growth"), rows) if rows else None


def _devices(devices: Sequence[DeviceDifference]) -> Markup:
    def times(both: Sequence[float | None]) -> str:
        return ARROW.join(timing(each) if each is not None else "?" for each in both)

    return table(
        "memory and time by device",
        columns("device", "#memory", "verdict", "#time, at least", "precision"),
        [
            [
                each.device or "any",
                ARROW.join(map(format_bytes, each.memory)),
                ARROW.join(dict.fromkeys(verdict or "?" for verdict in each.verdict)),
                times(each.seconds),
                ARROW.join(dict.fromkeys(each.precision)),
            ]
            for each in devices
        ],
    )


def _budgets(told: Difference) -> Markup:
    return table(
        "budgets",
        columns("figure", "device", "#limit", "verdict"),
        [
            [
                each.name,
                each.target or "",
                each.limit,
                element(
                    "span",
                    "exceeded" if each.exceeded else "kept",
                    class_="poor" if each.exceeded else "good",
                ),
            ]
            for each in told.budgets
        ],
    )


def _text(told: Difference) -> Markup:
    stream = io.StringIO()
    write_text(told, stream, Options(width=100, color="never"))
    return element(
        "details", element("summary", "The whole report as text"), element("pre", stream.getvalue())
    )
