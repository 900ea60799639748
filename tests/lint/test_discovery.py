"""The files that a run lints."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from modellint.base.errors import UsageError
from modellint.base.globs import Globs
from modellint.config.load import CommandLine, Configs
from modellint.discovery import discover, shown_path
from modellint.formats.torch.notation import encode
from tests.samples import GOOD, codes, project
from tests.support import run_cli


def make(folder: Path, *names: str, text: str = "x") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found(*paths: Path, **settings: object) -> list[str]:
    configs = Configs(CommandLine(settings, isolated=True))
    top = paths[0] if paths[0].is_dir() else paths[0].parent
    return [each.path.relative_to(top).as_posix() for each in discover(paths, configs).files]


def test_models_are_found_by_suffix_and_in_order(tmp_path: Path) -> None:
    make(
        tmp_path,
        "b.onnx",
        "a.ONNX",
        "sub/c.onnxtxt",
        "d.gguf",
        "e.safetensors",
        "f.tflite",
        "notes.txt",
        "weights.bin",
        "net.onnx.data",
    )
    assert found(tmp_path) == [
        "a.ONNX",
        "b.onnx",
        "d.gguf",
        "e.safetensors",
        "f.tflite",
        "sub/c.onnxtxt",
    ]


def test_a_folder_is_one_model_by_the_files_in_it(tmp_path: Path) -> None:
    make(
        tmp_path,
        "llm/config.json",
        "llm/model-00001-of-00002.safetensors",
        "llm/other.gguf",
        "llm/model-00002-of-00002.safetensors",
        "llm/onnx/model.onnx",
        "llm/lora.safetensors",
        "web/config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "loose/a.safetensors",
        "loose/model.safetensors",
    )
    assert found(tmp_path) == [
        "llm",
        "llm/lora.safetensors",
        "llm/other.gguf",
        "llm/onnx/model.onnx",
        "loose/a.safetensors",
        "loose/model.safetensors",
        "unet",
    ]
    assert found(tmp_path / "llm")[0] == "."
    assert found(tmp_path, exclude=("*.safetensors",)) == ["llm/other.gguf", "llm/onnx/model.onnx"]


def test_a_file_of_a_folder_leads_to_it(tmp_path: Path) -> None:
    shard, index = "a/model-00001-of-00001.safetensors", "a/model.safetensors.index.json"
    whole, other = "b/model.safetensors", "web/config.json"
    make(tmp_path, "a/config.json", shard, index, "b/config.json", whole, other)

    def named(*names: str, **settings: object) -> list[str]:
        configs = Configs(CommandLine(settings, isolated=True))
        files = discover([tmp_path / name for name in names], configs).files
        return [each.path.relative_to(tmp_path).as_posix() for each in files]

    assert named(shard, index, "b/config.json") == ["a", "b"]
    assert named(whole, other) == [whole, other]
    assert named(whole, other, force_exclude=True) == ["b"]  # as the hook names them


def test_a_hook_passes_over_what_is_no_model(tmp_path: Path) -> None:
    names = ("data.bin", "net.pt", "data.h5", "net.param", "net.bin")
    make(tmp_path, *names)
    (tmp_path / "net.pt").write_bytes(encode("w float32 [2]"))
    (tmp_path / "net.param").write_text("7767517\n1 1\nInput a 0 1 a\n")

    def named(**settings: object) -> list[str]:
        configs = Configs(CommandLine(settings, isolated=True))
        files = discover([tmp_path / name for name in names], configs).files
        return [each.path.name for each in files]

    assert named(force_exclude=True) == ["net.pt", "net.param"]
    assert named() == ["data.bin", "net.pt", "data.h5", "net.param"]


def test_folders_of_tools_are_never_walked(tmp_path: Path) -> None:
    make(tmp_path, "x.onnx", ".git/x.onnx", ".venv/x.onnx", "node_modules/x.onnx", "a/.tox/x.onnx")
    assert found(tmp_path) == ["x.onnx"]
    assert found(tmp_path / ".venv") == ["x.onnx"]  # unless it is asked for


def test_a_chain_of_folders_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from the top again for each folder, nor each time for its patterns."""
    asked: list[object] = []
    lstat = os.lstat

    def counted(path: Path) -> os.stat_result:
        asked.append(path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", counted)
    deepest = tmp_path
    for _ in range(100):
        deepest = deepest / "d"
        deepest.mkdir()
        (deepest / "m.onnx").touch()
    before = len(asked)
    assert len(discover([tmp_path], Configs(CommandLine({}, isolated=True))).files) == 100
    assert len(asked) - before < 600  # some for each folder and each file


def test_links_to_files_are_followed_and_to_folders_not(tmp_path: Path) -> None:
    make(tmp_path, "real/x.onnx")
    (tmp_path / "real/self").symlink_to(tmp_path / "real")
    (tmp_path / "link.onnx").symlink_to(tmp_path / "real/x.onnx")
    assert found(tmp_path) == ["link.onnx"]  # real/x.onnx is the same file


def test_a_path_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        found(tmp_path / "missing")


@pytest.mark.parametrize(
    ("ignores", "left"),
    [
        ("*.onnx\n", []),
        ("*.onnx\n!keep.onnx\n", ["keep.onnx", "sub/keep.onnx"]),
        ("/a.onnx\n", ["keep.onnx", "sub/a.onnx", "sub/keep.onnx"]),
        ("sub/\n", ["a.onnx", "keep.onnx"]),
        ("sub/*\n!sub/keep.onnx\n", ["a.onnx", "keep.onnx", "sub/keep.onnx"]),
        ("# a.onnx\n\n", ["a.onnx", "keep.onnx", "sub/a.onnx", "sub/keep.onnx"]),
        ("**/a.onnx\n", ["keep.onnx", "sub/keep.onnx"]),
        ("[ab].onnx\n", ["keep.onnx", "sub/keep.onnx"]),
    ],
)
def test_what_git_ignores_is_left_out(tmp_path: Path, ignores: str, left: list[str]) -> None:
    make(tmp_path, "a.onnx", "keep.onnx", "sub/a.onnx", "sub/keep.onnx")
    make(tmp_path, ".gitignore", text=ignores)
    assert found(tmp_path) == left
    assert len(found(tmp_path, respect_gitignore=False)) == 4


def test_the_nearest_gitignore_decides(tmp_path: Path) -> None:
    make(tmp_path, "a.onnx", "sub/a.onnx")
    make(tmp_path, ".gitignore", text="*.onnx\n")
    make(tmp_path, "sub/.gitignore", text="!a.onnx\n")
    assert found(tmp_path) == ["sub/a.onnx"]


def test_gitignores_above_count_up_to_the_repository(tmp_path: Path) -> None:
    make(tmp_path, "outer/.gitignore", text="*.onnx\n")
    make(tmp_path, "outer/repo/models/a.onnx", "outer/repo/models/b.onnx")
    (tmp_path / "outer/repo/.git/info").mkdir(parents=True)
    make(tmp_path, "outer/repo/.git/info/exclude", text="a.onnx\n")
    assert found(tmp_path / "outer/repo/models") == ["b.onnx"]


GIT_PATTERNS = [
    "*.onnx",
    "a.onnx",
    "/a.onnx",
    "sub/a.onnx",
    "sub/",
    "/sub/",
    "sub/*",
    "**/a.onnx",
    "sub/**",
    "a*",
    "?.onnx",
    "[a-b].onnx",
    "[!a].onnx",
    "*/a.onnx",
    "sub/**/a.onnx",
    r"\a.onnx",
    "a.onnx ",
    r"a.onnx\ ",
    "!a.onnx",
    "[",
    "[a",
    "**",
    "*",
    "deep/**/x/",
    "x/",
    "[[:alpha:]].onnx",
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is what is compared with")
@pytest.mark.parametrize("pattern", GIT_PATTERNS)
def test_globs_mean_what_git_means(tmp_path: Path, pattern: str) -> None:
    names = ["a.onnx", "b.onnx", "ab.onnx", "sub/a.onnx", "sub/x/a.onnx", "deep/y/x/c.onnx"]
    make(tmp_path, *names)
    make(tmp_path, ".gitignore", text=f"{pattern}\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = sorted(name for name in listed.split("\0") if name.endswith(".onnx"))
    assert sorted(found(tmp_path)) == wanted


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.onnx", "a/b.onnx", True),
        ("a/*.onnx", "a/b.onnx", True),
        ("a/*.onnx", "x/a/b.onnx", False),
        ("a/", "a/b/c.onnx", True),
        ("a", "a/b/c.onnx", True),
        ("a/**/c.onnx", "a/c.onnx", True),
        ("*", "any/thing.onnx", True),
        ("", "a", False),
        ("/", "a", False),
    ],
)
def test_globs_of_the_configuration(pattern: str, path: str, matches: bool) -> None:
    assert Globs([pattern]).match(path) is matches


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("./a/*.onnx", "a/b.onnx"),
        (r"a\*.onnx", "a/b.onnx"),
        (r".\a\b.onnx", "a/b.onnx"),
        (r"a\\b.onnx", "a/b.onnx"),
        (r"model\[1\].onnx", "model[1].onnx"),
    ],
)
def test_settings_hold_paths_as_people_write_them(pattern: str, path: str) -> None:
    assert Globs.of_setting([pattern]).match(path)
    assert not Globs.of_setting([pattern]).match("other.onnx")


def test_what_is_hidden_by_git_is_counted(tmp_path: Path) -> None:
    make(tmp_path, "build/a.onnx", "build/sub/b.onnx", "c.onnx")
    make(tmp_path, ".gitignore", text="build/\nc.onnx\n")
    result = run_cli(tmp_path)
    assert "3 model files skipped because git ignores them" in result.stderr
    assert "no model files found" in result.stderr


def test_external_data_stands_for_its_model(tmp_path: Path) -> None:
    from tests.lint.test_cache import external

    data = external(tmp_path / "net.onnx")
    other = external(tmp_path / "other.onnx")
    assert codes(data, "--select", "file") == []
    data.write_bytes(b"short")
    other.write_bytes(b"short")
    assert codes(data, "--select", "file") == ["FIL014"]
    assert codes(data, other, tmp_path / "net.onnx", "--select", "file") == ["FIL014", "FIL014"]


def test_external_data_in_a_folder_of_its_own(tmp_path: Path) -> None:
    from tests.lint.test_cache import external

    data = external(tmp_path / "net.onnx")
    moved = tmp_path / "parts" / data.name
    moved.parent.mkdir()
    data.rename(moved)
    model = tmp_path / "net.onnx"
    text = model.read_bytes()
    # The same length, so that no length in the file has to change.
    assert b"net.bin" in text
    shorter = moved.with_name("x")
    moved.rename(shorter)
    model.write_bytes(text.replace(b"net.bin", b"parts/x"))
    configs = Configs(CommandLine({}, isolated=True))
    assert [each.path for each in discover([shorter], configs).files] == [model]


def test_data_that_no_model_names_is_said(tmp_path: Path) -> None:
    make(tmp_path, "alone.onnx.data")
    result = run_cli("alone.onnx.data", cwd=tmp_path)
    assert result.exit_code == 0
    assert "looks like external data, but no model next to it refers to it" in result.stderr


def test_shown_paths_are_short_and_have_forward_slashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "a" / "b.onnx") == "a/b.onnx"
    assert shown_path(Path("./a/../b.onnx")) == "b.onnx"
    assert shown_path(Path("/elsewhere/x.onnx")) == "/elsewhere/x.onnx"


def test_each_folder_has_its_own_configuration(tmp_path: Path) -> None:
    project(tmp_path, dict.fromkeys(("a.onnx", "sub/b.onnx", "sub/deep/c.onnx"), GOOD))
    project(tmp_path, {"modellint.toml": "batch = 1", "sub/modellint.toml": "batch = 2"})
    configs = Configs(CommandLine({}))
    batches = {
        each.path.name: each.config.settings.batch for each in discover([tmp_path], configs).files
    }
    assert batches == {"a.onnx": 1, "b.onnx": 2, "c.onnx": 2}


def test_shared_suffixes_are_searched_by_content(tmp_path: Path) -> None:
    """A checkpoint is found under them, and other files are left alone."""
    (tmp_path / "net.pt").write_bytes(encode("w float32 [2]"))
    (tmp_path / "train.pt").write_text("uma frase em português\n")
    (tmp_path / "data.bin").write_bytes(bytes(100))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.pt")
    assert found(tmp_path) == ["net.pt"]
