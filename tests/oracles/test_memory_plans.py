"""tools/validate_memory.py asks real planners, and says so where it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import ROOT


def validate(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "validate_memory.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="needs onnxruntime")
def test_onnxruntime_plans() -> None:
    printed = validate("--table", "onnxruntime", "--model", "gpt2_prompt")
    assert "onnxruntime: 3 plans of 1 models" in printed


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorrt_rtx_bindings") is None, reason="needs TensorRT for RTX")
def test_tensorrt_for_rtx_plans_for_a_named_gpu() -> None:
    arguments = ("--table", "tensorrt-rtx", "--model", "lstm_tagger", "--capability", "SM89")
    assert "tensorrt-rtx: 2 plans of 1 models" in validate(*arguments)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorrt_rtx_bindings") is None, reason="needs TensorRT for RTX")
def test_held_out_models_are_planned_once(tmp_path: Path) -> None:
    plans, page = tmp_path / "plans.jsonl", tmp_path / "page.md"
    model = ROOT / "tests" / "data" / "exports" / "lstm_tagger.onnx"
    arguments = ("--table", "held-out", "--held-out", str(model), "--cache", str(plans))
    printed = validate(*arguments, "--output", str(page))
    assert "held-out: 2 plans of 1 models" in printed
    kept = plans.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)[1]["error"] for line in kept] == [None, None]
    assert validate(*arguments) == printed
    assert plans.read_text(encoding="utf-8").splitlines() == kept
    written = page.read_text(encoding="utf-8")
    assert "| lstm_tagger | 1 | fp16 |" in written
    assert "Not run: not asked for." in written
    assert "<!--" not in written
