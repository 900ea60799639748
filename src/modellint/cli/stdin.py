"""A model from standard input, as a file that can be memory-mapped."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

DASH = Path("-")
NAME = "<stdin>"


@contextmanager
def spooled(
    paths: Sequence[Path], name: str | None
) -> Iterator[tuple[Sequence[Path], Mapping[Path, str]]]:
    """Yield the paths with ``-`` replaced by a temporary file, and that file's reported name."""
    if DASH not in paths:
        yield paths, {}
        return
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="modellint-") as folder:
        file = Path(folder) / (Path(name).name if name else "model")
        with file.open("wb") as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
        yield [file if path == DASH else path for path in paths], {file: name or NAME}
