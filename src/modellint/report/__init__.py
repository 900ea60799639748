"""Reports: render a result as text. One module per format, loaded on use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, TextIO, cast

from modellint.report.options import Options
from modellint.results.finding import Result

__all__ = ["FORMATS", "Options", "render", "write"]

FORMATS: Mapping[str, str] = {
    name: f"modellint.report.{name}"
    for name in (
        "full",
        "concise",
        "json",
        "jsonl",
        "sarif",
        "github",
        "gitlab",
        "junit",
        "markdown",
        "html",
        "svg",
    )
}
"""Modules by format; each has a function `render(result, options) -> str`."""

FOR_PEOPLE = frozenset({"full", "concise"})
"""Formats for terminals, written in the stream's encoding; all others are UTF-8."""


SILENT = frozenset({"concise", "jsonl", "github", "gitlab", "svg"})
"""Formats of findings only, without a place for what the run assumed."""


class _Report(Protocol):
    def render(self, result: Result, options: Options) -> str: ...


def render(name: str, result: Result, options: Options | None = None) -> str:
    """Return the report as text, with a final newline unless it is empty."""
    report = cast("_Report", import_module(FORMATS[name]))
    return report.render(result, options or Options())


def write(name: str, result: Result, stream: TextIO, options: Options) -> None:
    """Write the report to a stream, with the stream's color, width and encoding."""
    if name == "full":
        from modellint.report import full

        full.write(result, stream, options)
    else:
        _write_text(render(name, result, options), stream, name in FOR_PEOPLE)
    stream.flush()


def _write_text(text: str, stream: TextIO, for_people: bool) -> None:
    if for_people:
        from modellint.base.text import encodable

        stream.write(encodable(text, stream.encoding or "utf-8"))
    elif hasattr(stream, "buffer"):
        stream.flush()
        stream.buffer.write(text.encode())
    else:
        stream.write(text)
