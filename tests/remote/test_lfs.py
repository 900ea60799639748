"""Models of which only Git LFS pointers are checked out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.samples import codes, lint_json
from tests.support import run_cli


def pointer(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    spec = "https://git-lfs.github.com/spec/v1"
    return f"version {spec}\noid sha256:{digest}\nsize {len(content)}\n".encode()


def keep(repository: Path, content: bytes) -> bytes:
    """Put an object in a repository's store; return its pointer."""
    digest = hashlib.sha256(content).hexdigest()
    place = repository / ".git/lfs/objects" / digest[:2] / digest[2:4]
    place.mkdir(parents=True, exist_ok=True)
    (place / digest).write_bytes(content)
    return pointer(content)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git/lfs/objects").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    return tmp_path


def test_a_model_in_the_store_is_linted(repository: Path, models: Path) -> None:
    content = (models / "qat_residual.onnx").read_bytes()
    (repository / "models/a.onnx").write_bytes(keep(repository, content))
    (repository / "models/b.onnx").write_bytes(pointer(b"elsewhere"))
    report = lint_json("check", ".", "--isolated", cwd=repository)
    plain = lint_json("check", models / "qat_residual.onnx", "--isolated", cwd=repository)
    assert [each["path"] for each in report["models"]] == ["models/a.onnx", "models/b.onnx"]
    found = [(each["path"], each["code"]) for each in report["findings"]]
    assert ("models/b.onnx", "FIL005") in found
    assert [code for path, code in found if path == "models/a.onnx"] == [
        each["code"] for each in plain["findings"]
    ]
    shown = run_cli("inspect", "models/a.onnx", cwd=repository)
    assert shown.exit_code == 0, shown
    assert (repository / "models/a.onnx").read_bytes() == pointer(content)


def test_data_in_the_store_is_found(repository: Path, models: Path) -> None:
    (repository / "models/m.onnx").write_bytes((models / "outside.onnx").read_bytes())
    (repository / "models/weights").mkdir()
    data = repository / "models/weights/part.bin"
    data.write_bytes(pointer(bytes(1024)))
    assert "FIL005" in codes("models/m.onnx", cwd=repository)
    data.write_bytes(keep(repository, bytes(1024)))
    assert not [code for code in codes("models/m.onnx", cwd=repository) if "FIL" in code]
    data.write_bytes(keep(repository, bytes(100)))
    assert "FIL014" in codes("models/m.onnx", cwd=repository)


def test_a_folder_in_a_worktree(repository: Path, tmp_path: Path) -> None:
    (tmp_path / ".git/worktrees/w").mkdir(parents=True)
    (tmp_path / ".git/worktrees/w/commondir").write_text("../..\n")
    tree = tmp_path / "tree"
    (tree / "llm").mkdir(parents=True)
    (tree / ".git").write_text(f"gitdir: {tmp_path}/.git/worktrees/w\n")
    config = json.dumps({"model_type": "llama"}).encode()
    weights = b"\x02\x00\x00\x00\x00\x00\x00\x00{}"
    (tree / "llm/config.json").write_bytes(config)
    (tree / "llm/model.safetensors").write_bytes(keep(repository, weights))
    report = lint_json("check", "llm", "--isolated", "--select", "FIL", cwd=tree)
    assert report["models"][0]["path"] == "llm"
    assert "FIL005" not in [each["code"] for each in report["findings"]]


def test_a_pointer_with_wishes(repository: Path) -> None:
    """A digest is taken from a pointer, and nothing that leads elsewhere."""
    (repository / "secret").write_bytes(b"secret")
    digest = f"aabb/../../../../../{'x' * 43}"
    spec = "https://git-lfs.github.com/spec/v1"
    text = f"version {spec}\noid sha256:{digest}\nsize 6\n"
    (repository / "models/a.onnx").write_bytes(text.encode())
    assert codes("models", cwd=repository) == ["FIL005"]
