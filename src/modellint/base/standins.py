"""Files that stand for others, which are on a server or in a store.

A stand-in is a file of the right name and size without content: whatever looks at names and sizes
need not know. Content comes from `open_regular`, which asks the folder of the stand-in for it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from modellint.base.records import dataclass

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Cost of reading one model."""

    requests: int = 0
    nbytes: int = 0
    trouble: str = ""
    """Reason why the model could not be read in place; empty if it could."""

    def __add__(self, other: Fetched) -> Fetched:
        return Fetched(
            self.requests + other.requests,
            self.nbytes + other.nbytes,
            self.trouble or other.trouble,
        )


class StandIns(Protocol):
    """A folder of stand-ins. It is sent to worker processes, so it can be pickled."""

    folder: str
    """The folder, without links."""
    home: Path
    """The folder whose configuration holds for the files."""
    lists: bool
    """True if all that belongs to the folder is in it, whether asked for or not."""

    def shown(self, path: Path) -> str:
        """Return the name of a file that users know, without secrets."""

    def path_of(self, shown: str) -> Path | None:
        """Return the file of such a name, if it belongs here."""

    def move(self, folder: Path) -> None:
        """Put the stand-ins into another folder: on a machine that does not have them."""

    def find(self, path: Path) -> None:
        """Put a stand-in in its place if there is such a file elsewhere. Raises OSError."""

    def open(self, path: Path) -> io.FileIO:
        """Open the file that is stood for. Raises OSError."""

    def identity(self, path: Path) -> Mapping[str, Any] | None:
        """Return what changes with the content of the file that is stood for."""

    def expect(self, paths: Iterable[Path]) -> None:
        """Begin to fetch what will be read first of these files, without waiting for it."""

    def fill(self, paths: Iterable[Path]) -> None:
        """Put all content into files, until their model is settled. Raises OSError."""

    def trouble(self, path: Path) -> str:
        """Return why a model could not be read as it is, when that was last tried."""

    def settle(self, path: Path | None) -> Fetched:
        """Return what has been fetched since it was last asked, for a model or to find models."""


_known: list[StandIns] = []
_fetched: dict[str, Fetched] = {}


@contextmanager
def standing(folders: Iterable[StandIns]) -> Iterator[None]:
    """Have files in these folders stand for others meanwhile."""
    before = len(_known)
    _known.extend(folders)
    try:
        yield
    finally:
        del _known[before:]
        _fetched.clear()


def known() -> tuple[StandIns, ...]:
    """Return all folders of stand-ins, to be sent to another process."""
    return tuple(_known)


def adopt(folders: Iterable[StandIns]) -> None:
    """Know the folders of the parent process until this one ends."""
    _known.extend(folders)


def stand_ins(path: Path) -> StandIns | None:
    """Return the folder of stand-ins that a path is in; None for all other files."""
    if not _known:
        return None
    text = f"{path}{os.sep}"
    return next((each for each in _known if text.startswith(f"{each.folder}{os.sep}")), None)


def trouble_with(path: Path) -> str:
    """Return why a model could not be read; empty for all others."""
    found = stand_ins(path)
    return found.trouble(path) if found is not None else ""


def is_stand_in(path: Path) -> bool:
    return stand_ins(path) is not None


def lasting_name(path: Path) -> str:
    """Return a name for a file that is the same in every run."""
    found = stand_ins(path)
    return found.shown(path) if found is not None else str(path)


def path_of(name: str) -> Path:
    """Return the file that `lasting_name` named."""
    for each in _known:
        path = each.path_of(name)
        if path is not None:
            return path
    return Path(name)


def expect(paths: Iterable[Path]) -> None:
    """Begin to fetch what will be read first of those files that stand for others."""
    if _known:
        for path in paths:
            found = stand_ins(path)
            if found is not None:
                found.expect([path])


def fill(paths: Iterable[Path]) -> None:
    """Have all content of a model's files where they are, for programs that open them themselves.

    Folders stand for the files in them. It stays until the model is settled. Raises OSError.
    """
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,))]
    for each in _known:
        each.fill([file for file in files if stand_ins(file) is each and file.is_file()])


def settled(path: Path, look: Callable[[], Result]) -> Result:
    """Return what `look` makes of a model that is read at a path.

    After trouble, which readers of a part may have passed over, it looks once more: then the model
    has nothing but that problem.
    """
    result = look()
    if _settle(path):
        result = look()
        _settle(path)
    return result


def settle_search() -> Iterator[str]:
    """Add up what was fetched to find models; iterate over remarks about what was not searched."""
    for each in _known:
        fetched = each.settle(None)
        shown = each.shown(Path(each.folder))
        if fetched.requests and each.lists:
            _fetched[shown] = _fetched.get(shown, Fetched()) + fetched
        if fetched.trouble:
            yield f"{shown}: {fetched.trouble}; models may be missing"


def _settle(path: Path) -> bool:
    """Add up what was fetched for a model; return True if it could not be read as it is."""
    found = stand_ins(path)
    if found is None:
        return False
    fetched = found.settle(path)
    shown = found.shown(path)
    _fetched[shown] = _fetched.get(shown, Fetched()) + fetched
    return bool(fetched.trouble)


def fetched_for(path: Path) -> Fetched | None:
    """Return what was fetched for a model in this process; None unless it stands for another."""
    found = stand_ins(path)
    return _fetched.get(found.shown(path)) if found is not None else None


def all_fetched() -> Mapping[str, Fetched]:
    """Return what was fetched in this process, by the name of the model."""
    return _fetched
