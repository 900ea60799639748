"""Console and page shared by the reports for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.style import Style
from rich.text import Text

from modellint.base.records import dataclass
from modellint.base.text import brief, encodable
from modellint.report.options import Options

# Of the sixteen colors, those readable on both dark and light backgrounds. No dim text and no bold
# yellow, which are too pale on white, and no plain blue, which is too dark on black.
LINES = Style(color="bright_blue")
LABEL = Style(bold=True)
HEADING = Style(bold=True)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters for drawing lines."""

    top: str = "╭─"
    bar: str = "│"
    bottom: str = "╰─"
    rule: str = "─"
    dot: str = "·"
    ellipsis: str = "…"
    times: str = "×"


ASCII = Glyphs(top=",-", bar="|", bottom="`-", rule="-", dot="-", ellipsis="...", times="x")


def console_for(stream: TextIO, options: Options) -> Console:
    """Return a console for the stream; rich honors NO_COLOR, FORCE_COLOR and TERM."""
    plain = options.color == "never"
    return Console(
        file=stream,
        width=options.width,
        force_terminal={"always": True, "never": False, "auto": None}[options.color],
        color_system=None if plain else "standard" if options.color == "always" else "auto",
        no_color=plain or None,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )


class Page:
    """Lines of text, at most as wide as the console, in characters that its stream can encode."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = console.width
        self.encoding = console.encoding
        self.glyphs = Glyphs() if _can_encode(self.encoding) else ASCII
        self.is_plain = not console.is_terminal and console.color_system is None

    def print(self, *parts: Text) -> None:
        if self.is_plain:  # the same output as rich's, in a tenth of the time
            self.console.file.write("".join(part.plain for part in parts).rstrip() + "\n")
            return
        line = Text.assemble(*parts)
        line.rstrip()
        self.console.print(line, no_wrap=True, overflow="ignore", crop=False)

    def blank(self) -> None:
        self.print(Text())

    def dotted(self, parts: Sequence[str]) -> str:
        return f" {self.glyphs.dot} ".join(parts)

    def words(self, text: str) -> str:
        """Remove control characters and those that the stream cannot encode."""
        text = brief(text, self.glyphs.ellipsis)
        return encodable(text, self.encoding) if self.glyphs is ASCII else text


def _can_encode(encoding: str) -> bool:
    glyphs = Glyphs()
    try:
        "".join(getattr(glyphs, name) for name in Glyphs.__slots__).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
