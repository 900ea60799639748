"""The built packages, installed as users install them, work away from the repository."""

from __future__ import annotations

import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from modellint import __version__
from modellint.base.links import REPOSITORY
from modellint.rules.registry import FILE_NAME
from tests.packaging.conftest import clean_environment, run, succeed
from tests.support import save

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installs")]

RAW = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
DATA = ("rules", "hardware_targets")

GOOD = """
<ir_version: 10, opset_import: ["" : 21]>
good (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }
"""


def data_files(repository: Path) -> set[str]:
    return {
        file.relative_to(repository).as_posix()
        for folder in DATA
        for file in (repository / folder).rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a clean virtual environment."""
    home = tmp_path_factory.mktemp("venv") / "clean"
    succeed(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
    return home / ("Scripts" if os.name == "nt" else "bin")


@pytest.fixture(autouse=True)
def cache(isolated: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all runs, as for a user: each way of installing has its own rules in it."""
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(scripts.parent / "cache"))


@pytest.fixture(scope="module", params=["wheel", "git", "editable"])
def modellint(
    request: pytest.FixtureRequest,
    scripts: Path,
    snapshot: Path,
    built: tuple[Path, Path],
    wheels: Path,
) -> Path:
    """The program, installed in one of the ways users install it."""
    source: dict[str, list[str | Path]] = {
        "wheel": [built[1]],
        "git": [f"git+{snapshot.as_uri()}"],
        "editable": ["--editable", snapshot],
    }
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python")
    environment = clean_environment(wheels)
    succeed(*pip, "uninstall", "--yes", "modellint", cwd=scripts, env=environment)
    succeed(*pip, "install", *source[request.param], cwd=scripts, env=environment)
    return scripts / "modellint"


def test_wheel_is_pure_python_and_holds_the_data(snapshot: Path, built: tuple[Path, Path]) -> None:
    wheel = built[1]
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.name == f"modellint-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {
        "modellint",
        f"modellint-{__version__}.dist-info",
    }
    assert "modellint/py.typed" in names
    packaged = {name.removeprefix("modellint/_data/") for name in names if "/_data/" in name}
    assert packaged == data_files(snapshot)
    assert all(any(name.startswith(folder) for name in packaged) for folder in DATA)


def test_the_description_links_nothing_that_only_the_repository_has(
    built: tuple[Path, Path],
) -> None:
    name = f"modellint-{__version__}.dist-info/METADATA"
    text = zipfile.ZipFile(built[1]).read(name).decode()
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []
    assert f"]({RAW}/v{__version__}/docs/images/check.svg)" in text
    assert f"]({REPOSITORY}/blob/v{__version__}/docs/formats.md)" in text


def test_sdist_holds_the_sources(snapshot: Path, built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "README.md", "src/modellint/__init__.py"}
    assert wanted | data_files(snapshot) <= names


def test_installed_program_knows_its_version(modellint: Path, tmp_path: Path) -> None:
    assert __version__ in succeed(modellint, "--version", cwd=tmp_path)


def test_installed_program_finds_its_rules_and_targets(
    modellint: Path, snapshot: Path, tmp_path: Path
) -> None:
    rules = succeed(modellint, "rules", cwd=tmp_path)
    targets = succeed(modellint, "targets", cwd=tmp_path)
    files = [Path(name) for name in data_files(snapshot)]
    codes = {file.stem.split("-")[0] for file in files if FILE_NAME.fullmatch(file.name)}
    devices = {file.stem for file in files if file.parts[0] == "hardware_targets"}
    assert {code for code in codes if code not in rules} == set()
    assert {device for device in devices if device not in targets} == set()


def test_installed_program_lints(modellint: Path, tmp_path: Path) -> None:
    good = save(GOOD, tmp_path / "good.onnx")
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(good.read_bytes()[:-9])
    succeed(modellint, good, "--target", "a10", cwd=tmp_path)
    refused = run(modellint, bad, "--output", "concise", cwd=tmp_path)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert refused.stdout.startswith("bad.onnx")


def test_installed_program_lints_the_examples(
    modellint: Path, snapshot: Path, tmp_path: Path
) -> None:
    linted = run(modellint, snapshot / "examples", "--target", "a10", cwd=tmp_path)
    assert linted.returncode == 1, linted.stdout + linted.stderr
