"""Findings about quantized layouts, compared with what transformers and vLLM do with each."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.rules.registry import load_rules

ROOT = Path(__file__).parents[2]
TABLE: dict[str, Any] = json.loads((ROOT / "tests/data/quantized_loaders.json").read_text())
ON_THE_CPU = {"FP8, blocks: blocks of 64 stated"}
"""Refused where it is not dequantized while it is loaded, as it is on the CPU."""


@pytest.fixture(scope="module")
def tool() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        yield importlib.import_module("measure_quantized_loaders")


def test_layouts_are_reported_as_when_the_loaders_were_asked(tool: Any, tmp_path: Path) -> None:
    rules = tuple(r for r in load_rules(examples=False).values() if r.dialect == "huggingface")
    counts: Counter[str] = Counter()
    for number, case in enumerate(tool.cases()):
        folder = tmp_path / str(number)
        case.folder.write(folder)
        found = lint_file(folder, folder.name, Plan(rules=rules)).findings
        told = sorted({f.code for f in found if f.severity == 3 or f.code in tool.LAYOUT})
        known = TABLE["cases"][case.name]
        assert told == known["reported"], case.name
        verdict = tool.judged(case, known["loaders"], told)
        assert (verdict == "wrong") == (case.name in ON_THE_CPU), case.name
        counts[verdict] += 1
    assert counts == {"agrees": 85, "wrong": 1, "not asked": 1}
