"""Chosen files on a local HTTP server: what a page may read, and nothing else."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

from modellint.base.files import open_regular
from modellint.base.records import dataclass

_TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})$")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Site:
    """A running server."""

    url: str
    """Of its root, with a slash at the end; secure contexts need this form."""
    files: dict[str, Path | bytes]
    """Content by path (`/`, `/model.onnx`); it may be changed while the server runs."""


@contextmanager
def serving(
    files: Mapping[str, Path | bytes], headers: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Serve files, each under its path, on 127.0.0.1; ranges of bytes are answered."""
    content = dict(files)

    class Handler(_SiteHandler):
        served, extra = content, dict(headers or {})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}/", content)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _SiteHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: dict[str, Path | bytes]
    extra: dict[str, str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        content = self.served.get(path)
        if content is None:  # an icon is asked for by the browser itself, not by the page
            self.send_response(204 if path == "/favicon.ico" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        suffix = Path(path).suffix or (content.suffix if isinstance(content, Path) else ".html")
        kind = _TYPES.get(suffix, "application/octet-stream")
        if isinstance(content, bytes):
            self._answer(io.BytesIO(content), len(content), kind)
            return
        try:
            file = open_regular(content)
        except OSError:
            self.send_error(404)
            return
        with file:
            self._answer(file, content.stat().st_size, kind)

    def _answer(self, file: IO[bytes] | io.FileIO, size: int, kind: str) -> None:
        asked = _RANGE.match(self.headers.get("Range", ""))
        first, end = 0, size
        if asked:
            first = min(int(asked[1]), size)
            end = min(int(asked[2]) + 1, size) if asked[2] else size
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(max(0, end - first)))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{max(first, end - 1)}/{size}")
        for name, value in self.extra.items():
            self.send_header(name, value)
        self.end_headers()
        self._copy(file, first, end)

    def _copy(self, file: IO[bytes] | io.FileIO, first: int, end: int) -> None:
        file.seek(first)
        while first < end:
            data = file.read(min(_CHUNK, end - first))
            if not data:
                break
            self.wfile.write(data)
            first += len(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
