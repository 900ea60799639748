"""Models on the Hugging Face Hub, or on a server that speaks as it does (HF_ENDPOINT)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from modellint.base.errors import UsageError
from modellint.base.files import read_text
from modellint.remote.origin import FetchError, RemoteFile, Traffic, require_few
from modellint.remote.web import WebFolder

HUB = "https://huggingface.co"
MAIN = "main"
MOST_JSON = 64 << 20
_PLACE = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?(/.*)?")
_NEXT = re.compile(r'<([^<>]+)>; *rel="next"')


class HubFolder(WebFolder):
    """A repository of a hub at one of its commits, or a folder in it."""

    _is_pinned = True

    def __init__(self, top: str, seconds: float = 30.0) -> None:
        found = _PLACE.fullmatch(top)
        if found is None:
            raise UsageError(f"{top}: a hub URL has the form hf://OWNER/MODEL[@REVISION][/FOLDER]")
        self._repository, self._revision = found[1], found[2] or MAIN
        self._folder = (found[3] or "").strip("/")
        self._commit = ""
        self._hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
        super().__init__(f"{self._hub}/", seconds=seconds)

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        self._settle_on_commit(traffic)
        return super().look(name, head, traffic)

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        self._settle_on_commit(traffic)
        below = f"/{quote(self._folder)}" if self._folder else ""
        url = f"{self._api}/tree/{self._commit}{below}?recursive=true"
        start = len(self._folder) + 1 if self._folder else 0
        files: list[RemoteFile] = []
        while url:
            entries, url = self._page(url, traffic)
            files += [_file(each, start) for each in entries if each.get("type") == "file"]
            require_few(files)
        return files

    @property
    def _api(self) -> str:
        return f"{self._hub}/api/models/{self._repository}"

    def _settle_on_commit(self, traffic: Traffic) -> None:
        """Have all that is read come from one commit, whatever is pushed meanwhile."""
        if not self._commit:
            revision = quote(self._revision, safe="")
            told = self._told(f"{self._api}/revision/{revision}", traffic)[0]
            commit = told.get("sha") if isinstance(told, dict) else None
            if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{8,64}", commit):
                raise FetchError("the hub does not report the commit")
            self._commit = commit

    def _address(self, name: str) -> str:
        place = f"{self._folder}/{name}".lstrip("/")
        return f"{self._hub}/{self._repository}/resolve/{self._commit}/{quote(place)}"

    def _page(self, url: str, traffic: Traffic) -> tuple[Iterator[Mapping[str, Any]], str]:
        """Return the entries of a page of a listing, and the address of the next page."""
        told, following = self._told(url, traffic)
        if not isinstance(told, list):
            raise FetchError("the hub does not list the files")
        return (each for each in told if isinstance(each, dict)), following

    def _told(self, url: str, traffic: Traffic) -> tuple[Any, str]:
        with self._asked_at("GET", url, {}, traffic) as answer:
            if answer.status != 200:
                raise FetchError("the hub has no such model or revision, or it is private")
            content = answer.whole(MOST_JSON)
            traffic.add(nbytes=len(content))
            following = _NEXT.search(answer.headers.get("Link", ""))
        moved = urljoin(url, following[1]) if following is not None else ""
        if moved and not moved.startswith(f"{self._hub}/"):
            raise FetchError("the hub's file list continues on another server")
        try:
            return json.loads(content), moved
        except (ValueError, RecursionError) as error:
            raise FetchError("the hub does not answer in JSON") from error

    def _secret(self, host: str) -> str:
        token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or _kept()
        return f"Bearer {token.strip()}" if token else ""


def _file(entry: Mapping[str, Any], start: int) -> RemoteFile:
    lfs = entry.get("lfs")
    tag = lfs.get("oid") if isinstance(lfs, dict) else entry.get("oid")
    size, name = entry.get("size"), entry.get("path")
    if not isinstance(size, int) or size < 0 or not isinstance(name, str):
        raise FetchError("the hub does not report file sizes")
    return RemoteFile(name[start:], size, str(tag or ""))


def _kept() -> str:
    """Return the token that `hf auth login` has kept, if there is one."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface"
    try:
        return read_text(Path(os.environ.get("HF_TOKEN_PATH") or Path(home, "token")), 1 << 12)
    except (OSError, ValueError):
        return ""
