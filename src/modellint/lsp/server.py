"""The protocol: requests of an editor, and the server's capabilities."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from modellint.base.errors import UsageError
from modellint.base.mistakes import FileMistake
from modellint.base.version import __version__
from modellint.config.load import NAMES
from modellint.lsp.documents import TOP, UTF_16, UTF_32, OpenDocument, path_of, uri_of
from modellint.lsp.texts import ConfigCheck, diagnose, diagnose_rule, kind_of
from modellint.serving.chores import Chores
from modellint.serving.endpoint import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    Call,
    Endpoint,
    Params,
    RpcError,
)
from modellint.serving.framing import HeaderFraming

if TYPE_CHECKING:
    from modellint.lsp.models import ModelLinter
    from modellint.lsp.words import Word

NOT_INITIALIZED, CANCELLED = -32002, -32800
LINT, INSPECT = "modellint.lint", "modellint.inspect"
"""Commands that clients may have executed, with a model's URI."""
TYPING = 0.3
"""Seconds to wait for another keystroke."""
LARGEST_TEXT = 1 << 20
"""Characters of a document that is looked at; ONNX's text syntax may have more."""
MOST_TARGETS = 50
TEXT_MODEL = ".onnxtxt"
WATCHING = 5.0
"""Seconds between looks whether the editor lives."""


class EditorServer:
    """Answers one editor until it sends `exit` or disconnects."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, check: ConfigCheck) -> None:
        self._endpoint = Endpoint(HeaderFraming(), source, sink)
        self._check = check
        self._state = "new"
        self._units = UTF_16
        self._folders: list[Path] = []
        self._watches = False
        self._documents: dict[str, OpenDocument] = {}
        self._failures: dict[str, tuple[OpenDocument, list[Any]]] = {}
        """Mistakes in the examples of rule files, as they were saved."""
        self._offered: dict[str, Word] = {}
        self._chores = Chores()
        self._linter: ModelLinter | None = None
        self._lints = True
        self._given: Mapping[str, Any] = {}
        self._endpoint.cancelled = RpcError(CANCELLED, "cancelled")
        self._endpoint.requests = {
            "initialize": self._initialize,
            "shutdown": self._shut_down,
            "textDocument/completion": self._when_ready(self._complete),
            "completionItem/resolve": self._when_ready(self._resolve),
            "textDocument/hover": self._when_ready(self._hover),
            "textDocument/definition": self._when_ready(self._define),
        }
        self._endpoint.slow = {"workspace/executeCommand": self._execute}
        self._endpoint.notifications = {
            "initialized": self._watch_files,
            "exit": lambda params: self._endpoint.stop(),
            "$/cancelRequest": self._cancel,
            "textDocument/didOpen": self._open,
            "textDocument/didChange": self._change,
            "textDocument/didSave": self._save,
            "textDocument/didClose": self._close,
            "workspace/didChangeWatchedFiles": self._files_changed,
            "workspace/didChangeWorkspaceFolders": self._folders_changed,
            "workspace/didChangeConfiguration": self._settings_changed,
        }

    def serve(self) -> int:
        """Return the exit code: 0 if the editor asked to shut down before."""
        try:
            self._endpoint.serve()
        finally:
            if self._linter is not None:
                self._linter.end()
        return 0 if self._state == "shut down" else 1

    # Beginning and end

    def _initialize(self, params: Params) -> dict[str, Any]:
        if self._state != "new":
            raise RpcError(INVALID_REQUEST, "it is initialized already")
        self._state = "ready"
        client = _dict(params.get("capabilities"))
        offered = _dict(client.get("general")).get("positionEncodings")
        if isinstance(offered, list) and UTF_32 in offered:
            self._units = UTF_32
        workspace = _dict(client.get("workspace"))
        watching = _dict(workspace.get("didChangeWatchedFiles"))
        self._watches = watching.get("dynamicRegistration") is True
        roots = params.get("workspaceFolders") or [{"uri": params.get("rootUri")}]
        self._folders = _paths(roots)
        self._take_settings(params.get("initializationOptions"))
        if isinstance(parent := params.get("processId"), int):
            _end_with(parent)
        return {"capabilities": self._capabilities(), "serverInfo": _NAME}

    def _capabilities(self) -> dict[str, Any]:
        return {
            "positionEncoding": self._units,
            "textDocumentSync": {"openClose": True, "change": 1, "save": True},
            "completionProvider": {
                "triggerCharacters": ['"', "'", "[", ".", "=", "|"],
                "resolveProvider": True,
            },
            "hoverProvider": True,
            "definitionProvider": True,
            "executeCommandProvider": {"commands": [LINT, INSPECT]},
            "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
        }

    def _shut_down(self, params: Params) -> None:
        self._state = "shut down"

    def _when_ready(self, handle: Callable[[Params], Any]) -> Callable[[Params], Any]:
        def handler(params: Params) -> Any:
            self._require_ready()
            return handle(params)

        return handler

    def _require_ready(self) -> None:
        if self._state == "new":
            raise RpcError(NOT_INITIALIZED, "it is not initialized")
        if self._state != "ready":
            raise RpcError(INVALID_REQUEST, "it was shut down")

    def _cancel(self, params: Params) -> None:
        request = params.get("id")
        if isinstance(request, str | int) and self._endpoint.drop(request) is not None:
            self._models.cancel_page(request)

    @property
    def _models(self) -> ModelLinter:
        """The linter of models, imported with the first of them."""
        if self._linter is None:
            from modellint.lsp.models import ModelLinter

            self._linter = ModelLinter(self._publish, self._documents.get)
        self._linter.given, self._linter.folders = self._given, self._folders
        return self._linter

    # Documents

    def _open(self, params: Params) -> None:
        item = _dict(params.get("textDocument"))
        self._take_text(item, item.get("text"))
        path = path_of(item.get("uri"))
        if path is not None and self._is_model(path):
            self._models.lint(path)

    def _change(self, params: Params) -> None:
        item, changes = _dict(params.get("textDocument")), params.get("contentChanges")
        if isinstance(changes, list) and changes:
            self._take_text(item, _dict(changes[-1]).get("text"))
        path = path_of(item.get("uri"))
        if path is not None and self._is_model(path):
            self._models.cancel(path)

    def _save(self, params: Params) -> None:
        uri = _dict(params.get("textDocument")).get("uri")
        path = path_of(uri)
        if path is None:
            return
        if self._is_model(path):
            self._models.lint(path, TYPING)
        if path.suffix == ".toml":
            self._reconsider()
            self._try_examples(str(uri))

    def _try_examples(self, uri: str) -> None:
        """Run the examples of a rule file that was saved without mistakes."""
        document = self._documents.get(uri)
        if document is None or kind_of(document) != "rule" or diagnose(document, self._check):
            return

        def show(mistakes: list[FileMistake]) -> None:
            self._failures[uri] = document, list(diagnose_rule(document, mistakes))
            self._diagnose(uri)

        self._models.try_examples(document.path, show)

    def _close(self, params: Params) -> None:
        uri = _dict(params.get("textDocument")).get("uri")
        path = path_of(uri)
        if isinstance(uri, str) and self._documents.pop(uri, None) is not None:
            self._chores.forget(uri)
            self._failures.pop(uri, None)
            self._publish(uri, [])
        if path is not None and self._linter is not None and self._is_model(path):
            self._linter.forget(path)

    def _take_text(self, item: Mapping[str, Any], text: object) -> None:
        """Keep the text of a relevant document, and schedule its check."""
        uri, version = item.get("uri"), item.get("version")
        path = path_of(uri)
        if path is None or not isinstance(uri, str) or not isinstance(text, str):
            return
        if path.suffix not in (".toml", TEXT_MODEL) or len(text) > LARGEST_TEXT:
            self._documents.pop(uri, None)
            return
        number = version if isinstance(version, int) else None
        self._documents[uri] = OpenDocument(uri, path, text, number, self._units)
        if path.suffix == ".toml":
            self._chores.later(uri, TYPING, partial(self._diagnose, uri))

    def _diagnose(self, uri: str) -> None:
        document = self._documents.get(uri)
        if document is not None and kind_of(document) is not None:
            found = diagnose(document, self._check)
            tried, failures = self._failures.get(uri, (None, []))
            found += failures if tried is document else []
            if self._documents.get(uri) is document:
                self._publish(uri, found, document.version)

    def _reconsider(self) -> None:
        """Check again whatever depends on a configuration, a rule or a target."""
        for uri, document in tuple(self._documents.items()):
            if document.path.suffix == ".toml":
                self._chores.later(uri, TYPING, partial(self._diagnose, uri))
        if self._linter is not None:
            self._models.again()

    def _publish(self, uri: str, found: list[Any], version: int | None = None) -> None:
        more = {} if version is None else {"version": version}
        params = {"uri": uri, "diagnostics": found, **more}
        self._endpoint.notify("textDocument/publishDiagnostics", params)

    # The workspace

    def _watch_files(self, params: Params) -> None:
        """Ask the client to say which models and configurations change."""
        if not self._watches:
            return
        from modellint.lsp.models import globs

        patterns = [*globs(), *(f"**/{name}" for name in NAMES)]
        watchers = [{"globPattern": pattern} for pattern in patterns]
        method = "workspace/didChangeWatchedFiles"
        entry = {"id": "files", "method": method, "registerOptions": {"watchers": watchers}}
        self._endpoint.ask("client/registerCapability", {"registrations": [entry]})

    def _files_changed(self, params: Params) -> None:
        from modellint.lsp.models import PAUSE, is_linted

        for change in _dicts(params.get("changes")):
            path, is_deleted = path_of(change.get("uri")), change.get("type") == 3
            if path is None:
                continue
            if path.suffix == ".toml":
                self._reconsider()
            elif is_deleted and self._linter is not None:
                self._linter.forget(path)
            elif not is_deleted and self._lints and is_linted(path, self._folders):
                self._models.lint(path, PAUSE, is_named=False)

    def _folders_changed(self, params: Params) -> None:
        event = _dict(params.get("event"))
        removed = _paths(event.get("removed"))
        kept = [folder for folder in self._folders if folder not in removed]
        self._folders = [*kept, *_paths(event.get("added"))]

    def _settings_changed(self, params: Params) -> None:
        settings = _dict(params.get("settings"))
        self._take_settings(settings.get("modellint", settings))
        self._reconsider()

    def _take_settings(self, settings: object) -> None:
        """Use the client's settings: `targets`, a list, and `lintModels`."""
        given = _dict(settings)
        targets = given.get("targets")
        names = targets[:MOST_TARGETS] if isinstance(targets, list) else []
        chosen = tuple(each for each in names if isinstance(each, str) and each)
        self._given = {"targets": chosen} if chosen else {}
        self._lints = given.get("lintModels") is not False

    def _is_model(self, path: Path) -> bool:
        from modellint.formats.registry import is_model

        return self._lints and is_model(path) and path.is_file()

    def _execute(self, call: Call) -> Any:
        self._require_ready()
        arguments = call.params.get("arguments")
        path = path_of(arguments[0]) if isinstance(arguments, list) and arguments else None
        if path is None:
            raise RpcError(INVALID_PARAMS, "expected the URI of a model")
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        command = call.params.get("command")
        if command == LINT:
            self._models.lint(path)
            return None
        if command == INSPECT:
            return self._models.page(call.id, path)
        raise RpcError(INVALID_PARAMS, f"unknown command {str(command)[:100]!r}")

    # Words

    def _complete(self, params: Params) -> Any:
        found = self._place(params)
        if found is None:
            return None
        from modellint.lsp.completing import Completion

        completion = Completion(*found)
        self._offered = {word.text: word for word in completion.words}
        return {"isIncomplete": False, "items": completion.items()}

    def _resolve(self, params: Params) -> Any:
        word = self._offered.get(str(params.get("label")))
        if word is None or not word.meaning:
            return dict(params)
        return {**params, "documentation": _markdown(word.meaning)}

    def _hover(self, params: Params) -> Any:
        found = self._place(params)
        if found is None:
            return None
        from modellint.lsp.completing import meaning_at

        return meaning_at(*found)

    def _define(self, params: Params) -> Any:
        found = self._place(params)
        if found is None:
            return None
        from modellint.lsp.completing import rule_file_at

        path = rule_file_at(*found)
        return {"uri": uri_of(path), "range": TOP} if path is not None else None

    def _place(self, params: Params) -> tuple[OpenDocument, int] | None:
        """Return the document and the offset that a request is about."""
        document = self._documents.get(str(_dict(params.get("textDocument")).get("uri")))
        if document is None or kind_of(document) is None:
            return None
        try:
            return document, document.offset(params["position"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise RpcError(INVALID_PARAMS, "expected a position") from None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return map(_dict, value if isinstance(value, list) else ())


def _paths(folders: object) -> list[Path]:
    """Return folders of a workspace, as far as they are on this machine."""
    found = (path_of(folder.get("uri")) for folder in _dicts(folders))
    return [path for path in found if path is not None]


def _markdown(text: str) -> dict[str, str]:
    return {"kind": "markdown", "value": text}


_NAME = {"name": "modellint", "version": __version__}


def _end_with(parent: int) -> None:
    """End the program when the client process ends, in case another one keeps the streams open."""

    def watch() -> None:
        while _is_alive(parent):
            time.sleep(WATCHING)
        sys.stderr.write("the editor is gone\n")
        os._exit(1)

    if os.name == "posix":  # elsewhere, asking whether a process lives could end it
        Thread(target=watch, daemon=True).start()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to someone else
        return True
    return True
