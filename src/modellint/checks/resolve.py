"""From a rule to the code that answers it."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from modellint.base.errors import UsageError
from modellint.checks.api import Check, Context, Hit
from modellint.checks.fusion import is_moot, unfused
from modellint.model import Node
from modellint.rules.rule import Match, Rule

if TYPE_CHECKING:
    from modellint.rules.pattern import PatternMatch


def resolve_check(rule: Rule) -> Check:
    """The check of a rule: its pattern, a function below `modellint.checks`, or a plugin's."""
    if rule.match:
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
    """The hits of a rule's patterns; the first of them to claim a place reports it."""
    from modellint.rules.pattern import Claims, compile_match, required_ops

    promising = [
        match
        for match in context.rule.match
        if not _is_moot(context, match) and not context.lacks_any(required_ops(match.pattern))
    ]
    for graph in context.graphs() if promising else ():
        claims = Claims()
        for match in promising:
            for found in compile_match(match).find(graph, context, claims):
                yield from _hits(context, match, found)


def _is_moot(context: Context, match: Match) -> bool:
    """True if the runtime fuses the pattern in each of its cases."""
    stops = (match.stopped, *(case.stopped for case in match.cases))
    return bool(context.rule.fused_by) and all(is_moot(context, stopped) for stopped in stops)


def _hits(context: Context, match: Match, found: PatternMatch) -> Iterator[Hit]:
    nodes = _gone(match, found) if match.vanishes else _nodes(match, found)
    witness = found.nodes[match.witness] if match.witness else None
    if context.rule.fused_by:
        yield from unfused(
            context,
            found.place,
            nodes,
            found.facts,
            variant=found.variant,
            vanishes=match.vanishes,
            stopped=found.stopped,
            witness=witness,
        )
    else:
        yield Hit(found.place, found.facts, found.variant, related=nodes, witness=witness)


def _nodes(match: Match, found: PatternMatch) -> tuple[Node, ...]:
    return tuple(found.nodes[name] for name in match.nodes) or found.matched


def _gone(match: Match, found: PatternMatch) -> tuple[Node, ...]:
    """What nothing else needs: the last node, and others that only the match takes from."""
    *others, last = _nodes(match, found)
    matched = {id(node) for node in found.matched}
    return (*(node for node in others if _feeds_only(node, matched)), last)


def _feeds_only(node: Node, takers: Collection[int]) -> bool:
    made = [value for value in node.outputs if value is not None]
    uses = [use.node for value in made for use in value.consumers]
    return not any(value.is_output for value in made) and all(id(each) in takers for each in uses)
