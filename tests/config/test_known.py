"""A configuration that was valid once is taken as it is, and means the same."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from modellint.base.rebuild import from_plain
from modellint.config import known, load
from modellint.config.known import is_known_valid
from modellint.config.load import read_config, validate
from modellint.config.settings import KEYS, Settings, kebab
from modellint.config.starter import starter
from tests.samples import project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SETTLED = [
    "",
    "select = ['A', 'B']\nextend-select = ['C']\nignore = []",
    "per-file-ignores = { 'a/*' = ['X', 'Y'] }",
    "severity = { A = 'error' }\nrule-options = { A = { x = [1, 2], y = 'z', w = true, v = 0.5 } }",
    "shapes = { a = '1x3', b = { min = '1', max = '2' }, c = { min = '1', opt = '1', max = '2' } }",
    "symbols = { N = 4 }\nbatch = 2\ndla = true\njobs = 3",
    "budgets = { max-params = '5M', max-nodes = 7, max-latency-bound = 0.5 }",
    "per-file-budgets = { 'a' = { max-vram = '1GiB' }, 'b' = {} }",
    "[[suppress]]\nrule='A'\nreason='b'\nexpires=2027-01-31\n[[suppress]]\nrule='B'\nreason='c'",
    "[[suppress]]\nrule='A'\nreason='b'\nexpires='2027-01-31'\npath='x'\nnode='y'",
    "output = ['json:a.json', 'full']\ntargets = ['a10']\nfail-on = 'never'",
]


@pytest.mark.parametrize("text", SETTLED)
def test_a_table_means_the_same_without_being_validated(tmp_path: Path, text: str) -> None:
    table = tomllib.loads(text)
    first = validate(table, tmp_path / "modellint.toml")
    assert is_known_valid(table)
    assert from_plain(Settings, table) == first
    assert validate(table, tmp_path / "modellint.toml") == first


def test_every_setting_can_be_known(tmp_path: Path) -> None:
    text = "\n".join(
        line.removeprefix("# ") if line.removeprefix("# ").partition(" = ")[0] in KEYS else ""
        for line in starter().splitlines()
    )
    table = tomllib.loads(text)
    assert set(table) == set(KEYS)
    settings = validate(table, tmp_path / "modellint.toml")
    assert is_known_valid(table)
    assert from_plain(Settings, table) == settings
    for item in fields(type(settings)):
        assert type(getattr(from_plain(Settings, table), item.name)) is type(
            getattr(settings, item.name)
        )
        assert kebab(item.name) in table


@pytest.mark.parametrize("text", ["select = 1", "selekt = []", "[[suppress]]\nrule = 'x'"])
def test_what_is_wrong_is_never_known(tmp_path: Path, text: str) -> None:
    project(tmp_path, {"modellint.toml": text})
    table = tomllib.loads(text)
    for _ in range(2):
        with pytest.raises(load.ConfigError):
            validate(table, tmp_path / "modellint.toml")
    assert not is_known_valid(table)


def test_what_would_mean_something_else_is_never_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "from_plain", lambda kind, table: Settings(batch=5))
    for _ in range(2):
        assert validate({"batch": 4}, tmp_path / "modellint.toml").batch == 4
    assert not is_known_valid({"batch": 4})


def test_another_edition_of_the_settings_knows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"batch": 4}
    validate(table, tmp_path / "modellint.toml")
    monkeypatch.setattr(known, "__version__", "999.0.0")
    assert not is_known_valid(table)


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, {"file": "", "modellint.toml": "batch = 4"})
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(tmp_path / "file"))
    assert read_config(tmp_path / "modellint.toml").settings.batch == 4


def test_a_known_configuration_needs_no_pydantic(tmp_path: Path, isolated: Path) -> None:
    project(tmp_path, {"modellint.toml": SETTLED[4]})
    read_config(tmp_path / "modellint.toml")
    script = (
        "import sys; from pathlib import Path; from modellint.config.load import read_config;"
        "read_config(Path('modellint.toml')); assert 'pydantic' not in sys.modules"
    )
    environment = {**os.environ, "MODELLINT_CACHE_DIR": str(isolated)}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
