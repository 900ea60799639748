"""The server's end of a JSON-RPC connection: requests in, answers and notifications out."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from threading import Lock, Thread
from typing import Any, BinaryIO

from modellint.base.errors import ModellintError
from modellint.base.records import dataclass
from modellint.serving.framing import BrokenStreamError, Framing, TooLongError

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603

MOST_RUNNING = 32
"""Requests that wait for an answer that takes long."""

Params = Mapping[str, Any]
RequestId = str | int
Handler = Callable[[Params], Any]
"""Takes the parameters and returns the result. An `RpcError` becomes the answer."""


class RpcError(ModellintError):
    """An error that is the answer to a request."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def content(self) -> dict[str, object]:
        more = {} if self.data is None else {"data": self.data}
        return {"code": self.code, "message": str(self), **more}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is answered by a thread of its own, for as long as that takes."""

    id: RequestId
    params: Params


class Endpoint:
    """Reads messages and answers them until the stream ends, or `stop` is called.

    What is quick is answered in order. A request whose method is in `slow` runs in a thread, and
    may be cancelled: it then gets no answer, or the error `cancelled`.
    """

    def __init__(self, framing: Framing, source: BinaryIO, sink: BinaryIO) -> None:
        self._framing = framing
        self._source = source
        self._sink = sink
        self._lock = Lock()
        self._running: dict[RequestId, Call] = {}
        self._is_stopped = False
        self.requests: dict[str, Handler] = {}
        self.slow: dict[str, Callable[[Call], Any]] = {}
        self.notifications: dict[str, Callable[[Params], None]] = {}
        self.cancelled: RpcError | None = None
        """The answer to a request that was cancelled; None to give none."""

    def serve(self) -> bool:
        """Answer messages; return False if the stream ended before `stop` was called."""
        while not self._is_stopped:
            try:
                body = self._framing.read(self._source)
            except TooLongError as error:
                self._fail(None, RpcError(INVALID_REQUEST, str(error)))
                continue
            except BrokenStreamError as error:
                sys.stderr.write(f"error: {error}\n")
                return False
            except OSError:
                return False
            if body is None:
                return False
            self._take(body)
        return True

    def stop(self) -> None:
        self._is_stopped = True

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: object) -> None:
        """Send a request whose answer does not matter."""
        self._send({"jsonrpc": "2.0", "id": method, "method": method, "params": params})

    def drop(self, request: RequestId) -> Call | None:
        """Take a running request out, so that it gets no answer of its own."""
        with self._lock:
            call = self._running.pop(request, None)
        if call is not None and self.cancelled is not None:
            self._fail(request, self.cancelled)
        return call

    def _take(self, body: bytes) -> None:
        """Act on one message."""
        try:
            message = _parsed(body)
        except ValueError as error:
            self._fail(None, RpcError(PARSE_ERROR, f"not JSON: {error}"))
            return
        except RecursionError:
            self._fail(None, RpcError(PARSE_ERROR, "nested too deeply"))
            return
        request = message.get("id") if isinstance(message, dict) else None
        if not _is_id(request):
            request = None
        try:
            self._dispatch(message, request)
        except RpcError as error:
            self._fail(request, error)

    def _dispatch(self, message: Any, request: RequestId | None) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise RpcError(INVALID_REQUEST, "not a message of JSON-RPC 2.0")
        if "method" not in message and ("result" in message or "error" in message):
            return  # an answer to a request of ours
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str) or ("id" in message and request is None):
            raise RpcError(INVALID_REQUEST, "a method is a text, an id a text or an integer")
        params = {} if params is None else params
        if not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, "parameters are an object")
        if request is None:
            self._hear(method, params)
        elif method in self.slow:
            self._begin(Call(request, params), self.slow[method])
        elif method in self.requests:
            self._succeed(request, _guarded(lambda: self.requests[method](params)))
        else:
            raise RpcError(METHOD_NOT_FOUND, f"unknown method {method[:100]!r}")

    def _hear(self, method: str, params: Params) -> None:
        """Act on a notification, which has no answer, whatever it is."""
        handler = self.notifications.get(method)
        if handler is not None:
            try:
                _guarded(lambda: handler(params))
            except RpcError as error:
                sys.stderr.write(f"error: {method}: {error}\n")

    def _begin(self, call: Call, handler: Callable[[Call], Any]) -> None:
        with self._lock:
            if call.id in self._running:
                raise RpcError(INVALID_REQUEST, "this id is in use")
            if len(self._running) >= MOST_RUNNING:
                raise RpcError(INTERNAL_ERROR, f"{MOST_RUNNING} requests are waiting already")
            self._running[call.id] = call
        Thread(target=self._run, args=(call, handler), daemon=True).start()

    def _run(self, call: Call, handler: Callable[[Call], Any]) -> None:
        try:
            result = _guarded(lambda: handler(call))
        except RpcError as error:
            if self._ends(call):
                self._fail(call.id, error)
        else:
            if self._ends(call):
                self._succeed(call.id, result)

    def _ends(self, call: Call) -> bool:
        with self._lock:
            return self._running.pop(call.id, None) is not None

    def _succeed(self, request: RequestId, result: object) -> None:
        self._send({"jsonrpc": "2.0", "id": request, "result": result})

    def _fail(self, request: RequestId | None, error: RpcError) -> None:
        self._send({"jsonrpc": "2.0", "id": request, "error": error.content()})

    def _send(self, message: object) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        try:
            with self._lock:
                self._sink.write(self._framing.framed(body))
                self._sink.flush()
        except (OSError, ValueError):  # the client is gone
            self._is_stopped = True


def standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return standard input and output. Whatever else is printed goes to standard error."""
    output: Any = sys.stdout
    sys.stdout = sys.stderr
    return sys.stdin.buffer, output.detach()  # or it would be closed with what is around it


def _parsed(body: bytes) -> Any:
    return json.loads(body.decode(), parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _guarded(handle: Callable[[], Any]) -> Any:
    """Return what a handler does; raise RpcError for all that goes wrong."""
    try:
        return handle()
    except RpcError:
        raise
    except ModellintError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from error
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        raise RpcError(INTERNAL_ERROR, f"internal error: {type(error).__name__}") from error
