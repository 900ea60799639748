"""Placements of real architectures against what Qualcomm's compiler did with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.targets.deployment import Deployment
from tests.exports import materialise

RECORDED = Path(__file__).parent.parent / "data" / "placement" / "qnn-2.7.jsonl"
MADE_ANEW = re.compile(r"^Transpose(_token_\d+)?$|_token_\d+$")
_LINES = RECORDED.read_text(encoding="utf-8").splitlines()[1:]
ANSWERS: dict[str, Any] = {each["file"]: each for each in map(json.loads, _LINES)}
STARTED = [name for name, answer in ANSWERS.items() if answer["starts"]]


def predicted(name: str, folder: Path) -> UnitPlacement:
    path = materialise(name.removesuffix(".onnx"), folder)
    deployment = Deployment(runtime="qnn", symbols=ANSWERS[name]["sizes"])
    found = placement(read_model(path), deployment)
    assert found is not None
    return found


@pytest.mark.parametrize("name", STARTED)
def test_nodes_and_parts(name: str, tmp_path: Path) -> None:
    found, answer = predicted(name, tmp_path), ANSWERS[name]
    left = {each for each in answer["left"] if not MADE_ANEW.search(each)}
    refused = {node.name for node in found.nodes if found.refusal_of(node) is not None}
    assert len(left - refused) <= 2
    assert len(refused - left) <= len(found.nodes) / 100
    assert len(found.accelerated) == len(answer["partitions"])


def test_figures_of_the_page(tmp_path: Path) -> None:
    found = predicted("mobilenet_v2.onnx", tmp_path)
    assert found.is_whole
    assert found.shares == {"NPU": 1.0}
    assert not found.boundaries
    assert found.measured
