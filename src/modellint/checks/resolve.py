"""Resolution of a rule's check."""

from __future__ import annotations

import importlib

from modellint.base.errors import UsageError
from modellint.checks.api import Check
from modellint.rules.rule import Rule


def resolve_check(rule: Rule) -> Check:
    """Return a rule's check: its patterns, a function in `modellint.checks`, or a plugin's."""
    if rule.match:
        from modellint.checks.patterns import PatternCheck

        return PatternCheck(rule)
    name = rule.check or ""
    module, _, function = name.rpartition(":") if ":" in name else name.rpartition(".")
    if ":" not in name:
        module = f"modellint.checks.{module}"
    try:
        check: Check = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"rule {rule.code}: no check named {name!r} ({error})") from error
    return check
