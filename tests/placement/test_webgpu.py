"""Placements on WebGPU, and what is read from the log of its provider."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.runtimes.webgpu import probe
from modellint.runtimes.webgpu.log import placement_in
from modellint.runtimes.webnn.installed import Installed
from modellint.runtimes.webnn.ort_web import OrtWeb, WebSession
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.support import save

RECORDED = Path(__file__).parent.parent / "data" / "placement" / "webgpu-1.30.jsonl"
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()[1:]
]
HEAD = '<ir_version: 8, opset_import: ["" : 17]>'


def placed(path: Path) -> UnitPlacement | None:
    return placement(read_model(path), Deployment(find_target("browser"), "webgpu"))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["file"])
def test_nodes_and_copies(answer: dict[str, Any], tmp_path: Path) -> None:
    found = placed(materialise(answer["file"].removesuffix(".onnx"), tmp_path))
    assert found is not None
    left = {node.name for node in found.nodes if found.refusal_of(node) is not None}
    taken = {node.name for node in found.nodes if found.refusal_of(node) is None}
    assert not taken & set(answer["left"])
    assert left >= set(answer["left"]) & (left | taken)
    assert len(found.boundaries) == answer["copies"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "g (float[2,2] x) => (int64[2,N] y) { a = Relu (x) y = NonZero (a) }",
            "has no kernel for WebGPU at opset 17",
        ),
        (
            "g (double[2,2] x) => (double[2,2] y) { a = Relu (x) y = Relu (a) }",
            "has no kernel for WebGPU that accepts float64, only float16, float32",
        ),
    ],
)
def test_reasons(text: str, reason: str, tmp_path: Path) -> None:
    found = placed(save(HEAD + text, tmp_path / "m.onnx"))
    assert found is not None
    assert found.version == "1.30"
    assert reason in {refusal.words for refusal in found.refusals.values()}


def test_nothing_of_an_old_opset_is_taken(tmp_path: Path) -> None:
    text = '<ir_version: 4, opset_import: ["" : 6]> g (float[2] x) => (float[2] y) {y = Relu (x)}'
    found = placed(save(text, tmp_path / "m.onnx"))
    assert found is not None
    assert not found.accelerated
    reasons = [refusal.words for refusal in found.refusals.values()]
    assert reasons == ["is of opset 6, which is too old for the provider"]


def test_an_identity_between_an_input_and_an_output_stays(tmp_path: Path) -> None:
    text = """
    g (float[2] x) => (float[2] y, float[2] z)
    {
        a = Identity (x)
        y = Identity (a)
        b = Relu (x)
        z = Identity (b)
    }
    """
    found = placed(save(HEAD + text, tmp_path / "m.onnx"))
    assert found is not None
    assert [node.op_type for node in found.nodes] == ["Identity", "Relu"]
    assert found.is_whole


def test_what_is_computed_twice_is_copied_once(tmp_path: Path) -> None:
    """ONNX Runtime removes the second before it places nodes."""
    text = """
    g (float[2,3,3] x) => (float[2] y, float[2] z)
    {
        [relu] a = Relu (x)
        [m1] b = Det (a)
        [m2] c = Det (a)
        [tanh] y = Tanh (b)
        [sqrt] z = Sqrt (c)
    }
    """
    found = placed(save('<ir_version: 8, opset_import: ["" : 18]>' + text, tmp_path / "m.onnx"))
    assert found is not None
    assert {node.label for node in found.nodes if found.refusal_of(node)} == {"m1", "m2"}
    assert [(each.value.name, each.reader) for each in found.boundaries] == [
        ("a", "wasm backend"),
        ("b", "GPU"),
    ]


@pytest.mark.parametrize(
    ("inputs", "results", "whole"),
    [
        ("x, w, b", "", True),
        ("x, w, b, m", "", False),
        ("x, w, b", ", float[2,1,2,4,8] z", False),
    ],
)
def test_a_masked_attention_is_left(inputs: str, results: str, whole: bool, tmp_path: Path) -> None:
    text = f"""
    g (float[1,4,16] x, float[16,48] w, float[48] b, int32[1,4] m) => (float[1,4,16] y{results})
    {{ y{", z" if results else ""} = com.microsoft.Attention <num_heads = 2> ({inputs}) }}
    """
    found = placed(save(HEAD + text, tmp_path / "m.onnx"))
    assert found is not None
    assert found.is_whole == whole


LOG = """
[I:onnxruntime:, webgpu_execution_provider.cc:635 GetCapability] \
webgpu kernel not found in registries for Op type: NonZero node name: n (1)
[I:onnxruntime:, transformer_memcpy.cc:393 AddCopyNode] \
Add MemcpyToHost before b for WebGpuExecutionProvider
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  \
Node(s) placed on [CPUExecutionProvider]. Number of nodes: 2
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Gather (d)
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   NonZero (n (1))
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  \
Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 2
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Relu (a)
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   MemcpyToHost (Memcpy)
"""
ALL = "All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 3"


def test_the_log_of_a_session() -> None:
    found = placement_in(LOG.splitlines())
    assert found is not None
    assert [(node.name, node.taken) for node in found.nodes] == [
        ("d", False),
        ("n (1)", False),
        ("a", True),
    ]
    assert [node.reason for node in found.left] == [
        "reads only what the CPU has, such as shapes",
        "no kernel takes it",
    ]
    assert found.copied == ("b",)
    assert found.parts == 1


def test_the_log_of_a_session_in_one_place() -> None:
    found = placement_in([f"[V:onnxruntime:, session_state.cc:1380 Verify]  {ALL}"])
    assert found is not None
    assert [node.taken for node in found.nodes] == [True] * 3
    assert placement_in(LOG.splitlines()[:3]) is None


def answered(monkeypatch: pytest.MonkeyPatch, obstacle: str = "") -> dict[str, Any]:
    """Return what the probe tells of a browser that may lack WebGPU."""

    class Page:
        browser_version = "150.0"

        def obstacle(self) -> str:
            return obstacle

        def create(self, *_: object) -> WebSession:
            return WebSession(placement_in(LOG.splitlines()))

    found = Installed(Path("onnxruntime-web"), "1.30.0", Path("chromium"))
    monkeypatch.setattr("modellint.runtimes.webnn.probe.installed", lambda _: found)
    monkeypatch.setattr(OrtWeb, "start", lambda *_: nullcontext(Page()))
    told: list[dict[str, Any]] = []
    request = {"level": "build", "path": "m.onnx", "format": "onnx", "symbols": {}}
    probe.answer(request, told.append)
    (answer,) = told
    return answer


def test_the_answer_of_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answered(monkeypatch)
    assert answer["status"] == "accepted"
    assert answer["placement"] == {"WebGpuExecutionProvider": 1, "CPUExecutionProvider": 2}
    assert answer["figures"]["nodes_taken"] == 1


def test_a_browser_without_webgpu_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answered(monkeypatch, "no device")
    assert answer["status"] == "unanswered"
    assert answer["detail"].startswith("chromium: no device: modellint probe --setup webnn")
