"""A configuration file names only what is below its folder; the command line names anything."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from modellint.config.settings import Settings, kebab
from tests.samples import ERROR, project
from tests.support import run_cli

posix = pytest.mark.skipif(sys.platform == "win32", reason="no links there")
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/modellint"
PRECIOUS = "alias ls=ls\n"

NAMED = {
    "output": 'output = ["concise:{}"]',
    "baseline": 'baseline = "{}"',
    "cache-dir": 'cache-dir = "{}"',
    "save-engine": 'probe = "onnxruntime"\nsave-engine = "{}"',
    "rules": 'rules = ["{}"]',
    "target-dirs": 'target-dirs = ["{}"]',
    "profile": 'profile = ["{}"]',
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository next to a home with a file that must not be overwritten."""
    home = project(tmp_path / "home", {".bashrc": PRECIOUS, "folder/x": PRECIOUS})
    monkeypatch.setenv("HOME", str(home))
    return project(tmp_path / "repository", {"error.onnx": ERROR})


def tree(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_text(encoding="latin-1") for path in files}


def _absolute(repository: Path) -> str:
    return str(repository.parent / "home/folder")


def _above(repository: Path) -> str:
    return "../home/folder"


def _hidden_above(repository: Path) -> str:
    return "x/../../home/folder"


def _home(repository: Path) -> str:
    return "~/folder"


def _user(repository: Path) -> str:
    return "~nosuchuser/folder"


def _nothing(repository: Path) -> str:
    return "a\\u0000b"


def _windows(repository: Path) -> str:
    return "C:/folder"


def _link(repository: Path) -> str:
    (repository / "out").symlink_to(repository.parent / "home/folder")
    return "out"


def _below_link(repository: Path) -> str:
    (repository / "out").symlink_to(repository.parent / "home")
    return "out/folder"


def _link_to_nothing(repository: Path) -> str:
    (repository / "out").symlink_to(repository.parent / "home/new")
    return "out"


WAYS_OUT = [
    _absolute,
    _above,
    _hidden_above,
    _home,
    _user,
    _nothing,
    _windows,
    _link,
    _below_link,
    _link_to_nothing,
]


def test_all_settings_that_name_files_are_known_here_and_in_the_documentation() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    read = set(re.findall(r'\.path\(\s*"([a-z-]+)"', source))
    named = {
        kebab(setting.name)
        for setting in fields(Settings)
        if re.search("FILE|DIR", getattr(setting.metadata["option"], "metavar", "") or "")
    }
    assert read | named == set(NAMED)
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Paths in a configuration \(([^)]*)\)", page)
    assert set(re.findall("`([^`]*)`", listed)) == set(NAMED)


@posix
@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("setting", NAMED)
def test_no_setting_leads_out(setting: str, way: Callable[[Path], str], repository: Path) -> None:
    project(repository, {"modellint.toml": NAMED[setting].format(way(repository))})
    before = tree(repository.parent)
    for options in ((), ("--write-baseline",), ("--force",)):
        result = run_cli(".", *options, cwd=repository)
        if setting == "baseline" or result.exit_code != 1:
            assert result.exit_code == 2, result
            assert "modellint.toml:" in result.stderr
            assert setting in result.stderr
            assert "below its own folder" in result.stderr
    (repository / "modellint-baseline.json").unlink(missing_ok=True)
    assert tree(repository.parent) == before


@pytest.mark.parametrize("setting", ["output", "baseline", "cache-dir", "save-engine"])
@pytest.mark.parametrize(
    "place", [".git/hooks/post-checkout", ".GIT/x", ".venv/lib/site-packages/x.pth"]
)
def test_nothing_is_written_where_it_would_be_run(
    setting: str, place: str, repository: Path
) -> None:
    project(repository, {"modellint.toml": NAMED[setting].format(place)})
    (repository / place).parent.mkdir(parents=True)
    result = run_cli(".", "--write-baseline", cwd=repository)
    assert result.exit_code == 2
    assert not (repository / place).exists()


@posix
def test_a_link_to_a_tool_s_folder_is_no_way_in(repository: Path) -> None:
    project(repository, {".git/hooks/x": "", "modellint.toml": 'output = ["json:hooks/new"]'})
    (repository / "hooks").symlink_to(".git/hooks")
    assert run_cli(".", cwd=repository).exit_code == 2
    assert not (repository / ".git/hooks/new").exists()


def test_a_configured_output_overwrites_only_reports(repository: Path) -> None:
    project(repository, {"modellint.toml": 'output = ["json:report"]', "report": PRECIOUS})
    for options in ((), ("--force",)):
        result = run_cli(".", *options, cwd=repository)
        assert result.exit_code == 2
        assert "not an earlier report" in result.stderr
        assert (repository / "report").read_text() == PRECIOUS
    (repository / "report").unlink()
    for _ in range(2):
        assert run_cli(".", cwd=repository).exit_code == 1
        assert json.loads((repository / "report").read_text())["version"] == 1


@posix
def test_a_configured_output_is_a_file(repository: Path) -> None:
    os.mkfifo(repository / "pipe")
    project(repository, {"modellint.toml": 'output = ["json:pipe"]'})
    assert run_cli(".", cwd=repository).exit_code == 2


def test_the_command_line_may_name_anything(repository: Path) -> None:
    home = repository.parent / "home"
    project(repository, {"modellint.toml": ""})
    options = (
        *("-o", "json:../home/report.json"),
        *("--baseline", "../home/known.json", "--write-baseline"),
        *("--cache-dir", "../home/cache"),
    )
    assert run_cli(".", *options, cwd=repository).exit_code == 0
    assert {path.name for path in home.iterdir()} == {
        ".bashrc",
        "folder",
        "report.json",
        "known.json",
        "cache",
    }


@posix
def test_init_does_not_write_through_a_link(repository: Path) -> None:
    (repository / "modellint.toml").symlink_to(repository.parent / "home/new")
    assert run_cli("init", cwd=repository).exit_code == 2
    assert not (repository.parent / "home/new").exists()
