"""Every rule answers its own examples as its file says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from modellint.engine import lint_file
from modellint.finding import Finding
from modellint.plan import Plan
from modellint.probes import BACKENDS, ProbeRequest
from modellint.probes.outcome import from_json
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example, Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from modellint.targets.shapes import parse_shape

RULES = load_rules(plugins=False)
CASES = [
    pytest.param(rule, kind, example, id=f"{rule.code}-{kind}-{index}")
    for rule in RULES.values()
    for kind in ("invalid", "valid")
    for index, example in enumerate(getattr(rule.examples, kind))
]


@pytest.mark.parametrize(("rule", "kind", "example"), CASES)
def test_example(rule: Rule, kind: str, example: Example, tmp_path: Path) -> None:
    findings = run_example(rule, example, tmp_path)
    shown = "\n".join(f"{finding.location.label}: {finding.message}" for finding in findings)
    if kind == "valid":
        assert not findings, shown
        return
    assert len(findings) == example.findings, shown
    if example.at:
        assert sorted(finding.location.label for finding in findings) == sorted(example.at), shown
    assert example.message in findings[0].message


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_file_is_complete(rule: Rule) -> None:
    if rule.check != "engine":
        assert rule.examples.invalid, "needs an example that it fires on"
        assert rule.examples.valid, "needs an example that it stays silent on"
    assert rule.summary.endswith(".")
    assert rule.message.endswith("."), "a message is a sentence"
    assert len(rule.summary) < 120
    assert rule.why.strip()
    assert rule.fix.strip()
    assert rule.path is not None
    assert rule.path.parent.name == rule.family


def run_example(rule: Rule, example: Example, folder: Path) -> list[Finding]:
    """Lint the example as a file, for this rule alone; a crash is a failure."""
    path = _write(example, folder)
    plan = Plan(
        rules=(rule,),
        deployments=(_deployment(example),),
        options={rule.code: example.options},
        probe=_probe(example),
    )
    with _replaying(example):
        findings = lint_file(path, path.name, plan).findings
    crashes = [finding.message for finding in findings if finding.code != rule.code]
    assert not crashes, crashes
    return list(findings)


def _probe(example: Example) -> ProbeRequest | None:
    """The real runtime is asked where the example names one; without it the test is skipped."""
    if example.recorded:
        return ProbeRequest()
    if example.probe is None:
        return None
    backend = BACKENDS[example.probe]
    if backend.module is None:
        pytest.skip(f"{backend.title} is not installed: {backend.install}")
    return ProbeRequest(example.probe, timeout=60)


@contextmanager
def _replaying(example: Example) -> Iterator[None]:
    if not example.recorded:
        yield
        return
    with patch("modellint.probes.probe", return_value=from_json(example.recorded)):
        yield


def _write(example: Example, folder: Path) -> Path:
    contents = dict(example.files) or {"model.onnxtxt": example.model}
    for name, content in contents.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        hexadecimal = content.removeprefix("hex:") if content.startswith("hex:") else None
        path.write_bytes(bytes.fromhex(hexadecimal) if hexadecimal else content.encode())
    return folder / next(iter(contents))


def _deployment(example: Example) -> Deployment:
    target = find_target(example.target) if example.target else None
    return Deployment(
        target=target,
        runtime=example.runtime or (target.default_runtime if target else None),
        precision=example.precision,
        batch=example.batch,
        shapes={name: parse_shape(text) for name, text in example.shapes.items()},
        dla=example.dla,
    )
