"""Models in several files: ``model-00001-of-00003.gguf`` and so on."""

from __future__ import annotations

import re
from pathlib import Path

from modellint.base.records import dataclass

_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
MOST_PARTS = 500
"""Limit on the parts to read; llama.cpp's own tool makes parts of gigabytes."""


@dataclass(frozen=True, slots=True)
class PartName:
    """The name of a part, as llama.cpp makes it."""

    prefix: str
    number: int
    """From 1."""
    count: int

    def other(self, number: int) -> str:
        return f"{self.prefix}-{number:05d}-of-{self.count:05d}.gguf"

    @property
    def others(self) -> list[str]:
        """Return the names of the parts after the first."""
        return [self.other(number) for number in range(2, min(self.count, MOST_PARTS) + 1)]


def part_name(path: Path) -> PartName | None:
    """Return the part numbers in the name of a file; None for a model of one file."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    number, count = int(match[2]), int(match[3])
    return PartName(match[1], number, count) if 1 <= number <= count and count > 1 else None
