"""Models checked out as Git LFS pointers, read from the repository's own store."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from modellint.base.files import open_regular, read_regular, read_text, regular_size
from modellint.base.paths import leads_out
from modellint.base.standins import Fetched, standing
from modellint.base.temporary import temporary_folder

LONGEST_POINTER = 1024
MOST_PARTS = 10_000
"""Files of a folder that is a model."""
_DIGITS = 64


@contextmanager
def pointers_resolved(models: Iterable[Path]) -> Iterator[Mapping[Path, Path]]:
    """Yield stand-ins for models that are pointers, or have pointers next to them, whose content is
    in the store of their repository."""
    _git.cache_clear()
    _store.cache_clear()
    _has_pointers.cache_clear()
    concerned = [model for model in models if _is_concerned(model)]
    if not concerned:
        yield {}
        return
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        found = [_Resolved(model, folder / str(at)) for at, model in enumerate(concerned)]
        stack.enter_context(standing(found))
        yield dict(zip(concerned, (each.place for each in found), strict=True))


class _Resolved:
    """A model's folder, with content instead of pointers."""

    lists: bool = False

    def __init__(self, model: Path, folder: Path) -> None:
        folder.mkdir()
        self.folder = os.path.realpath(folder)
        self.home = model if model.is_dir() else model.parent
        self._filled: list[Path] = []
        self.place = Path(self.folder) if model.is_dir() else Path(self.folder, model.name)
        parts = model.rglob("*") if model.is_dir() else (model,)
        for count, each in enumerate(parts):
            if count < MOST_PARTS:
                self.find(Path(self.folder, each.relative_to(self.home)))

    def _real(self, path: Path) -> Path:
        """Return where the content of a file is."""
        here = self.home / Path(os.path.normpath(path)).relative_to(self.folder)
        return _content(here) or here

    def shown(self, path: Path) -> str:
        return str(self.home / path.relative_to(self.folder))

    def path_of(self, shown: str) -> Path | None:
        path = Path(shown)
        inside = path.is_relative_to(self.home)
        return Path(self.folder, path.relative_to(self.home)) if inside else None

    def move(self, folder: Path) -> None:
        raise OSError(errno.ENOENT, "the store of Git LFS is on another machine")

    def find(self, path: Path) -> None:
        here = self.home / path.relative_to(self.folder)
        size = None if os.path.lexists(path) or leads_out(self.home, here) else _size(here)
        if size is not None:
            from modellint.remote.ranged import make_sparse

            path.parent.mkdir(parents=True, exist_ok=True)
            make_sparse(path, size)

    def open(self, path: Path) -> io.FileIO:
        return open_regular(self._real(path))

    def identity(self, path: Path) -> Mapping[str, Any] | None:
        try:
            status = self._real(path).stat()
        except (OSError, ValueError):
            return None
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return dict(zip(("size", "mtime", "ctime", "inode"), state, strict=True))

    def expect(self, paths: Iterable[Path]) -> None:
        """Expect nothing: everything is on this machine."""

    def fill(self, paths: Iterable[Path]) -> None:
        from shutil import copyfile  # which loads three libraries for compression

        for path in paths:
            copyfile(self._real(path), path)
            self._filled.append(path)

    def trouble(self, path: Path) -> str:
        return ""

    def settle(self, path: Path | None) -> Fetched:
        while self._filled:
            from modellint.remote.ranged import make_sparse

            path = self._filled.pop()
            make_sparse(path, path.stat().st_size)
        return Fetched()


def _is_concerned(model: Path) -> bool:
    """Return True for a model in a repository with a store, that is a pointer or next to one."""
    folder = model if model.is_dir() else model.parent
    return _store(folder.absolute()) is not None and _has_pointers(folder)


@cache
def _has_pointers(folder: Path, depth: int = 1) -> bool:
    """Return True if a folder, or one in it, has a pointer whose content is in the store."""
    try:
        with os.scandir(folder) as scanned:
            entries = list(islice(scanned, MOST_PARTS))
    except OSError:
        return False
    return any(
        _has_pointers(folder / each.name, depth - 1)
        if each.is_dir(follow_symlinks=False)
        else _content(folder / each.name) is not None
        for each in entries
        if depth or not each.is_dir(follow_symlinks=False)
    )


def _size(path: Path) -> int | None:
    return regular_size(_content(path) or path)


def _content(path: Path) -> Path | None:
    """Return the object that a pointer stands for, if it is in the store."""
    size = regular_size(path)
    if size is None or size > LONGEST_POINTER:
        return None
    store = _store(path.parent.absolute())
    if store is None:
        return None
    from modellint.formats.signatures import lfs_facts

    try:
        facts = lfs_facts(read_regular(path, LONGEST_POINTER))
    except OSError:
        return None
    digest = str(facts["oid"]) if facts is not None else ""
    if facts is None or len(digest) != _DIGITS:
        return None
    kept = store / digest[:2] / digest[2:4] / digest
    return kept if regular_size(kept) == facts["size"] else None


@cache
def _store(folder: Path) -> Path | None:
    """Return the folder of objects that Git LFS has fetched for the repository around a folder."""
    git = next(filter(None, map(_git, (folder, *folder.parents))), None)
    return _existing(git / "lfs/objects") if git is not None else None


@cache
def _git(folder: Path) -> Path | None:
    """Return the git folder that belongs to a folder, not to one around it."""
    git = folder / ".git"
    if git.is_dir():
        return git
    return _common(git) if git.is_file() else None


def _common(pointer: Path) -> Path:
    """Return the git folder that a work tree or a submodule belongs to."""
    try:
        told = read_text(pointer, LONGEST_POINTER).partition("gitdir:")[2].strip()
        folder = pointer.parent / told
        shared = folder / "commondir"
        return folder / read_text(shared, LONGEST_POINTER).strip() if shared.is_file() else folder
    except (OSError, ValueError):
        return pointer.parent / "nowhere"


def _existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None
