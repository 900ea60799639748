"""The estimates still agree with the plans that docs/accuracy.md records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import onnx.backend.test
import pytest

from modellint.analysis.memory import MemoryEstimate, memory
from modellint.formats import read_model
from modellint.model import Model
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export
from tests.exports import exports
from tests.support import ROOT

SECTIONS = {"TensorRT for RTX": "tensorrt-rtx", "ONNX Runtime on the CPU": "onnxruntime"}
PAGE = ROOT / "docs" / "accuracy.md"
TEMPLATE = ROOT / "tools" / "accuracy.template.md"
ROW = re.compile(
    r"\| (?P<model>\S+) \| (?P<batch>\d+) \| (?P<precision>\S+) \| (?P<total>[\d.]+) \|"
)
LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
WORST = {"tensorrt-rtx": 0.28, "onnxruntime": 0.31}
"""The goal is 20%; docs/accuracy.md says which models miss it, and why."""


@dataclass(frozen=True)
class Plan:
    model: str
    batch: int
    precision: str
    runtime: str
    megabytes: float


def recorded(runtime: str) -> list[Plan]:
    found, current = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            current = next((r for title, r in SECTIONS.items() if title in line), "")
        row = ROW.match(line)
        if row is not None and current == runtime:
            total = float(row["total"])
            found.append(Plan(row["model"], int(row["batch"]), row["precision"], current, total))
    return found


def model_of(name: str) -> Model:
    """A kept export, or one of the onnx package, which other versions may not have."""
    return export(name) if name in exports() else read_model(LIGHT / f"{name}.onnx")


def total(estimate: MemoryEstimate, bound: str) -> float:
    """Without the runtime's own context, in MB; the caller holds past and present at once."""
    parts = (
        estimate.weights,
        estimate.activations,
        estimate.workspace,
        estimate.inputs_outputs,
    )
    own = sum(int(getattr(part, bound)) for part in parts)
    return (own + estimate.kv_cache.high) / 1e6


@pytest.mark.parametrize("runtime", ["tensorrt-rtx", "onnxruntime"])
def test_accuracy(runtime: str) -> None:
    plans = recorded(runtime)
    assert len({plan.model for plan in plans}) >= 15
    errors, inside = [], []
    for plan in plans:
        model = model_of(plan.model)
        if not model.has_graph:
            continue
        deployment = Deployment(
            runtime=runtime,
            precision=plan.precision,
            batch=plan.batch,
            symbols={"sequence": 128, "past": 128},
        )
        estimate = memory(model, deployment)
        low, high = total(estimate, "low"), total(estimate, "high")
        errors.append(abs(total(estimate, "expected") / plan.megabytes - 1))
        inside.append(low - 0.1 <= plan.megabytes <= high + 0.1)  # the table rounds
    assert median(errors) < 0.10
    assert max(errors) < WORST[runtime]
    assert sum(inside) / len(inside) >= 0.9


def test_the_page_is_what_the_tool_writes() -> None:
    """Its prose is the template's, its tables are there; planners are asked by the tool alone."""
    page = PAGE.read_text(encoding="utf-8")
    prose = re.split(r"<!-- .*? -->", TEMPLATE.read_text(encoding="utf-8"))
    assert re.fullmatch("(?s:.*?)".join(map(re.escape, prose)), page)
    assert page.count("plans of") == len(SECTIONS) + 3
    assert "<!--" not in page
