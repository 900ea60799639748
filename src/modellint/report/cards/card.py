"""Facts of a model card, and the sections that several kinds of cards have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from urllib.parse import quote

from modellint.base.records import dataclass
from modellint.base.text import clean, counted, quantity, work
from modellint.base.units import format_bytes
from modellint.report.charts.scales import short
from modellint.report.efficiency import compared
from modellint.report.grouping import grouped
from modellint.report.markdown import code, prose, rule_link
from modellint.report.summary import port_type, summary
from modellint.report.table import markdown
from modellint.results.finding import Finding, Result, Severity
from modellint.results.inspection import Inspection, Memory, Port

MOST_FINDINGS = 30
MOST_METADATA = 20
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """A model, what was found in it, and the pictures that were written next to it."""

    inspection: Inspection
    result: Result
    pictures: Mapping[str, str]
    """File names of charts, by title."""
    summary: str = ""
    """A paragraph to begin with, instead of the one by template."""

    @property
    def name(self) -> str:
        """The model's name: its file's, without the suffix."""
        path = PurePath(self.inspection.path)
        return clean(path.stem or path.name or self.inspection.path)

    @property
    def overview(self) -> str:
        return self.summary or summary(self.inspection)

    @property
    def findings(self) -> list[Finding]:
        """Findings that count, the most severe first; similar ones once."""
        found = [group.first for group in grouped(self.result.active)]
        return sorted(found, key=lambda each: -each.severity)

    @property
    def risks(self) -> list[str]:
        """Sentences about what can go wrong, from problems and errors."""
        problems = [problem.message for problem in self.inspection.problems]
        errors = [
            each.message
            for each in self.findings
            if each.severity is Severity.ERROR or each.family == "security"
        ]
        return list(dict.fromkeys(problems + errors))


def todo(what: str) -> str:
    """Return a marked gap for information that is in no file."""
    return f"**To be written by a person:** {what}"


def bullets(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"- {prose(line)}" for line in lines)


def pairs(rows: Sequence[Pair]) -> Iterator[str]:
    """Iterate over the lines of a table of names and values."""
    yield from markdown(("", ""), [(prose(name), prose(value)) for name, value in rows if value])


def identity(inspection: Inspection) -> list[Pair]:
    stated = inspection.identity
    rows = [("file", inspection.path), ("format", inspection.format)]
    if stated is None:
        return rows
    opsets = ", ".join(f"{domain} {version}" for domain, version in stated.opsets.items())
    external = (
        f", {format_bytes(stated.external_bytes)} in other files" if stated.has_other_files else ""
    )
    rows += [
        ("producer", stated.producer or ""),
        ("opsets", opsets),
        ("size", f"{format_bytes(stated.file_bytes)}{external}"),
    ]
    entries = list(stated.metadata.items())[:MOST_METADATA]
    return rows + [(f"metadata: {name}", value) for name, value in entries]


def interface(inspection: Inspection) -> Iterator[str]:
    rows = [
        (direction, code(port.name), prose(port_type(port)))
        for direction, ports in _ports(inspection)
        for port in ports
    ]
    yield from markdown(("", "name", "type"), rows)


def _ports(inspection: Inspection) -> tuple[tuple[str, list[Port]], ...]:
    return ("input", inspection.inputs or []), ("output", inspection.outputs or [])


def sizes(inspection: Inspection) -> list[Pair]:
    at = ", ".join(f"{name} {size}" for name, size in (inspection.sizes or {}).items())
    rows = [
        ("nodes", f"{inspection.nodes:,}" if inspection.nodes is not None else ""),
        ("parameters", _count(inspection.parameters)),
        (f"MACs at {at}" if at else "MACs", work(inspection.macs) if inspection.macs else ""),
        ("MACs per parameter", _use(inspection)),
        ("parameters per MB", _figure(inspection.parameters_per_megabyte)),
        ("blocks", ", ".join(f"{each.kind} ×{each.count}" for each in inspection.blocks or ())),
    ]
    attention = inspection.attention
    if attention is not None and attention.variant:
        rows.append(("attention", f"{attention.variant}, {counted(attention.layers, 'layer')}"))
    if inspection.kv_cache is not None and inspection.kv_cache.bytes_per_token:
        rows.append(("cache per token", format_bytes(inspection.kv_cache.bytes_per_token)))
    model = inspection.llm
    if model is not None:
        rows += [
            ("architecture", model.architecture),
            ("layers", str(sum(kind.count for kind in model.layers))),
            ("trained context", f"{model.trained_context:,}" if model.trained_context else ""),
            ("active parameters", quantity(model.active_parameters)),
        ]
    return rows


def _use(inspection: Inspection) -> str:
    use = _figure(inspection.macs_per_parameter)
    return f"{use}{compared(inspection)}" if use else ""


def _figure(number: float | None) -> str:
    return work(number) if number is not None else ""


def _count(number: int | None) -> str:
    return f"{quantity(number)} ({number:,})" if number else ""


def precision(inspection: Inspection) -> list[Pair]:
    stored = ", ".join(
        f"{name} {format_bytes(size)}" for name, size in (inspection.weight_bytes or {}).items()
    )
    computed = list(dict.fromkeys(name for each in inspection.estimates for name in each.computed))
    rows = [("weights as stored", stored), ("computed in", ", ".join(computed))]
    if inspection.llm is not None and inspection.llm.bits:
        rows.append(("bits of each weight", f"{inspection.llm.bits:.3g}"))
    return rows


def devices(inspection: Inspection) -> Iterator[str]:
    """Iterate over the lines of a table of memory and time by device."""
    rows = [[prose(cell) for cell in _device(each, inspection)] for each in inspection.estimates]
    if rows:
        head = ("device", "runtime", "precision", "memory", "usable", "verdict", "time of a run")
        yield from markdown(head, rows)
    if inspection.llm is not None:
        if rows:
            yield ""
        yield from _contexts(inspection)


def _device(memory: Memory, inspection: Inspection) -> tuple[str, ...]:
    total = memory.total
    low, high = format_bytes(total.low), format_bytes(total.high)
    time = (inspection.time or {}).get(memory.target or "")
    bound = memory.roofline
    seconds = ""
    if time is not None:
        between = f"{short(time.low, 'seconds')} to {short(time.high, 'seconds')}"
        seconds = f"{short(time.expected, 'seconds')} ({between})"
    elif bound is not None:
        seconds = f"at least {short(bound.seconds, 'seconds')}"
    return (
        memory.target or "any",
        " ".join(filter(None, (memory.runtime, memory.version))),
        memory.precision,
        f"{format_bytes(total.expected)} ({low} to {high})",
        format_bytes(memory.usable) if memory.usable is not None else "",
        memory.verdict or "",
        seconds,
    )


def _contexts(inspection: Inspection) -> Iterator[str]:
    model = inspection.llm
    if model is None:
        return
    rows = [
        (
            f"{each.tokens:,}",
            format_bytes(each.total),
            format_bytes(each.cache),
            each.verdict or "",
            f"{each.decode:.3g}" if each.decode else "",
        )
        for each in model.contexts
    ]
    on = f" on {model.target}" if model.target else ""
    head = ("context", f"memory{on}", "of it cache", "verdict", "tokens per second, at most")
    yield from markdown(head, rows)


def found(card: Card) -> Iterator[str]:
    """Iterate over the lines of a table of findings."""
    listed = card.findings
    if not listed:
        yield "None."
        return
    yield from markdown(
        ("", "rule", "place", "finding"),
        [
            (
                str(each.severity),
                rule_link(each.code),
                code(each.location.label) if each.location.label else "",
                prose(each.message),
            )
            for each in listed[:MOST_FINDINGS]
        ],
    )
    if len(listed) > MOST_FINDINGS:
        yield ""
        yield f"And {len(listed) - MOST_FINDINGS:,} more."


def charts(card: Card) -> Iterator[str]:
    for title, file in card.pictures.items():
        yield f"![{prose(title)}]({quote(file)})"
        yield ""
