"""Options of reports."""

from __future__ import annotations

from typing import Literal

from modellint.base.records import dataclass

Color = Literal["auto", "always", "never"]
GroupBy = Literal["auto", "model", "rule"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of reports; each format uses those that apply to it."""

    quiet: bool = False
    """`full`: print only the first line of each finding, and nothing without findings."""
    verbose: bool = False
    """`full`: show all places of a group, and the evidence."""
    color: Color = "auto"
    """`full`: use color; by default according to the terminal, NO_COLOR and FORCE_COLOR."""
    width: int | None = None
    """`full`: number of columns; by default the terminal's."""
    root: str = "."
    """Base folder of paths in machine-readable formats: the repository's top."""
    category: str | None = None
    """`sarif`: category that separates these results from those of other configurations."""
    group_by: GroupBy = "auto"
    """`full`: a section for each model or for each rule; by default according to their number."""
    most: int | None = None
    """`full`: number of findings after which the rest is only counted."""
    suppressed: bool = False
    """`full`, `sarif`: include suppressed findings, which GitHub treats as open alerts."""
