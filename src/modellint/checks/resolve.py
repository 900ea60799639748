"""From a rule to the code that answers it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from modellint.base.errors import UsageError
from modellint.checks.api import Check, Context, Hit
from modellint.model import Node
from modellint.rules.rule import Rule


def resolve_check(rule: Rule) -> Check:
    """The check of a rule: its pattern, a function below `modellint.checks`, or a plugin's."""
    if rule.match is not None:
        return _pattern_check
    name = rule.check or ""
    module, _, function = name.rpartition(":") if ":" in name else name.rpartition(".")
    if ":" not in name:
        module = f"modellint.checks.{module}"
    try:
        check: Check = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"rule {rule.code}: there is no check {name!r} ({error})") from error
    return check


def _pattern_check(context: Context) -> Iterator[Hit]:
    from modellint.checks.fusion import unfused
    from modellint.rules.pattern import compile_match

    assert context.rule.match is not None
    match = compile_match(context.rule.match)
    for graph in context.graphs():
        for found in match.find(graph, context):
            nodes = tuple(found.nodes.values())
            if context.rule.fused_by and isinstance(found.place, Node):
                yield from unfused(context, found.place, nodes, found.facts)
            else:
                yield Hit(found.place, found.facts, related=nodes)
