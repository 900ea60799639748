"""moto, which answers as S3 does, is asked what the suite asks its own imitation."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.oracles.support import ENVIRONMENTS
from tests.remote.conftest import RELU, with_external_data, with_weights
from tests.samples import failed
from tests.support import PATIENCE, run_cli, save

PROGRAM = ENVIRONMENTS / "moto/bin/moto_server"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="moto is not set up")
ARGS = ("--isolated", "--no-cache", "--exit-zero", "--select", "FIL,HYG", "-o", "json")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a bucket of models."""
    said = tmp_path_factory.mktemp("moto") / "said"
    with said.open("w") as stream:
        server = subprocess.Popen([PROGRAM, "-H", "127.0.0.1", "-p", "0"], stderr=stream)
    try:
        yield _address(server, said)
    finally:
        server.kill()
        server.wait()


def _address(server: subprocess.Popen[bytes], said: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        for word in said.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                return word
        time.sleep(0.1)
    raise AssertionError(said.read_text())


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    from obstore import put
    from obstore.store import S3Store

    keys = {"AWS_ACCESS_KEY_ID": "some", "AWS_SECRET_ACCESS_KEY": "5ecre7"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    _create(f"{endpoint}/models-of-tests")
    store = S3Store("models-of-tests", client_options={"allow_http": True})
    folder = tmp_path / "models"
    save(RELU, folder / "a/relu.onnx")
    save(with_external_data("weights/part.bin"), folder / "b/outside.onnx")
    save(with_weights(10, 512, 1024), folder / "b/large.onnx")
    (folder / "b/weights").mkdir()
    (folder / "b/weights/part.bin").write_bytes(bytes(1024))
    (folder / "empty.onnx").touch()
    for each in folder.rglob("*"):
        if each.is_file():
            put(store, f"models/{each.relative_to(folder).as_posix()}", each.read_bytes())
    return folder


def _create(url: str) -> None:
    import urllib.request

    with urlopen(urllib.request.Request(url, method="PUT")):
        pass


def test_a_bucket_is_linted_as_a_folder(bucket: Path, tmp_path: Path) -> None:
    args = ("check", "s3://models-of-tests/models/", "-v", *ARGS)
    there = run_cli(*args, cwd=tmp_path)
    by_workers = run_cli(*args, "--jobs", "2", cwd=tmp_path)
    assert json.loads(by_workers.stdout)["findings"] == json.loads(there.stdout)["findings"]
    assert "large.onnx: " in by_workers.stderr
    here = run_cli("check", bucket, "--no-weights", *ARGS, cwd=tmp_path)
    remote, local = json.loads(there.stdout), json.loads(here.stdout)
    assert [Path(each["path"]).name for each in remote["models"]] == [
        Path(each["path"]).name for each in local["models"]
    ]
    assert [(each["code"], each["message"]) for each in remote["findings"]] == [
        (each["code"], each["message"]) for each in local["findings"]
    ]
    assert "fetched in" in there.stderr
    assert "5ecre7" not in str(there)


def test_what_is_not_there(bucket: Path, tmp_path: Path) -> None:
    failed(run_cli("check", "s3://models-of-tests/none", cwd=tmp_path), "no such file or folder")
    failed(run_cli("check", "s3://no-such-bucket/", cwd=tmp_path), "there is no such bucket")
    one = run_cli("check", "s3://models-of-tests/models/b/outside.onnx", *ARGS, cwd=tmp_path)
    assert not json.loads(one.stdout)["findings"], one
