"""What the rules predict of ONNX Runtime, against what its optimizer does with real exports."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from modellint.finding import Finding  # noqa: E402
from tests.exports import exports, materialise  # noqa: E402
from tests.fusion.support import RULES, lint  # noqa: E402

EXPLAINED: dict[tuple[str, str], str] = {
    ("convnext_tiny", "FUS023"): "through a Transpose",
}
"""Patterns left in the optimized graph that no rule reports in the original, and the words of the
rule's note that say why."""
REORDERED = {"FUS020", "FUS035"}
"""Reported once for several nodes, of which the optimizer may put another first."""


@pytest.mark.parametrize("name", exports())
def test_nothing_that_is_reported_is_done_by_the_optimizer(name: str, tmp_path: Path) -> None:
    findings = lint(materialise(name, tmp_path), verify=True)
    compared = [finding for finding in findings if finding.code == "VFY001"]
    assert len(compared) == 1, [finding.message for finding in findings]
    assert compared[0].evidence["refuted"] == 0
    predicted = [f for f in findings if "onnxruntime" in f.evidence]
    assert all(finding.confidence == "measured" for finding in predicted)


@pytest.mark.parametrize("name", exports())
def test_nothing_that_the_optimizer_leaves_is_overlooked(name: str, tmp_path: Path) -> None:
    original = materialise(name, tmp_path)
    known = {_place(finding) for finding in lint(original)} | {
        (code, "") for model, code in EXPLAINED if model == name
    }
    left = [
        finding
        for finding in lint(optimized(original, tmp_path / "optimized.onnx"))
        if finding.code not in REORDERED
    ]
    overlooked = [f for f in left if _place(f) not in known and (f.code, "") not in known]
    assert not overlooked, [finding.message for finding in overlooked]


def test_every_difference_is_explained_in_the_rule_file() -> None:
    for (_, code), words in EXPLAINED.items():
        assert words in RULES[code].fused_by["onnxruntime"].note


def optimized(model: Path, result: Path) -> Path:
    """The model as ONNX Runtime's optimizer leaves it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(result)
    prefix = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{prefix}_file_name", "optimized.bin")
    options.add_session_config_entry(f"{prefix}_min_size_in_bytes", "4096")
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return result


def _place(finding: Finding) -> tuple[str, str | None]:
    return finding.code, finding.location.value
