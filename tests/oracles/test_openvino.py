"""OpenVINO converts and compiles real models, and refuses what rules say that it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exports import materialise
from tests.oracles.support import ask
from tests.samples import lint_json
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
HEAD = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>\n'
REFUSED = {
    "operator": "m (float[2,2] x) => (float y) { y = Det (x) }",
    "of-onnxruntime": "m (float[2,2] x) => (float[2,2] y) { y = com.microsoft.Inverse (x) }",
    "type": "m (float16[4] x) => (float16[4] y) { y = Celu (x) }",
    "rank": """m (float[1,1,2,2,2] x, float[1,2,2,2,3] g) => (float[1,1,2,2,2] y)
        { y = GridSample (x, g) }""",
    "attribute": "m (float[4] x, float[4] z) => (float[4] y) { y = Mod (x, z) }",
    "computed": "m (float[4] x, int64[1] a) => (float[N,M] y) { y = Unsqueeze (x, a) }",
    "open-shape": "m (float[4] x, int64[K] s) => (float[N] y) { y = Reshape (x, s) }",
    "indices": """m (float[4,3] x, int64[2,2] i) => (float[2,2] y)
        { y = GatherElements <axis = 0> (x, i) }""",
    "string": "m (float[4] x) => (string[4] y) { y = Cast <to = 8> (x) }",
    "mask": """m (float[1,4,8] x, float[8,24] w, float[24] b, int32[1,1,4,4] m) => (float[1,4,8] y)
        { y = com.microsoft.Attention <num_heads = 2> (x, w, b, m) }""",
    "missing attribute": """m (float[1,2,4,8] x, int64[1,4] p, float[9,4] c) => (float[1,2,4,8] y)
        { y = com.microsoft.RotaryEmbedding (x, p, c, c) }""",
    "half": "m (float16[4] x) => (float16[4] y) { y = com.microsoft.QuickGelu (x) }",
    "zero point": """m (uint8[2,3] x, uint8[3,4] w, uint8 z) => (int32[2,4] y)
        { y = MatMulInteger (x, w, , z) }""",
    "sequence": "m (float[4] x) => (seq(float[4]) y) { y = SequenceConstruct (x) }",
}
"""Models by what OpenVINO refuses of each."""
TAKEN = (
    """m (float[1,4,8] x, float[8,24] w, float[24] b, int32[1,4,4] m) => (float[1,4,8] y)
        { y = com.microsoft.Attention <num_heads = 2> (x, w, b, m) }""",
    "m (float[4] x) => (float[4] y) { y = com.microsoft.Gelu (x) }",
    """m (float[1,2,4,8] x, int64[1,4] p, float[9,4] c) => (float[1,2,4,8] y)
        { y = com.microsoft.RotaryEmbedding <interleaved = 0> (x, p, c, c) }""",
    "m (float[4] x) => (float[4] y) { y = com.microsoft.QuickGelu (x) }",
    "m (float[4] x, float[4] z) => (float[4] y) { y = Mod <fmod = 1> (x, z) }",
    "m (float[4] x, int64[2] s) => (float[N,M] y) { y = Reshape (x, s) }",
    "m (float[N,4] x, float[M,4] z) => (float[K,4] y) { y = Concat <axis = 0> (x, z) }",
)
FOREIGN = """
<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
m (float[4] x) => (float[4] y)
{
    a = Relu (x)
    y = my.Foo (a)
}
"""


def errors(path: Path) -> list[str]:
    found = lint_json(path, "--runtime", "openvino")["findings"]
    return [each["code"] for each in found if each["severity"] == "error"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_compile_for_the_cpu(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path)
    answer = ask("openvino", path)
    assert answer["status"] == "accepted"
    assert errors(path) == []
    assert answer["placement"]["CPU"] > 10


def test_a_foreign_operator_is_not_converted(tmp_path: Path) -> None:
    answer = ask("openvino", save(FOREIGN, tmp_path / "m.onnx"))
    assert answer["status"] == "refused"
    assert [remark["kind"] for remark in answer["remarks"]] == ["no-importer"]
    assert answer["remarks"][0]["op"] == "my.Foo"


@pytest.mark.parametrize("name", REFUSED)
def test_what_rules_report_is_refused(name: str, tmp_path: Path) -> None:
    path = save(HEAD + REFUSED[name], tmp_path / "m.onnx")
    assert errors(path)
    assert ask("openvino", path)["status"] == "refused"


def test_what_is_taken_is_not_reported(tmp_path: Path) -> None:
    for text in TAKEN:
        path = save(HEAD + text, tmp_path / "m.onnx")
        assert errors(path) == []
        assert ask("openvino", path)["status"] == "accepted"
