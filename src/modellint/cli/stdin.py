"""A model from standard input, as a file that can be read in parts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from modellint.base.errors import UsageError

DASH = Path("-")
NAME = "<stdin>"
LONGEST = 60
"""Characters of a file's name that fit every file system, whatever their encoding."""


@contextmanager
def spooled(
    paths: Sequence[Path], name: str | None
) -> Iterator[tuple[Sequence[Path], Mapping[Path, str]]]:
    """Yield the paths with ``-`` replaced by a temporary file, and that file's reported name."""
    if DASH not in paths:
        yield paths, {}
        return
    import shutil

    from modellint.base.temporary import temporary_folder

    with temporary_folder() as folder:
        file = folder / _name(name)
        try:
            with file.open("wb") as spool:
                shutil.copyfileobj(sys.stdin.buffer, spool)
        except OSError as error:
            raise UsageError(f"cannot store standard input: {error.strerror}") from error
        yield [file if path == DASH else path for path in paths], {file: name or NAME}


def _name(nominal: str | None) -> str:
    """Return the name of the temporary file: the end of the nominal one, with its suffix."""
    name = Path(nominal).name if nominal else ""
    return name[-LONGEST:] if name.strip(".") else "model"
