"""Findings about the run itself, with messages from rule files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from modellint.results.finding import Finding, Severity
from modellint.rules.message import fill
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule


def remark(
    rule: Rule,
    path: str,
    facts: Mapping[str, object],
    severity: Severity | None = None,
    *,
    variant: str = "",
) -> Finding:
    identity = "\0".join([rule.code, *(f"{key}={value}" for key, value in sorted(facts.items()))])
    return Finding(
        code=rule.code,
        rule=rule.name,
        family=rule.family,
        severity=severity or rule.default_severity,
        message=fill(rule.messages[variant] if variant else rule.message, facts),
        path=path,
        why=fill(rule.why, facts),
        fix=fill(rule.fix, facts),
        evidence=dict(facts),
        fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:16],
        variant=variant,
    )


def internal_remark(
    code: str, path: str, facts: Mapping[str, object], *, variant: str = ""
) -> Finding:
    """Return a finding about a failure of modellint, which cannot be disabled."""
    rule = load_rules(plugins=False, examples=False)[code]
    return remark(rule, path, facts, variant=variant)
