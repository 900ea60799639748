"""Key-value store of JSON files in a folder, used by all caches.

What is read is not trusted: an entry counts only if it is as this module wrote it, in a folder that
carries our mark and that only this user can write to. What is deleted carries our mark as well: the
folder may have been named by mistake.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modellint.base.data import cache_dir, read_toml
from modellint.base.drafts import DRAFT
from modellint.base.files import is_private, open_regular, read_regular, replace_file

MARK = "modellint-cache"
"""File in the root of every cache, which makes the folder ours."""
MARK_TEXT = "This folder is a cache of modellint. Everything in it can be deleted at any time.\n"
INSIDE = "modellint"
"""Folder of the cache within a folder that contains anything else."""
MOST_ENTRY = 64 << 20

_HEAD = b'{"modellint-cache": 1, "sha256": "'
_BODY = b'", "content": '
_START = len(_HEAD) + 64 + len(_BODY)

_ours: set[Path] = set()
"""Roots that were found to be ours."""


class Store:
    """Entries, which concurrent runs may share. Whatever is not as expected counts as absent."""

    def __init__(self, root: Path, kind: str = "") -> None:
        self.root = _own_folder(root)
        self.folder = self.root / kind

    def load(self, key: str) -> Any:
        """Return the content of a key, or None."""
        if not _is_ours(self.root):
            return None
        try:
            return _unpacked(read_regular(self.path(key), MOST_ENTRY, private=True))
        except (OSError, ValueError, RecursionError):
            return None

    def save(self, key: str, content: object) -> bool:
        """Save content under a key; return False if that is not possible."""
        path = self.path(key)
        try:
            self.claim()
            _make_below(self.root, path.parent)
            data = _packed(content)
            if len(data) > MOST_ENTRY:
                return False
            replace_file(path, data, 0o600)
        except (OSError, ValueError):  # an integer may be too long for JSON
            return False
        return True

    def path(self, key: str) -> Path:
        """Return the file of a key. Long keys are hashes, and are spread over subfolders."""
        name = f"{key[:2]}/{key[2:]}" if len(key) >= 64 else key
        return self.folder / f"{name}.json"

    def claim(self) -> None:
        """Create and mark the folder if it is new or empty; raise OSError if it is not ours."""
        if _is_ours(self.root):
            return
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(self.root.stat()):
            raise OSError(errno.EPERM, "others can write to it")
        if not any(self.root.iterdir()):
            with suppress(FileExistsError), (self.root / MARK).open("x") as mark:
                mark.write(MARK_TEXT)
        if not _is_ours(self.root):
            raise OSError(errno.ENOTEMPTY, f"it is not empty and contains no {MARK}")

    def discard(self, pattern: str) -> None:
        """Delete the entries whose keys match a glob."""
        with suppress(OSError):  # other runs may delete them as well
            if _is_ours(self.root) and _is_folder(self.folder):
                for path in self.folder.glob(f"{pattern}.json"):
                    _delete(path)

    def prune(self, most_bytes: int, most_seconds: float) -> None:
        """Delete expired entries, then the oldest ones while there are too many bytes."""
        entries = []
        with suppress(OSError):  # other runs may delete the folders
            for path, status in self._spread_entries():
                entries.append((status.st_mtime, status.st_size, path))
        left = sum(size for _, size, _ in entries)
        for written, size, path in sorted(entries):
            if left > most_bytes or written < time.time() - most_seconds:
                _delete(path)
                left -= size

    def _spread_entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Iterate over entries of long keys, and drafts of killed runs, without following links."""
        if not _is_ours(self.root) or not _is_folder(self.folder):
            return
        for folder in self.folder.iterdir():
            if len(folder.name) == 2 and _is_folder(folder):
                for path in (*folder.glob("*.json"), *folder.glob(f"{DRAFT}*")):
                    with suppress(OSError):
                        yield path, path.lstat()


def _own_folder(chosen: Path) -> Path:
    """Return the folder itself if it is new, empty or ours; else a folder inside.

    The same if others can write to it: they could put entries there.
    """
    try:
        if chosen in _ours or not chosen.exists():
            return chosen
        is_free = is_private(chosen.stat()) and not any(chosen.iterdir())
    except OSError:  # the store will be of no use
        return chosen
    return chosen if is_free or _is_ours(chosen) else chosen / INSIDE


def _is_ours(root: Path) -> bool:
    """Return True if the folder carries our mark, and only this user can write to it."""
    if root in _ours:
        return True
    try:
        marked = stat.S_ISREG((root / MARK).lstat().st_mode) and is_private(root.stat())
    except OSError:
        return False
    if marked:
        _ours.add(root)
    return marked


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _make_below(root: Path, folder: Path) -> None:
    """Create the folders between a root and a folder; none may be a link."""
    for part in (*reversed(folder.relative_to(root).parents), folder.relative_to(root)):
        step = root / part
        if step != root:
            step.mkdir(mode=0o700, exist_ok=True)
            if step.is_symlink():
                raise OSError(errno.ELOOP, "a link in a cache")


def _packed(content: object) -> bytes:
    body = json.dumps(content).encode()
    return _HEAD + _digest(body) + _BODY + body + b"}"


def _unpacked(data: bytes) -> Any:
    body = data[_START:-1]
    if data != _HEAD + _digest(body) + _BODY + body + b"}":
        raise ValueError("not an entry")
    return json.loads(body.decode())


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _delete(path: Path) -> None:
    """Delete a file if it is an entry of ours."""
    with suppress(OSError):
        with open_regular(path) as file:
            is_entry = not path.is_symlink() and file.read(len(_HEAD)) == _HEAD
        if is_entry:
            path.unlink(missing_ok=True)


def kept_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table, parsed once and kept: parsing takes longer than a short run has.

    For our own tables, which contain no dates.
    """
    return kept_tomls(f"{path.parent.name}-{path.stem}", [path])[path.stem]


def kept_tomls(key: str, paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the tables of several TOML files by name, parsed once and kept as one entry."""
    store, state = Store(cache_dir(), "tables"), "".join(map(_state, paths))
    kept = store.load(key)
    if (
        isinstance(kept, dict)
        and kept.get("state") == state
        and isinstance(kept.get("tables"), dict)
        and all(isinstance(table, dict) for table in kept["tables"].values())
    ):
        return dict(kept["tables"])
    tables = {path.stem: read_toml(path) for path in paths}
    store.save(key, {"state": state, "tables": tables})
    return tables


def _state(path: Path) -> str:
    status = path.stat()
    return f"{path}:{status.st_size}:{status.st_mtime_ns}\n"
