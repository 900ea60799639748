"""Files made from something else in the repository: written, or with `--check` only compared.

Each tools/generate_*.py says what its files should hold; `make generate` runs them all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

Contents = Mapping[Path, str | None]
"""The content that each file should have; None where there should be no file."""


def bring_up_to_date(contents: Contents) -> int:
    """The exit code: 1 if `--check` was given and a file is stale."""
    stale = {path: text for path, text in contents.items() if _held(path) != text}
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date: run make generate\n")
        return int(bool(stale))
    for path, text in stale.items():
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    return 0


def between(page: Path, begin: str, middle: str, end: str) -> str:
    """A hand-written page with other text between two of its comments."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{middle}{end}{after}"


def _held(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
