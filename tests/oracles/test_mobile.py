"""Placements for phones against ONNX Runtime's mobile usability checker, on real architectures.

It checks operators, ranks and open dims, and prints further restrictions that it does not check:
so it may only take more.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from placements import _mobile

from modellint.formats import read_model
from modellint.placement import placement
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.support import run_cli, save

ARCHITECTURES = (
    "bert_base_uncased",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "gpt2",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet18",
    "segformer_b0",
    "squeezenet1_0",
    "t5_small_encoder",
    "unet",
    "vit_b_16",
)
UNCHECKED = ("form", "neighbor", "open-dims")  # of open dims, it looks at inputs alone


@pytest.mark.parametrize("runtime", ["coreml", "coreml-neuralnetwork", "nnapi"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_nodes_and_parts(name: str, runtime: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path)
    answer = _mobile.compiler(runtime)(path, {})
    found = placement(read_model(path), Deployment(runtime=runtime))
    assert found is not None
    assert answer["starts"], answer["error"]
    left = set(answer["left"])
    taken = {each for part in answer["partitions"] for each in part}
    refused = {
        node.name: refusal.cause
        for node in found.nodes
        if (refusal := found.refusal_of(node)) is not None
    }
    here = {node.name for node in found.nodes}
    assert left & here <= refused.keys()
    assert {name for name in taken & refused.keys() if refused[name] not in UNCHECKED} == set()
    if not set(UNCHECKED) & set(refused.values()):
        assert len(found.accelerated) == len(answer["partitions"])


def test_mirrored_borders_no_longer_cut_a_model_once_they_are_fixed(tmp_path: Path) -> None:
    pads = "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}"
    layers = [
        f'p{i} = Pad <mode = "reflect"> (c{i}, p)\nc{i + 1} = Conv (p{i}, w)' for i in range(14)
    ]
    body = "\n".join(layers)
    path = save(
        f"""
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1,4,32,32] x, float[4,4,3,3] w) => (float[1,4,32,32] c14) <{pads}>
        {{ c0 = Relu (x) {body} }}
        """,
        tmp_path / "style.onnx",
    )
    done = run_cli(
        "check", path, "--runtime", "coreml", "--fix-only", "PLC008", "--fix-to", tmp_path / "fixed"
    )
    assert "14" in done.stdout, done
    fixed = next((tmp_path / "fixed").rglob("style.onnx"))
    answers = [_mobile.compiler("coreml")(each, {}) for each in (path, fixed)]
    assert [len(each["partitions"]) for each in answers] == [15, 1]
