"""Destinations of reports: `--output FORMAT[:FILE]`, shared by all verbs that report."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.base.files import TO_OVERWRITE, open_regular, write_atomically
from modellint.base.records import dataclass
from modellint.base.streams import reader_may_leave
from modellint.base.suggest import nearest
from modellint.cli.command import option, starting_with
from modellint.cli.options import setting
from modellint.config.settings import OUTPUT
from modellint.formats.registry import is_model
from modellint.report import FORMATS
from modellint.report.earlier import HEAD, is_card, is_report
from modellint.report.options import Options

if TYPE_CHECKING:
    from modellint.config.load import Config

TEXT, JSON, HTML, MARKDOWN = "text", "json", "html", "markdown"
STANDARD_OUTPUT = "-"
PLAIN_FORMATS = (TEXT, JSON, HTML)
"""Formats of verbs that do not report findings."""

Draw = Callable[[str, TextIO, Options], None]
"""Writes the report in a format to a stream."""

PNG, SVG = "png", "svg"
"""A verb that draws SVG writes PNG, too."""
BINARY = frozenset({PNG, "parquet"})

_BY_SUFFIX = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".svg": SVG,
    ".png": PNG,
    ".sarif": "sarif",
    ".json": "json",
    ".jsonl": "jsonl",
    ".xml": "junit",
    ".md": "markdown",
    ".html": "html",
}


@dataclass(frozen=True, slots=True)
class Output:
    """One report: its format, and its file (None for standard output)."""

    format: str
    file: Path | None = None

    def write(self, draw: Draw, options: Options) -> None:
        if self.file is None:
            with reader_may_leave():  # the other reports and the exit code are still wanted
                draw(self.format, sys.stdout, options)
            return
        content = self._drawn(draw, replace(options, color="never"))
        try:
            write_atomically(self.file, content)
        except OSError as error:
            raise UsageError(f"cannot write {self.file}: {error.strerror}") from error

    def _drawn(self, draw: Draw, options: Options) -> bytes:
        written = io.BytesIO()
        with io.TextIOWrapper(written, encoding="utf-8", newline="") as stream:
            draw(SVG if self.format == PNG else self.format, stream, options)
            stream.flush()
            content = written.getvalue()
        if self.format != PNG:
            return content
        from modellint.cli.pictures import png_of

        return png_of(content.decode())


def _with_png(formats: Sequence[str]) -> Sequence[str]:
    return (*formats, PNG) if SVG in formats else formats


def write_page(page: str, stream: TextIO) -> None:
    """Write an HTML page, which is UTF-8 whatever the stream's encoding."""
    if hasattr(stream, "buffer"):
        stream.flush()
        stream.buffer.write(page.encode())
    else:
        stream.write(page)


def output_option(formats: Sequence[str], dest: str) -> Callable[[Any], Any]:
    """Add `--output`, which is a setting of `check` alone: other verbs keep it apart."""
    formats = _with_png(formats)
    return setting(
        "output",
        dest=dest,
        help=f"{', '.join(formats)}; repeatable.",
        shell_complete=lambda ctx, parameter, incomplete: starting_with(incomplete, formats),
    )


plain_output_option = output_option(PLAIN_FORMATS, "reports")
color_option = option(
    "--color",
    group=OUTPUT,
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="When to use color.  [default: auto]",
)


force_option = option(
    "--force",
    group=OUTPUT,
    is_flag=True,
    help="Overwrite files that are not earlier reports or baselines.",
)


LIST_FORMATS = (TEXT, JSON)
"""Formats of verbs that list and explain."""


def list_options(formats: Sequence[str] = LIST_FORMATS) -> Callable[[Any], Any]:
    """Add the options of a verb that lists: `--output`, `--json` for short, and `--force`."""
    short = option("--json", "as_json", group=OUTPUT, is_flag=True, help="Same as --output json.")
    return lambda command: output_option(formats, "reports")(short(force_option(command)))


def write_list(
    given: Mapping[str, Any],
    draw: Draw,
    formats: Sequence[str] = LIST_FORMATS,
    options: Options | None = None,
) -> None:
    """Write the output of a verb that lists, wherever its options direct it."""
    outputs = parse_outputs([*given["reports"], *([JSON] if given["as_json"] else [])], formats)
    if not given["force"]:
        require_replaceable(files_of(outputs), [])
    for output in outputs:
        output.write(draw, options or Options())


def plain_outputs(given: dict[str, Any]) -> list[Output]:
    """Return the reports of a verb with formats `text` and `json`; `--json` is short for json."""
    texts = [*given["reports"], *([JSON] if given["as_json"] else [])]
    return parse_outputs(texts, PLAIN_FORMATS)


def require_replaceable(files: Iterable[Path], models: Sequence[Path]) -> None:
    """Raise if a report would overwrite anything but an earlier report.

    Special files, such as a pipe or /dev/stdout, cannot be overwritten.
    """
    for file in files:
        if file.is_file():
            _require_report(file, models)


def _require_report(file: Path, models: Sequence[Path]) -> None:
    try:
        with open_regular(file) as content:
            head = content.read(HEAD) or b""
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    if is_model(file) or any(each.exists() and file.samefile(each) for each in models):
        kind = "is a model"
    elif is_report(head):
        return
    elif is_card(head):
        kind = "is a model card, which may have been edited since"
    else:
        kind = "is not an earlier report of modellint"
    raise UsageError(f"{file} {kind}; {TO_OVERWRITE}")


def require_distinct(files: Sequence[Path]) -> None:
    """Raise if two reports would go to one file."""
    real = [os.path.realpath(file) for file in files]
    if twice := {file for file in real if real.count(file) > 1}:
        raise UsageError(f"two reports for {min(twice)}; use a different file for each")


def files_of(outputs: Iterable[Output], probe_report: str | None = None) -> list[Path]:
    """Return the files that a run writes reports to."""
    files = [output.file for output in outputs if output.file is not None]
    if probe_report is not None and probe_report != STANDARD_OUTPUT:
        files.append(Path(probe_report))
    require_distinct(files)
    return files


def parse_outputs(texts: Sequence[str], formats: Sequence[str]) -> list[Output]:
    """Return the requested reports; by default, the first format on standard output."""
    outputs = [_parse(text, _with_png(formats)) for text in texts] or [Output(formats[0])]
    if sum(output.file is None for output in outputs) > 1:
        both = " and ".join(output.format for output in outputs if output.file is None)
        raise UsageError(f"{both} cannot both go to standard output; write one as FORMAT:FILE")
    return outputs


def configured_outputs(config: Config) -> list[Output]:
    """Return the reports that a configuration asks `check` for."""
    configured = list(_configured(config))
    try:
        return parse_outputs(configured, tuple(FORMATS))
    except UsageError as error:
        raise config.mistake(("output",), str(error)) from None


def _configured(config: Config) -> Iterator[str]:
    """Iterate over the configured outputs, with the paths of their files."""
    for text in config.settings.output:
        name, colon, file = text.partition(":")
        path = config.path("output", file) if file else None
        if path is not None and path.exists() and not path.is_file():
            raise config.mistake(("output",), f"{path} is not a file")
        yield f"{name}:{path}" if path is not None else f"{name}{colon}"


def _parse(text: str, formats: Sequence[str]) -> Output:
    name, colon, file = text.partition(":")
    if name not in formats:
        meant = _BY_SUFFIX.get(Path(text).suffix.lower())
        guess = nearest(name, list(formats))
        hint = f"{meant}:{text}" if meant in formats else f"{guess}{colon}{file}" if guess else None
        tail = f"did you mean {hint!r}?" if hint else f"formats: {', '.join(formats)}"
        raise UsageError(f"unknown output format {name!r}; {tail}")
    if colon and not file:
        raise UsageError(f"{text!r} lacks a file name; write {name}:FILE, or just {name}")
    if name in BINARY and not file:
        raise UsageError(f"{name} is not for terminals; write {name}:FILE")
    path = Path(file) if file else None
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"{path}: folder does not exist")
    return Output(name, path)
