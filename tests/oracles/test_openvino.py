"""OpenVINO converts and compiles real models, and says what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exports import materialise
from tests.oracles.support import ask
from tests.support import save

ARCHITECTURES = (
    "distilbert_base",
    "efficientnet_b0",
    "googlenet",
    "lstm_tagger",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "regnet_y_400mf",
    "resnet18",
    "segformer_b0",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
)
FOREIGN = """
<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
m (float[4] x) => (float[4] y)
{
    a = Relu (x)
    y = my.Foo (a)
}
"""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_compile_for_the_cpu(name: str, tmp_path: Path) -> None:
    answer = ask("openvino", materialise(name, tmp_path))
    assert answer["status"] == "accepted"
    assert answer["placement"]["CPU"] > 10


def test_a_foreign_operator_is_not_converted(tmp_path: Path) -> None:
    answer = ask("openvino", save(FOREIGN, tmp_path / "m.onnx"))
    assert answer["status"] == "refused"
    assert [remark["kind"] for remark in answer["remarks"]] == ["no-importer"]
    assert answer["remarks"][0]["op"] == "my.Foo"
