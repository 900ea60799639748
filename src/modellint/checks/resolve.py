"""Resolution of a rule's check."""

from __future__ import annotations

import importlib
import re

from modellint.base.errors import UsageError
from modellint.checks.api import Check
from modellint.rules.registry import is_built_in, is_trusted
from modellint.rules.rule import Rule

_NAME = re.compile(r"[a-z]\w*\.[a-z]\w*|[A-Za-z_]\w*(\.\w+)*:\w+")
"""A function of a module in `modellint.checks`, or of any module of a plugin."""


def resolve_check(rule: Rule) -> Check:
    """Return a rule's check: its patterns, a function in `modellint.checks`, or a plugin's."""
    if rule.match:
        from modellint.checks.patterns import PatternCheck

        shares = not is_built_in(rule)
        return PatternCheck(rule.match, together=rule.together, shares=shares)
    name = rule.check or ""
    if not _NAME.fullmatch(name):
        raise UsageError(f"rule {rule.code}: invalid check {name!r}")
    module, _, function = name.rpartition(":") if ":" in name else name.rpartition(".")
    if ":" not in name:
        module = f"modellint.checks.{module}"
    elif rule.path is None or not is_trusted(rule.path):
        raise UsageError(
            f"rule {rule.code}: check {name!r} of a rule that does not come from a plugin"
        )
    try:
        check: Check = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"rule {rule.code}: no check named {name!r} ({error})") from error
    return check
