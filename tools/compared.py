"""The run of a tool that compares files with another reader's view of them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SHOWN = 5
"""Differences to print of each file."""
Compare = Callable[[Path, Counter[str]], Iterator[str]]


def files_in(starts: Iterable[str], suffix: str) -> list[Path]:
    """Return the files of a suffix in folders, and files that are named themselves."""
    found = (
        each
        for start in map(Path, starts)
        for each in (start.rglob(f"*{suffix}") if start.is_dir() else [start])
    )
    return sorted(found)


def compare_all(paths: Iterable[Path], differences: Compare) -> int:
    """Print what differs and the counts; the exit code is 1 if anything differs."""
    counts: Counter[str] = Counter()
    for path in paths:
        found = list(differences(path, counts))
        counts["files"] += 1
        counts["different"] += bool(found)
        for difference in found[:SHOWN]:
            sys.stdout.write(f"{path}: {difference}\n")
    sys.stdout.write(", ".join(f"{count} {what}" for what, count in counts.items()) + "\n")
    return int(counts["different"] > 0)
