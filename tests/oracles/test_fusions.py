"""Predictions about ONNX Runtime, compared with its optimizer's results for real exports."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from modellint.results.finding import Finding
from tests.exports import exports, materialise
from tests.fusion.support import RULES, lint, optimized

EXPLAINED: dict[tuple[str, str], str] = {
    ("convnext_tiny", "FUS023"): "by a Transpose",
}
"""Patterns left in the optimized graph that no rule reports in the original, and the words of the
rule's note that say why."""


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", exports())
def test_rules_and_optimizer_agree(name: str, tmp_path: Path) -> None:
    """The optimizer leaves exactly the patterns that are reported."""
    model = materialise(name, tmp_path)
    findings = lint(model, verify=True)
    compared = [finding for finding in findings if finding.code == "VFY001"]
    assert len(compared) == 1, [finding.message for finding in findings]
    assert compared[0].evidence["refuted"] == 0
    predicted = [finding for finding in findings if "onnxruntime" in finding.evidence]
    assert all(finding.confidence == "measured" for finding in predicted)

    known = {_place(finding) for finding in findings}
    explained = {code for explained, code in EXPLAINED if explained == name}
    overlooked = [
        finding.message
        for finding in lint(optimized(model, tmp_path / "optimized.onnx"))
        if finding.code not in explained and _place(finding) not in known
    ]
    assert not overlooked


def test_every_difference_is_explained_in_the_rule_file() -> None:
    for (_, code), words in EXPLAINED.items():
        assert words in RULES[code].fused_by["onnxruntime"].note


def _place(finding: Finding) -> tuple[str, str | None]:
    return finding.code, finding.location.value
