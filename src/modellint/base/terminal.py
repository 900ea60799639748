"""Width and color of the terminal that the program runs in."""

from __future__ import annotations

import os
import sys

DEFAULT_WIDTH = 80
NARROWEST, WIDEST = 20, 10_000
"""Widths that pages can be laid out for."""


def terminal_width() -> int:
    """Return the columns to use: those of the terminal, within reason."""
    return min(max(_columns(), NARROWEST), WIDEST)


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")[:9]
    if columns.isdecimal() and int(columns):
        return int(columns)
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):
            continue
    return DEFAULT_WIDTH


def color_wanted() -> bool | None:
    """Return the environment's color preference; None means color on terminals only."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None
