"""A rule's ``[match]`` table, compiled once and found in any graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from modellint.base.records import dataclass
from modellint.rules.pattern.errors import PatternError, hint
from modellint.rules.pattern.expression import Expression, compile_expression
from modellint.rules.pattern.scope import Environment, Scope
from modellint.rules.pattern.search import Plan, Search, plan, rarest
from modellint.rules.pattern.syntax import Pattern, parse, required_ops

if TYPE_CHECKING:
    from modellint.model import Graph, Node, Value
    from modellint.rules.rule import Match


@dataclass(frozen=True, slots=True)
class PatternMatch:
    """One place of a graph where a pattern matches."""

    place: Node | Value
    """What the rule's ``report`` names: the node that makes it, where the pattern has one."""
    nodes: Mapping[str, Node]
    """The matched node by each name of what it makes."""
    values: Mapping[str, Value]
    """What each variable stands for; optional ones that are left out are missing."""
    matched: tuple[Node, ...]
    """All matched nodes, in the pattern's order."""
    facts: Mapping[str, object]
    """The rule's facts; None where the model does not say."""


class CompiledMatch:
    """A pattern with its conditions, ready to be found."""

    def __init__(
        self,
        pattern: Pattern,
        report: str,
        where: tuple[Expression, ...],
        facts: Mapping[str, Expression],
    ) -> None:
        self._pattern = pattern
        self._report = report
        self._facts = facts
        self._first = [condition for condition in where if condition.about_deployment]
        # Shape inference is dear: what may set it off is asked when all else holds.
        late = [condition for condition in where if condition.infers or condition.whole]
        self._late = sorted(late, key=lambda condition: condition.infers)
        self._early = [condition for condition in where if condition not in self._first + late]
        self._plans: dict[int, Plan] = {}

    def find(
        self, graph: Graph, environment: Environment, *, strict: bool = False
    ) -> Iterator[PatternMatch]:
        """Every place where the pattern matches, each place and each set of nodes once.

        An expression that cannot be evaluated is a match that does not hold; with `strict` it
        raises PatternError instead.
        """
        start = rarest(self._pattern, graph)
        if start is None:
            return
        if start not in self._plans:
            self._plans[start] = plan(self._pattern, start, self._early)
        scope = Scope(graph, environment, strict=strict)
        if not all(condition.holds(scope) for condition in self._first):
            return
        places: set[int] = set()
        node_sets: set[frozenset[int]] = set()
        found: list[PatternMatch] = []

        def accept() -> None:
            place = self._place(scope)
            node_set = frozenset(map(id, scope.nodes.values()))
            if id(place) in places or node_set in node_sets:
                return
            if all(condition.holds(scope) for condition in self._late):
                places.add(id(place))
                node_sets.add(node_set)
                found.append(self._found(place, scope))

        Search(self._plans[start], scope, accept).run()
        yield from found

    def _place(self, scope: Scope) -> Node | Value:
        producer = self._pattern.producers.get(self._report)
        if producer is not None:
            return scope.nodes[self._pattern.lines[producer].number]
        value = scope.values[self._report]
        assert value is not None
        return value

    def _found(self, place: Node | Value, scope: Scope) -> PatternMatch:
        lines = self._pattern.lines
        return PatternMatch(
            place=place,
            nodes={
                name: scope.nodes[lines[index].number]
                for name, index in self._pattern.producers.items()
            },
            values={name: value for name, value in scope.values.items() if value is not None},
            matched=tuple(scope.nodes[line.number] for line in lines),
            facts={name: fact.value(scope) for name, fact in self._facts.items()},
        )


def may_match(match: Match, graph: Graph) -> bool:
    """Whether a graph has the ops of a pattern, told without compiling it."""
    return all(any(op in graph.by_op for op in choice) for choice in required_ops(match.pattern))


def compile_match(match: Match) -> CompiledMatch:
    """The compiled form of a ``[match]`` table; raises PatternError."""
    return _compile(match.pattern, match.report, tuple(match.where), tuple(match.facts.items()))


@cache
def _compile(
    text: str, report: str, where: tuple[str, ...], facts: tuple[tuple[str, str], ...]
) -> CompiledMatch:
    pattern = parse(text)
    if report not in pattern.variables:
        guess = hint(report, pattern.variables)
        raise PatternError(f"the pattern has no variable {report!r}{guess}", "report", report, 1, 1)
    if report in pattern.optional:
        raise PatternError(f"{report!r} may be left out", "report", report, 1, 1)
    return CompiledMatch(
        pattern,
        report,
        tuple(
            compile_expression(condition, f"where[{index}]", pattern.variables)
            for index, condition in enumerate(where)
        ),
        {
            name: compile_expression(fact, f"facts.{name}", pattern.variables)
            for name, fact in facts
        },
    )
