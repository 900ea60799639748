"""A model costs the same before and after a runtime's optimizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.assume import settle
from modellint.analysis.cost import cost
from modellint.formats import read_model
from modellint.model import Model
from modellint.targets.deployment import Deployment
from tests.exports import materialise

ort = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED"])
@pytest.mark.parametrize("name", ["squeezenet1_0", "shufflenet_v2_x1_0", "llama_prompt", "unet"])
def test_the_same_macs(name: str, level: str, tmp_path: Path) -> None:
    source, optimized = materialise(name, tmp_path), tmp_path / "optimized.onnx"
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(optimized)
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    assert _macs(read_model(optimized)) == _macs(read_model(source))


def _macs(model: Model) -> int:
    counted = cost(model, settle(model, Deployment(batch=2)).deployment)
    assert counted.uncounted == ()
    assert counted.total.macs is not None
    return counted.total.macs
