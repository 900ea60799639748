"""Identity of a run's model: by the name of its file, else by its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modellint.base.files import open_regular
from modellint.results.measured import MeasuredRun, shown


def is_of(run: MeasuredRun, path: Path) -> bool:
    """Return False if a run states that it is of another file; its content is read only then."""
    if run.model.sha256 is None or run.model.name == shown(path.name):
        return True
    return digest_of(path) == run.model.sha256


def digest_of(path: Path) -> str | None:
    """Return the digest of a file; None for a folder."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
