"""A run loads only the modules that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import INFO
from tests.support import save

SCRIPT = """
import sys
from modellint.cli.app import run
run(sys.argv[1:])
print("loaded:", *sorted(sys.modules))
"""


def loaded(folder: Path, cache: Path, *options: str) -> set[str]:
    """The modules that a run has loaded; the one before it has filled the cache."""
    command = [sys.executable, "-c", SCRIPT, "info.onnx", "--target", "a10", *options]
    environment = {**os.environ, "MODELLINT_CACHE_DIR": str(cache)}
    for name in [name for name in environment if name.startswith("COVERAGE_")]:
        del environment[name]  # measuring loads modules of its own
    for _ in range(2):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(INFO, tmp_path / "info.onnx")
    (tmp_path / "modellint.toml").write_text("shapes = { x = '1x8' }\n")
    return tmp_path


UNWANTED = set(
    """
    concurrent.futures.process importlib.metadata modellint.formats.signatures modellint.probes
    multiprocessing numpy onnx onnxruntime pydantic rich tempfile traceback
    """.split()
)


@pytest.mark.parametrize("output", ["concise", "full", "json"])
def test_linting_a_graph_loads_what_reads_it_and_no_more(
    folder: Path, isolated: Path, output: str
) -> None:
    modules = loaded(folder, isolated, "-o", output, "--no-cache")
    assert "modellint.engine" in modules
    assert modules & UNWANTED == set()


def test_a_run_from_the_cache_loads_neither_linter_nor_reader(folder: Path, isolated: Path) -> None:
    modules = loaded(folder, isolated, "-o", "concise")
    linter = {"modellint.engine", "modellint.checks", "modellint.workers"}
    unwanted = {*linter, "modellint.model", "google.protobuf", "tempfile", "pydantic"}
    assert modules & unwanted == set()
