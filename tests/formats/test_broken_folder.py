"""A folder with one good model and every kind of broken file, through the program."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.formats.wire import field, varint
from tests.support import CliResult, run_cli

GOOD = "good.onnx"
Broken = Callable[[Path], object]


def model(weights: np.ndarray | None = None, **external: str) -> onnx.ModelProto:
    """A small valid model with 64 kB of weights, or with weights in another file."""
    values = WEIGHTS if weights is None else weights
    weight = helper.make_tensor("w", TensorProto.FLOAT, values.shape, values.tobytes(), raw=True)
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in {**external, "offset": "0", "length": str(values.nbytes)}.items():
            weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "matmul")],
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", values.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", values.shape[1]])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


WEIGHTS = np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)
SERIALIZED = model().SerializeToString()
DEEP = 300


def nested(depth: int) -> bytes:
    """A model whose If nodes hold graphs that hold If nodes."""
    graph = field(1, field(4, b"If"))
    for _ in range(depth):
        graph = field(1, field(5, field(1, b"then_branch") + field(6, graph)) + field(4, b"If"))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def external(location: str, size: int | None = None) -> Broken:
    """A model that keeps its weights at `location`, where there are `size` bytes."""

    def write(path: Path) -> None:
        onnx.save(model(location=location), path)
        if size is not None:
            (path.parent / location).write_bytes(bytes(size))

    return write


def linked_out(path: Path) -> None:
    outside = path.parent.parent / "elsewhere.bin"
    outside.write_bytes(bytes(1 << 16))
    (path.parent / "link.bin").symlink_to(outside)
    external("link.bin")(path)


def leftover(path: Path) -> None:
    onnx.save(model(), path)
    Path(f"{path}.data").write_bytes(bytes(3 << 20))


def pointed(path: Path) -> None:
    external("pointer.bin")(path)
    (path.parent / "pointer.bin").write_text(POINTER)


def locked(path: Path) -> None:
    path.write_bytes(SERIALIZED)
    path.chmod(0)


def zipped(path: Path, *members: str, locked: bool = False) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, SERIALIZED)
    if locked:
        content = bytearray(path.read_bytes())
        content[6] |= 1  # zipfile cannot encrypt; the flag is what tells
        path.write_bytes(content)


def content(data: bytes | str) -> Broken:
    return lambda path: path.write_bytes(data.encode() if isinstance(data, str) else data)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("pickle-was-opened",)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 102400000\n"
DIMS, WRONG_DIMS = varint(1 << 3) + varint(128), varint(1 << 3) + varint(256)
LENGTH_BOMB = b"\x08\x08" + varint(7 << 3 | 2) + varint(1 << 60) + b"\x0a\x02\x0a\x00"
BROKEN: dict[str, tuple[str, Broken]] = {
    "empty.onnx": ("FIL002", content(b"")),
    "random.onnx": ("FIL001", content(np.random.default_rng(1).bytes(5000))),
    "zeros.onnx": ("FIL001", content(bytes(5000))),
    "text.onnx": ("FIL001", content("this is not a model\n")),
    "page.onnx": ("FIL001", content("<!DOCTYPE html><html><body>404</body></html>")),
    "error.onnx": ("FIL001", content('{"message": "Not Found"}')),
    "broken.onnxtxt": ("FIL004", content("<ir_version: 8>\nmain (float[1] x) => (float y) {{")),
    "truncated.onnx": ("FIL003", content(SERIALIZED[:-1000])),
    "cut-early.onnx": ("FIL003", content(SERIALIZED[:60])),
    "corrupt.onnx": ("FIL004", content(SERIALIZED.replace(b"MatMul", b"MatMu\xff\xff"))),
    "bomb.onnx": ("FIL003", content(LENGTH_BOMB)),
    "deep.onnx": ("FIL012", content(nested(DEEP))),
    "pointer.onnx": ("FIL005", content(POINTER)),
    "missing.onnx": ("FIL013", external("missing.bin")),
    "short.onnx": ("FIL014", external("short.bin", 1000)),
    "absolute.onnx": ("FIL015", external("/etc/passwd")),
    "parent.onnx": ("FIL015", external("../secret.bin")),
    "linked.onnx": ("FIL015", linked_out),
    "leftover.onnx": ("FIL016", leftover),
    "weights-pointer.onnx": ("FIL005", pointed),
    "locked-zip.onnx": ("FIL007", lambda path: zipped(path, "model.onnx", locked=True)),
    "zip.onnx": ("FIL006", lambda path: zipped(path, "model.onnx")),
    "gzip.onnx": ("FIL006", content(gzip.compress(SERIALIZED))),
    "pickle.onnx": ("FIL008 SEC001", content(pickle.dumps(Evil()))),
    "old-pickle.onnx": ("FIL008 SEC001", content(pickle.dumps({"a": Evil()}, protocol=2))),
    "torch.onnx": ("FIL001", lambda path: zipped(path, "archive/data.pkl")),
    "engine.onnx": ("FIL009", content(b"ftrt" + bytes(100))),
    "keras.onnx": ("FIL001", content(b"\x89HDF\r\n\x1a\n" + bytes(100))),
    "model.gguf": ("FIL009", content(b"GGUF" + bytes(100))),
    "nameless.onnx": ("FIL017", external("")),
    "wrong-size.onnx": ("FIL017", content(SERIALIZED.replace(DIMS, WRONG_DIMS))),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "models"
    for name, (_, write) in BROKEN.items():
        place = home / name.partition(".")[0]
        place.mkdir(parents=True)
        write(place / name)
    (home / GOOD).write_bytes(SERIALIZED)
    return home


def findings_by_file(done: CliResult) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for finding in json.loads(done.stdout)["findings"]:
        found[Path(finding["path"]).name].append(finding["code"])
    return found


def files_of(folder: Path) -> list[Path]:
    return [folder / GOOD, *(folder / name.partition(".")[0] / name for name in BROKEN)]


def test_each_broken_file_gets_its_findings(folder: Path) -> None:
    done = run_cli("check", "--isolated", "--output", "json", *files_of(folder), cwd=folder)
    assert done.exit_code == 1, done
    assert "Traceback" not in done.stdout + done.stderr
    found = findings_by_file(done)
    assert found == {name: codes.split() for name, (codes, _) in BROKEN.items()}
    models = {Path(model["path"]).name: model for model in json.loads(done.stdout)["models"]}
    assert models[GOOD]["nodes"] == 1
    assert models[GOOD]["parameters"] == 128 * 128
    assert not (folder / "pickle-was-opened").exists()
    assert not Path("pickle-was-opened").exists()


def test_walking_the_folder_finds_the_same(folder: Path) -> None:
    done = run_cli("--isolated", "--output", "json", folder, cwd=folder)
    assert done.exit_code == 1, done
    found = findings_by_file(done)
    assert found == {name: codes.split() for name, (codes, _) in BROKEN.items()}


def test_people_can_read_it(folder: Path) -> None:
    done = run_cli("--isolated", "--group-by", "model", folder, cwd=folder)
    assert done.exit_code == 1
    assert "Traceback" not in done.stdout + done.stderr
    for name in BROKEN:
        assert name in done.stdout


def test_what_is_wrong_with_the_file_is_said_in_words(folder: Path) -> None:
    done = run_cli("--isolated", "--output", "concise", *files_of(folder), cwd=folder)
    assert "None" not in done.stdout
    for words in (
        "pickle.onnx: error FIL008 The file is a Python pickle; ",
        "keras.onnx: error FIL001 Not a model file: HDF5, but no model of Keras",
        "(float32 128×128) has external data in a file that is not named.",
        "broken.onnxtxt: error FIL004 The file is corrupt: line 2, column ",
    ):
        assert words in done.stdout


def test_a_good_model_passes(folder: Path) -> None:
    done = run_cli("--isolated", GOOD, cwd=folder)
    assert done.exit_code == 0, done


def test_a_folder_named_like_a_model_is_walked(tmp_path: Path) -> None:
    home = tmp_path / "folder.onnx"
    home.mkdir()
    (home / "inner.onnx").write_bytes(b"")
    done = run_cli("--isolated", "--output", "json", home)
    assert findings_by_file(done) == {"inner.onnx": ["FIL002"]}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    done = run_cli("--isolated", "--output", "json", tmp_path / "pipe.onnx")
    assert findings_by_file(done) == {"pipe.onnx": ["FIL011"]}
    assert done.exit_code == 1


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device on this system")
def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    done = run_cli("--isolated", "--output", "json", tmp_path / "zero.onnx")
    assert findings_by_file(done) == {"zero.onnx": ["FIL011"]}


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_a_locked_file_says_so(tmp_path: Path) -> None:
    locked(tmp_path / "locked.onnx")
    done = run_cli("--isolated", "--output", "json", tmp_path / "locked.onnx")
    assert findings_by_file(done) == {"locked.onnx": ["FIL011"]}


def test_a_dangling_link_says_so(tmp_path: Path) -> None:
    (tmp_path / "gone.onnx").symlink_to(tmp_path / "nowhere")
    done = run_cli("--isolated", "--output", "json", tmp_path)
    assert findings_by_file(done) in ({"gone.onnx": ["FIL011"]}, {})
    assert "Traceback" not in done.stderr


def test_a_pickle_in_a_zip_is_never_loaded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Evil()))
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    done = run_cli("--isolated", "--output", "json", "model.pt", cwd=tmp_path)
    assert findings_by_file(done) == {"model.pt": ["SEC001"]}
    assert not (tmp_path / "pickle-was-opened").exists()
