"""The protocol: revision 2026-07-28, in which each request stands for itself, and those before it,
which begin with `initialize`."""

from __future__ import annotations

from typing import Any, BinaryIO

from modellint.base.errors import UsageError
from modellint.base.version import __version__
from modellint.mcp.tools import TOOLS, find_tool
from modellint.serving.endpoint import INVALID_PARAMS, Call, Endpoint, Params, RpcError
from modellint.serving.framing import LineFraming
from modellint.serving.work import WorkEndedError, Worker

MODERN = ("2026-07-28",)
LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
UNSUPPORTED_VERSION = -32022
_PREFIX = "io.modelcontextprotocol/"
VERSION, CAPABILITIES = f"{_PREFIX}protocolVersion", f"{_PREFIX}clientCapabilities"
SERVER = {"name": "modellint", "title": "modellint", "version": __version__}
OFFERED: dict[str, Any] = {"tools": {}}
HOUR = 3_600_000
INSTRUCTIONS = (
    "Lints neural-network model files for the device that they are to run on. Paths are relative "
    "to the folder that is served. Start with check; explain_rule says more about a code."
)


class AgentServer:
    """Answers agents until their client closes the stream."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, seconds: float) -> None:
        self._worker = Worker("mcp.child", seconds)
        self._endpoint = Endpoint(LineFraming(), source, sink)
        self._is_initialized = False
        self._endpoint.requests = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": self._ping,
            "tools/list": self._list,
        }
        self._endpoint.slow = {"tools/call": self._call}
        self._endpoint.notifications = {"notifications/cancelled": self._cancel}

    def serve(self) -> None:
        try:
            self._endpoint.serve()
        finally:
            self._worker.end()

    # Opening a connection

    def _initialize(self, params: Params) -> dict[str, Any]:
        asked = params.get("protocolVersion")
        if not isinstance(asked, str):
            raise RpcError(INVALID_PARAMS, "protocolVersion is missing")
        self._is_initialized = True
        return {
            "protocolVersion": asked if asked in LEGACY else LEGACY[-1],
            "capabilities": OFFERED,
            "serverInfo": SERVER,
            "instructions": INSTRUCTIONS,
        }

    def _discover(self, params: Params) -> dict[str, Any]:
        return self._complete(
            params,
            {
                "supportedVersions": list(MODERN),
                "capabilities": OFFERED,
                "instructions": INSTRUCTIONS,
                "ttlMs": HOUR,
                "cacheScope": "public",
            },
        )

    def _ping(self, params: Params) -> dict[str, Any]:
        return {}

    # Tools

    def _list(self, params: Params) -> dict[str, Any]:
        listed: dict[str, Any] = {"tools": [tool.entry() for tool in TOOLS]}
        if self._is_modern(params):
            listed |= {"ttlMs": HOUR, "cacheScope": "public"}
        return self._complete(params, listed)

    def _call(self, call: Call) -> dict[str, Any]:
        params = call.params
        self._is_modern(params)
        name, arguments = params.get("name"), params.get("arguments")
        tool = find_tool(name) if isinstance(name, str) else None
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"unknown tool {str(name)[:100]!r}")
        try:
            tool.require_valid({} if arguments is None else arguments)
            text, content = self._worker.do(call.id, tool.name, arguments or {})
        except (UsageError, WorkEndedError) as error:
            return self._complete(params, {"content": _text(str(error)), "isError": True})
        more = {} if content is None else {"structuredContent": content}
        return self._complete(params, {"content": _text(text), **more, "isError": False})

    def _cancel(self, params: Params) -> None:
        request = params.get("requestId")
        if isinstance(request, str | int) and self._endpoint.drop(request) is not None:
            self._worker.cancel(request)

    def _complete(self, params: Params, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result as the revision of the request has it."""
        if not self._is_modern(params):
            return result
        return {"resultType": "complete", **result, "_meta": {f"{_PREFIX}serverInfo": SERVER}}

    def _is_modern(self, params: Params) -> bool:
        """Return True if a request states its revision; raise for what no revision allows."""
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        version = meta.get(VERSION)
        if version is None:
            if self._is_initialized:
                return False
            raise RpcError(INVALID_PARAMS, f"_meta lacks {VERSION}, and nothing was initialized")
        if version not in MODERN:
            data = {"supported": list(MODERN), "requested": str(version)[:100]}
            raise RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
        if not isinstance(meta.get(CAPABILITIES), dict):
            raise RpcError(INVALID_PARAMS, f"_meta lacks {CAPABILITIES}")
        return True


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]
