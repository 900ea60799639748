"""The one way in which anything is remembered: JSON by key, below a folder of the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modellint.base.files import write_atomically


class Store:
    """Entries that any number of runs may share. A damaged one counts as absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str) -> Any:
        """The content kept under a key, or None."""
        try:
            return json.loads(self.path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save(self, key: str, content: object) -> bool:
        """Keep a content; where that is not possible, the cache only costs time."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(content))
        except OSError:
            return False
        return True

    def path(self, key: str) -> Path:
        """Long keys are hashes, and are spread over subfolders."""
        name = f"{key[:2]}/{key[2:]}" if len(key) >= 64 else key
        return self.folder / f"{name}.json"
