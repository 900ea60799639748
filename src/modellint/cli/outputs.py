"""Where findings go: `format`, or `format:file`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.files import write_atomically
from modellint.base.suggest import nearest
from modellint.finding import Result
from modellint.report import FORMATS, Options, render, write

_BY_SUFFIX = {
    ".sarif": "sarif",
    ".json": "json",
    ".jsonl": "jsonl",
    ".xml": "junit",
    ".md": "markdown",
}


@dataclass(frozen=True, slots=True)
class Output:
    """One report: its format, and its file unless it goes to standard output."""

    format: str
    file: Path | None = None

    def write(self, result: Result, options: Options) -> None:
        if self.file is None:
            write(self.format, result, sys.stdout, options)
            return
        text = render(self.format, result, replace(options, color="never"))
        try:
            write_atomically(self.file, text)
        except OSError as error:
            raise UsageError(f"{self.file} cannot be written: {error.strerror}") from error


def parse_outputs(texts: Sequence[str]) -> list[Output]:
    """The reports asked for; without any, `full` on standard output."""
    outputs = [parse_output(text) for text in texts] or [Output("full")]
    if sum(output.file is None for output in outputs) > 1:
        both = " and ".join(output.format for output in outputs if output.file is None)
        raise UsageError(f"{both} cannot both go to standard output; write one as format:file")
    files = [output.file.resolve() for output in outputs if output.file is not None]
    if twice := {file for file in files if files.count(file) > 1}:
        raise UsageError(f"{min(twice)} cannot hold two reports; give each a file of its own")
    return outputs


def parse_output(text: str) -> Output:
    name, colon, file = text.partition(":")
    if name not in FORMATS:
        meant = _BY_SUFFIX.get(Path(text).suffix.lower())
        guess = nearest(name, list(FORMATS))
        hint = f"{meant}:{text}" if meant else f"{guess}{colon}{file}" if guess else None
        tail = f"did you mean {hint!r}?" if hint else f"formats: {', '.join(FORMATS)}"
        raise UsageError(f"unknown output format {name!r}; {tail}")
    if colon and not file:
        raise UsageError(f"{text!r} names no file; write {name}:FILE, or {name} alone")
    path = Path(file) if file else None
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"{path}: its folder does not exist")
    return Output(name, path)
