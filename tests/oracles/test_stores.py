"""Azurite and fake-gcs-server, which answer as the stores of Azure and Google do."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.oracles.support import ENVIRONMENTS
from tests.remote.conftest import RELU, with_external_data, with_weights
from tests.samples import failed
from tests.support import PATIENCE, run_cli, save

obstore = pytest.importorskip("obstore")
AZURITE = ENVIRONMENTS / "azurite/node_modules/azurite/dist/src/blob/main.js"
FAKE_GCS = next(ENVIRONMENTS.glob("fake-gcs/lib/*/site-packages/*/vendor/*/bin/*linux*"), Path())
ARGS = ("--isolated", "--no-cache", "--exit-zero", "--select", "FIL,HYG", "-o", "json")
ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"a key of tests, which is secret!").decode()
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@pytest.fixture(
    params=[
        pytest.param(
            "az",
            marks=pytest.mark.skipif(
                not AZURITE.exists() or not shutil.which("node"),
                reason="not set up: python -m tests.oracles.prepare azurite",
            ),
        ),
        pytest.param(
            "gs",
            marks=pytest.mark.skipif(
                not FAKE_GCS.is_file(),
                reason="not set up: python -m tests.oracles.prepare fake-gcs",
            ),
        ),
    ]
)
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[str, Any]]:
    """The scheme and the client of a store that is empty yet."""
    begin = _azure if request.param == "az" else _google
    with begin(monkeypatch, tmp_path / "said") as client:
        yield request.param, client


@contextmanager
def _azure(monkeypatch: pytest.MonkeyPatch, said: Path) -> Iterator[Any]:
    monkeypatch.setenv("AZURITE_ACCOUNTS", f"{ACCOUNT}:{KEY}")
    command = ["node", str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", "0"]
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running([*command, *options], said, "listens on ") as place:
        endpoint = f"{place}/{ACCOUNT}"
        told = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"{told};BlobEndpoint={endpoint};")
        _create_container(endpoint)
        config = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": endpoint}
        client = {"allow_http": True}
        yield obstore.store.AzureStore("models", config=config, client_options=client)


def _create_container(endpoint: str) -> None:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
    told = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = f"PUT{chr(10) * 12}{told}/{ACCOUNT}/{ACCOUNT}/models\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    place = f"{endpoint}/models?restype=container"
    with urlopen(Request(place, method="PUT", headers=headers)):
        pass


@contextmanager
def _google(monkeypatch: pytest.MonkeyPatch, said: Path) -> Iterator[Any]:
    FAKE_GCS.chmod(0o755)
    port = _free_port()
    command = [str(FAKE_GCS), "-scheme", "http", "-host", "127.0.0.1", "-port", port]
    options = ["-public-host", f"127.0.0.1:{port}", "-backend", "memory"]
    with _running([*command, *options], said, "started at ") as place:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", place)
        head = {"Content-Type": "application/json"}
        bucket = f"{place}/storage/v1/b?project=tests"
        with urlopen(Request(bucket, data=b'{"name": "models"}', headers=head)):
            yield _Uploads(place)


def _free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


class _Uploads:
    """Puts objects where obstore cannot without credentials."""

    def __init__(self, place: str) -> None:
        self.place = place

    def put(self, name: str, data: bytes) -> None:
        place = f"{self.place}/upload/storage/v1/b/models/o?uploadType=media&name={name}"
        with urlopen(Request(place, data=data, method="POST")):
            pass


def _put(client: Any, name: str, data: bytes) -> None:
    client.put(name, data) if isinstance(client, _Uploads) else obstore.put(client, name, data)


@contextmanager
def _running(command: list[str], said: Path, before: str) -> Iterator[str]:
    """Yield the address of a server that says it when it has begun."""
    with said.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        end = time.monotonic() + PATIENCE
        while before not in said.read_text() or not ADDRESS.search(said.read_text()):
            assert server.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.1)
        yield ADDRESS.findall(said.read_text())[-1]
    finally:
        server.kill()
        server.wait()


def test_a_bucket_is_linted_as_a_folder(store: tuple[str, Any], tmp_path: Path) -> None:
    scheme, client = store
    folder = tmp_path / "models"
    save(RELU, folder / "a/relu.onnx")
    save(with_external_data("weights/part.bin"), folder / "b/outside.onnx")
    save(with_weights(10, 512, 1024), folder / "b/large.onnx")
    (folder / "b/weights").mkdir()
    (folder / "b/weights/part.bin").write_bytes(bytes(1024))
    (folder / "empty.onnx").touch()
    for each in folder.rglob("*"):
        if each.is_file():
            _put(client, f"top/{each.relative_to(folder).as_posix()}", each.read_bytes())
    there = run_cli("check", f"{scheme}://models/top/", "-v", *ARGS, cwd=tmp_path)
    here = run_cli("check", folder, "--no-weights", *ARGS, cwd=tmp_path)
    remote, local = json.loads(there.stdout), json.loads(here.stdout)
    assert len(local["models"]) == 4
    assert [Path(each["path"]).name for each in remote["models"]] == [
        Path(each["path"]).name for each in local["models"]
    ]
    assert [(each["code"], each["message"]) for each in remote["findings"]] == [
        (each["code"], each["message"]) for each in local["findings"]
    ]
    fetched = re.search(r"large\.onnx: ([\d.]+) (\w+) fetched", there.stderr)
    assert fetched is not None, there
    assert fetched[2] == "KiB", there
    assert KEY not in str(there)
    failed(run_cli("check", f"{scheme}://models/none", cwd=tmp_path), "no such file or folder")
    one = run_cli("check", f"{scheme}://models/top/b/outside.onnx", *ARGS, cwd=tmp_path)
    assert not json.loads(one.stdout)["findings"], one
    backend = ("--backend", "onnxruntime", "--isolated", "--no-cache", "--json")
    probed = run_cli("probe", f"{scheme}://models/top/b/outside.onnx", *backend, cwd=tmp_path)
    assert [each["status"] for each in json.loads(probed.stdout)["probes"]] == ["accepted"]


def test_a_changed_object_is_noticed(
    store: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modellint.remote.store import StoreFolder

    scheme, client = store
    model = with_weights(10, 512, 1024).SerializeToString()
    _put(client, "large.onnx", model)
    args = ("check", f"{scheme}://models/large.onnx", "--isolated", "-v", "--exit-zero")
    cached = (*args, "--cache-dir", str(tmp_path / "cache"))
    run_cli(*cached, cwd=tmp_path)
    again = run_cli(*cached, cwd=tmp_path)
    assert "large.onnx" not in again.stderr, again  # its ETag is what it was
    read: Callable[..., bytes] = StoreFolder.read

    def change(self: StoreFolder, *args: Any) -> bytes:
        _put(client, "large.onnx", model[:-1] + b"\n")
        return read(self, *args)

    monkeypatch.setattr(StoreFolder, "read", change)
    changed = run_cli(*args, "--no-cache", cwd=tmp_path)
    assert "it changed while it was read" in " ".join(changed.stdout.split()), changed
