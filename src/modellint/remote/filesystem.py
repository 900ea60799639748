"""Files on all other systems that fsspec knows: `sftp://`, `github://`, `memory://`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from typing import Any, BinaryIO, TypeVar

from modellint.base.errors import UsageError
from modellint.remote.background import begun, in_parallel
from modellint.remote.origin import (
    REMOVED,
    FetchError,
    Patience,
    RemoteFile,
    Traffic,
    require_few,
)
from modellint.remote.urls import needs_extra

Answer = TypeVar("Answer")
_TAGS = (
    "ETag",
    "etag",
    "sha",
    "checksum",
    "md5Hash",
    "LastModified",
    "mtime",
    "modified",
    "created",
)
"""Names under which systems tell what changes with a file's content, the best first."""


class OtherFolder:
    """A folder of a file system."""

    checks_tags = False

    def __init__(self, scheme: str, top: str, seconds: float) -> None:
        self._scheme, self._top, self._seconds = scheme, top, seconds
        self._patience = Patience(scheme)
        _known(scheme)
        self._opened: Any = None
        self._path = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    @property
    def _system(self) -> Any:
        if self._opened is None:
            from fsspec.core import url_to_fs

            options = {"use_listings_cache": False}
            self._opened, self._path = url_to_fs(self._top, **options)
        return self._opened

    def _place(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        try:
            told = self._asked(lambda: self._system.info(self._place(name)), traffic)
        except FileNotFoundError:
            return None
        return _file(name, told) if told.get("type") == "file" else None

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        """List folder after folder, those of one depth at once."""
        self._asked(lambda: self._system, Traffic())
        start = len(self._path.rstrip("/")) + 1
        files: list[RemoteFile] = []
        folders = [self._path]
        while folders:
            pages = in_parallel(lambda at: self._listed(at, traffic), folders)
            found = [each for page in pages for each in page]
            folders = [each["name"] for each in found if each.get("type") == "directory"]
            plain = [each for each in found if each.get("type") == "file"]
            files += [_file(each["name"][start:], each) for each in plain]
            require_few(files)
        return files

    def _listed(self, folder: str, traffic: Traffic) -> list[dict[str, Any]]:
        try:
            return list(self._asked(lambda: self._system.ls(folder, detail=True), traffic))
        except FileNotFoundError:
            return []

    def read(self, entry: RemoteFile, start: int, stop: int, traffic: Traffic) -> bytes:
        place = self._place(entry.name)
        try:
            data: bytes = self._asked(
                lambda: self._system.cat_file(place, start=start, end=stop), traffic
            )
        except FileNotFoundError:
            raise FetchError(REMOVED) from None
        traffic.add(nbytes=len(data))
        if len(data) != stop - start:
            raise FetchError("the server sends different bytes than requested")
        return data

    def download(self, entry: RemoteFile, file: BinaryIO, traffic: Traffic) -> None:
        raise FetchError("the server only sends complete files")

    def close(self) -> None:
        self._opened = None

    def _asked(self, ask: Callable[[], Answer], traffic: Traffic) -> Answer:
        """Return the answer if it comes in time; a late request continues in the background."""
        self._patience.require()
        traffic.add(requests=1)
        answer = begun(ask)
        if not wait([answer], self._seconds).done:
            raise self._patience.stalled(self._seconds)
        self._patience.answered()
        error = answer.exception()
        if error is None:
            return answer.result()
        if isinstance(error, FileNotFoundError | FetchError):
            raise error
        if isinstance(error, ImportError):
            text = f"{self._scheme}:// needs a package that is not installed"
            raise FetchError(text) from None
        if isinstance(error, PermissionError):
            raise FetchError("the server denies access") from None
        raise FetchError(f"the server fails ({type(error).__name__})") from None


def _known(scheme: str) -> None:
    """Raise UsageError if fsspec is not there, or knows no such scheme."""
    try:
        from fsspec.registry import known_implementations, registry
    except ImportError:
        raise needs_extra(scheme) from None
    if scheme not in registry and scheme not in known_implementations:
        raise UsageError(
            f"{scheme}:// is not known; models are read from s3://, gs://, az://, hf://, https://, "
            "file:// and what fsspec knows"
        )


def _file(name: str, told: dict[str, Any]) -> RemoteFile:
    size = told.get("size")
    if not isinstance(size, int) or size < 0:
        return RemoteFile(name, 1, trouble="the server does not state the file size")
    tag = next((told[each] for each in _TAGS if told.get(each)), "")
    return RemoteFile(name, size, _text(tag))


def _text(tag: object) -> str:
    """Return a tag as text; systems tell one time in several forms."""
    if isinstance(tag, datetime.datetime):
        tag = tag.timestamp()
    return str(int(tag) if isinstance(tag, float) else tag)
