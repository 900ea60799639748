"""Files of the working folder are never imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import GOOD, INFO, project
from tests.support import EXAMPLES
from tests.system.support import MODELLINT, posix, shell

pytestmark = posix

TRAPS = (
    "json signal pickle multiprocessing tomllib click numpy onnx rich pydantic sarif_om ml_dtypes "
    "tensorrt onnxruntime subprocess tempfile pathlib typing sitecustomize usercustomize"
).split()
AS_MODULE = MODELLINT
AS_COMMAND = f"{sys.executable} -c 'from modellint.__main__ import main; main()'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of models with modules in it that leave a trace when they are imported."""
    trap = 'import os; os.write(2, b"imported " + __name__.encode() + b"\\n"); os._exit(9)'
    project(tmp_path, {f"{name}.py": trap for name in TRAPS})
    return project(tmp_path, {"good.onnx": GOOD, "info.onnx": INFO})


@pytest.mark.parametrize(
    "arguments",
    [
        "good.onnx",
        ". --jobs 2 --no-cache",
        "inspect good.onnx -t a10",
        "probe good.onnx",
        "doctor",
        "rules",
        "good.onnx -o sarif",
    ],
)
def test_modules_in_the_working_folder(arguments: str, folder: Path) -> None:
    result = shell(f"modellint {arguments}", folder, {"PYTHONPATH": None})
    assert "imported" not in result.stderr
    assert result.exit_code in (0, 1), result


def test_nothing_opens_a_connection() -> None:
    code = """
import sys
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "urllib", "http")):
        print("connects", event, arguments)
sys.addaudithook(watch)
from modellint.__main__ import main
main()
"""
    for verb in ("check", "inspect", "probe"):
        done = subprocess.run(
            [sys.executable, "-c", code, verb, str(EXAMPLES), "-t", "a10"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        assert "connects" not in done.stdout


def test_a_configuration_names_no_module(folder: Path) -> None:
    """A rule of a repository states a pattern; functions are for installed packages."""
    rule = """
summary = "Trap."
severity = "error"
message = "Trap."
why = "Trap."
fix = "Trap."
check = "{check}"
"""
    for check in ("json:dumps", "trap:check", "os:getcwd"):
        files = {
            "modellint.toml": 'rules = ["own"]',
            "own/TEAM001-trap.toml": rule.format(check=check),
        }
        project(folder, {**files, "trap.py": "raise SystemExit('imported trap')"})
        result = shell("modellint good.onnx", folder, {"PYTHONPATH": None})
        assert "imported" not in result.stderr
        assert result.exit_code == 2, result
