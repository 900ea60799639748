"""Reports: a result goes in, text comes out. One module per format, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from modellint.finding import Result
from modellint.report.options import Options

__all__ = ["FORMATS", "Options", "render"]

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


class _Report(Protocol):
    def render(self, result: Result, options: Options) -> str: ...


def render(name: str, result: Result, options: Options | None = None) -> str:
    """The whole report as text, which ends with a newline unless there is nothing to say."""
    report = cast("_Report", import_module(FORMATS[name]))
    return report.render(result, options or Options())
