"""An editor's side of a conversation, by pygls: run by its environment's Python.

    editor_client.py FOLDER COMMAND...    prints what the server answered, as JSON

lsprotocol turns each message into its classes, and so accepts only what the protocol has.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

CONFIG = 'targets = ["a10"]\nbatch = 0\n'
PATIENCE = 240


async def main(folder: str, command: str, *arguments: str) -> dict[str, Any]:
    client = LanguageClient("tests", "1")
    published: asyncio.Queue[Any] = asyncio.Queue()
    registered: list[str] = []

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)  # type: ignore[untyped-decorator]
    def register(params: types.RegistrationParams) -> None:
        registered.extend(each.method for each in params.registrations)

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
    def publish(params: types.PublishDiagnosticsParams) -> None:
        published.put_nowait(params)

    await client.start_io(command, *arguments)
    root = Path(folder)
    watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
    workspace = types.WorkspaceClientCapabilities(did_change_watched_files=watching)
    told = await client.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(workspace=workspace),
            workspace_folders=[types.WorkspaceFolder(root.as_uri(), "tests")],
        )
    )
    client.initialized(types.InitializedParams())
    config = types.TextDocumentIdentifier((root / "modellint.toml").as_uri())
    item = types.TextDocumentItem(config.uri, "toml", 1, CONFIG)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    mistake = (await asyncio.wait_for(published.get(), PATIENCE)).diagnostics[0]
    at_target = types.Position(0, 13)
    completion = await client.text_document_completion_async(
        types.CompletionParams(config, at_target)
    )
    item = next(each for each in completion.items if each.label == "a10")
    resolved = await client.completion_item_resolve_async(item)
    hover = await client.text_document_hover_async(types.HoverParams(config, at_target))
    model = (root / "info.onnx").as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(model, "onnx", 1, ""))
    )
    findings = (await asyncio.wait_for(published.get(), PATIENCE)).diagnostics
    page = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("modellint.inspect", [model])
    )
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return {
        "server": told.server_info.name,
        "registered": registered,
        "mistake": [mistake.message, mistake.range.start.line],
        "documentation": resolved.documentation.value,
        "hover": hover.contents.value,
        "codes": [each.code for each in findings],
        "page": page[:100],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
