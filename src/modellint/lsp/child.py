"""The process that lints and inspects models for the server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.mistakes import FileMistake
from modellint.serving.models import command_line, look_at
from modellint.serving.work import work

if TYPE_CHECKING:
    from modellint.results.finding import Finding

Given = Mapping[str, Any]


def main() -> None:
    work({"lint": lint, "page": page, "examples": examples})


def lint(path: str, given: Given, folder: str) -> list[Finding]:
    """Return the findings about a model that count; paths in them are relative to a folder."""
    from modellint.lint import Request, lint

    os.chdir(folder)
    result = lint(Request([Path(path)], command_line(given))).result
    shown = {model.path for model in result.models}
    found = (each for each in result.active if each.path in shown)
    return [replace(each, frame=None, evidence={"nodes": each.nodes}) for each in found]


def page(path: str, given: Given, folder: str) -> str:
    """Return a model's inspection as an HTML page."""
    from modellint.report.html import inspect_page

    os.chdir(folder)
    return inspect_page([look_at(Path(path), command_line(given), drawn=True)], None)


def examples(path: str) -> list[FileMistake]:
    """Return the failures of a rule file's examples, without asking a runtime."""
    from modellint.examples import cases_of, lacks_examples
    from modellint.rules.registry import read_tested_rule

    rule = read_tested_rule(Path(path))
    found = [FileMistake(lack)] if (lack := lacks_examples(rule)) else []
    for case in cases_of(rule):
        asks = case.example.probe is not None and not case.example.recorded
        plain = replace(case, example=replace(case.example, fixed=""))  # its proof would run it
        if not asks and (failure := plain.failure()):
            keys = ("examples", case.kind, case.number)
            found.append(FileMistake(f"examples.{case.kind}[{case.number}]: {failure}", keys))
    return found
