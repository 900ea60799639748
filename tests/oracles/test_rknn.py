"""Rockchip's toolkit places nodes of real models as is predicted."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.runtimes.rknn import CHIPS, USUAL
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.oracles.support import ask

BATCH = {"batch": 1}
ARCHITECTURES = (
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "unet",
)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_npu_runs_all_of_a_convolutional_network(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path, random=True)  # zeros would be folded into constants
    answer = ask("rknn", path, chip=CHIPS[USUAL], symbols=BATCH)
    found = placement(read_model(path), Deployment(runtime="rknn", symbols=BATCH))
    assert found is not None
    assert answer["status"] == "accepted", answer["remarks"]
    moved = {"Reshape", "Transpose", "Cast"}
    left = [op for _, op in answer["left"] if op not in moved]
    assert not left
    assert found.is_whole
    assert answer["figures"]["cycles"] > 0
    assert answer["figures"]["moved_bytes"] > 0
