"""An editor, as far as a server can tell: it runs the server in a thread, over pipes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from modellint.cli.lsp import _check_outputs
from modellint.lsp.server import EditorServer
from modellint.serving.framing import Framing, HeaderFraming
from tests.support import PATIENCE

Message = dict[str, Any]


class Connection:
    """The client's end of a connection to a server that runs in a thread."""

    def __init__(self, framing: Framing, serve: Callable[[BinaryIO, BinaryIO], object]) -> None:
        to_server, self._to_server = os.pipe()
        from_server, to_client = os.pipe()
        self._framing = framing
        self._incoming = os.fdopen(from_server, "rb")
        self._received: SimpleQueue[Message | None] = SimpleQueue()
        self.kept: list[Message] = []
        self.ended: object = "running"
        self._count = 0
        source, sink = os.fdopen(to_server, "rb"), os.fdopen(to_client, "wb")

        def run() -> None:
            with source, sink:
                self.ended = serve(source, sink)

        self._server = Thread(target=run, daemon=True)
        self._server.start()
        self._reader = Thread(target=self._receive, daemon=True)
        self._reader.start()

    def send_bytes(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._to_server, data) :]

    def send(self, message: object) -> None:
        self.send_bytes(self._framing.framed(json.dumps(message).encode()))

    def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def begin(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Send a request; return its id."""
        self._count += 1
        self.send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params or {}})
        return self._count

    def answer(self, request: object) -> Message:
        return self.wait(lambda each: each.get("id") == request and "method" not in each)

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the result of a request, which must not fail."""
        answer = self.answer(self.begin(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, params: Mapping[str, Any] | None = None) -> Message:
        answer: Message = self.answer(self.begin(method, params))["error"]
        return answer

    def wait(self, wanted: Callable[[Message], bool]) -> Message:
        """Return the first message that is wanted, whenever it comes."""
        for each in self.kept:
            if wanted(each):
                self.kept.remove(each)
                return each
        while True:
            try:
                message = self._received.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no answer; other messages: {self.kept}") from None
            assert message is not None, f"the server has ended: {self.kept}"
            if wanted(message):
                return message
            self.kept.append(message)

    def finish(self) -> object:
        """End the stream; return what the server returned."""
        os.close(self._to_server)
        for thread in (self._server, self._reader):
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return self.ended

    def _receive(self) -> None:
        with self._incoming:
            while (body := self._framing.read(self._incoming)) is not None:
                self._received.put(json.loads(body))
        self._received.put(None)


class Editor(Connection):
    """A client of the language server."""

    def __init__(self, folder: Path, **capabilities: Any) -> None:
        super().__init__(
            HeaderFraming(),
            lambda source, sink: EditorServer(source, sink, _check_outputs).serve(),
        )
        self.folder = folder
        self._versions: dict[str, int] = {}
        self.told = self.call(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": capabilities,
                "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}],
            },
        )
        self.notify("initialized")

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str, language: str = "toml") -> None:
        item = {**self._next(name), "languageId": language, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def _next(self, name: str) -> Message:
        self._versions[name] = self._versions.get(name, 0) + 1
        return {"uri": self.uri(name), "version": self._versions[name]}

    def change(self, name: str, text: str) -> None:
        document = self._next(name)
        params = {"textDocument": document, "contentChanges": [{"text": text}]}
        self.notify("textDocument/didChange", params)

    def diagnostics(self, name: str) -> list[Message]:
        """Return the diagnostics about a document as it was sent last, or the next of a model."""
        uri, method = self.uri(name), "textDocument/publishDiagnostics"
        version = self._versions.get(name) if name.endswith(".toml") else None
        found = self.wait(
            lambda each: (
                each.get("method") == method
                and each["params"]["uri"] == uri
                and each["params"].get("version") == version
            )
        )
        diagnostics: list[Message] = found["params"]["diagnostics"]
        return diagnostics

    def at(self, name: str, line: int, character: int) -> Message:
        position = {"line": line, "character": character}
        return {"textDocument": {"uri": self.uri(name)}, "position": position}

    def completions(self, name: str, text: str) -> dict[str, Message]:
        """Return what can be written where a text has a ``|``, by label."""
        before, _, after = text.partition("|")
        self.change(name, before + after)
        lines = before.split("\n")
        result = self.call("textDocument/completion", self.at(name, len(lines) - 1, len(lines[-1])))
        return {item["label"]: item for item in (result or {"items": []})["items"]}
