"""Reports: a result goes in, text comes out. One module per format, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, TextIO, cast

from modellint.finding import Result
from modellint.report.options import Options

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
    )
}
"""Each format's module, which has a function `render(result, options) -> str`."""

FOR_PEOPLE = frozenset({"full", "concise"})
"""What a terminal shows, in its own encoding; all else is UTF-8 wherever it goes."""


class _Report(Protocol):
    def render(self, result: Result, options: Options) -> str: ...


def render(name: str, result: Result, options: Options | None = None) -> str:
    """The whole report as text, which ends with a newline unless there is nothing to say."""
    report = cast("_Report", import_module(FORMATS[name]))
    return report.render(result, options or Options())


def write(name: str, result: Result, stream: TextIO, options: Options) -> None:
    """The same onto a stream, as it can show it: colours, width and encoding are the stream's."""
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
