"""tools/validate_memory.py asks real planners, and says so where it cannot."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

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
    printed = validate("--planner", "onnxruntime", "--model", "gpt2_prompt")
    assert "onnxruntime: 3 plans of 1 models" in printed


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorrt_rtx_bindings") is None, reason="needs TensorRT for RTX")
def test_tensorrt_for_rtx_plans_for_a_named_gpu() -> None:
    arguments = ("--planner", "tensorrt-rtx", "--model", "lstm_tagger", "--capability", "SM89")
    assert "tensorrt-rtx: 2 plans of 1 models" in validate(*arguments)
