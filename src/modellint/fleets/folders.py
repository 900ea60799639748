"""Folders that results are kept in: of this machine, or in a bucket."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from modellint.base.errors import UsageError
from modellint.base.files import MOST_JSON, read_regular, replace_file
from modellint.base.paths import is_address
from modellint.remote.origin import FetchError, FetchLimits, Traffic
from modellint.remote.urls import parsed


class ResultsFolder(Protocol):
    """Files by name, with forward slashes. Writes are atomic."""

    shown: str
    """The folder as reports name it, without secrets."""

    def named(self, name: str) -> str:
        """Return a file as messages name it."""

    def is_free(self) -> bool:
        """Return True if a new run can be kept here."""

    def prepare(self, tables: Sequence[str]) -> None:
        """Make a folder for each table."""

    def names(self, table: str) -> list[str]:
        """Return the names of the files of a table. Raises UsageError."""

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises OSError."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file, replacing any earlier one. Raises OSError or UsageError."""


def results_folder(place: Path | str) -> ResultsFolder:
    """Return the folder that a path or an address names. Raises UsageError."""
    text = str(place)
    return _StoredFolder(text) if is_address(text) else _LocalFolder(Path(place))


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.shown = str(path)

    def named(self, name: str) -> str:
        return str(self._path / name)

    def is_free(self) -> bool:
        return not self._path.exists() or (self._path.is_dir() and not any(self._path.iterdir()))

    def prepare(self, tables: Sequence[str]) -> None:
        for table in tables:
            (self._path / table).mkdir(parents=True)

    def names(self, table: str) -> list[str]:
        try:
            return [path.name for path in (self._path / table).iterdir()]
        except OSError as error:
            raise UsageError(f"cannot read {self._path / table}: {error.strerror}") from error

    def read(self, name: str) -> bytes:
        return read_regular(self._path / name, MOST_JSON)

    def write(self, name: str, data: bytes) -> None:
        replace_file(self._path / name, data)


class _StoredFolder:
    """A prefix of a bucket, where an object appears when all of it has been sent."""

    def __init__(self, address: str) -> None:
        from modellint.remote.store import StoreFolder

        url = parsed(address)
        if url.kind != "store":
            raise UsageError(
                f"{url.shown_whole}: results go to a local folder, or to s3://, gs:// or az://"
            )
        top = url.inside() if url.name else url
        self.shown = top.shown
        self._store = StoreFolder(url.scheme, top.top, FetchLimits().seconds)
        self._traffic = Traffic()

    def named(self, name: str) -> str:
        return f"{self.shown}/{name}"

    def is_free(self) -> bool:
        with self._told():
            return not self._store.files(self._traffic)

    def prepare(self, tables: Sequence[str]) -> None:
        """Do nothing: a bucket has no folders."""

    def names(self, table: str) -> list[str]:
        with self._told():
            found = [each.name for each in self._store.files(self._traffic)]
        return [name.removeprefix(f"{table}/") for name in found if name.startswith(f"{table}/")]

    def read(self, name: str) -> bytes:
        entry = self._store.look(name, 0, self._traffic)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "no such object")
        if entry.size > MOST_JSON:
            raise FetchError("it is too large")
        return self._store.read(entry, 0, entry.size, self._traffic) if entry.size else b""

    def write(self, name: str, data: bytes) -> None:
        with self._told(name):
            self._store.write(name, data)

    @contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except FetchError as error:
            raise UsageError(f"{self.named(name) if name else self.shown}: {error.text}") from error
