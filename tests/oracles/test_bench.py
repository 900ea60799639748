"""Models timed for real: measured, compared, calibrated with and validated, in short forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modellint.benching.suites import MICRO, WORKLOADS, Builder
from modellint.targets.loader import target_in
from tests.support import ROOT, run_cli, save

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "run.schema.json").read_text())
QUICK = ("--threads", "1", "--seconds", "0.05", "--rounds", "1")
FEW = {"micro": ("gemm", "unary"), "workloads": ("bert",)}
"""Models of suites that suffice for a fit: products, and streams that show the memory's rate."""


def network(folder: Path, name: str, *, slowed: int | None = None, renamed: str = "") -> Path:
    """Six equal convolutions, one of which may do 49 times the work."""
    b = Builder("net")
    x = b.given((1, 32, 28, 28), name="x")
    for at in range(6):
        x = b.conv(x, (32, 32), 7 if at == slowed else 1, activation="Relu")
    b.result(x)
    model = b.model()
    for node in model.graph.node:
        node.name = renamed + node.name
    return save(model, folder / f"{name}.onnx")


def measured(path: Path, *options: str) -> dict[str, Any]:
    done = run_cli("bench", path, *QUICK, "--json", *options)
    assert done.exit_code == 0, done
    run: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(run, SCHEMA)
    return run


def test_a_run_of_onnx_runtime(tmp_path: Path) -> None:
    run = measured(network(tmp_path, "net"))
    assert run["runtime"]["provider"] == "CPUExecutionProvider"
    assert run["times"]["count"] >= 5
    assert run["memory"]["peak"] >= run["memory"]["before"] > 0
    placed = [node for layer in run["layers"] for node in layer["nodes"]]
    assert sorted(placed) == sorted({*placed})  # each once
    assert len([node for node in placed if node.startswith("conv")]) == 6
    assert all(layer["flops"] for layer in run["layers"] if layer["op"] == "Conv")


def test_a_slowed_layer_is_found(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(measured(network(tmp_path, "net"))))
    slowed = network(tmp_path, "slowed", slowed=3, renamed="other/")
    new.write_text(json.dumps(measured(slowed)))
    done = run_cli("compare", old, new, "--json", "--max-regression", "20%")
    assert done.exit_code == 1, done
    worst = json.loads(done.stdout)["pairs"][0]
    nodes = next(
        e["nodes"] for e in json.loads(new.read_text())["layers"] if e["name"] == worst["new"]
    )
    assert "other/conv_7" in nodes
    assert run_cli("compare", old, old, "--max-regression", "5%").exit_code == 0


def test_other_runtimes(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    run = measured(network(tmp_path, "net"), "-r", "openvino")
    assert run["runtime"]["name"] == "openvino"
    assert any(layer["op"] == "Convolution" for layer in run["layers"])


def test_calibrated_from_one_suite_and_validated_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellint.benching.calibrating.FINEST", 1.3)  # a coarse fit, in less time
    for suite, models in (("micro", MICRO), ("workloads", WORKLOADS)):
        few = {name: models[name] for name in FEW[suite]}
        monkeypatch.setattr(f"modellint.benching.suites.{suite.upper()}", few)
    runs, board = tmp_path / "runs", tmp_path / "board.toml"
    done = run_cli("bench", "--suite", "micro", *QUICK, "--registry", runs / "micro")
    assert done.exit_code == 0, done
    done = run_cli("calibrate", runs / "micro", "--target", "board", "-o", board)
    assert done.exit_code == 0, done
    first = target_in(board)
    assert first.calibrations["onnxruntime"].rows > 20
    options = (
        "--from",
        board,
        "--only",
        "memory",
        "--only",
        "passes",
        "-o",
        tmp_path / "next.toml",
    )
    done = run_cli("calibrate", runs / "micro", "--target", "next", *options)
    assert done.exit_code == 0, done
    after = target_in(tmp_path / "next.toml")
    assert (after.rates, after.memory) == (first.rates, first.memory)
    old, new = (each.calibrations["onnxruntime"].coefficients for each in (first, after))
    assert {name for name in new if new[name] != old[name]} <= {"memory", "passes"}
    done = run_cli("bench", "--suite", "workloads", *QUICK, "--registry", runs / "workloads")
    assert done.exit_code == 0, done
    validating = ("validate", runs / "workloads", "-t", board)
    done = run_cli(*validating, "--max-mape", "1000", "--json")
    assert done.exit_code == 0, done
    found = json.loads(done.stdout)
    assert len(found["rows"]) == len(FEW["workloads"])
    assert not found["unknown"]
    assert run_cli(*validating, "--max-mape", "0").exit_code == 1
