"""The map against ONNX Runtime's own word: which layers its optimizer makes integer."""

from __future__ import annotations

import platform
from pathlib import Path

import onnx
import pytest

from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.quantization.onnxruntime import layers_around, shared_int8_pairs
from modellint.formats import read_model
from modellint.results.finding import Severity
from modellint.runtimes.versions import version_key
from modellint.targets.deployment import Deployment
from tests.quantization.builders import INTEGER, optimized
from tests.quantization.clean import clean, clean_for_onnxruntime
from tests.quantization.defects import DEFECTS, Defect
from tests.quantization.test_planted import findings, shown

ort = pytest.importorskip("onnxruntime")
IS_X86 = platform.machine() in ("x86_64", "AMD64")
pytestmark = pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")

LAYERS = ("stem", "first", "second", "depthwise", "logits")
HOST = Deployment(runtime="onnxruntime")


def integer_layers(path: Path) -> set[str] | str:
    """The layers that become integer when a session is made, or why none is made."""
    try:
        nodes = optimized(path)
    except Exception as error:
        return str(error)
    return {node.name for node in nodes if node.op_type.startswith(INTEGER)} & set(LAYERS)


def predicted(path: Path) -> set[str]:
    """The labels of the layers that the map says run in integers on this processor."""
    quantization = QuantizationMap(read_model(path), HOST)
    left = {id(op) for op in layers_around(quantization, shared_int8_pairs(quantization))}
    return {
        op.node.label for op in quantization.ops if op.precision == "int8" and id(op) not in left
    }


def test_networks_as_each_runtime_wants_them(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(clean_for_onnxruntime().model(), path)
    assert integer_layers(path) == predicted(path) == set(LAYERS)
    onnx.save(clean().model(), path)
    assert integer_layers(path) == predicted(path) == set()


LEFT_OUT = {
    "integer operator": "it writes int8 into a network of uint8, which is another defect",
    "half of the scales": "what becomes of a broken model is no matter",
    "float8 on Ampere": "the optimizer moves float8 across a Reshape that has no kernel for it",
    "dynamic convolution": "it is integer by itself, and none of the layers",
    "float weight": "new versions quantize the weight themselves, old ones run in float",
}
PLANTED = [defect for defect in DEFECTS if defect.name not in LEFT_OUT]


@pytest.mark.skipif(
    version_key(ort.__version__) < (1, 32),
    reason="what the optimizer makes integer changes between releases",
)
@pytest.mark.parametrize("defect", PLANTED, ids=lambda defect: defect.name)
def test_map_agrees(defect: Defect, tmp_path: Path) -> None:
    graph = clean_for_onnxruntime()
    defect.plant(graph)
    model = graph.model()
    found = findings(model, tmp_path, HOST)
    path = tmp_path / "model.onnx"
    integer = integer_layers(path)
    if isinstance(integer, str):
        errors = [one for one in found if one.severity is Severity.ERROR]
        assert errors, f"{integer}\n{shown(found)}"
    else:
        assert integer == predicted(path), shown(found)
