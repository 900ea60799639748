"""Budgets limit growth, and evaluations stand next to size, memory and time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.diff.test_sources import diff, network
from tests.support import ROOT, CliResult, run_cli


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    for name, width, op in (("small", 16, "Relu"), ("large", 64, "Relu"), ("slow", 64, "Tanh")):
        network(folder / f"{name}.onnx", width, op)
    for name, accuracy in (("small", 0.90), ("large", 0.95), ("slow", 0.94)):
        content = {
            "results": {"task": {"acc,none": accuracy, "acc_stderr,none": 0.01}},
            "higher_is_better": {"task": {"acc": True}},
        }
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def told(shown: CliResult) -> dict[str, Any]:
    first: dict[str, Any] = json.loads(shown.stdout.splitlines()[0])
    return first


def checks(models: Path, *arguments: str) -> dict[str, bool]:
    shown = diff("small.onnx", "large.onnx", *arguments, "--output", "json:out.json", cwd=models)
    assert shown.exit_code in (0, 1), shown
    content = json.loads((models / "out.json").read_text())
    (models / "out.json").unlink()
    return {each["name"]: each["exceeded"] for each in content["budgets"]}


@pytest.mark.parametrize(
    ("limit", "exceeded"),
    [
        ("params=+1%", True),
        ("params=+1500%", False),
        ("params=+3.84k", False),
        ("params=+3.83k", True),
        ("nodes=+0", False),
        ("nodes=-50%", True),
        ("weights=+16KB", False),
        ("weights=+15KB", True),
        ("memory=+1GiB", False),
        ("findings=+100", False),
    ],
)
def test_limits(models: Path, limit: str, exceeded: bool) -> None:
    assert checks(models, "--budget", limit) == {limit.partition("=")[0]: exceeded}


def test_latency_is_that_of_each_device(models: Path) -> None:
    found = checks(models, "-t", "a10,l4", "--budget", "latency=+0,size=+0")
    assert found == {"latency": True, "size": True}
    alone = diff("small.onnx", "large.onnx", "--budget", "latency=+1%", cwd=models)
    assert "needs a target" in alone.stderr


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("parms=+1%", "did you mean 'params'"),
        ("params=1%", "invalid budget"),
        ("size=+1ms", "invalid budget"),
        ("latency=+1MB", "invalid budget"),
        ("memory=", "expected NAME"),
    ],
)
def test_mistakes(models: Path, limit: str, said: str) -> None:
    shown = diff("small.onnx", "large.onnx", "--budget", limit, cwd=models)
    assert shown.exit_code == 2
    assert said in shown.stderr


def test_a_configured_budget(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "modellint.toml"
    config.write_text('diff-budgets = { nodes = "+0" }\n')
    paths = (models / "small.onnx", models / "small.onnx")
    assert run_cli("diff", *paths, "--config", config).exit_code == 0
    config.write_text('diff-budgets = { nodes = "-1" }\n')
    assert run_cli("diff", *paths, "--config", config).exit_code == 1
    config.write_text('diff-budgets = { node = "-1" }\n')
    shown = run_cli("diff", *paths, "--config", config)
    assert shown.exit_code == 2
    assert "modellint.toml:1" in shown.stderr


def test_metrics_of_two_models(models: Path) -> None:
    names = ("large.onnx", "slow.onnx", "--metrics", "large.json", "slow.json")
    shown = diff(*names, "--output", "json", cwd=models)
    (metric,) = told(shown)["metrics"]
    assert metric == {
        "name": "task/acc",
        "old": 0.95,
        "new": 0.94,
        "better": "higher",
        "error": pytest.approx(2**0.5 / 100),
    }
    page = diff(*names, "--budget", "task/acc=-0.005", cwd=models)
    assert "within 2 std. errors" in page.stdout
    assert "exceeded" in page.stdout
    assert page.exit_code == 1


def test_trade_offs_of_several(models: Path) -> None:
    names = ("small", "large", "slow")
    arguments = [f"{name}.onnx" for name in names]
    arguments += ["--metrics", *(f"{name}.json" for name in names), "-t", "a10g"]
    shown = diff(*arguments, "--output", "json", cwd=models)
    overview = json.loads(shown.stdout.splitlines()[-1])["overview"]
    schema = ROOT / "docs/schemas/diff-overview.schema.json"
    jsonschema.validate(overview, json.loads(schema.read_text(encoding="utf-8")))
    found = overview["trade_offs"]
    rows = {each["name"]: each for each in found["variants"]}
    assert {name: each["is_optimal"] for name, each in rows.items()} == {
        "small.onnx": True,
        "large.onnx": True,
        "slow.onnx": False,
    }
    assert rows["small.onnx"]["cost"] < rows["large.onnx"]["cost"]
    assert found["currency"] == "USD"
    assert "https://" in found["price"]
    assert "Pareto-optimal in task/acc" in diff(*arguments, cwd=models).stdout


def test_each_model_needs_an_evaluation(models: Path) -> None:
    shown = diff("small.onnx", "large.onnx", "--metrics", "small.json", cwd=models)
    assert "needs 2 files" in shown.stderr
    shown = diff("small.onnx", "large.onnx", "--metrics", "small.onnx", cwd=models)
    assert shown.exit_code == 2
