"""One clean network, one defect at a time: the rule that is meant speaks, and no other."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.results.finding import Finding, Severity
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.quantization import defects
from tests.quantization.clean import clean, clean_for_onnxruntime
from tests.quantization.defects import DEFECTS, Defect

RULES = tuple(rule for rule in load_rules(plugins=False).values() if rule.default)


def findings(model: onnx.ModelProto, folder: Path, deployment: Deployment) -> list[Finding]:
    path = folder / "model.onnx"
    onnx.save(model, path)
    report = lint_file(path, path.name, Plan(rules=RULES, deployments=(deployment,)))
    return [finding for finding in report.findings if finding.family == "quantization"]


def shown(found: list[Finding]) -> str:
    return "\n".join(f"{one.code} {one.location.label}: {one.message}" for one in found)


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx", None])
def test_clean_network_is_clean(runtime: str | None, tmp_path: Path) -> None:
    found = findings(clean().model(), tmp_path, Deployment(runtime=runtime))
    assert not found, shown(found)


@pytest.mark.parametrize("runtime", ["onnxruntime", None])
def test_clean_network_for_onnxruntime_is_clean(runtime: str | None, tmp_path: Path) -> None:
    found = findings(clean_for_onnxruntime().model(), tmp_path, Deployment(runtime=runtime))
    assert not found, shown(found)


def test_each_runtime_wants_its_own(tmp_path: Path) -> None:
    """A model clean for TensorRT runs on ONNX Runtime, in float; the reverse does not build."""
    found = findings(clean().model(), tmp_path, Deployment(runtime="onnxruntime"))
    assert {one.code for one in found} == {"QNT123"}, shown(found)
    assert not [one for one in found if one.severity is Severity.ERROR]
    there = findings(clean_for_onnxruntime().model(), tmp_path, Deployment(runtime="tensorrt"))
    assert {one.code for one in there} == {"QNT002", "QNT110"}, shown(there)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_defect_is_named(defect: Defect, tmp_path: Path) -> None:
    graph = clean_for_onnxruntime() if defect.runtime == "onnxruntime" else clean()
    defect.plant(graph)
    target = find_target(defect.target) if defect.target else None
    found = findings(graph.model(), tmp_path, Deployment(target, runtime=defect.runtime))
    assert {one.code for one in found} <= {defect.code, *defect.also}, shown(found)
    assert defect.at in [one.location.label for one in found if one.code == defect.code], shown(
        found
    )
    errors = {one.code for one in found if one.severity is Severity.ERROR}
    assert errors <= {defect.code}, shown(found)


def test_a_pair_at_the_wrong_side_is_one_finding(tmp_path: Path) -> None:
    graph = clean()
    defects._pair_moved_before_relu(graph)
    (found,) = findings(graph.model(), tmp_path, Deployment(runtime="tensorrt-rtx"))
    assert (found.code, found.severity) == ("QNT102", Severity.WARNING)
    assert found.fix.startswith("Move the pair from before Relu 'first_relu' to after it: 147 k")


def test_every_rule_of_the_first_three_hundreds_is_planted() -> None:
    """Rules of a float model, and those that need a model of their own, are tested elsewhere."""
    elsewhere = {
        "QNT103",
        "QNT115",
        "QNT117",
        "QNT119",  # attention and embeddings
        "QNT205",
        "QNT206",
        "QNT209",
        "QNT210",  # what other tools leave
    }
    planted = {defect.code for defect in DEFECTS}
    asked = {r.code for r in RULES if r.family == "quantization" and r.code < "QNT3"}
    assert asked - planted == elsewhere
