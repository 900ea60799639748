"""A server that speaks as S3 does: objects in ranges, and lists of them in pages."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.remote.servers import Handler, Web, serving

BUCKET = "bucket"
PAGE = 3
"""Objects on a page of a list, so that there are several."""
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>{tag}</ETag><Size>{size}</Size></Contents>"
)


class BucketHandler(Handler):
    """The folder is the bucket."""

    page = PAGE
    delay = 0.0

    def answer(self) -> None:
        time.sleep(self.delay)
        parts = urlsplit(self.path)
        _, bucket, key = unquote(f"{parts.path}/").split("/", 2)
        key = key.rstrip("/")
        if "Authorization" not in self.headers:
            self._empty(403)
        elif bucket != BUCKET:
            self._empty(404)
        elif key:
            self._object(key)
        else:
            self._list({name: values[0] for name, values in parse_qs(parts.query).items()})

    def do_PUT(self) -> None:
        _, _, key = unquote(urlsplit(self.path).path).split("/", 2)
        path = self.web.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.web.asked.append(f"PUT {key}")
        self._begin(200, 0, ETag=self._tag(key))

    def _object(self, key: str) -> None:
        path = self.web.folder / key
        if not path.is_file():
            self._empty(404)
            return
        size, tag = path.stat().st_size, self._tag(key)
        wanted = self._wanted(size)
        start, stop = wanted or (0, size)
        dated = {"ETag": tag, "Last_Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if self.headers.get("If-Match", tag) != tag:
            self._empty(412)
        elif wanted is None:
            self._begin(200, size, **dated)
            self._send(self._bytes(key, 0, size) if self.command == "GET" else b"")
        elif start >= size:
            self._empty(416)
        else:
            told = f"bytes {start}-{stop - 1}/{size}"
            self._begin(206, stop - start, Content_Range=told, **dated)
            self._send(self._bytes(key, start, stop - start))

    def _list(self, query: dict[str, str]) -> None:
        top, prefix = self.web.folder, query.get("prefix", "")
        keys = sorted(
            key
            for key in (
                each.relative_to(top).as_posix() for each in top.rglob("*") if each.is_file()
            )
            if key.startswith(prefix)
        )
        folders: list[str] = []
        if query.get("delimiter"):
            rests = [(key, key[len(prefix) :].partition("/")) for key in keys]
            folders = sorted({f"{prefix}{first}/" for _, (first, mark, _) in rests if mark})
            keys = [key for key, (_, mark, _) in rests if not mark]
        start = int(query.get("continuation-token", "0"))
        more = start + self.page < len(keys)
        entries = [
            ENTRY.format(key=escape(key), tag=self._tag(key), size=(top / key).stat().st_size)
            for key in keys[start : start + self.page]
        ]
        prefixes = [
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders
        ]
        following = f"<NextContinuationToken>{start + self.page}</NextContinuationToken>"
        text = (
            f"<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{''.join(entries)}{''.join(prefixes)}{following if more else ''}</ListBucketResult>"
        )
        self._begin(200, len(text.encode()), Content_Type="application/xml")
        self._send(text.encode())

    def _tag(self, key: str) -> str:
        named = f"{key} {self.web.edition}".encode()
        return f'"{hashlib.md5(named, usedforsecurity=False).hexdigest()}"'


@contextmanager
def bucket(folder: Path, handler: type[BucketHandler] = BucketHandler) -> Iterator[Web]:
    with serving(folder, handler) as web:
        yield web
