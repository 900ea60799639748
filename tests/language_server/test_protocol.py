"""JSON-RPC over streams: what is malformed gets an error and harms nothing else."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from modellint.lsp.server import EditorServer
from modellint.mcp.server import AgentServer
from modellint.serving import framing
from modellint.serving.framing import HeaderFraming, LineFraming
from tests.language_server.client import Connection, Editor
from tests.support import PATIENCE, run_process

PARSE, INVALID, UNKNOWN, PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED = -32002

BODIES = [
    (b"{", PARSE),
    (b"\xff\xfe", PARSE),
    (b'{"a": NaN}', PARSE),
    (b"[" * 100_000, PARSE),
    (b"9" * 10_000, PARSE),
    (b"[]", INVALID),
    (b"null", INVALID),
    (b'[{"jsonrpc": "2.0", "id": 1, "method": "x"}]', INVALID),
    (b'{"id": 1, "method": "x"}', INVALID),
    (b'{"jsonrpc": "2.0", "id": 1}', INVALID),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', INVALID),
    (b'{"jsonrpc": "2.0", "id": null, "method": "x"}', INVALID),
    (b'{"jsonrpc": "2.0", "id": true, "method": "x"}', INVALID),
    (b'{"jsonrpc": "2.0", "id": {}, "method": "x"}', INVALID),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": [1]}', PARAMS),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', UNKNOWN),
    (b'{"jsonrpc": "2.0", "id": "a", "method": "%s"}' % (b"x" * 100_000), UNKNOWN),
]


@pytest.fixture(params=["header", "line"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A server that has not been initialized, in either framing."""
    connection = new_editor_server() if request.param == "header" else new_agent_server()
    yield connection
    connection.finish()


def new_editor_server() -> Connection:
    return Connection(
        HeaderFraming(), lambda source, sink: EditorServer(source, sink, print).serve()
    )


def new_agent_server() -> Connection:
    return Connection(LineFraming(), lambda source, sink: AgentServer(source, sink, 60).serve())


def test_what_is_malformed_is_answered_with_an_error(connection: Connection) -> None:
    frame = connection._framing.framed
    for body, code in BODIES:
        connection.send_bytes(frame(body))
        answer = connection.wait(lambda each: "error" in each)
        assert answer["error"]["code"] == code, body[:80]
        assert len(json.dumps(answer)) < 2000
    connection.send_bytes(frame(b'{"jsonrpc": "2.0", "method": "nothing"}'))  # no answer
    connection.send_bytes(frame(b'{"jsonrpc": "2.0", "id": 5, "result": {}}'))  # nor here
    assert connection.error("nothing")["code"] == UNKNOWN
    assert connection.kept == []


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LONGEST_BODY", 1000)
    monkeypatch.setattr(framing, "LONGEST_LINE", 1000)


@pytest.mark.usefixtures("small_limits")  # before there is a connection
def test_a_message_that_is_too_long_is_passed_over(connection: Connection) -> None:
    for size in (1001, 100_000):
        connection.send_bytes(connection._framing.framed(b" " * size))
        assert connection.wait(lambda each: "error" in each)["error"]["code"] == INVALID
    assert connection.error("nothing")["code"] == UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: five\r\n\r\n",
        b"\r\n",
        b"Content-Type: x\r\n\r\n{}",
        b"X" * 100_000,
        b"Content-Length: 10\r\n" * 1000,
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 100\r\n\r\n{",
        b"Content-Len",
        b"",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_stream_that_makes_no_sense_ends_the_server(data: bytes, tmp_path: Path) -> None:
    editor = Editor(tmp_path)
    with suppress(BrokenPipeError):  # it has seen enough
        editor.send_bytes(data)
    assert editor.finish() == 1


def test_the_life_of_a_server(tmp_path: Path) -> None:
    editor = Editor(tmp_path)
    assert editor.told["serverInfo"]["name"] == "modellint"
    assert editor.error("initialize")["code"] == INVALID
    assert editor.call("shutdown") is None
    assert editor.error("textDocument/hover")["code"] == INVALID
    editor.notify("exit")
    assert editor.finish() == 0


def test_nothing_is_answered_before_it_is_initialized() -> None:
    early = new_editor_server()
    assert early.error("textDocument/hover")["code"] == NOT_INITIALIZED
    assert early.error("workspace/executeCommand")["code"] == NOT_INITIALIZED
    early.notify("exit")
    assert early.finish() == 1


HOSTILE_PARAMS: list[dict[str, Any]] = [
    {},
    {"textDocument": None},
    {"textDocument": {"uri": 5}},
    {"textDocument": {"uri": "file:///a.toml"}, "position": {"line": -1, "character": 1e300}},
    {"textDocument": {"uri": "file://host/a.toml", "text": "x"}},
    {"textDocument": {"uri": "file:///%00/modellint.toml", "text": "x"}},
    {"textDocument": {"uri": "http://[", "text": "x"}},
    {"textDocument": {"uri": "untitled:modellint.toml", "text": "x"}},
    {"contentChanges": [5], "textDocument": {"uri": "file:///modellint.toml", "version": []}},
    {"changes": [None, {"uri": {}}, {"uri": "file:///dev/zero.onnx", "type": 1}]},
    {"event": {"added": [{"uri": 1}], "removed": "x"}},
    {"settings": {"modellint": {"targets": [5, {}, "a10"]}}},
    {"settings": 7, "id": []},
    {"command": "modellint.lint", "arguments": [{}]},
    {"command": "modellint.inspect", "arguments": ["file:///nowhere/a.onnx"]},
    {"command": "rm", "arguments": ["file:///"]},
]


def test_parameters_of_any_form(tmp_path: Path) -> None:
    editor = Editor(tmp_path)
    text = "select = ['FUS\U0001f600"
    editor.open("modellint.toml", text)
    notifications = """
        initialized $/cancelRequest textDocument/didOpen textDocument/didChange
        textDocument/didSave textDocument/didClose workspace/didChangeWatchedFiles
        workspace/didChangeWorkspaceFolders workspace/didChangeConfiguration $/setTrace
    """
    requests = """
        textDocument/completion completionItem/resolve textDocument/hover textDocument/definition
        workspace/executeCommand
    """
    for params in HOSTILE_PARAMS:
        for method in notifications.split():
            editor.notify(method, params)
        for method in requests.split():
            answer = editor.answer(editor.begin(method, params))
            assert answer.get("error", {}).get("code") in (None, PARAMS), answer
    assert editor.call("shutdown") is None
    editor.notify("exit")
    assert editor.finish() == 0


def test_positions_in_either_unit(tmp_path: Path) -> None:
    text = "# \U0001f600\nx = '\U0001f600é' # \U0001f600\nselect = ['FUS002']\n"
    for units, column in (("utf-16", 8), ("utf-32", 7)):
        editor = Editor(tmp_path, general={"positionEncodings": [units]})
        assert editor.told["capabilities"]["positionEncoding"] == units
        editor.open("modellint.toml", text.replace("x = ", "batch = "))
        editor.diagnostics("modellint.toml")
        editor.open("modellint.toml", f"[budgets]\n{text.splitlines()[1]}")
        (found,) = editor.diagnostics("modellint.toml")
        assert found["range"]["end"] == {"line": 1, "character": 1}
        place = editor.at("modellint.toml", 1, column)
        assert editor.call("textDocument/hover", place) is None
        editor.finish()


def test_the_verbs(tmp_path: Path) -> None:
    """Answers on standard output, all else elsewhere; the exit code says how it ended."""
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "x"}}
    farewell = [
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    for verb, framing_of, messages, code in (
        ("lsp", HeaderFraming(), [hello, *farewell], 0),
        ("lsp", HeaderFraming(), [hello], 1),
        ("mcp", LineFraming(), [hello], 0),
    ):
        sent = b"".join(framing_of.framed(json.dumps(each).encode()) for each in messages)
        done = run_process(verb, stdin=sent, cwd=tmp_path)
        assert done.exit_code == code, done
        assert done.stderr == ""
        answered = framing_of.read(io.BytesIO(done.stdout.replace("\n\n", "\r\n\r\n").encode()))
        assert json.loads(answered or b"")["result"]["serverInfo"]["name"] == "modellint"


@pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX")
def test_the_process_ends_with_its_client(tmp_path: Path) -> None:
    """Also if another process still holds the other end of the pipe, as an editor's shell may."""
    client = (
        "import subprocess, sys, time\n"
        "server = subprocess.Popen([sys.executable, '-m', 'modellint', 'lsp'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        'body = b\'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\'\n'
        "server.stdin.write(b'Content-Length: %d\\r\\n\\r\\n%s' % (len(body), body))\n"
        "server.stdin.flush()\n"
        "assert server.stdout.readline().startswith(b'Content-Length')\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", client], stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    _wait_for_end(server)


def _wait_for_end(process: int) -> None:
    import time

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {process} still runs")
