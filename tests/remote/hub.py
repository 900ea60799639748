"""A server that speaks as the Hugging Face Hub does: its listing, and its redirects."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.remote.servers import Handler, Web, serving

COMMIT = hashlib.sha1(b"commit", usedforsecurity=False).hexdigest()
PAGE = 2
"""Files on a page of the listing, so that there are several."""
TOKEN = "hf_secretofatest"


class HubHandler(Handler):
    """``org/model`` is the folder; it is private, and files of 1 KiB are kept elsewhere."""

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path.startswith("/elsewhere/"):
            self._good(path.removeprefix("/elsewhere/"))
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._empty(401)
        elif path in ("/api/models/org/model/revision/main", "/api/models/org/model/revision/v1"):
            self._json({"id": "org/model", "sha": COMMIT, "siblings": []})
        elif path.startswith(f"/api/models/org/model/tree/{COMMIT}"):
            self._tree(path.partition(COMMIT)[2].strip("/"), parts.query)
        elif path.startswith(f"/org/model/resolve/{COMMIT}/"):
            self._resolve(path.partition(COMMIT)[2].strip("/"))
        else:
            self._empty(404)

    def _tree(self, below: str, query: str) -> None:
        files = sorted(
            each.relative_to(self.web.folder).as_posix()
            for each in (self.web.folder / below).rglob("*")
            if each.is_file()
        )
        found = re.search(r"cursor=(\d+)", query)
        start = int(found[1]) if found else 0
        entries = [self._entry(name) for name in files[start : start + PAGE]]
        more = {}
        if start + PAGE < len(files):
            port, path = self.web.port, urlsplit(self.path).path
            url = f"http://127.0.0.1:{port}{path}?recursive=true&cursor={start + PAGE}"
            more = {"Link": f'<{url}>; rel="next"'}
        self._json(entries, **more)

    def _entry(self, name: str) -> dict[str, object]:
        path = self.web.folder / name
        oid = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        entry = {"type": "file", "path": name, "size": path.stat().st_size, "oid": oid}
        if path.stat().st_size < 1024:
            return entry
        digest = hashlib.sha256(name.encode()).hexdigest()
        return {**entry, "lfs": {"oid": digest, "size": path.stat().st_size, "pointerSize": 130}}

    def _resolve(self, name: str) -> None:
        path = self.web.folder / name
        if path.is_file() and path.stat().st_size >= 1024:
            url = f"http://localhost:{self.web.port}/elsewhere/{name}?Signature=5ecre7"
            self._empty(302, Location=url, X_Repo_Commit=COMMIT)
        else:
            self._good(name)

    def _json(self, content: object, **headers: str) -> None:
        data = json.dumps(content).encode()
        self._begin(200, len(data), Content_Type="application/json", **headers)
        self._send(data)


@contextmanager
def hub(folder: Path) -> Iterator[Web]:
    with serving(folder, HubHandler) as web:
        yield web
