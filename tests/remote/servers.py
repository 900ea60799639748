"""Web servers, good and bad, that serve the files of a folder."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

FOREVER = 60.0
"""Seconds that a stalling server waits, unless it is stopped before."""


@dataclass
class Web:
    """A server. The first part of a path says how it behaves: ``/stall/model.onnx``."""

    folder: Path
    asked: list[str] = field(default_factory=list)
    """Method, path and range of every request."""
    secrets: list[str] = field(default_factory=list)
    """Authorization of every request that has any."""
    stopped: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    edition: int = 0
    """Part of the ETags: files look changed when it does."""
    sent: int = 0
    """Bytes of bodies that were sent."""
    on_request: Callable[[int], None] = lambda count: None

    def url(self, behaviour: str, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{behaviour}/{name}"


@contextmanager
def serving(folder: Path, handler: type[Handler] | None = None) -> Iterator[Web]:
    web = Web(folder)
    server = _Server(("127.0.0.1", 0), type("Serving", (handler or Handler,), {"web": web}))
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        web.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on bad servers."""


class Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet: the second would wait for an answer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        web = self.web
        web.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        web.on_request(len(web.asked))
        if "Authorization" in self.headers:
            web.secrets.append(self.headers["Authorization"])
        with suppress(OSError):
            self.answer()

    def answer(self) -> None:
        """Behave as the path says."""
        _, behaviour, name = unquote(urlsplit(self.path).path).split("/", 2)
        getattr(self, f"_{behaviour}")(name)

    def _file(self, name: str) -> tuple[int, str] | None:
        path = self.web.folder / name
        if not path.is_file():
            self._empty(404)
            return None
        key = hashlib.sha256(f"{name} {path.stat().st_mtime_ns} {self.web.edition}".encode())
        return path.stat().st_size, f'"{key.hexdigest()[:16]}"'

    def _bytes(self, name: str, start: int, length: int) -> bytes:
        with (self.web.folder / name).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def _wanted(self, size: int) -> tuple[int, int] | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(found[1]), min(int(found[2]) + 1, size)) if found is not None else None

    def _empty(self, status: int, **headers: str) -> None:
        self._begin(status, 0, **headers)

    def _begin(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def _send(self, data: bytes) -> None:
        if self.command == "GET":
            self.wfile.write(data)
            self.web.sent += len(data)

    # Behaviours

    def _good(self, name: str, *, lie: int = 0, total: int | None = None, shift: int = 0) -> None:
        """Serve ranges; or announce other lengths, totals and places than it sends."""
        found = self._file(name)
        if found is None:
            return
        size, tag = found
        if self.headers.get("If-Match", tag) != tag:
            self._empty(412)
            return
        wanted = self._wanted(size)
        if wanted is None:
            self._begin(200, size + lie, ETag=tag, Accept_Ranges="bytes")
            self._send(self._bytes(name, 0, size) if self.command == "GET" else b"")
            return
        start, stop = wanted
        data = self._bytes(name, start, stop - start)
        told = f"bytes {start + shift}-{stop + shift - 1}/{total or size}"
        self._begin(206, len(data) + lie, ETag=tag, Content_Range=told)
        self._send(data)
        if lie:
            self.close_connection = True

    def _whole(self, name: str) -> None:
        """Know nothing of ranges."""
        found = self._file(name)
        if found is not None:
            self._begin(200, found[0], ETag=found[1])
            self._send(self._bytes(name, 0, found[0]))

    def _endless(self, name: str) -> None:
        """Tell no size, and send for ever."""
        self._begin(200, None, Connection="close")
        while not self.web.stopped.is_set():
            self._send(b"\0" * 65536)

    def _stall(self, name: str) -> None:
        """Accept the request, and say nothing."""
        self.web.stopped.wait(FOREVER)
        self.close_connection = True

    def _trickle(self, name: str) -> None:
        """Send the headers a byte at a time."""
        for sign in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 4096:
            self.wfile.write(bytes([sign]))
            self.wfile.flush()
            if self.web.stopped.wait(0.05):
                return

    def _drip(self, name: str) -> None:
        """Send the body a byte at a time."""
        self._begin(206, 4096, Content_Range="bytes 0-4095/4096")
        while not self.web.stopped.wait(0.05):
            self._send(b"x")
            self.wfile.flush()

    def _short(self, name: str) -> None:
        """Announce more bytes than come."""
        self._good(name, lie=1000)

    def _shrinking(self, name: str) -> None:
        """Announce the right length, and hang up before."""
        found = self._file(name)
        assert found is not None
        start, stop = self._wanted(found[0]) or (0, found[0])
        self._begin(206, stop - start, Content_Range=f"bytes {start}-{stop - 1}/{found[0]}")
        self._send(self._bytes(name, start, (stop - start) // 2))
        self.close_connection = True

    def _shifted(self, name: str) -> None:
        """Send other bytes than those that were asked for."""
        self._good(name, shift=3)

    def _huge(self, name: str) -> None:
        """Claim that the file is larger than any file can be."""
        self._good(name, total=1 << 62)

    def _garbage(self, name: str) -> None:
        self.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        self.close_connection = True

    def _loop(self, name: str) -> None:
        self._empty(302, Location=self.path)

    def _away(self, name: str) -> None:
        """Redirect to a file of this machine."""
        self._empty(302, Location="file:///etc/passwd")

    def _moved(self, name: str) -> None:
        """Redirect as hubs do: to another server."""
        self._empty(302, Location=f"http://localhost:{self.web.port}/good/{name}")

    def _denied(self, name: str) -> None:
        self._empty(403)

    def _failing(self, name: str) -> None:
        self._empty(503)

    def _flaky(self, name: str) -> None:
        """Fail every other time."""
        if len(self.web.asked) % 2:
            self._empty(503)
        else:
            self._good(name)

    def _zeros(self, name: str) -> None:
        """Serve ranges of a file with a hole, as fast as they are asked for."""
        self._good(name)


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
