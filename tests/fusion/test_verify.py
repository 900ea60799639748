"""`--verify ort`: what is measured, what is dropped, and what is said of the model as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from modellint.base.install import install_command
from modellint.checks.api import Hit
from modellint.formats import read_model
from modellint.model import Node
from modellint.probes import backends
from modellint.probes.runner import Limits
from modellint.runtimes import Runtime, find_runtime
from modellint.verify import optimized
from modellint.verify.judge import Judge
from tests.exports import EXPORTS
from tests.fusion.support import RULES, lint
from tests.support import run_cli, save

HEADER = '<ir_version: 8, opset_import: ["" : 17]>'
FOLDED = f"""{HEADER}
main (float[1,1,8,8] x) => (float[1,1,8,8] y)
<float[1,1,1,1] w = {{2}}, float[1] s = {{1}}, float[1] b = {{0}}>
{{
    k = Conv (x, w)
    n = BatchNormalization (k, s, b, b, s)
    e = Exp (n)
    y = Softmax <axis = -1> (e)
}}"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(FOLDED, tmp_path / "model.onnx")


def runtime() -> Runtime:
    found = find_runtime("onnxruntime")
    assert found is not None
    return found


def judge_of(path: Path) -> Judge:
    return Judge(path, runtime())


def node_of(path: Path, op: str) -> Node:
    return next(iter(read_model(path).nodes(op)))


def test_a_prediction_that_the_optimizer_refutes_is_no_finding_there(model: Path) -> None:
    judge = judge_of(model)
    norm = node_of(model, "BatchNormalization")
    assert judge.verify(RULES["FUS002"], Hit(norm), "onnxruntime") is None
    kept = judge.verify(RULES["FUS002"], Hit(norm), "tensorrt")
    assert kept is not None
    assert str(kept.facts["onnxruntime"]).startswith("undone by ONNX Runtime")
    assert kept.confidence is None


def test_a_prediction_that_the_optimizer_confirms_is_measured(model: Path) -> None:
    judge = judge_of(model)
    hit = judge.verify(RULES["FUS002"], Hit(node_of(model, "Exp")), "onnxruntime")
    assert hit is not None
    assert hit.confidence == "measured"
    ((code, remark),) = judge.remarks()
    assert code == "VFY001"
    assert (remark.facts["confirmed"], remark.facts["refuted"]) == (1, 0)


def test_both_histograms_are_shown(model: Path) -> None:
    (finding,) = lint(model, verify=True)
    assert finding.code == "VFY001"
    assert finding.evidence["ops"]["BatchNormalization"] == 1  # type: ignore[index]
    assert finding.evidence["optimized_ops"] == {"Conv": 1, "Exp": 1, "Softmax": 1}
    assert "reduces 4 nodes to 3: BatchNormalization 1 → 0." in finding.message


def test_weights_need_not_be_there(tmp_path: Path) -> None:
    ran = optimized.optimize(EXPORTS / "bert_base_uncased.onnx", runtime())
    assert not ran.error
    assert ran.after["com.microsoft.BiasGelu"] == 12


def test_weights_take_no_room_on_disk_and_each_once_in_memory(tmp_path: Path) -> None:
    text = f"""{HEADER}
    main (float[1,8000] x) => (float[1,8000] y)
    <float[8000,8000] v = ["location": "w.bin", "length": "256000000"],
     float[8000,8000] w = ["location": "w.bin", "length": "256000000"]>
    {{ a = MatMul (x, v)  y = MatMul (a, w) }}"""
    ran = optimized.optimize(
        save(text, tmp_path / "model.onnx"), runtime(), Limits(60, memory=400 << 20)
    )
    assert not ran.error
    assert ran.after == {"MatMul": 2}


def test_what_the_runtime_does_not_load_is_said_in_its_words(tmp_path: Path) -> None:
    text = f"""{HEADER}
    main (float[4,4] x, float16[4] w) => (float[4,4] y)
    {{ y = LayerNormalization (x, w) }}"""
    (finding,) = lint(save(text, tmp_path / "model.onnx"), verify=True)
    assert finding.code == "VFY002"
    assert str(finding.severity) == "warning"
    assert "bound to different types" in finding.message


def test_a_kernel_that_only_the_cpu_lacks_is_no_refusal(tmp_path: Path) -> None:
    text = f"""{HEADER}
    main (bfloat16[4,4] x) => (bfloat16[4,4] y) {{ y = Erf (x) }}"""
    (finding,) = lint(save(text, tmp_path / "model.onnx"), verify=True)
    assert (finding.code, str(finding.severity)) == ("VFY002", "info")


def test_half_precision_that_the_cpu_widens_proves_nothing(tmp_path: Path) -> None:
    text = f"""{HEADER}
    main (float16[4,4] x) => (float16[4,4] y) {{ e = Exp (x)  y = Sin (e) }}"""
    path = save(text, tmp_path / "model.onnx")
    assert (
        judge_of(path).verify(RULES["FUS002"], Hit(node_of(path, "Exp")), "onnxruntime") is not None
    )


def test_on_the_command_line(model: Path) -> None:
    ran = run_cli(model, "--verify", "ort", "--isolated", "-s", "VFY", "-o", "json")
    assert ran.exit_code == 0, ran
    (finding,) = json.loads(ran.stdout)["findings"]
    assert finding["confidence"] == "measured"
    assert finding["evidence"]["optimized_ops"]["Conv"] == 1


def test_without_the_option_no_runtime_is_asked(model: Path) -> None:
    ran = run_cli(model, "--isolated", "-s", "VFY", "-o", "json")
    assert json.loads(ran.stdout)["findings"] == []


def test_without_onnxruntime_the_way_to_get_it_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "is_installed", lambda module: False)
    ran = run_cli(model, "--verify", "ort", "--isolated")
    assert ran.exit_code == 2
    assert install_command("ort") in ran.stderr
