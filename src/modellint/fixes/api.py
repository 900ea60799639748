"""Interface of fixes, and how a rule's fix is found."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

from modellint.base.errors import UsageError
from modellint.checks.api import Context, Hit
from modellint.model.edits import Fix
from modellint.rules.registry import is_trusted
from modellint.rules.rule import Rule

Fixer = Callable[[Context, Hit], Fix | None]
"""Turns a hit into a fix; None if this one cannot be fixed with certainty."""

_NAME = re.compile(r"[a-z]\w*\.[a-z]\w*|[A-Za-z_]\w*(\.\w+)*:\w+")
"""A function of a module in `modellint.fixes`, or of any module of a plugin."""


def resolve_fixer(rule: Rule) -> Fixer | None:
    """Return a rule's fixer, a function in `modellint.fixes` or a plugin's, if it has one."""
    if rule.autofix is None:
        return None
    name = rule.autofix.by
    if not _NAME.fullmatch(name):
        raise UsageError(f"rule {rule.code}: invalid name of a fix: {name!r}")
    module, _, function = name.rpartition(":") if ":" in name else name.rpartition(".")
    if ":" not in name:
        module = f"modellint.fixes.{module}"
    elif rule.path is None or not is_trusted(rule.path):
        raise UsageError(
            f"rule {rule.code}: fix {name!r} of a rule that does not come from a plugin"
        )
    try:
        fixer: Fixer = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"rule {rule.code}: no fix named {name!r} ({error})") from error
    return fixer
