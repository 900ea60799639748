"""What the reader of a report may ask of it."""

from __future__ import annotations

from typing import Literal

from modellint.base.records import dataclass

Color = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class Options:
    """Each format heeds what concerns it."""

    quiet: bool = False
    """`full`: only the first line of each finding, and silence when there is none."""
    verbose: bool = False
    """`full`: every place of a group, and the evidence."""
    color: Color = "auto"
    """`full`: whether to colour; by default what the terminal and NO_COLOR, FORCE_COLOR say."""
    width: int | None = None
    """`full`: columns; by default the terminal's."""
    root: str = "."
    """The folder that the addresses of machine formats are relative to: a repository's top."""
    category: str | None = None
    """`sarif`: what tells this configuration's results from another's in the same tool."""
    suppressed: bool = False
    """`full`, `sarif`: show suppressed findings too. GitHub would take them for open alerts."""
