"""Check of rules that are defined by patterns in their files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from modellint.base.memo import Remembered
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import is_moot, unfused
from modellint.checks.repeats import folded
from modellint.model import Model, Node
from modellint.rules.pattern import (
    Budget,
    Claims,
    CompiledMatch,
    PatternMatch,
    SharedBudget,
    compile_match,
    required_ops,
)
from modellint.rules.rule import Match


class PatternCheck:
    """Runs patterns; the first to match a place reports it."""

    def __init__(
        self, matches: Sequence[Match], *, together: bool | str = False, shares: bool = False
    ) -> None:
        self._blocks = tuple(map(_MatchBlock, matches))
        self._together = together
        self._shares = shares

    def __call__(self, context: Context) -> Iterator[Hit]:
        hits = self._found(context)
        return folded(hits, by_facts=self._together == "alike") if self._together else hits

    def _found(self, context: Context) -> Iterator[Hit]:
        promising = [
            block
            for block in self._blocks
            if not context.lacks_any(block.required_ops) and not block.is_moot(context)
        ]
        if not promising:
            return
        budget = self._budget(context.model)
        for graph in context.graphs():
            claims = Claims()
            for block in promising:
                for found in block.compiled.find(graph, context, claims, budget):
                    yield from _hits(context, block.match, found)

    def _budget(self, model: Model) -> Budget:
        nodes = sum(len(graph.nodes) for graph in model.graphs(functions=True))
        if not self._shares:
            return Budget(nodes)
        return Budget(nodes, model.memo.get(_SHARED, None, lambda: SharedBudget(nodes)))


_SHARED = Remembered[SharedBudget]()


class _MatchBlock:
    """A pattern of a rule, compiled for the first model that has its ops."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.required_ops = required_ops(match.pattern)
        self.stops = {match.stopped, *(case.stopped for case in match.cases)}

    @cached_property
    def compiled(self) -> CompiledMatch:
        return compile_match(self.match)

    def is_moot(self, context: Context) -> bool:
        """Return True if the runtime fuses the pattern in all of its cases."""
        fuses = bool(context.rule.fused_by)
        return fuses and all(is_moot(context, stopped) for stopped in self.stops)


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
            values=found.values,
        )
    else:
        yield Hit(
            found.place,
            found.facts,
            found.variant,
            related=nodes,
            witness=witness,
            values=found.values,
        )


def _nodes(match: Match, found: PatternMatch) -> tuple[Node, ...]:
    return tuple(found.nodes[name] for name in match.nodes) or found.matched


def _gone(match: Match, found: PatternMatch) -> tuple[Node, ...]:
    """Return nodes not needed elsewhere: the last one, and those with consumers only inside."""
    *others, last = _nodes(match, found)
    matched = {id(node) for node in found.matched}
    return (*(node for node in others if _feeds_only(node, matched)), last)


def _feeds_only(node: Node, users: Collection[int]) -> bool:
    made = [value for value in node.outputs if value is not None]
    uses = [use.node for value in made for use in value.consumers]
    return not any(value.is_output for value in made) and all(id(each) in users for each in uses)
