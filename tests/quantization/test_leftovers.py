"""Models that ONNX Runtime's tools leave if one of their steps is taken for another."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from modellint.targets.deployment import Deployment
from tests.quantization import real
from tests.quantization.clean import clean
from tests.quantization.defects import _stored_in_float
from tests.quantization.test_planted import findings, shown
from tests.quantization.test_quantizers import lint

ort = pytest.importorskip("onnxruntime")
HOST = Deployment(runtime="onnxruntime")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real.float_model("resnet18", tmp_path_factory.mktemp("float"))


def test_model_for_calibration(resnet: Path, tmp_path: Path) -> None:
    """The model that the calibrator runs, deployed by mistake."""
    from onnxruntime.quantization.calibrate import MinMaxCalibrater

    augmented = tmp_path / "augmented.onnx"
    with real.quiet():
        MinMaxCalibrater(resnet, augmented_model_path=str(augmented)).augment_graph()
    found = lint(augmented, HOST)
    assert [one.code for one in found] == ["QNT205"], shown(found)
    watched = found[0].evidence["watched"]
    assert isinstance(watched, int)
    assert watched > 10


def test_weights_in_float_after_pairs(resnet: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    real.static(activation="QUInt8", symmetric=False, AddQDQPairToWeight=True)(resnet, path)
    found = lint(path, HOST)
    assert [one.code for one in found] == ["QNT209"], shown(found)
    saved = found[0].evidence["saved"]
    assert isinstance(saved, int)
    stored = sum(
        onnx.numpy_helper.to_array(tensor).nbytes for tensor in onnx.load(path).graph.initializer
    )
    assert 0.6 * stored < saved < 0.8 * stored


def test_small_weights_in_float_are_let_be(tmp_path: Path) -> None:
    graph = clean()
    _stored_in_float(graph)
    found = findings(graph.model(), tmp_path, Deployment(runtime="tensorrt"))
    assert not found, shown(found)


def test_quantized_without_folding_first(tmp_path: Path) -> None:
    """The raw export, with its BatchNormalization not folded."""
    real.float_model("resnet18", tmp_path)
    path = tmp_path / "quantized.onnx"
    real.static(activation="QUInt8", symmetric=False)(tmp_path / "resnet18.raw.onnx", path)
    found = lint(path, HOST)
    assert {one.code for one in found} == {"QNT108", "QNT210"}, shown(found)
