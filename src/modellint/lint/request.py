"""The request that a run fulfills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from modellint.base.records import dataclass
from modellint.config.load import CommandLine


@dataclass(frozen=True, slots=True)
class Request:
    """Input of a run: paths and command line."""

    paths: Sequence[Path]
    command_line: CommandLine = field(default_factory=lambda: CommandLine({}))
    write_baseline: bool = False
    exit_zero: bool = False
    shown_as: Mapping[Path, str] = field(default_factory=dict)
    """Names to report instead of files' own, for models from standard input."""
    keeps_finished: bool = False
    """Return the finished results when interrupted, rather than nothing."""
    force: bool = False
    """Allow a baseline to overwrite any other file that the command line names."""
