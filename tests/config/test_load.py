"""The configuration that holds: the nearest file, under the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modellint.base.errors import UsageError
from modellint.base.toml_text import TomlText
from modellint.config.load import CommandLine, Configs, merge, read_config
from modellint.config.settings import Settings
from tests.samples import project


def test_without_a_file_defaults_hold(tmp_path: Path) -> None:
    config = Configs(CommandLine({}, isolated=True)).of(tmp_path)
    assert config.settings == Settings()
    assert config.file is None


@pytest.mark.parametrize(
    ("files", "batch"),
    [
        ({"modellint.toml": "batch = 2"}, 2),
        ({".modellint.toml": "batch = 3", "modellint.toml": "batch = 2"}, 3),
        ({"modellint.toml": "batch = 2", "pyproject.toml": "[tool.modellint]\nbatch = 4"}, 2),
        ({"pyproject.toml": "[tool.modellint]\nbatch = 4"}, 4),
        ({"pyproject.toml": "[tool.other]\nbatch = 4"}, None),
        ({"pyproject.toml": "[tool.modellint]"}, None),
        ({"modellint.toml": ""}, None),
        ({"modellint.toml": "\ufeffbatch = 5"}, 5),
        ({"pyproject.toml": "\ufeff[tool.modellint]\nbatch = 5"}, 5),
        ({"pyproject.toml": "tool = 'modellint'"}, None),
    ],
)
def test_the_first_of_the_names_wins(
    tmp_path: Path, files: dict[str, str], batch: int | None
) -> None:
    project(tmp_path, files)
    assert Configs(CommandLine({})).of(tmp_path).settings.batch == batch


def test_the_nearest_file_wins_and_hides_those_above(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": "batch = 1\njobs = 3", "a/b/modellint.toml": "batch = 2"})
    configs = Configs(CommandLine({}))
    (tmp_path / "a/b/c").mkdir()
    assert configs.of(tmp_path / "a/b/c").settings.batch == 2
    assert configs.of(tmp_path / "a/b/c").settings.jobs is None
    assert configs.of(tmp_path / "a").settings.batch == 1
    assert configs.of(tmp_path / "a/b") is configs.of(tmp_path / "a/b/c")


def test_a_pyproject_without_our_table_hides_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": "batch = 1", "a/pyproject.toml": "[project]\nname='x'"})
    assert Configs(CommandLine({})).of(tmp_path / "a").settings.batch == 1


def test_the_command_line_wins(tmp_path: Path) -> None:
    settings = Settings(
        select=("A",), ignore=("B",), severity={"A": "info", "B": "info"}, targets=("a10",)
    )
    merged = merge(
        settings,
        {"select": ("C",), "ignore": ("D",), "severity": {"A": "error"}, "targets": ("l4",)},
    )
    assert merged.select == ("C",)
    assert merged.ignore == ("B", "D")
    assert merged.severity == {"A": "error", "B": "info"}
    assert merged.targets == ("l4",)


def test_reading_without_a_configuration_loads_no_pydantic(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from modellint.config.load import CommandLine, Configs;"
        "Configs(CommandLine({})).of(Path.cwd()); assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_paths_and_globs_start_from_the_file(tmp_path: Path) -> None:
    project(tmp_path, {"sub/modellint.toml": ""})
    config = read_config(tmp_path / "sub/modellint.toml")
    assert config.path("rules", "x/y") == tmp_path / "sub/x/y"
    assert config.relative(tmp_path / "sub/a/b.onnx") == "a/b.onnx"


TEXT = """\
a = 1
"quoted key" = 2
b = { c = 1, d = { e = 2 } }

[table]
x = 1
y.z = 2

[table.sub]
w = [
  1,
]

[[list]]
n = 1
[[list]]
n = 2
multi = {
  p = 1,
  q = 2,
}
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("a",), 1),
        (("quoted key",), 2),
        (("b",), 3),
        (("b", "c"), 3),
        (("b", "d", "e"), 3),
        (("table",), 5),
        (("table", "x"), 6),
        (("table", "y", "z"), 7),
        (("table", "sub", "w"), 10),
        (("table", "sub", "w", 0), 11),
        (("list", 0), 14),
        (("list", 0, "n"), 15),
        (("list", 1, "n"), 17),
        (("list", 1, "multi", "q"), 20),
        (("list", 0, "missing"), 14),
        (("nothing",), None),
    ],
)
def test_lines_of_keys(keys: tuple[str | int, ...], line: int | None) -> None:
    toml = TomlText(TEXT)
    place = toml.find(keys)
    assert (toml.line(place.range.start) if place is not None else None) == line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
def test_a_configuration_that_is_no_file_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(UsageError, match="it is a pipe"):
        read_config(tmp_path / "pipe.toml")
