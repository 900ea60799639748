"""A real browser places nodes on WebGPU, on a GPU that it emulates, as is predicted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from measure_placement import predicted, usual_sizes

from modellint.runtimes.webgpu.ort_webgpu import WEBGPU
from modellint.runtimes.webnn.ort_web import OrtWeb
from tests.exports import materialise
from tests.oracles.support import ask, web_packages
from tests.support import save

ARCHITECTURES = ("lstm_tagger", "mobilenet_v3_large", "whisper_tiny_encoder")
"""A recurrent one, one for phones, and a transformer."""
AROUND = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[2,8] x) => (int64[2,n] y, float[2,8] z)
{
    [relu] a = Relu (x)
    [nonzero] y = NonZero (a)
    [tanh] z = Tanh (a)
}
"""


@pytest.fixture(scope="module")
def web() -> Iterator[OrtWeb]:
    found = web_packages()
    with OrtWeb.start(found.package, found.program, WEBGPU) as started:
        if started.obstacle():
            pytest.skip(started.obstacle())
        yield started


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_nodes_are_placed_as_is_predicted(name: str, web: OrtWeb, tmp_path: Path) -> None:
    path = materialise(name, tmp_path, random=True)
    sizes = usual_sizes(path)
    made = web.create(path, sizes)
    assert made.placed is not None, made.error
    mine = predicted(path, "webgpu", sizes)
    assert mine is not None
    left = {node.label for node in mine.nodes if mine.refusal_of(node)}
    assert {node.name for node in made.placed.left} == left
    assert len(made.placed.copied) == len(mine.boundaries)


def test_what_webgpu_leaves_is_reported(tmp_path: Path) -> None:
    path = save(AROUND, tmp_path / "around.onnx")
    answer = ask("webgpu", path)
    assert answer["status"] == "accepted", answer
    assert answer["placement"] == {"WebGpuExecutionProvider": 2, "CPUExecutionProvider": 1}
    assert answer["left"] == [["nonzero", "NonZero"]]
    mine = predicted(path, "webgpu", {})
    assert mine is not None
    assert [each.label for each in mine.nodes if mine.refusal_of(each)] == ["nonzero"]
