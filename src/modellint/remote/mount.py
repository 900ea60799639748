"""A remote folder as a local one of stand-ins."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from modellint.base.paths import NEVER_WALKED, leaves_lexically
from modellint.base.records import dataclass
from modellint.base.standins import Fetched
from modellint.base.units import format_bytes
from modellint.remote.background import awaited, begun
from modellint.remote.held import Held
from modellint.remote.origin import (
    CHANGED,
    FetchError,
    FetchLimits,
    RemoteFile,
    RemoteFolder,
    Traffic,
    UnrangedError,
)
from modellint.remote.ranged import RangedFile, make_sparse
from modellint.remote.whole import write_whole

FIRST = 1 << 16
"""Bytes to fetch of the beginning of a file, where headers are."""
LEAST, MOST = 1 << 14, 1 << 20
"""Bytes to fetch at once: sequential reads fetch ever larger parts."""
NEAR = 1 << 16
"""Bytes that are fetched rather than jumped over: a request costs as much time."""
SMALL = 1 << 22
"""Size of files that are fetched as a whole when more than their beginning is read: that costs less
than finding the way through them."""
MOST_REQUESTS = 10_000
"""Requests for one model: names and places in it decide how many it takes."""
_OTHERS = frozenset({"pyproject.toml", "modellint.toml", ".modellint.toml", ".gitignore"})
"""Configuration files, which do not count if they are remote."""


@dataclass(slots=True)
class _Reach:
    """Extent to which a file has been read, to see whether it is read in order."""

    until: int = 0
    ahead: int = FIRST

    def window(self, start: int, needed: int) -> int:
        """Return how many bytes to fetch from a place on."""
        if start:
            near = 0 <= start - self.until <= NEAR
            self.ahead = min(MOST, self.ahead * 2) if near else LEAST
        return max(needed, self.ahead)


class Mount:
    """A folder of stand-ins for the files of an origin."""

    def __init__(self, origin: RemoteFolder, folder: Path, shown: str, limits: FetchLimits) -> None:
        self.folder = os.path.realpath(folder)
        self.home = Path.cwd()
        self.lists = False
        self._origin = origin
        self._shown = shown
        self._limits = limits
        self._names: dict[str, str] = {}
        """Names to show of files that are not shown by their place below the top."""
        self._entries: dict[str, RemoteFile | None] = {}
        """Files that were looked for; None for those that are not there."""
        self._broken: dict[str, str] = {}
        """Troubles of models, by name."""
        self._downloaded: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._held = Held()
        self._reached: dict[str, _Reach] = {}
        self._touched: dict[str, None] = {}
        self._traffic = Traffic()
        self._trouble = ""
        self._expected: dict[str, Future[tuple[RemoteFile, bytes, Traffic]]] = {}
        self._filled: list[RemoteFile] = []

    def __getstate__(self) -> dict[str, Any]:
        own = ("_held", "_reached", "_touched", "_traffic", "_trouble", "_expected", "_filled")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def close(self) -> None:
        self._origin.close()

    # What is there

    def add(self, name: str, shown: str | None = None) -> Path | None:
        """Look for one file; return its stand-in, None if there is no such file.

        One that cannot be read has a stand-in, too: opening it says why.
        """
        if shown is not None:
            self._names[name] = shown
        try:
            entry = self._origin.look(name, FIRST, self._traffic)
        except FetchError as error:
            entry = RemoteFile(name, 1, trouble=error.text)
        self._entries[name] = entry
        return self._put(entry) if entry is not None else None

    def add_all(self) -> tuple[int, int]:
        """Put stand-ins for all files below the top; return how many there are, and how many have
        names that no file can have here. Raises FetchError."""
        entries = self._origin.files(self._traffic)
        strange = 0
        for entry in entries:
            parts = entry.name.split("/")
            if parts[-1] in _OTHERS or NEVER_WALKED.intersection(parts):
                continue
            self._entries[entry.name] = entry
            strange += self._put(entry) is None
        self.lists = True
        return len(entries), strange

    def move(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self._downloaded.clear()
        for entry in self._entries.values():
            if entry is not None:
                self._put(entry)

    def _put(self, entry: RemoteFile) -> Path | None:
        """Create a stand-in; None if there cannot be a file of that name here."""
        if leaves_lexically(entry.name) or "\0" in entry.name:
            return None
        path = Path(self.folder, entry.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            make_sparse(path, entry.size)
        except (OSError, ValueError, OverflowError):
            if not os.path.isfile(path):  # noqa: PTH113 - of any length
                return None
            text = f"no file of {format_bytes(entry.size)} can be here"
            self._entries[entry.name] = RemoteFile(entry.name, 1, trouble=text)
            with suppress(OSError):
                make_sparse(path, 1)
        return path

    def _entry(self, path: Path) -> RemoteFile | None:
        return self._entries.get(self._name(path))

    def _name(self, path: Path) -> str:
        return os.path.normpath(path)[len(self.folder) + 1 :].replace(os.sep, "/")

    # What others ask

    def shown(self, path: Path) -> str:
        name = self._name(path)
        return self._names.get(name) or (f"{self._shown}/{name}" if name else self._shown)

    def path_of(self, shown: str) -> Path | None:
        for name, given in self._names.items():
            if given == shown:
                return Path(self.folder, name)
        if shown == self._shown:
            return Path(self.folder)
        below = f"{self._shown}/"
        return Path(self.folder, shown[len(below) :]) if shown.startswith(below) else None

    def find(self, path: Path) -> None:
        name = self._name(path)
        if self.lists or name in self._entries or not _is_plain(name):
            return
        self._spend(0)
        try:
            entry = awaited(lambda: self._origin.look(name, 0, self._traffic))
        except FetchError as error:
            raise self._troubled(f"{name}: {error.text}") from error
        self._entries[name] = entry
        if entry is not None:
            self._put(entry)

    def identity(self, path: Path) -> Mapping[str, Any] | None:
        before = self._trouble
        with suppress(OSError):
            self.find(path)
        self._trouble = before
        entry = self._entry(path)
        if entry is None:
            return {"folder": True} if path.is_dir() else None
        stated = {"size": entry.size, "tag": entry.tag}
        return stated if entry.tag and not entry.trouble else {**stated, "volatile": True}

    def open(self, path: Path) -> io.FileIO:
        name = self._name(path)
        entry = self._entries.get(name)
        if entry is None:
            return io.FileIO(path, "rb")  # raises: there is no such file
        trouble = entry.trouble or self._trouble
        if trouble:
            raise self._troubled(trouble)
        self._touched[name] = None
        if not entry.in_ranges:
            self._download(entry)
        if name in self._downloaded:
            return io.FileIO(path, "rb")
        if entry.head:
            self._held.add(name, 0, entry.head)
            self._entries[name] = _without_head(entry)
        return RangedFile(path, lambda start, stop: self._read(name, start, stop))

    def fill(self, paths: Iterable[Path]) -> None:
        entries = [entry for entry in map(self._entry, paths) if entry is not None]
        wanted = [each for each in entries if each.name not in self._downloaded]
        self._require_room(wanted)
        for entry in wanted:
            if entry.trouble or self._trouble:
                raise FetchError(entry.trouble or self._trouble)
            self._touched[entry.name] = None
            write_whole(self._origin, entry, Path(self.folder, entry.name), self._traffic)
            self._downloaded.add(entry.name)
            self._filled.append(entry)

    def _require_room(self, entries: Sequence[RemoteFile]) -> None:
        needed = sum(each.size for each in entries)
        if needed > self._limits.most - self._traffic.nbytes:
            most = format_bytes(self._limits.most)
            raise FetchError(
                f"a runtime needs all {format_bytes(needed)} of it, but --max-fetch allows {most}"
            )

    def trouble(self, path: Path) -> str:
        return self._broken.get(self._name(path), "")

    def expect(self, paths: Iterable[Path]) -> None:
        for path in paths:
            most = self._limits.most // FIRST
            parts = [path] if self._entry(path) is not None else _parts(path)[:most]
            for entry in map(self._entry, parts):
                if entry is not None and not (entry.trouble or entry.head) and entry.in_ranges:
                    self._expect(entry, min(FIRST, entry.size))

    def _expect(self, entry: RemoteFile, stop: int) -> None:
        name = entry.name
        if stop and name not in self._expected and name not in self._reached:
            self._expected[name] = begun(lambda: _read_first(self._origin, entry, stop))

    def settle(self, path: Path | None) -> Fetched:
        """Return what was fetched since it was last asked; check that it is there unchanged."""
        if path is None and not self.lists:  # all was for the one file
            return Fetched()
        if path is not None and not self._trouble and not self._origin.checks_tags:
            self._check_unchanged()
        done = Fetched(self._traffic.requests, self._traffic.nbytes, self._trouble)
        if done.trouble and path is not None:
            self._broken[self._name(path)] = done.trouble
        self._traffic, self._trouble, self._touched = Traffic(), "", {}
        while self._filled:
            entry = self._filled.pop()
            self._downloaded.discard(entry.name)
            self._put(entry)
        if not self.lists:  # nothing else is read here
            self._held = Held()
        return done

    def _check_unchanged(self) -> None:
        for name in self._touched:
            before = self._entries[name]
            try:
                now = awaited(partial(self._origin.look, name, 0, self._traffic))
            except FetchError as error:
                self._trouble = error.text
                return
            if before is not None and (now is None or (now.size, now.tag) != _state(before)):
                self._trouble = CHANGED
                return

    # Fetching

    def _read(self, name: str, start: int, stop: int) -> bytes:
        """Return bytes of a file, from memory or from where it is."""
        self._take_expected(name)
        pieces = []
        while start < stop:
            piece = self._held.part(name, start, stop)
            if not piece:
                piece = self._fetched(name, start, stop)
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fetched(self, name: str, start: int, stop: int) -> bytes:
        """Fetch from `start` on; return what there is of it up to `stop`."""
        if self._trouble:
            raise FetchError(self._trouble)
        entry = self._entries[name]
        assert entry is not None
        begin, end = self._window(entry, start, stop)
        self._spend(end - begin)
        try:
            part = awaited(lambda: self._origin.read(entry, begin, end, self._traffic))
        except UnrangedError:
            self._download(entry)
            return self._from_disk(entry, start, stop)
        except FetchError as error:
            raise self._troubled(error.text) from error
        self._reached[name].until = end
        self._held.add(name, begin, part)
        return part[start - begin : stop - begin]

    def _window(self, entry: RemoteFile, start: int, stop: int) -> tuple[int, int]:
        """Return the part to fetch around a byte that is missing."""
        reach = self._reached.setdefault(entry.name, _Reach())
        end = start + reach.window(start, stop - start)
        before, after = self._held.gap(entry.name, start)
        if entry.size <= min(SMALL, self._limits.most - self._traffic.nbytes):
            start, end = before, entry.size
        return start, min(end, entry.size, after if after is not None else entry.size)

    def _take_expected(self, name: str) -> None:
        """Add data that was fetched ahead; if that failed, it is requested again."""
        expected = self._expected.pop(name, None)
        if expected is None:
            return
        with suppress(FetchError):
            entry, part, traffic = expected.result()
            self._traffic.add(traffic.nbytes, traffic.requests)
            self._held.add(entry.name, 0, part)
            self._reached[name] = _Reach(len(part))
        self._spend(0)

    def _spend(self, nbytes: int) -> None:
        """Raise if a model costs more than it may."""
        if self._traffic.nbytes + nbytes > self._limits.most:
            most = format_bytes(self._limits.most)
            raise self._troubled(f"it takes more than the {most} that --max-fetch allows")
        if self._traffic.requests >= MOST_REQUESTS:
            raise self._troubled(f"it takes more than {MOST_REQUESTS} requests")

    def _download(self, entry: RemoteFile) -> None:
        """Fetch a whole file, from a server that sends nothing else."""
        if entry.name in self._downloaded:
            return
        if entry.size > self._limits.most - self._traffic.nbytes:
            size = format_bytes(entry.size)
            most = format_bytes(self._limits.most)
            raise self._troubled(
                f"its server only sends complete files, and {size} exceed {most} (--max-fetch)"
            )
        path = Path(self.folder, entry.name)
        try:
            with path.open("r+b") as file:
                awaited(lambda: self._origin.download(entry, file, self._traffic))
        except FetchError as error:
            raise self._troubled(error.text) from error
        self._downloaded.add(entry.name)

    def _from_disk(self, entry: RemoteFile, start: int, stop: int) -> bytes:
        with Path(self.folder, entry.name).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def _troubled(self, text: str) -> FetchError:
        """Remember the error: readers may skip a part that cannot be read."""
        self._trouble = self._trouble or text
        return FetchError(self._trouble)


def _read_first(
    origin: RemoteFolder, entry: RemoteFile, stop: int
) -> tuple[RemoteFile, bytes, Traffic]:
    traffic = Traffic()
    return entry, origin.read(entry, 0, stop, traffic), traffic


def _parts(folder: Path) -> list[Path]:
    """Return the files of a model that is a folder whose beginnings readers look at."""
    return sorted(each for each in folder.glob("*") if each.suffix in (".safetensors", ".json"))


def _without_head(entry: RemoteFile) -> RemoteFile:
    return RemoteFile(entry.name, entry.size, entry.tag)


def _state(entry: RemoteFile) -> tuple[int, str]:
    return entry.size, entry.tag


def _is_plain(name: str) -> bool:
    """Return False for names that would be addresses: a model's files never are."""
    parts: Sequence[str] = name.split("/")
    return bool(name) and not any(part.endswith(":") or part in ("", "..") for part in parts)
