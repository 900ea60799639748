"""Files on a web server, in ranges, with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from modellint.base.records import dataclass
from modellint.base.version import __version__
from modellint.remote.background import THREADS
from modellint.remote.origin import (
    CHANGED,
    PAUSE,
    REMOVED,
    SLOWEST,
    TRIES,
    FetchError,
    Patience,
    RemoteFile,
    StalledError,
    Traffic,
    UnrangedError,
)

PIECE = 1 << 16
MOST_REDIRECTS = 5
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that may be others next time."""
_GONE = frozenset({404, 410})
_DENIED = frozenset({401, 403})
_CHANGED = 412
_NO_SUCH_RANGE = 416
_MOVED = frozenset({301, 302, 303, 307, 308})
_free: dict[str, list[http.client.HTTPConnection]] = {}
"""Connections that are open and not in use, by server: one folder may be on it for each address."""
_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19})")
_LENGTH = re.compile(r"\d{1,19}")


@dataclass(slots=True)
class WebAnswer:
    """Answer of a server, before its body."""

    status: int
    headers: http.client.HTTPMessage
    body: http.client.HTTPResponse
    deadline: float
    connection: http.client.HTTPConnection
    server: str

    def length(self) -> int | None:
        stated = self.headers.get("Content-Length", "")
        return int(stated) if _LENGTH.fullmatch(stated) else None

    def whole(self, most: int) -> bytes:
        """Return a body of any length up to a limit, such as one that comes in chunks."""
        pieces: list[bytes] = []
        left = most
        while left > 0 and (piece := self.body.read1(min(left, PIECE))):
            if time.monotonic() > self.deadline:
                raise StalledError("the server sends too slowly")
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    @property
    def tag(self) -> str:
        return self.headers.get("ETag") or self.headers.get("Last-Modified") or ""


class WebFolder:
    """The folder of a file on a web server, which does not list its other files."""

    checks_tags = True
    _is_pinned = False
    """True if the address says which version of the files it is."""

    def __init__(self, top: str, query: str = "", seconds: float = 30.0) -> None:
        parts = urlsplit(top)
        self._top = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._query = query
        self._patience = Patience(parts.netloc)
        self._authority = parts.netloc.rpartition("@")[0]
        self._seconds = seconds

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        wanted = {"Range": f"bytes=0-{head - 1}"} if head else {}
        with self._asked("GET" if head else "HEAD", name, wanted, traffic) as answer:
            if answer.status in _GONE:
                return None
            if answer.status == _NO_SUCH_RANGE:  # how a server says that a file is empty
                return RemoteFile(name, _range(answer)[2], answer.tag)
            if answer.status == 206:
                start, stop, size = _range(answer)
                if start != 0:
                    raise FetchError("the server sends different bytes than requested")
                first = self._body(answer, stop, traffic)
                return RemoteFile(name, size, answer.tag, first)
            size = _size(answer)
            return RemoteFile(name, size, answer.tag, in_ranges=not head)

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        raise FetchError("a web server cannot list a folder; name a file")

    def read(self, entry: RemoteFile, start: int, stop: int, traffic: Traffic) -> bytes:
        wanted = {"Range": f"bytes={start}-{stop - 1}"}
        if not self._is_pinned and entry.tag.startswith('"'):
            wanted["If-Match"] = entry.tag
        with self._asked("GET", entry.name, wanted, traffic) as answer:
            if answer.status == _CHANGED or self._is_other(answer, entry):
                raise FetchError(CHANGED)
            if answer.status in _GONE:
                raise FetchError(REMOVED)
            if answer.status == _NO_SUCH_RANGE:
                raise FetchError("the server has fewer bytes than it announced")
            if answer.status == 200:
                raise UnrangedError("the server only sends complete files")
            told = _range(answer)
            if told[2] != entry.size:
                raise FetchError(CHANGED)
            if told[:2] != (start, stop):
                raise FetchError("the server sends different bytes than requested")
            return self._body(answer, stop - start, traffic)

    def download(self, entry: RemoteFile, file: BinaryIO, traffic: Traffic) -> None:
        with self._asked("GET", entry.name, {}, traffic) as answer:
            if answer.status in _GONE:
                raise FetchError(REMOVED)
            if self._is_other(answer, entry):
                raise FetchError(CHANGED)
            file.writelines(self._pieces(answer, entry.size, traffic))

    def _is_other(self, answer: WebAnswer, entry: RemoteFile) -> bool:
        """Return True if a file has another tag by now."""
        return not self._is_pinned and bool(entry.tag) and answer.tag not in ("", entry.tag)

    def _body(self, answer: WebAnswer, length: int, traffic: Traffic) -> bytes:
        return b"".join(self._pieces(answer, length, traffic))

    def _pieces(self, answer: WebAnswer, length: int, traffic: Traffic) -> Iterator[bytes]:
        """Iterate over exactly that many bytes, however slowly they come."""
        stated = answer.length()
        if stated is not None and stated != length:
            raise FetchError(f"the server announced {stated} bytes where {length} belong")
        deadline = answer.deadline + length / SLOWEST
        left = length
        while left:
            piece = answer.body.read1(min(left, PIECE))
            if not piece:
                raise FetchError(f"the server's answer is {left} bytes too short")
            traffic.add(nbytes=len(piece))
            left -= len(piece)
            if time.monotonic() > deadline:
                raise StalledError("the server sends too slowly")
            yield piece

    @contextmanager
    def _asked(
        self, method: str, name: str, headers: dict[str, str], traffic: Traffic
    ) -> Iterator[WebAnswer]:
        """Yield the answer about a file."""
        with self._asked_at(method, self._address(name), headers, traffic) as answer:
            yield answer

    def _address(self, name: str) -> str:
        url = f"{self._top}{quote(name, safe='/-._~')}"
        return f"{url}?{self._query}" if self._query else url

    @contextmanager
    def _asked_at(
        self, method: str, url: str, headers: dict[str, str], traffic: Traffic
    ) -> Iterator[WebAnswer]:
        """Yield the answer to a request; its connection is kept if all of the answer was read."""
        answer = self._answered(method, url, headers, traffic)
        try:
            yield _accepted(answer)
            self._patience.answered()
            if answer.body.length == 0:
                answer.body.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(error) from error
        finally:
            self._finish(answer)

    def _answered(
        self, method: str, url: str, headers: dict[str, str], traffic: Traffic
    ) -> WebAnswer:
        self._patience.require()
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            try:
                answer = self._followed(method, url, headers, traffic)
            except (OSError, http.client.HTTPException) as error:
                failure = self._failed(error)
                if attempt == TRIES - 1 or not _may_pass(error) or self._patience.is_short:
                    raise failure from error
                continue
            if answer.status not in _PASSING:
                return answer
            self._finish(answer)
        raise FetchError(f"the server fails (status {answer.status})")

    def _failed(self, error: Exception) -> FetchError:
        """Return what to say of a failure; addresses may contain secrets, so none is repeated."""
        if isinstance(error, StalledError | TimeoutError):
            return self._patience.stalled(self._seconds)
        if isinstance(error, FetchError):
            return error
        if isinstance(error, http.client.HTTPException):
            return FetchError(f"the server's answer ended early ({type(error).__name__})")
        reason = getattr(error, "strerror", None) or type(error).__name__
        return FetchError(f"the server cannot be reached ({reason})")

    def _followed(
        self, method: str, url: str, headers: dict[str, str], traffic: Traffic
    ) -> WebAnswer:
        """Return the answer to a request, wherever it is redirected to."""
        first = urlsplit(url)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._once(method, url, headers, traffic, with_secret=_same(url, first))
            if answer.status not in _MOVED:
                return answer
            self._finish(answer)
            moved = urljoin(url, answer.headers.get("Location") or "")
            scheme = urlsplit(moved).scheme
            if scheme not in ("http", "https") or (scheme, first.scheme) == ("http", "https"):
                raise FetchError("the server redirects to an unsafe URL")
            url = moved
        raise FetchError(f"the server redirects more than {MOST_REDIRECTS} times")

    def _once(
        self, method: str, url: str, headers: dict[str, str], traffic: Traffic, *, with_secret: bool
    ) -> WebAnswer:
        traffic.add(requests=1)
        parts = urlsplit(url)
        server, (connection, target) = f"{parts.scheme}://{parts.netloc}", self._connection(url)
        sent = {"User-Agent": f"modellint/{__version__}", "Accept-Encoding": "identity", **headers}
        secret = self._secret(parts.hostname or "") if with_secret else ""
        if secret:
            sent["Authorization"] = secret
        try:
            with _aborting(connection, self._seconds):
                connection.request(method, target, headers=sent)
                body = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        deadline = time.monotonic() + self._seconds
        return WebAnswer(body.status, body.headers, body, deadline, connection, server)

    def _secret(self, host: str) -> str:
        """Return credentials: those in the address, or those that ~/.netrc has for the server."""
        authority = unquote(self._authority)
        if not authority:
            import netrc

            with suppress(OSError, netrc.NetrcParseError):
                known = netrc.netrc().authenticators(host)
                authority = f"{known[0]}:{known[2]}" if known else ""
        return _basic(authority) if authority else ""

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, str]:
        """Return a connection to a server, and what to ask it for."""
        parts = urlsplit(url)
        proxy = getproxies().get(parts.scheme)
        if proxy and proxy_bypass(parts.hostname or ""):
            proxy = None
        free = _free.setdefault(f"{parts.scheme}://{parts.netloc}", [])
        try:
            connection = free.pop()
        except IndexError:
            connection = self._connected(parts.scheme, parts.netloc, proxy)
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        return connection, url if proxy and parts.scheme == "http" else path

    def _finish(self, answer: WebAnswer) -> None:
        """Keep the connection for the next request if all of the answer was read."""
        free, is_open = _free.setdefault(answer.server, []), answer.connection.sock is not None
        if answer.body.isclosed() and is_open and len(free) < THREADS:
            free.append(answer.connection)
        else:
            answer.body.close()
            answer.connection.close()

    def _connected(self, scheme: str, server: str, proxy: str | None) -> http.client.HTTPConnection:
        via = urlsplit(proxy if "://" in proxy else f"//{proxy}").netloc if proxy else ""
        secret, _, first = (via or server).rpartition("@")
        if scheme == "http":
            return http.client.HTTPConnection(first, timeout=self._seconds)
        import ssl

        context = ssl.create_default_context()
        secured = http.client.HTTPSConnection(first, timeout=self._seconds, context=context)
        if via:
            headers = {"Proxy-Authorization": _basic(unquote(secret))} if secret else {}
            secured.set_tunnel(server, headers=headers)
        return secured

    def close(self) -> None:
        for connections in list(_free.values()):
            while connections:
                connections.pop().close()


@contextmanager
def _aborting(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """End a connection on which an answer has not begun in time, however little trickles in."""
    late = threading.Event()

    def abort() -> None:
        late.set()
        with suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, abort)
    timer.daemon = True
    timer.start()
    failure: Exception | None = None
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        failure = error
    finally:
        timer.cancel()
    if late.is_set():  # even if the answer began just then: the rest of it will not come
        raise StalledError("the server does not answer") from failure
    if failure is not None:
        raise failure


def _basic(secret: str) -> str:
    return f"Basic {base64.b64encode(secret.encode()).decode()}"


def _same(url: str, first: Any) -> bool:
    parts = urlsplit(url)
    return (parts.scheme, parts.netloc) == (first.scheme, first.netloc)


def _may_pass(error: Exception) -> bool:
    """Return True for failures that may be temporary."""
    if isinstance(error, FetchError):
        return isinstance(error, StalledError)
    return not isinstance(error, socket.gaierror)


def _accepted(answer: WebAnswer) -> WebAnswer:
    """Return the answer if it is one that readers know; raise for all others."""
    if answer.status in _DENIED:
        raise FetchError(f"the server denies access (status {answer.status})")
    if answer.status in (200, 206, _CHANGED, _NO_SUCH_RANGE) or answer.status in _GONE:
        return answer
    raise FetchError(f"the server answered with status {answer.status}")


def _range(answer: WebAnswer) -> tuple[int, int, int]:
    """Return where the bytes of an answer begin and end, and the size of the file."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise FetchError("the server does not state which bytes it sends")
    if found[1] is None:
        return 0, 0, int(found[3])
    start, stop, size = int(found[1]), int(found[2]) + 1, int(found[3])
    if not start < stop <= size:
        raise FetchError("the server sends bytes beyond the file")
    return start, stop, size


def _size(answer: WebAnswer) -> int:
    size = answer.length()
    if size is None:
        raise FetchError("the server does not state the file size")
    return size
