"""Stand-ins: what they are called, and what is fetched of them."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from modellint.base.files import open_regular, regular_size
from modellint.base.standins import standing
from modellint.remote.mount import Mount
from modellint.remote.origin import FetchError, FetchLimits, RemoteFile, Traffic

STRANGE = [
    "../outside.onnx",
    "/etc/outside.onnx",
    "a/../../outside.onnx",
    "..\\outside.onnx",
    "C:\\outside.onnx",
    "nul\0l.onnx",
    f"{'long' * 100}.onnx",
    "",
]


class InMemory:
    """A remote folder that is not remote."""

    checks_tags = False

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        traffic.add(requests=1)
        content = self.contents.get(name)
        return RemoteFile(name, len(content), str(hash(content))) if content is not None else None

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        return [
            RemoteFile(name, len(each), str(hash(each))) for name, each in self.contents.items()
        ]

    def read(self, entry: RemoteFile, start: int, stop: int, traffic: Traffic) -> bytes:
        data = self.contents[entry.name][start:stop]
        assert len(data) == stop - start
        traffic.add(len(data), 1)
        return data

    def download(self, entry: RemoteFile, file: BinaryIO, traffic: Traffic) -> None:
        raise FetchError("never asked")

    def close(self) -> None:
        pass


def mounted(folder: Path, contents: dict[str, bytes], most: int = 1 << 30) -> Mount:
    return Mount(InMemory(contents), folder, "s3://bucket", FetchLimits(most))


def test_names_that_no_file_can_have_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    names = [*STRANGE, "good.onnx", "sub/good.onnx", "sub", ".gitignore", ".git/config"]
    mount = mounted(folder, dict.fromkeys(names, b"content"))
    found, strange = mount.add_all()
    here = sorted(each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*.onnx"))
    assert here == ["stand-ins/good.onnx", "stand-ins/sub/good.onnx"]
    assert (found, strange) == (len(names), len(STRANGE) + 1)
    assert not (folder / ".gitignore").exists()


def test_any_order_of_reading_gives_the_content(tmp_path: Path) -> None:
    dice = random.Random(5)
    for size in (0, 1, 70_000, 6 << 20):
        content = dice.randbytes(size)
        folder = tmp_path / str(size)
        folder.mkdir()
        mount = pickle.loads(pickle.dumps(mounted(folder, {"a.bin": content})))
        path = Path(mount.folder, "a.bin")
        mount.find(path)
        with standing([mount]), open_regular(path) as file:
            assert regular_size(path) == os.fstat(file.fileno()).st_size == size
            for _ in range(60):
                start = dice.randrange(size + 1)
                length = dice.choice((1, 100, 20_000, 3 << 20))
                file.seek(start)
                assert file.read(length) == content[start : start + length]
                assert file.tell() == min(start + length, size)
            file.seek(size // 2)
            assert file.read() == content[size // 2 :]
            buffer = bytearray(10)
            file.seek(0)
            assert file.readinto(buffer) == min(size, 10)
            assert bytes(buffer[: min(size, 10)]) == content[:10]


def test_a_limit_holds_for_each_model(tmp_path: Path) -> None:
    contents = {"a.bin": bytes(50_000), "b.bin": bytes(50_000)}
    mount = mounted(tmp_path, contents, most=60_000)
    mount.add_all()
    with standing([mount]):
        for name in contents:
            path = Path(mount.folder, name)
            with open_regular(path) as file:
                assert len(file.read()) == 50_000
            assert mount.settle(path).nbytes == 50_000
        for name in contents:
            mount._held = type(mount._held)()
            with open_regular(Path(mount.folder, name)) as file:
                if name == "b.bin":
                    with pytest.raises(OSError, match="--max-fetch"):
                        file.read()
                else:
                    file.read()
        assert "--max-fetch" in mount.settle(path).trouble
        assert "--max-fetch" in mount.trouble(path)
