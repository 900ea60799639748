"""Fleets on real clusters, whose workers are killed, and real queries of their results."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fleets.deadly import models, plugin
from tests.oracles.support import engines_python
from tests.samples import lint_json
from tests.support import EXAMPLES, PATIENCE, ROOT

PYTHON = engines_python()
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="engines are not set up: make oracles")
ENGINES = {"dask": "parquet", "ray": "jsonl", "spark": "parquet"}
QUERY = """
import sys, json, duckdb
from pathlib import Path
from modellint.fleets.survey import survey
results, *queries = sys.argv[1:]
answers = [(query, duckdb.sql(query)) for query in queries]
rows = [answer.fetchall() for query, answer in answers if "SELECT" in query]
groups = {each.name: each.counts.total for each in survey(Path(results)).groups}
print(json.dumps([rows, groups], default=str))
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = models(tmp_path_factory.mktemp("fleet") / "models")
    for path in EXAMPLES.glob("*.onnx"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def expected(fleet: Path) -> list[list[str]]:
    """Findings of one process, without the deadly rule."""
    document = lint_json("check", fleet, "--target", "a10", "--isolated", "--no-cache")
    found = [[each[key] for key in KEYS] for each in document["findings"]]
    return sorted(each for each in found if not each[0].endswith("deadly.onnx"))


KEYS = ("path", "code", "message", "fingerprint")


def has(module: str) -> bool:
    done = subprocess.run(
        [PYTHON, "-c", f"import {module}"], stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def run(engine: str, fleet: Path, results: Path, site: Path) -> Mapping[str, Any]:
    done = subprocess.run(
        [PYTHON, "-m", "tests.oracles.fleet_engines", engine, fleet, results, ENGINES[engine]],
        cwd=ROOT,
        env={"PYTHONPATH": f"{site}:{ROOT}", "PATH": f"{PYTHON.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cluster_loses_nothing(
    engine: str, fleet: Path, expected: list[list[str]], tmp_path: Path
) -> None:
    """One worker is killed by us, and one file kills each process that lints it."""
    if engine == "spark" and not (has("pyspark") and shutil.which("java")):
        pytest.skip("needs pyspark in .venv-oracles/fleet, and Java")
    told = run(engine, fleet, tmp_path / "results", plugin(tmp_path / "site"))
    assert told["killed"]
    assert told["engine"] == engine
    assert told["models"] == sorted(map(str, fleet.glob("*.onnx")))
    dead = [each for each in told["findings"] if each[0].endswith("deadly.onnx")]
    assert [each[1] for each in dead] == ["INT002"]
    assert [each for each in told["findings"] if each not in dead] == expected
    _agrees_with_duckdb(tmp_path / "results", ENGINES[engine])


def _agrees_with_duckdb(results: Path, suffix: str) -> None:
    """The queries of the documentation run, and count what the report counts."""
    text = (ROOT / "docs" / "fleets.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    queries = [query for block in blocks for query in block.split(";") if query.strip()]
    named = [each.replace("nightly/", f"{results}/").replace("parquet", suffix) for each in queries]
    done = subprocess.run(
        [PYTHON, "-c", QUERY, results, *named],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, groups = json.loads(done.stdout)
    assert len(answers) >= 3
    assert {code: found for code, _, found in answers[0]} == groups
