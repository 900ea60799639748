"""GitHub's workflow commands: findings as annotations on the files of a pull request.

GitHub shows ten annotations of each kind per step and silently drops the rest, so similar findings
share one, the tenth gives the number of the others, and the log lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.text import brief, clean, counted
from modellint.report.grouping import Group, also, sections
from modellint.report.options import Options
from modellint.report.overview import overview
from modellint.report.places import source_path
from modellint.results.finding import Result, Severity

MOST_PER_KIND = 10

KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(result: Result, options: Options) -> str:
    groups = [group for section in sections(result) for group in section.groups]
    left_out: list[Group] = []
    lines: list[str] = []
    for severity in sorted(KINDS, reverse=True):
        kind = [group for group in groups if group.first.severity is severity]
        shown = kind if len(kind) <= MOST_PER_KIND else kind[: MOST_PER_KIND - 1]
        lines += (_annotation(group, options.root) for group in shown)
        if rest := kind[len(shown) :]:
            lines.append(_notice(severity, len(rest)))
            left_out += rest
    lines += _listed(left_out, options.root)
    lines.append(overview(result))
    return "".join(f"{line}\n" for line in lines)


def _annotation(group: Group, root: str) -> str:
    """Return an annotation. Models have no lines, so it is on line 1."""
    finding = group.first
    target = f" [{group.devices}]" if group.devices else ""
    properties = {
        "file": source_path(finding.path, root),
        "line": "1",
        "title": brief(f"{finding.code} {finding.rule}{target}"),
    }
    texts = [finding.message + target, _also(group), finding.fix and f"Fix: {finding.fix}"]
    return command(KINDS[finding.severity], "\n".join(map(brief, filter(None, texts))), properties)


def _notice(severity: Severity, number: int) -> str:
    more = counted(number, f"more {severity}")
    text = (
        f"{more} not shown here: GitHub shows {MOST_PER_KIND} annotations of a kind. "
        "The log of this step lists all."
    )
    return command(KINDS[severity], text, {"title": f"modellint: {more}"})


def _listed(groups: Sequence[Group], root: str) -> Iterator[str]:
    if not groups:
        return
    yield command("group", f"Findings that are not shown as annotations ({len(groups):,})", {})
    for group in groups:
        finding = group.first
        words = [
            f"{source_path(finding.path, root)}: {finding.severity} {finding.code}",
            finding.message,
            _also(group),
        ]
        yield "- " + brief(" ".join(filter(None, words)))
    yield command("endgroup", "", {})


def _also(group: Group) -> str:
    places = also(group)
    return f"Also {places}." if places else ""


def command(name: str, message: str, properties: dict[str, str]) -> str:
    """Format `::name key=value,key=value::message`, with all delimiters escaped."""
    pairs = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' * bool(pairs)}{pairs}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")
