"""A runtime that a plugin adds is known wherever those of modellint itself are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import INFO
from tests.support import save

PACKAGE = """
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Runtime


def ability(gpu: Gpu) -> str:
    return "compiles on the CPU"


RUNTIME = Runtime(
    "toy-rt",
    "Toy Runtime",
    probe=Probe(
        code="toy_rt.probe",
        modules=("toy_rt",),
        packages=("toy-rt",),
        install="pip install toy-rt",
        ability=ability,
    ),
)
"""
PROBE = """
def answer(request, tell):
    tell({"version": "7.5", "level": request["level"], "status": "accepted"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create the files of an installed distribution with the entry point."""
    package, info = tmp_path / "site" / "toy_rt", tmp_path / "site" / "toy_rt-7.5.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    (package / "probe.py").write_text(PROBE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-rt\nVersion: 7.5\n")
    (info / "entry_points.txt").write_text("[modellint.runtimes]\ntoy = toy_rt:RUNTIME\n")
    save(INFO, tmp_path / "info.onnx")
    return tmp_path


def modellint(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "modellint", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_accepted_and_suggested(folder: Path) -> None:
    assert modellint(folder, "check", "info.onnx", "--runtime", "toy-rt").returncode == 0
    mistaken = modellint(folder, "check", "info.onnx", "--runtime", "toy-rtt")
    assert mistaken.returncode == 2
    assert "did you mean 'toy-rt'?" in mistaken.stderr


def test_auto_asks_it(folder: Path) -> None:
    done = modellint(folder, "probe", "info.onnx", "--runtime", "toy-rt")
    assert done.returncode == 0, done.stderr
    assert "toy-rt 7.5" in done.stdout or "Toy Runtime 7.5" in done.stdout


def test_it_is_asked_by_name(folder: Path) -> None:
    done = modellint(folder, "probe", "info.onnx", "--backend", "toy-rt")
    assert done.returncode == 0, done.stderr
    assert modellint(folder, "probe", "info.onnx", "--backend", "toy").returncode == 2


def test_doctor_lists_it(folder: Path) -> None:
    said = modellint(folder, "doctor").stdout
    assert "Toy Runtime" in said
    assert "7.5, compiles on the CPU" in said


def test_messages_name_it(folder: Path) -> None:
    script = (
        "from modellint.targets.deployment import Deployment\n"
        "deployment = Deployment(runtime='toy-rt')\n"
        "print(deployment.runtime_name, deployment.builder)\n"
    )
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Toy Runtime toy-rt\n"
