"""Systems that fsspec knows, missing extras, and addresses where no model is read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellint.remote.origin import FetchError, Traffic
from tests.samples import failed
from tests.support import run_cli


@pytest.fixture
def memory(models: Path) -> Iterator[None]:
    """The models in fsspec's file system in memory."""
    system = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("relu.onnx", "outside.onnx", "weights/part.bin", "large.onnx"):
        system.pipe(f"/here/{name}", (models / name).read_bytes())
    yield
    system.rm("/here", recursive=True)


@pytest.mark.usefixtures("memory")
def test_what_fsspec_knows(tmp_path: Path) -> None:
    args = ("-v", "--isolated", "--exit-zero", "-o", "concise", "--cache-dir", tmp_path / "cache")
    result = run_cli("check", "memory://here/", *args, cwd=tmp_path)
    assert "FIL" not in result.stdout, result
    assert "memory://here/large.onnx: " in result.stderr
    assert "together: " in result.stderr
    again = run_cli("check", "memory://here", *args, cwd=tmp_path)
    assert "memory://here/large.onnx: " not in again.stderr, again
    one = run_cli("check", "memory://here/outside.onnx", *args, cwd=tmp_path)
    assert "FIL" not in one.stdout, one
    failed(run_cli("check", "memory://there/", cwd=tmp_path), "no such file or folder")


@pytest.mark.parametrize(
    ("package", "address"), [("obstore", "s3://bucket/a.onnx"), ("fsspec", "sftp://host/a.onnx")]
)
def test_a_missing_extra_is_named(
    package: str, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.registry", None)
    result = run_cli("check", address, cwd=tmp_path)
    failed(result, address.partition("//")[0], "needs an extra: pip install", "[remote]")


def test_an_unknown_scheme(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    failed(run_cli("check", "nowhere://host/a.onnx", cwd=tmp_path), "nowhere:// is not known")


@pytest.mark.parametrize("verb", ["quantize", "optimize", "bench"])
def test_other_verbs_read_no_addresses(verb: str, tmp_path: Path) -> None:
    address = "https://me:pa55word@127.0.0.1:1/model.onnx?signature=5ecre7"
    result = run_cli(verb, address, cwd=tmp_path)
    failed(result, f"https://127.0.0.1:1/model.onnx is a URL; 'modellint {verb}' reads only")
    assert "pa55word" not in result.stderr
    assert "5ecre7" not in result.stderr


@pytest.mark.parametrize("tag", ["0x8D", '"0x8D"'])
def test_a_list_and_an_answer_agree_on_the_tag(tag: str) -> None:
    """Azure's lists leave out the quotes that its answers have."""
    pytest.importorskip("obstore")
    from modellint.remote.store import file_of

    assert file_of({"path": "a.onnx", "size": 8, "e_tag": tag, "version": None}).tag == '"0x8D"'


def test_a_connection_string_names_account_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore")
    from modellint.remote.store import StoreFolder

    told = "DefaultEndpointsProtocol=http;AccountName=one;AccountKey=a2V5;"
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", f"{told}BlobEndpoint=http://127.0.0.1:1/one;"
    )
    with pytest.raises(FetchError, match=r"reached|within"):
        StoreFolder("az", "az://models", 5).files(Traffic())
