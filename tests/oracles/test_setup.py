"""Environments are made by pip for real, from wheels that are made here."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.probes import setup
from modellint.probes.installations import RECORD, set_up
from modellint.probes.setup import EnvironmentSetup, SetupFailed, make, remove
from modellint.runtimes.environment import Pinned, ProbeEnvironment
from tests.support import PATIENCE


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only index there is; and a folder for environments."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MODELLINT_ENVIRONMENTS", str(tmp_path / "environments"))
    return folder


def wheel(folder: Path, name: str, version: str) -> None:
    """Write a package with one module and one command."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\ndef say(): print(version)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nsay-{name} = {name}:say\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in files))


def toy(*pinned: tuple[str, str]) -> EnvironmentSetup:
    packages = tuple(Pinned(name, version, "MIT", 1) for name, version in pinned)
    stated = ProbeEnvironment(packages, "https://example.com", "2026-11-29", module=pinned[0][0])
    return EnvironmentSetup("toy", "Toy", stated)


def test_it_is_made_used_replaced_and_removed(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "toy", "1.0")
    first = toy(("toy", "1.0"))
    said: list[str] = []
    make(first, said.append)
    assert said == ["making a virtual environment", "installing toy 1.0"]
    assert first.is_current
    assert version() == "1.0"
    assert first.folder.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "elsewhere").exists()
    command = [first.folder / "bin" / "say-toy"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1.0\n"

    # What fails leaves the earlier one, and is gone on with later.
    wheel(wheels, "toy", "2.0")
    second = toy(("toy", "2.0"), ("other", "1.0"))
    with pytest.raises(SetupFailed, match=r"(?s)could not be installed:.*other==1\.0"):
        make(second, said.append)
    assert version() == "1.0"
    wheel(wheels, "other", "1.0")
    broken = replace(second, environment=replace(second.environment, module="absent"))
    said.clear()
    with pytest.raises(SetupFailed, match="No module named 'absent'"):
        make(broken, said.append)
    assert version() == "1.0"
    make(second, said.append)
    assert said == ["installing toy 2.0, other 1.0"] * 2
    assert version() == "2.0"
    assert [each.name for each in first.folder.parent.iterdir() if each.is_dir()] == ["toy"]

    assert remove(second)
    assert not remove(second)
    assert set_up("toy") is None


def version() -> str:
    found = set_up("toy")
    assert found is not None
    script = [found.python, "-I", "-c", "import toy; print(toy.version)"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found.version
    return found.version


def test_a_kill_leaves_nothing_that_counts(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "toy", "1.0")
    script = (
        "from tests.oracles.test_setup import toy\n"
        "from modellint.probes.setup import make\n"
        "make(toy(('toy', '1.0')), lambda text: print(text, flush=True))\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "making a virtual environment\n"
    draft = tmp_path / "environments" / f"{setup.DRAFT}toy"
    deadline = time.monotonic() + PATIENCE
    while not (draft / "pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert set_up("toy") is None
    assert not (draft / RECORD).exists()
    time.sleep(0.5)  # for what the killed run had started
    make(toy(("toy", "1.0")), lambda _: None)
    assert toy(("toy", "1.0")).is_current


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments").chmod(0o777)
    with pytest.raises(SetupFailed, match="other users can write to"):
        make(toy(("toy", "1.0")), lambda _: None)
