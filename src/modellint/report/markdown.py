"""Markdown for job summaries and pull-request comments.

Names in models are untrusted: they must not become links, images, mentions or tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modellint.base.links import rule_url
from modellint.base.text import brief, counted, shorten
from modellint.report.assumed import sentences
from modellint.report.grouping import Group, Section, also, sections
from modellint.report.options import Options
from modellint.report.overview import NOUNS, overview
from modellint.report.places import source_path
from modellint.report.table import markdown, markdown_row
from modellint.results.finding import Result, Severity

MARK = "<!-- modellint -->"
"""Marker by which a workflow finds its previous comment, to replace it."""

MOST_CHARACTERS = 60_000
"""GitHub refuses comments of more than 65,536."""

_SYNTAX = re.compile(r"[\\`*_\[\]<>|~$&]")
_REFERENCE = re.compile(r"[@#!](?=\S)|:(?=//)|www(?=\.)", re.IGNORECASE)
"""Text that sites turn into references and links after Markdown: @team, #1, http://."""
_UNSAFE_IN_CODE = re.compile(r"[^ \w./,=+-]|_")


def render(result: Result, options: Options) -> str:
    told = sorted(sections(result), key=lambda part: [-part.count(severity) for severity in NOUNS])
    parts = [_Part(section, options.root) for section in told if section.findings]
    text = _lines(_head(result))
    room = MOST_CHARACTERS - len(text)
    for severity in NOUNS:  # the least severe are omitted if space runs out
        for part in parts:
            room -= part.fill(severity, room)
    text += "".join(part.text() for part in parts)
    if left_out := sum(part.left_out for part in parts):
        text += f"\n{counted(left_out, 'finding')} omitted to limit the report's length.\n"
    return text


class _Part:
    """Table of a file, as far as space permits."""

    def __init__(self, section: Section, root: str) -> None:
        self.groups = section.groups
        self.head = _lines(_section_head(section, root))
        self.rows: list[str] = []
        self.left_out = 0

    def fill(self, severity: Severity, room: int) -> int:
        """Add the rows of a severity; return the number of characters used."""
        taken = 0
        for group in self.groups:
            if group.first.severity is not severity:
                continue
            row = _row(group)
            size = len(row) + (0 if self.rows else len(self.head))
            if taken + size > room:
                self.left_out += len(group.findings)
            else:
                self.rows.append(row)
                taken += size
        return taken

    def text(self) -> str:
        return self.head + "".join(self.rows) if self.rows else ""


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _head(result: Result) -> Iterator[str]:
    yield MARK
    yield "## modellint"
    yield ""
    yield f"**{overview(result)}**"
    for sentence in sentences(result):
        yield ""
        yield prose(sentence)


def _section_head(section: Section, root: str) -> Iterator[str]:
    yield ""
    yield f"### {code(source_path(section.path, root))}"
    yield ""
    yield from markdown(("severity", "rule", "finding"), ())


def _row(group: Group) -> str:
    finding = group.first
    severity = str(finding.severity)
    cells = [
        f"**{severity}**" if finding.severity is Severity.ERROR else severity,
        f"{rule_link(finding.code)} {prose(finding.rule)}",
        "<br>".join(_finding(group)),
    ]
    return f"{markdown_row(cells)}\n"


def _finding(group: Group) -> Iterator[str]:
    finding = group.first
    yield prose(finding.message) + (f" ({prose(group.devices)})" if group.devices else "")
    if places := also(group):
        yield f"Also {prose(places)}."
    if finding.fix:
        yield f"**Fix:** {marked(finding.fix)}"


def marked(text: str) -> str:
    """Format prose in which commands stand between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return prose(text)
    return "".join(code(part) if at % 2 else prose(part) for at, part in enumerate(parts))


def rule_link(code: str) -> str:
    """Return a rule's code, as a link to its page if it has one."""
    url = rule_url(code)
    return f"[{prose(code)}]({url})" if url else prose(code)


def prose(text: str) -> str:
    parts = _REFERENCE.split(brief(text))
    marks = [*_REFERENCE.findall(brief(text)), ""]
    return "".join(
        _SYNTAX.sub(r"\\\g<0>", part) + (f"{mark}&#8203;" if mark else "")
        for part, mark in zip(parts, marks, strict=True)
    )


def code(text: str) -> str:
    """Format as an HTML code element, which unlike a code span can contain entities."""
    text = _UNSAFE_IN_CODE.sub(lambda char: f"&#{ord(char[0])};", shorten(brief(text), 200))
    return f"<code>{text}</code>"
