"""Words about differences that several reports share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from modellint.base.text import counted, quantity, work
from modellint.base.units import format_bytes
from modellint.report.diff_run import summary as run_summary
from modellint.results.difference import (
    Difference,
    FigureChange,
    FindingDifference,
    LanguageDifference,
    NodeDifference,
    OverviewRow,
    PrecisionDifference,
    WeightDifference,
)

MOST_NUMBERS = 8
LONGEST_VALUE = 40
NOTHING = "no differences"

TITLES: Mapping[str, str] = {
    "parameters": "parameters",
    "macs": "MACs",
    "nodes": "nodes",
    "file-bytes": "file",
    "weight-bytes": "weights",
    "kv-cache-per-token": "cache per token",
}


def overview_row(difference: Difference, old: str, new: str) -> OverviewRow:
    """Return one line about two models of these names."""
    file = next((each for each in difference.figures if each.name == "file-bytes"), None)
    status: Literal["same", "changed", "breaking", "unreadable"] = "changed"
    if not difference.is_readable:
        status = "unreadable"
    elif difference.breaking:
        status = "breaking"
    elif difference.is_unchanged:
        status = "same"
    return OverviewRow(
        name=new,
        was=old if old != new else None,
        status=status,
        says=", ".join(summary(difference)),
        bytes=[file.old, file.new] if file is not None else [None, None],
    )


def summary(difference: Difference) -> list[str]:
    """Return the parts of one line that says what is different, most important first."""
    if not difference.is_readable:
        return ["unreadable"]
    parts = [
        counted(len(difference.breaking), "breaking change"),
        *_node_parts(difference.nodes),
        *_weight_parts(difference.weights),
        _precision_part(difference.precisions),
        *_language_parts(difference.language),
        run_summary(difference.run) if difference.run is not None else "",
        *_finding_parts(difference.findings),
    ]
    shown = [part for part in parts if part and not part.startswith("0 ")]
    return shown or [NOTHING]


def not_compared(nodes: NodeDifference) -> str:
    """Return what cannot be compared between two formats, as one line."""
    return f"not compared between these formats: {', '.join(nodes.not_compared)}"


def _node_parts(nodes: NodeDifference | None) -> Iterator[str]:
    if nodes is None:
        return
    yield f"{counted(len(nodes.changed), 'node')} changed"
    yield f"{counted(len(nodes.replaced), 'node')} replaced"
    yield f"{counted(len(nodes.added), 'node')} added"
    yield f"{counted(len(nodes.removed), 'node')} removed"


def _weight_parts(weights: WeightDifference | None) -> Iterator[str]:
    if weights is None:
        return
    yield f"{counted(len(weights.changed), 'weight')} changed"
    yield f"{counted(len(weights.added), 'weight')} added"
    yield f"{counted(len(weights.removed), 'weight')} removed"


def _language_parts(language: LanguageDifference | None) -> Iterator[str]:
    if language is None:
        return
    yield f"{counted(len(language.statements), 'hyperparameter')} changed"
    for change in ("converted", "changed", "resized", "added", "removed"):
        count = sum(each.count for each in language.tensors if each.change == change)
        yield f"{counted(count, 'tensor')} {change}"


def _precision_part(precisions: PrecisionDifference | None) -> str:
    changed = len(precisions.changed) if precisions is not None else 0
    return f"{counted(changed, 'layer')} in another precision"


def _finding_parts(findings: FindingDifference | None) -> Iterator[str]:
    if findings is None:
        return
    yield counted(len(findings.new), "new finding")
    yield f"{counted(len(findings.gone), 'finding')} gone"


def as_text(value: object) -> str:
    """Format the value of an attribute."""
    if value is None:
        return "not stated"
    if isinstance(value, list):
        shown = ", ".join(as_text(each) for each in value[:MOST_NUMBERS])
        return f"[{shown}, ...]" if len(value) > MOST_NUMBERS else f"[{shown}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def figure_text(change: FigureChange, value: int | None) -> str:
    if value is None:
        return "unknown"
    if change.unit == "bytes":
        return format_bytes(value)
    return work(value) if change.name == "macs" else quantity(value)


def dims_text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"
