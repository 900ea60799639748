"""Files of formats that are not read: what each is, and that none is called damaged."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.recognised import RECOGNISED
from tests.support import run_cli

INDEX_END = bytes.fromhex("57fb808b247547db")
FILES = {
    "a.npy": ("npy", b"\x93NUMPY\1\0"),
    "model.weights.json": ("keras-shards", b'{"weight_map": {"/a": ["m_00000.weights.h5"]}}'),
    "graph.pbtxt": ("tensorflow-text", b'# made\nnode {\n  name: "x"\n  op: "Placeholder"\n}\n'),
    "saved_model.pbtxt": ("tensorflow-text", b"saved_model_schema_version: 1\n"),
    "variables.index": ("tensorflow-checkpoint", bytes(40) + INDEX_END),
    "checkpoint": ("tensorflow-checkpoint", b'model_checkpoint_path: "ck"\n'),
    "model.json": ("tensorflow-js", b'{"format": "graph-model", "modelTopology": {}}'),
    "old_manifest.json": ("tensorflow-js", b'[{"weights":[{"name":"a","shape":[1]}]}]'),
    "group1-shard1of2.bin": ("tensorflow-js", b"\x9a\x99\x19\x3e" * 9),
    "hands.binarypb": ("mediapipe-graph", b"\n\x1b\n\x05image"),
    "m.litertlm": ("litert-lm", b"LITERTLM\1\0"),
    "inference.pdmodel": ("paddle", b"\n\x8a\x01\x08\0\x10" + b"\xff" * 9 + b"\x01\x1a\x06"),
    "inference.pdiparams": ("paddle", bytes(16) + b"\x08\x05\x10\x40"),
    "inference.json": ("paddle", b'{"base_code":{"magic":"pir","version":1},"program":{}}'),
    "net-0000.params": ("mxnet", struct.pack("<QQQ", 0x112, 0, 1)),
    "net-symbol.json": ("mxnet", b'{"nodes": [{"op": "null", "name": "data"}]}'),
    "net.caffemodel": ("caffe", b"\n\x07AlexNet\xa2\x06\x10"),
    "deploy.prototxt": ("caffe", b'name: "AlexNet"\nlayer {\n}\n'),
    "yolo.weights": ("darknet", struct.pack("<iiiq", 0, 2, 0, 32013312)),
    "yolo.cfg": ("darknet", b"[net]\nbatch=1\n"),
    "m.mnn": ("mnn", b"\x20\0\0\0\x1c\0\x24\0"),
    "m.rknn": ("rknn", b"RKNN\0\0\0\0\6"),
    "m.hef": ("hef", b"\x01HEF\0\0\0\2"),
    "m.pte": ("executorch", b"\x28\0\0\0ET12eh00"),
    "m.llamafile": ("llamafile", b"MZqFpD='\n\n\0"),
    "lid.ftz": ("fasttext", b"\xba\x16\x4f\x2f\x0c\0\0\0"),
    "model.bin": ("ctranslate2", struct.pack("<IH", 6, 12) + b"WhisperSpec\0"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("others")
    for name, (_, content) in FILES.items():
        (home / name).write_bytes(content)
    for name, member in {"m.npz": "a.npy", "m.dlc": "model"}.items():
        with zipfile.ZipFile(home / name, "w") as archive:
            archive.writestr(member, b"")
    with tarfile.open(home / "m.nemo", "w:gz"):
        pass
    return home


def test_each_is_recognised_as_what_it_is(folder: Path) -> None:
    found = {path.name: _format_of(path) for path in sorted(folder.iterdir())}
    archives = {"m.npz": "npz", "m.dlc": "dlc", "m.nemo": "nemo"}
    assert found == {name: kind for name, (kind, _) in FILES.items()} | archives
    assert {each.name for each in RECOGNISED if not each.is_folder} == set(found.values())


def _format_of(path: Path) -> str:
    model = read_model(path)
    assert [each.kind for each in model.problems] == ["unreadable-format"]
    return next(each.name for each in RECOGNISED if each.title == model.problems[0].facts["format"])


def test_a_folder_is_not_searched_for_them(folder: Path) -> None:
    assert "FIL0" not in run_cli(str(folder), "-o", "concise").stdout
    done = run_cli("check", str(folder / "m.pte"), "-o", "concise")
    assert done.exit_code == 0
    assert "lint the exported program (.pt2)" in done.stdout


STAND_INS = {
    b"no such file\n": "not-a-model",
    b"\n<!DOCTYPE html>\n<html>": "not-a-model",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "lfs-pointer",
    bytes(5000): "not-a-model",
}


@pytest.mark.parametrize(("content", "kind"), STAND_INS.items(), ids=range(len(STAND_INS)))
def test_names_alone_make_none_of_them(tmp_path: Path, content: bytes, kind: str) -> None:
    for name in (*FILES, "m.npz", "m.dlc", "m.nemo", "m.bin"):
        (tmp_path / name).write_bytes(content)
        assert [each.kind for each in read_model(tmp_path / name).problems] == [kind], name


def test_a_pointer_in_place_of_a_shard_is_one(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(FILES["model.json"][1])
    (tmp_path / "group1-shard1of2.bin").write_bytes(next(c for c in STAND_INS if b"lfs" in c))
    problems = read_model(tmp_path / "group1-shard1of2.bin").problems
    assert [each.kind for each in problems] == ["lfs-pointer"]
