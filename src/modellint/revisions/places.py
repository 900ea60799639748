"""Places of versions of files: a commit or the index, from which they are extracted, or the working
tree."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.files import open_regular, regular_size
from modellint.base.paths import leaves_lexically
from modellint.base.text import brief
from modellint.base.units import format_bytes
from modellint.formats.signatures import Facts, lfs_facts
from modellint.revisions.repository import PIECE, GitFile, Objects, Repository

LONGEST_POINTER = 1024
_LFS = "sha256"


class Stored:
    """Files of a commit or of the index; those that are asked for are extracted to a folder."""

    def __init__(
        self,
        repository: Repository,
        objects: Objects,
        entries: dict[str, GitFile],
        folder: Path,
        label: str,
    ) -> None:
        self._repository, self._objects = repository, objects
        self._entries, self._folder = entries, folder
        self.label = label
        """Name of the place: ``main``."""
        self.missing: list[str] = []
        """Files of which only the Git LFS pointer is here."""
        self._extracted: dict[str, Path] = {}

    @property
    def names(self) -> Iterable[str]:
        return self._entries

    def identity(self, name: str) -> str:
        return self._entries[name].object

    def is_same(self, name: str, other: Stored | Working) -> bool:
        """Return True if a file of both has the same content, without reading more than needed."""
        if isinstance(other, Stored):
            return self.identity(name) == other.identity(name)
        object = self.identity(name)
        size = self._objects.size(object)
        if size <= LONGEST_POINTER:
            pointer = lfs_facts(b"".join(self._objects.size_and_content(object)[1]))
            if pointer is not None and other.has(name, int(str(pointer["size"]))):
                return other.digest(name, _LFS) == pointer["oid"]
        if not other.has(name, size):
            return False
        kind = "sha1" if len(object) == 40 else "sha256"
        return other.digest(name, kind, f"blob {size}\0".encode()) == object

    def extract(self, name: str) -> Path | None:
        """Return the path of a file's copy; None for a link, or if there is no such file."""
        entry = self._entries.get(name)
        if entry is None or entry.is_link:
            return None
        if name not in self._extracted:
            self._extracted[name] = self._copy(name, entry)
        return self._extracted[name]

    def at(self, name: str) -> Path:
        """Return the path that the copies of a file or of the files of a folder have."""
        return self._folder / name

    def _copy(self, name: str, entry: GitFile) -> Path:
        if leaves_lexically(name):
            raise UsageError(f"{brief(name)!r}, a name in the git repository, points outside of it")
        size, content = self._objects.size_and_content(entry.object)
        self._require_space(size)
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for piece in content:
                file.write(piece)
        pointer = lfs_facts(path.read_bytes()) if size <= LONGEST_POINTER else None
        if pointer is not None and not self._resolve(path, pointer):
            self.missing.append(name)
        return path

    def _resolve(self, path: Path, pointer: Facts) -> bool:
        """Put the object of a Git LFS pointer in its place; return False if it is not here."""
        digest, size = str(pointer["oid"]), pointer["size"]
        if len(digest) != 64:
            return False
        kept = self._repository.lfs_object(digest)
        if regular_size(kept) != size:
            return False
        path.unlink()
        if os.name == "posix":
            with suppress(OSError):  # on another file system
                os.link(os.path.realpath(kept), path)
                return True
        self._require_space(int(str(size)))
        shutil.copyfile(kept, path)
        return True

    def _require_space(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if size > free:
            room, needed = format_bytes(free), format_bytes(size)
            raise UsageError(
                f"{self._folder.parent.parent} has room for {room}, but a file of the git "
                f"repository needs {needed}; set TMPDIR to another folder"
            )


class Working:
    """Files of the working tree, which are read where they are; links are left alone, as those of
    a commit are."""

    label = ""

    def __init__(self, top: Path, names: Iterable[str]) -> None:
        self._top = top
        self.names = {name for name in names if not (top / name).is_symlink()}
        self.missing: list[str] = []

    def extract(self, name: str) -> Path | None:
        return self._top / name if name in self.names else None

    def at(self, name: str) -> Path:
        return self._top / name

    def has(self, name: str, size: int) -> bool:
        return regular_size(self._top / name) == size

    def digest(self, name: str, kind: str, before: bytes = b"") -> str:
        total = hashlib.new(kind, before, usedforsecurity=False)
        with open_regular(self._top / name) as file:
            while piece := file.read(PIECE):
                total.update(piece)
        return total.hexdigest()


Place = Stored | Working
