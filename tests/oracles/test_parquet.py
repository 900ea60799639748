"""Tables of layers as Parquet, read back by pyarrow and by DuckDB, which have their own readers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from modellint.report.layer_table import COLUMNS
from tests.exports import materialise
from tests.oracles.support import engines_python
from tests.support import PATIENCE, ROOT, run_cli

PYTHON = engines_python()
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="engines are not set up: make oracles")
SHAPES = ("inputs", "outputs", "weight")
READ = """
import json, sys, duckdb, pyarrow.parquet
path, = sys.argv[1:]
table = pyarrow.parquet.read_table(path)
types = {field.name: str(field.type) for field in table.schema}
sums = duckdb.sql(f"SELECT model, sum(macs), sum(parameters) FROM '{path}' GROUP BY model")
print(json.dumps([types, table.to_pylist(), sorted(sums.fetchall())], default=int))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("resnet18", "gpt2"):
        materialise(name, folder)
    return folder


def asked(*arguments: str | Path) -> str:
    done = subprocess.run(
        [PYTHON, *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_others_read_what_json_lines_say(models: Path) -> None:
    table, lines = models / "layers.parquet", models / "layers.jsonl"
    command = ("-m", "modellint", "inspect", models, "-t", "a10", "--isolated")
    asked(*command, "-o", f"parquet:{table}", "-o", f"jsonl:{lines}")
    types, rows, sums = json.loads(asked("-c", READ, table))
    expected = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert list(types) == list(COLUMNS)
    assert (types["macs"], types["seconds"], types["folded"]) == ("int64", "double", "bool")
    assert len(rows) == len(expected) > 100
    for row, line in zip(rows, expected, strict=True):
        assert {name: line[name] for name in COLUMNS if name not in SHAPES} == {
            name: row[name] for name in COLUMNS if name not in SHAPES
        }
    assert "1x64x112x112" in {row["outputs"] for row in rows}
    by_model = {
        name: (
            sum(each["macs"] or 0 for each in expected if each["model"] == name),
            sum(each["parameters"] for each in expected if each["model"] == name),
        )
        for name in dict.fromkeys(each["model"] for each in expected)
    }
    assert {name: (macs, parameters) for name, macs, parameters in sums} == by_model


def test_a_table_is_replaced_only_by_force(models: Path) -> None:
    table = models / "twice.parquet"
    command = ("inspect", models / "resnet18.onnx", "--isolated", "-o", f"parquet:{table}")
    asked("-m", "modellint", *command)
    assert run_cli(*command).exit_code == 2
    asked("-m", "modellint", *command, "--force")
