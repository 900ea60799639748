"""Files that are special, odd, unreadable, or that change while they are linted."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from modellint.config.load import CommandLine, Configs
from modellint.discovery import discover
from tests.growth import is_linear
from tests.samples import ERROR, GOOD, INFO, failed, lint_json, project
from tests.support import run_cli, save
from tests.system.support import linux, ordinary_user, posix

pytestmark = posix

SELECT = ("--select", "VAL003,HYG005,file,internal")
VERBS = ("check", "inspect", "probe")


def make_special(kind: str, path: Path) -> None:
    """Make something other than a file, under the name of a model."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            before = Path.cwd()
            os.chdir(path.parent)  # the system limits the length of a socket's path
            made.bind(path.name)
            os.chdir(before)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(
            {"endless": "/dev/zero", "terminal": "/dev/tty", "random": "/dev/random"}[kind]
        )


SPECIAL = ("pipe", "socket", "folder", "endless", "terminal", "random")


@linux
@pytest.mark.parametrize("kind", SPECIAL)
def test_a_special_file_in_a_folder(kind: str, tmp_path: Path) -> None:
    project(tmp_path, {"good.onnx": GOOD, "error.onnx": ERROR})
    make_special(kind, tmp_path / "special.onnx")
    document = lint_json(".", *SELECT, cwd=tmp_path)
    found = {each["path"]: each["code"] for each in document["findings"]}
    assert found.pop("error.onnx") == "VAL003"
    assert all(code.startswith("FIL") for code in found.values())
    assert document["exit"] == 1


@linux
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("verb", VERBS)
def test_a_special_file_that_is_named(kind: str, verb: str, tmp_path: Path) -> None:
    make_special(kind, tmp_path / "special.onnx")
    result = run_cli(verb, "special.onnx", cwd=tmp_path)
    assert result.exit_code in ((0, 2) if kind == "folder" else (1, 2)), result


@linux
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(
    "options",
    [
        ["--config", "special"],
        ["--baseline", "special"],
        ["--layers", "special"],
    ],
)
def test_a_special_file_as_another_input(kind: str, options: list[str], tmp_path: Path) -> None:
    project(tmp_path, {"good.onnx": GOOD})
    make_special(kind, tmp_path / "special")
    verb = "inspect" if "--layers" in options else "check"
    failed(run_cli(verb, "good.onnx", *options, cwd=tmp_path), "special")


@linux
@pytest.mark.parametrize("kind", ["pipe", "socket", "endless"])
@pytest.mark.parametrize(
    "name", [".gitignore", ".git/info/exclude", "modellint.toml", "pyproject.toml", "a.data"]
)
def test_a_special_file_next_to_a_model(kind: str, name: str, tmp_path: Path) -> None:
    project(tmp_path, {"good.onnx": GOOD})
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    make_special(kind, tmp_path / name)
    assert lint_json(".", *SELECT, cwd=tmp_path)["exit"] == 0


def test_loops_of_folders(tmp_path: Path) -> None:
    project(tmp_path, {"a/b/good.onnx": GOOD, "a/error.onnx": ERROR})
    (tmp_path / "a/b/up").symlink_to("../..")
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "a/b/model.mlpackage").symlink_to("../../a")
    document = lint_json(".", *SELECT, cwd=tmp_path)
    assert document["summary"]["models"] in (2, 3)
    assert "VAL003" in {each["code"] for each in document["findings"]}
    assert lint_json("a/b/up/a/b/up", *SELECT, cwd=tmp_path)["exit"] == 1


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    """A linked file that is a model is linted; a linked folder is not searched."""
    outside = project(tmp_path / "outside", {"error.onnx": ERROR, "sub/error.onnx": ERROR})
    inside = project(tmp_path / "inside", {"good.onnx": GOOD})
    (inside / "linked").symlink_to(outside)
    (inside / "link.onnx").symlink_to(outside / "error.onnx")
    os.link(outside / "error.onnx", inside / "hard.onnx")
    document = lint_json(".", *SELECT, cwd=inside)
    assert [each["path"] for each in document["findings"]] == ["hard.onnx", "link.onnx"]


ODD_NAMES = [
    b"not-utf-8-\xff\xfe.onnx",
    b"new\nline.onnx",
    b"escape\x1b[31m.onnx",
    b"tab\t.onnx",
    b"-o.onnx",
    b"::error::x.onnx",
    b"%0A%0d.onnx",
    b"$(touch pwned).onnx",
    b"<b>&amp;\"'`.onnx",
    "\u202eright-to-left.onnx".encode(),
    "\ufeffmark.onnx".encode(),
    b"x" * 250 + b".onnx",
    b" .onnx",
    b".onnx",
]


@linux
@pytest.mark.parametrize(
    "output",
    ["full", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown"],
)
def test_odd_file_names(output: str, tmp_path: Path) -> None:
    content = save(ERROR, tmp_path / "error.onnx").read_bytes()
    for number, name in enumerate(ODD_NAMES):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(
            content + b"\x0a\x01x" * number
        )
    result = run_cli(".", *SELECT, "-o", output, cwd=tmp_path)
    assert result.exit_code == 1, result
    assert "\ufffd" not in result.stdout  # it is valid UTF-8
    lines = result.stdout.splitlines()
    assert all(character.isprintable() for line in lines for character in line)
    if output in ("json", "sarif", "gitlab"):
        json.loads(result.stdout)
    if output == "json":
        document = json.loads(result.stdout)
        assert document["summary"]["models"] == len(ODD_NAMES) + 1
        assert len({each["path"] for each in document["findings"]}) == len(ODD_NAMES) + 1


@linux
@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("verb", ["check", "inspect"])
def test_an_odd_file_name_that_is_given(name: bytes, verb: str, tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    path.write_bytes(save(GOOD, tmp_path / "good.onnx").read_bytes())
    result = run_cli(verb, path, "-o", "json")
    assert result.exit_code == 0, result
    json.loads(result.stdout)


def test_deep_folders(tmp_path: Path) -> None:
    """With a path longer than the system takes at once."""
    name = "deep" * 30
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(40):
            Path(name).mkdir()
            os.chdir(name)
        os.chdir(tmp_path)
        project(tmp_path, {"error.onnx": ERROR})
        document = lint_json(".", *SELECT)
    finally:
        os.chdir(before)
        subprocess.run(["rm", "-rf", str(tmp_path / name)], check=True)
    assert document["exit"] == 1


@ordinary_user
def test_unreadable_files(tmp_path: Path) -> None:
    project(tmp_path, {"locked.onnx": GOOD, "error.onnx": ERROR})
    (tmp_path / "locked.onnx").chmod(0)
    document = lint_json(".", *SELECT, cwd=tmp_path)
    assert [each["path"] for each in document["findings"]] == ["error.onnx", "locked.onnx"]


CHANGE = """
import sys
from functools import cache
from pathlib import Path
path, what = Path(sys.argv[1]), sys.argv[2]
content = path.read_bytes()
while True:
    if what == "vanishes":
        path.unlink(missing_ok=True)
    elif what == "shrinks":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content + content)
    path.write_bytes(content)
"""


@linux
@pytest.mark.parametrize("what", ["vanishes", "shrinks", "grows"])
def test_a_file_that_changes_all_the_time(what: str, tmp_path: Path) -> None:
    project(tmp_path, {"error.onnx": ERROR, "info.onnx": INFO})
    changing = save(GOOD, tmp_path / "changing.onnx")
    changing.write_bytes(changing.read_bytes() + b"\x0a\x01x" * 100_000)
    changer = subprocess.Popen([sys.executable, "-c", CHANGE, changing, what])
    try:
        for _ in range(8):
            document = lint_json(".", *SELECT, "--no-cache", cwd=tmp_path)
            found: dict[str, Any] = {each["path"]: each["code"] for each in document["findings"]}
            assert found.pop("error.onnx") == "VAL003"
            assert found.pop("info.onnx") == "HYG005"
            assert all(code.startswith("FIL") for code in found.values()), found
            assert document["exit"] == 1
    finally:
        changer.kill()
        changer.wait()


def test_discovery_looks_at_each_entry_once(tmp_path: Path) -> None:
    def find(files: int) -> None:
        assert len(discover([root(files)], Configs(CommandLine({}, isolated=True))).files) == 1

    @cache
    def root(files: int) -> Path:
        made = tmp_path / str(files)
        for number in range(files):
            folder = made / f"{number // 100}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.txt").touch()
        return project(made, {"0/error.onnx": ERROR, ".gitignore": "*.log\n!x\nbuild/\n"})

    assert is_linear(find, 500)
