"""What a run is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modellint.config.load import CommandLine


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one run."""

    paths: Sequence[Path]
    command_line: CommandLine = field(default_factory=lambda: CommandLine({}))
    write_baseline: bool = False
    exit_zero: bool = False
    shown_as: Mapping[Path, str] = field(default_factory=dict)
    """Other names for files in findings, for what came through standard input."""
