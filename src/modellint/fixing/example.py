"""Fixing of the examples of rule files, which contain the expected result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modellint.fixing.likeness import differences
from modellint.fixing.proposals import Proposal, proposals
from modellint.formats import read_model
from modellint.formats.onnx.edit import write_fixed
from modellint.formats.onnx.text import encoded, read_text
from modellint.model.edits import EditError
from modellint.plan import Plan
from modellint.rules.rule import Rule
from modellint.session import Session

MOST_ROUNDS = 10


def failure_of(
    rule: Rule, plan: Plan, text: str, fixed: str, choices: Mapping[str, str], folder: Path
) -> str:
    """Describe how the fixed model differs from the example's; empty if it does not."""
    path = folder / "model.onnx"
    path.write_bytes(encoded(text))
    try:
        path, left = _fixed(path, plan, choices)
    except EditError as error:
        return f"the fix cannot be applied: {error}"
    if left:
        return f"not fixed after {MOST_ROUNDS} rounds: {left[0].fix.says}"
    found = differences(read_text(fixed), read_model(path))
    return "\n  ".join([f"{rule.code}'s fix makes another model:", *found]) if found else ""


def _fixed(path: Path, plan: Plan, choices: Mapping[str, str]) -> tuple[Path, list[Proposal]]:
    """Fix one hit after the other."""
    left: list[Proposal] = []
    for number in range(MOST_ROUNDS):
        opened = Session(plan.deployments).open(path, path.name)
        left = [each for each in proposals(opened, plan, choices) if each.fix.edits]
        if not left:
            break
        path = path.with_name(f"fixed-{number}.onnx")
        write_fixed(opened.model, [left[0].fix], path)
    return path, left
