"""Key-value store of JSON files in a folder, used by all caches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modellint.base.data import cache_dir, read_toml
from modellint.base.files import write_atomically


class Store:
    """Entries, which concurrent runs may share. Corrupt entries count as absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str) -> Any:
        """Return the content of a key, or None."""
        try:
            return json.loads(self.path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save(self, key: str, content: object) -> bool:
        """Save content under a key; return False if the folder is not writable."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(content))
        except OSError:
            return False
        return True

    def path(self, key: str) -> Path:
        """Return the file of a key. Long keys are hashes, and are spread over subfolders."""
        name = f"{key[:2]}/{key[2:]}" if len(key) >= 64 else key
        return self.folder / f"{name}.json"


def kept_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table, parsed once and kept: parsing takes longer than a short run has.

    For our own tables, which contain no dates.
    """
    stat = path.stat()
    store, key = Store(cache_dir() / "tables"), f"{path.parent.name}-{path.stem}"
    state = f"{path}:{stat.st_size}:{stat.st_mtime_ns}"
    kept = store.load(key)
    if isinstance(kept, dict) and kept.get("state") == state:
        return dict(kept["table"])
    table = read_toml(path)
    store.save(key, {"state": state, "table": table})
    return table
