"""Small graphs, and the fusion rules alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modellint.engine import lint_file
from modellint.finding import Finding
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

RULES: dict[str, Rule] = {
    code: rule for code, rule in load_rules(plugins=False).items() if rule.family == "fusion"
}
"""Every fusion rule."""
VERIFY = tuple(rule for rule in load_rules(plugins=False).values() if rule.family == "verify")


def lint(
    path: Path,
    *,
    runtime: str | None = "onnxruntime",
    codes: Sequence[str] = (),
    precision: str | None = None,
    verify: bool = False,
) -> list[Finding]:
    """The findings of fusion rules that are on by default, or of those named."""
    rules = [RULES[code] for code in codes] or [
        rule for rule in RULES.values() if rule.default and "weights" not in rule.needs
    ]
    plan = Plan(
        rules=(*rules, *(VERIFY if verify else ())),
        deployments=(Deployment(runtime=runtime, precision=precision),),  # type: ignore[arg-type]
        verify="ort" if verify else None,
    )
    findings = list(lint_file(path, path.name, plan).findings)
    crashes = [finding.message for finding in findings if finding.family == "internal"]
    assert not crashes, crashes
    return findings
