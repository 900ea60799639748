"""pnnx converts real models for ncnn, and ncnn loads what it has layers for."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.oracles.support import ask
from tests.placement.test_ncnn import CONVOLUTION, LAST, param
from tests.support import save

NETWORKS = ("mobilenet_v2", "resnet18", "squeezenet1_0")
UNKNOWN = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,3,8,8] x) => (int64[4,N] y) { y = NonZero (x) }
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_convolutional_networks_are_converted(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path)
    before = set(tmp_path.iterdir())
    answer = ask("ncnn", path)
    assert answer["status"] == "accepted", answer["remarks"]
    assert answer["placement"]["GPU"] > 10
    assert "CPU" not in answer["placement"]
    assert set(tmp_path.iterdir()) == before


def test_an_operator_without_a_layer(tmp_path: Path) -> None:
    answer = ask("ncnn", save(UNKNOWN, tmp_path / "m.onnx"))
    assert answer["status"] == "refused"
    assert [remark["op"] for remark in answer["remarks"]] == ["NonZero"]


def test_layers_run_where_is_predicted(tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    path.write_text(param(CONVOLUTION, "MatMul product 2 1 b w c", LAST))
    found = placement(read_model(path), Deployment(runtime="ncnn"))
    assert found is not None
    assert ask("ncnn", path, format="ncnn")["placement"] == found.counts == {"GPU": 2, "CPU": 1}
