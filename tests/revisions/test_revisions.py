"""Models in a git repository: commits, the index and the working tree are kept apart."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from modellint.base.errors import UsageError
from modellint.revisions import Versions, compared
from tests.support import model_from_text, save

pytestmark = pytest.mark.skipif(which("git") is None, reason="needs git")

SMALL = """<ir_version: 9, opset_import: ["" : 18]>
small (float[2] x) => (float[2] y) { y = %s (x) }"""
WITH_DATA = "external/weights.bin"
LFS_CONTENT = b"the model as it was" * 100


def git(folder: Path, *arguments: str) -> None:
    options = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(
        ["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )


def pointer(content: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    ).encode()


def with_data(path: Path, data: bytes) -> None:
    """Write a model whose one weight is in another file."""
    import onnx

    model = model_from_text(SMALL % "Relu")
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2])
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=WITH_DATA)
    model.graph.initializer.append(weight)
    model.graph.node[0].op_type = "Add"
    model.graph.node[0].input.append("w")
    path.write_bytes(model.SerializeToString())
    (path.parent / WITH_DATA).parent.mkdir(exist_ok=True)
    (path.parent / WITH_DATA).write_bytes(data)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Main has first versions, `topic` others; the index and the working tree differ again."""
    top = tmp_path_factory.mktemp("repository")
    git(top, "init", "-q", "-b", "main")
    models = top / "models"
    llm = models / "llm"
    llm.mkdir(parents=True)
    save(SMALL % "Relu", models / "a.onnx")
    save(SMALL % "Relu", models / "same.onnx")
    save(SMALL % "Relu", models / "old name.onnx")
    with_data(models / "big.onnx", b"\0" * 8)
    (llm / "config.json").write_text('{"model_type": "llama"}')
    (llm / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (llm / "tokenizer.json").write_text("{}")
    (models / "kept.gguf").write_bytes(pointer(LFS_CONTENT))
    (models / "gone.gguf").write_bytes(pointer(b"never fetched"))
    (models / "notes.txt").write_text("not a model")
    (models / "link.onnx").symlink_to("a.onnx")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    digest = hashlib.sha256(LFS_CONTENT).hexdigest()
    stored = top / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    stored.parent.mkdir(parents=True)
    stored.write_bytes(LFS_CONTENT)
    git(top, "checkout", "-q", "-b", "topic")
    save(SMALL % "Abs", models / "a.onnx")
    (models / "old name.onnx").rename(models / "new name.onnx")
    with_data(models / "big.onnx", b"\1" * 8)
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "second")
    save(SMALL % "Neg", models / "a.onnx")
    git(top, "add", ".")
    save(SMALL % "Tanh", models / "a.onnx")
    (models / "kept.gguf").write_bytes(LFS_CONTENT)  # as a checkout with Git LFS has it
    (models / "gone.gguf").write_bytes(b"never fetched")
    return top


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.glob("modellint-*")) == []


def content(path: Path | None) -> bytes:
    return path.read_bytes() if path is not None else b""


def operators(versions: Versions) -> list[bytes]:
    known = (b"Relu", b"Abs", b"Neg", b"Tanh")
    return [
        next((name for name in known if name in content(path)), b"")
        for path in (versions.old, versions.new)
    ]


@pytest.mark.parametrize(
    ("revisions", "staged", "expected"),
    [
        ("main", False, [b"Relu", b"Tanh"]),
        ("HEAD", False, [b"Abs", b"Tanh"]),
        ("HEAD", True, [b"Abs", b"Neg"]),
        ("main..topic", False, [b"Relu", b"Abs"]),
        ("main..", False, [b"Relu", b"Abs"]),
        ("main...topic", False, [b"Relu", b"Abs"]),
        ("topic~1", True, [b"Relu", b"Neg"]),
    ],
)
def test_each_place_has_its_own_version(
    repository: Path, revisions: str, staged: bool, expected: list[bytes]
) -> None:
    with compared([repository / "models/a.onnx"], revisions, staged=staged) as found:
        assert [each.name for each in found.models] == ["models/a.onnx"]
        assert operators(found.models[0]) == expected


def test_of_a_folder_only_what_differs(repository: Path) -> None:
    with compared([repository / "models"], "main") as found:
        there = {each.name: (each.old is not None, each.new is not None) for each in found.models}
    assert there == {
        "models/a.onnx": (True, True),
        "models/big.onnx": (True, True),
        "models/new name.onnx": (False, True),
        "models/old name.onnx": (True, False),
    }


def test_external_data_comes_along(repository: Path) -> None:
    for named in ("models/big.onnx", f"models/{WITH_DATA}"):
        with compared([repository / named], "main..topic") as found:
            (big,) = found.models
            assert big.old is not None
            assert big.new is not None
            assert content(big.old.parent / WITH_DATA) == b"\0" * 8
            assert content(big.new.parent / WITH_DATA) == b"\1" * 8


def test_a_folder_is_one_model(repository: Path) -> None:
    for named in ("models/llm", "models/llm/config.json", "models/llm/tokenizer.json"):
        with compared([repository / named], "main..topic") as found:
            (llm,) = found.models
            assert llm.name == "models/llm"
            assert llm.old is not None
            names = sorted(each.name for each in llm.old.iterdir())
            assert names == ["config.json", "model.safetensors", "tokenizer.json"]


def test_objects_of_git_lfs_are_found_where_they_are_kept(repository: Path) -> None:
    with compared([repository / "models/kept.gguf"], "main..topic") as found:
        assert content(found.models[0].old) == LFS_CONTENT
    with pytest.raises(UsageError, match=r"main:models/gone\.gguf is kept in Git LFS.*lfs fetch"):
        compared([repository / "models/gone.gguf"], "main").__enter__()


def test_before_the_first_commit_all_models_are_new(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    save(SMALL % "Relu", tmp_path / "a.onnx")
    git(tmp_path, "add", ".")
    with compared([tmp_path], staged=True) as found:
        assert [(each.name, each.old) for each in found.models] == [("a.onnx", None)]


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("mian", "did you mean 'main'"),
        ("--upload-pack=touch x", "is not a git revision"),
        ("-h", "is not a git revision"),
        ("main:models/a.onnx", "is not a git revision"),
        ("main\n", "is not a git revision"),
        ("", "is not a git revision"),
        ("0" * 40, "knows no revision"),
    ],
)
def test_other_revisions_are_refused(repository: Path, revision: str, told: str) -> None:
    with (
        pytest.raises(UsageError, match=told),
        compared([repository / "models/a.onnx"], revision),
    ):
        pass


def test_other_paths_are_refused(repository: Path, tmp_path: Path) -> None:
    for path, told in (
        (repository / "models/none.onnx", "no such file or folder in main or the working tree"),
        (repository / "--output=x", "no such file or folder"),
        (tmp_path / "x.onnx", "not a git repository"),
    ):
        with pytest.raises(UsageError, match=told), compared([path], "main"):
            pass
    with (
        pytest.raises(UsageError, match="is not in the git repository"),
        compared([repository / "models/a.onnx", tmp_path / "x.onnx"], "main"),
    ):
        pass


def test_links_are_not_followed(repository: Path) -> None:
    with compared([repository / "models/link.onnx"], "main..topic") as found:
        assert found.models == []


def test_nothing_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    """Filters, hooks and monitors that a repository configures could be anything."""
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\ncat\n")
    script.chmod(0o700)
    for name in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor"),
        *("filter.trap.smudge", "filter.trap.clean", "filter.trap.process"),
        *("diff.trap.textconv", "diff.external", "core.hooksPath"),
    ):
        git(repository, "config", name, str(script))
    attributes = repository / ".git/info/attributes"
    attributes.write_text("* filter=trap diff=trap\n")
    try:
        for staged in (False, True):
            with compared([repository / "models"], "main", staged=staged) as found:
                assert found.models
        with compared([repository / "models"], "main..topic") as found:
            assert found.models
    finally:
        attributes.unlink()
    assert not (tmp_path / "sprung").exists()


def test_a_hostile_name_stays_in_its_folder(tmp_path: Path) -> None:
    """git itself lists a tree whose entry is called `..`."""
    git(tmp_path, "init", "-q", "-b", "main")
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=tmp_path,
        input=b"x",
        capture_output=True,
        check=True,
    ).stdout.strip()
    inner = tree(tmp_path, b"100644 x.onnx\0" + bytes.fromhex(blob.decode()))
    outer = tree(tmp_path, b"40000 ..\0" + bytes.fromhex(inner))
    commit = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", outer, "-m", "x"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    with pytest.raises(UsageError, match="points outside of it"), compared([tmp_path], commit):
        pass
    assert not (Path(tempfile.gettempdir()) / "x.onnx").exists()


def tree(folder: Path, content: bytes) -> str:
    """Write a tree past git's checks."""
    return (
        subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
            cwd=folder,
            input=content,
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
