"""Addresses as local paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import url2pathname

from modellint.base.errors import UsageError
from modellint.base.paths import is_address
from modellint.base.standins import standing
from modellint.base.temporary import temporary_folder
from modellint.base.text import clean, counted
from modellint.remote.background import in_parallel
from modellint.remote.mount import Mount
from modellint.remote.origin import FetchError, FetchLimits, RemoteFolder, forget_stalls
from modellint.remote.urls import Url, parsed
from modellint.remote.web import WebFolder


@contextmanager
def reached(
    given: Sequence[str | Path], limits: FetchLimits
) -> Iterator[tuple[list[Path], list[str]]]:
    """Yield the path of each file or folder, whether given by path or address, and remarks.

    Those of addresses are stand-ins, for as long as the context lasts. Raises UsageError for what
    is not there.
    """
    texts = [str(each) for each in given]
    if not any(map(is_address, texts)):
        yield [Path(each) for each in given], []
        return
    forget_stalls()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        asked = {
            place: url
            for place, url in enumerate(map(_url, texts))
            if url is not None and url.kind != "file"
        }
        opener = _Opener(limits)
        stack.callback(opener.close)
        found = in_parallel(lambda at: opener.mounted(asked[at], folder / str(at)), asked)
        mounted = dict(zip(asked, found, strict=True))
        stack.enter_context(standing([mount for mount, _, _ in mounted.values()]))
        yield (
            [mounted[at][1] if at in mounted else _path(text) for at, text in enumerate(texts)],
            [remark for _, _, remarks in mounted.values() for remark in remarks],
        )


def _url(text: str) -> Url | None:
    return parsed(text) if is_address(text) else None


def _path(text: str) -> Path:
    url = _url(text)
    return _local(url) if url is not None else Path(text)


def _local(url: Url) -> Path:
    """Return the path that a file's address means on this machine."""
    place = url.top.partition("://")[2]
    server, slash, path = f"{place}/{url.name}".rstrip("/").partition("/")
    if server not in ("", "localhost"):
        raise UsageError(f"{url.shown_whole}: a file URL must not name a server")
    return Path(url2pathname(slash + path))


class _Opener:
    """Opens what addresses name, and closes it all."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = limits
        self._opened: list[Mount] = []

    def mounted(self, url: Url, folder: Path) -> tuple[Mount, Path, list[str]]:
        """Return the stand-in of an address, a file or a folder, and remarks."""
        folder.mkdir()
        if url.name:
            mount = self._mount(url, folder)
            path = mount.add(url.name, url.shown_file)
            if path is not None:
                return mount, path, []
            if url.kind == "web":
                raise UsageError(f"{clean(url.shown_file)}: no such file")
            url = url.inside()
        mount = self._mount(url, folder)
        try:
            found, strange = mount.add_all()
        except FetchError as error:
            raise UsageError(f"{clean(url.shown)}: {error.text}") from error
        if not found:
            raise UsageError(f"{clean(url.shown)}: no such file or folder")
        return mount, Path(mount.folder), [_about(url, strange)] if strange else []

    def _mount(self, url: Url, folder: Path) -> Mount:
        mount = Mount(_origin(url, self._limits), folder, url.shown, self._limits)
        self._opened.append(mount)
        return mount

    def close(self) -> None:
        for mount in self._opened:
            mount.close()


def _about(url: Url, strange: int) -> str:
    objects = counted(strange, "object")
    return f"{url.shown}: {objects} passed over, whose names no file can have here"


def _origin(url: Url, limits: FetchLimits) -> RemoteFolder:
    if url.kind == "web":
        return WebFolder(url.top, url.query, limits.seconds)
    if url.scheme == "hf":
        from modellint.remote.hub import HubFolder

        return HubFolder(url.top, limits.seconds)
    if url.kind == "store":
        from modellint.remote.store import StoreFolder

        return StoreFolder(url.scheme, url.top, limits.seconds)
    from modellint.remote.filesystem import OtherFolder

    return OtherFolder(url.scheme, url.top, limits.seconds)
