"""The GitHub action's own script, run as a runner runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT, save

pytestmark = pytest.mark.skipif(os.name == "nt", reason="bash may be another system's there")

GOOD = """
<ir_version: 10, opset_import: ["" : 21]>
good (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A workspace with a good model and a truncated one."""
    workspace = tmp_path / "workspace"
    good = save(GOOD, workspace / "good" / "good.onnx")
    (workspace / "bad").mkdir()
    (workspace / "bad" / "bad.onnx").write_bytes(good.read_bytes()[:-9])
    return workspace


def lint(workspace: Path, **inputs: str) -> tuple[dict[str, str], str, str]:
    """Run the action's lint step. Gives its outputs, what it printed and the job's summary."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (step,) = (step for step in steps if step.get("id") == "lint")
    runner = workspace.parent
    outputs, summary = runner / "outputs", runner / "summary"
    environment = {
        **os.environ,
        **dict.fromkeys(step["env"], ""),
        "MODELLINT": str(Path(sys.executable).with_name("modellint")),
        "RUNNER_TEMP": str(runner),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
        "SARIF": str(runner / "modellint.sarif"),
        **inputs,
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=workspace,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return values, done.stdout, summary.read_text() if summary.exists() else ""


def test_findings_are_annotated_summarised_and_kept(models: Path) -> None:
    outputs, printed, summary = lint(models, PATHS="good bad", TARGETS="a10")
    assert outputs["exit-code"] == "1"
    assert "::error file=bad/bad.onnx" in printed
    assert "bad/bad.onnx" in summary
    run = json.loads(Path(outputs["sarif-file"]).read_text())["runs"][0]
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
        if result["level"] == "error"
    }
    assert uris == {"bad/bad.onnx"}


def test_nothing_found_is_success(models: Path) -> None:
    outputs, printed, _ = lint(models, PATHS="good", FAIL_ON="warning")
    assert outputs["exit-code"] == "0"
    assert "::error" not in printed


def test_further_arguments_are_passed_on(models: Path) -> None:
    outputs, _, _ = lint(models, PATHS="bad", ARGS="--exit-zero")
    assert outputs["exit-code"] == "0"


def test_wrong_usage_is_reported_as_such(models: Path) -> None:
    outputs, _, _ = lint(models, PATHS="missing")
    assert outputs["exit-code"] == "2"


def test_inputs_are_words_and_not_code(models: Path) -> None:
    lint(models, PATHS="good $(touch injected) ;touch injected")
    assert not (models / "injected").exists()
