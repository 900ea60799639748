"""The GitHub action's own script, run as a runner runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.packaging.conftest import git
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
    return step_of(workspace, "lint", **inputs)


def step_of(workspace: Path, name: str, **inputs: str) -> tuple[dict[str, str], str, str]:
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (step,) = (step for step in steps if name in (step.get("id"), step.get("name")))
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
    written = outputs.read_text() if outputs.exists() else ""
    values = dict(line.split("=", 1) for line in written.splitlines())
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


@pytest.fixture
def changed(models: Path) -> Path:
    """A repository whose model has changed since its only commit."""
    git(models, "init", "--quiet", "--initial-branch", "main")
    git(models, "add", "good")
    git(models, "commit", "--quiet", "--message", "Start")
    save(GOOD.replace("Relu", "Tanh"), models / "good" / "good.onnx")
    return models


def test_models_are_compared_with_a_base(changed: Path) -> None:
    base = git(changed, "rev-parse", "HEAD").strip()
    outputs, printed, summary = step_of(changed, "diff", PATHS="good", BASE=base)
    assert outputs["exit-code"] == "0"
    assert "Relu → Tanh" in printed
    assert "## modellint diff" in summary
    assert Path(outputs["file"]).read_text().startswith("<!-- modellint diff -->")
    outputs, _, _ = step_of(changed, "diff", PATHS="good", BASE=base, ARGS="--budget nodes=-1")
    assert outputs["exit-code"] == "1"


def test_an_earlier_comment_is_replaced(changed: Path) -> None:
    """The step uses GitHub's own program, for which a script stands in."""
    folder = changed.parent / "bin"
    folder.mkdir()
    calls, known = changed.parent / "calls", changed.parent / "known"
    known.write_text("")
    program = folder / "gh"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\ncase "$*" in *--jq*) cat {known};; esac\n'
    )
    program.chmod(0o700)
    inputs = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "NUMBER": "7",
        "REPOSITORY": "a/b",
        "REPORT": "report.md",
    }
    step_of(changed, "Comment", **inputs)
    known.write_text("41\n42\n")
    step_of(changed, "Comment", **inputs)
    told = [line for line in calls.read_text().splitlines() if "--jq" not in line]
    assert told == [
        "api --silent repos/a/b/issues/7/comments --field body=@report.md",
        "api --silent --method PATCH repos/a/b/issues/comments/41 --field body=@report.md",
    ]
