"""The rules of legality against TensorRT for RTX's own word, on the clean network and on every
defect: what a rule calls an error must not build, and what it does not must build."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from modellint.formats import read_model
from modellint.probes import ProbeRequest, probe
from modellint.results.finding import Severity
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.quantization.clean import clean
from tests.quantization.defects import DEFECTS, Defect
from tests.quantization.test_planted import findings, shown
from tests.runtimes import TENSORRT_RTX

RTX = "tensorrt-rtx"
pytestmark = [
    pytest.mark.skipif(
        TENSORRT_RTX.module is None,
        reason=f"needs TensorRT for RTX: {TENSORRT_RTX.install}",
    ),
    pytest.mark.usefixtures("warm"),
]
AMPERE = Deployment(find_target("a10"), runtime=RTX)
CLEAN = Defect("clean", lambda graph: None, code="")


def is_built(model: onnx.ModelProto, folder: Path) -> tuple[bool, str]:
    path = folder / "probed.onnx"
    onnx.save(model, path)
    outcome = probe(read_model(path), AMPERE, ProbeRequest(backend=RTX))
    assert outcome.asked, outcome.detail
    return outcome.built, "; ".join(remark.text for remark in outcome.remarks) or outcome.detail


MEANT = [CLEAN, *(defect for defect in DEFECTS if defect.runtime != "onnxruntime")]


@pytest.mark.parametrize("defect", MEANT, ids=lambda defect: defect.name)
def test_rules_agree_with_the_builder(defect: Defect, tmp_path: Path) -> None:
    graph = clean()
    defect.plant(graph)
    model = graph.model()
    found = findings(model, tmp_path, AMPERE)
    errors = [one for one in found if one.severity is Severity.ERROR]
    built, said = is_built(model, tmp_path)
    expected = not errors if defect.builds is None else defect.builds
    assert built is expected, f"{said}\n{shown(errors)}"
