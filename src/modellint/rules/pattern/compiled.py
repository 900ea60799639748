"""Compilation and matching of a rule's ``[[match]]`` blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.rules.pattern.errors import PatternError, hint
from modellint.rules.pattern.expression import Expression, compile_expression
from modellint.rules.pattern.facts import MOST_FACTS, written
from modellint.rules.pattern.scope import Budget, Environment, Scope
from modellint.rules.pattern.search import Plan, Search, plan, rarest
from modellint.rules.pattern.syntax import Pattern, parse

if TYPE_CHECKING:
    from modellint.model import Graph, Node, Value
    from modellint.rules.rule import Match


@dataclass(frozen=True, slots=True)
class PatternMatch:
    """A match of a pattern in a graph."""

    place: Node | Value
    """Place named by the rule's ``report``: the node that produces it, if in the pattern."""
    nodes: Mapping[str, Node]
    """Matched nodes by the names of their outputs."""
    values: Mapping[str, Value]
    """Values of the variables, without absent optional ones."""
    matched: tuple[Node, ...]
    """All matched nodes, in the pattern's order."""
    facts: Mapping[str, object]
    """The rule's facts; None if unknown."""
    variant: str = ""
    stopped: tuple[str, ...] = ()


class Claims:
    """Places and sets of nodes that the blocks of a rule have matched in a graph."""

    def __init__(self) -> None:
        self._places: set[int] = set()
        self._node_sets: dict[int, list[frozenset[int]]] = defaultdict(list)

    def has(self, place: object, nodes: frozenset[int]) -> bool:
        """Return True if the place, or the set of nodes, was matched before."""
        if id(place) in self._places:
            return True
        found = min((self._node_sets.get(node, ()) for node in nodes), key=len)
        return any(nodes <= other for other in found)

    def add(self, place: object, nodes: frozenset[int]) -> None:
        self._places.add(id(place))
        for node in nodes:
            self._node_sets[node].append(nodes)


@dataclass(frozen=True, slots=True)
class _Case:
    """A case of matches; the last of a block's is the default."""

    when: Expression | None
    report: str
    variant: str
    stopped: tuple[str, ...]
    facts: Mapping[str, Expression]


class CompiledMatch:
    """A compiled pattern with its conditions."""

    def __init__(
        self, pattern: Pattern, where: tuple[Expression, ...], cases: tuple[_Case, ...]
    ) -> None:
        self._pattern = pattern
        self._report = cases[-1].report
        self._cases = cases
        self._first = [condition for condition in where if condition.about_deployment]
        # Shape inference is expensive: conditions that may need it are evaluated last.
        late = [condition for condition in where if condition.infers or condition.whole]
        self._late = sorted(late, key=lambda condition: condition.infers)
        self._early = [condition for condition in where if condition not in self._first + late]
        self._plans: dict[int, Plan] = {}

    def find(
        self,
        graph: Graph,
        environment: Environment,
        claims: Claims | None = None,
        budget: Budget | None = None,
        *,
        strict: bool = False,
    ) -> Iterator[PatternMatch]:
        """Iterate over the matches of the pattern, except for claimed ones.

        An expression that cannot be evaluated counts as false; with `strict` it raises
        PatternError. WorkLimitError is raised if expressions use up the budget.
        """
        start = rarest(self._pattern, graph)
        if start is None:
            return
        if start not in self._plans:
            self._plans[start] = plan(self._pattern, start, self._early)
        budget = budget if budget is not None else Budget(len(graph.nodes))
        scope = Scope(graph, environment, budget, strict=strict)
        if not all(condition.holds(scope) for condition in self._first):
            return
        found: list[PatternMatch] = []
        claimed = claims if claims is not None else Claims()

        def accept() -> None:
            place = self._place(self._report, scope)
            node_set = frozenset(map(id, scope.nodes.values()))
            if claimed.has(place, node_set):
                return
            if all(condition.holds(scope) for condition in self._late):
                claimed.add(place, node_set)
                found.append(self._found(scope))

        Search(self._plans[start], scope, accept).run()
        yield from found

    def _place(self, report: str, scope: Scope) -> Node | Value:
        producer = self._pattern.producers.get(report)
        if producer is not None:
            return scope.nodes[self._pattern.lines[producer].number]
        value = scope.values[report]
        assert value is not None
        return value

    def _found(self, scope: Scope) -> PatternMatch:
        lines = self._pattern.lines
        case = next(each for each in self._cases if each.when is None or each.when.holds(scope))
        return PatternMatch(
            place=self._place(case.report, scope),
            nodes={
                name: scope.nodes[lines[index].number]
                for name, index in self._pattern.producers.items()
            },
            values={name: value for name, value in scope.values.items() if value is not None},
            matched=tuple(scope.nodes[line.number] for line in lines),
            facts=written({name: fact.fact(scope) for name, fact in case.facts.items()}),
            variant=case.variant,
            stopped=case.stopped,
        )


def compile_match(match: Match) -> CompiledMatch:
    """Compile a ``[[match]]`` block; raise PatternError if invalid."""
    return _MatchCompiler(match).compile()


class _MatchCompiler:
    def __init__(self, match: Match) -> None:
        self.match = match
        self.pattern = parse(match.pattern)

    def compile(self) -> CompiledMatch:
        match = self.match
        self._check_report(match.report, "report")
        for part, names in (("nodes", match.nodes), ("witness", (match.witness,))):
            for name in filter(None, names):
                self._check_is_made(name, part)
        where = tuple(
            self._expression(condition, f"where[{index}]")
            for index, condition in enumerate(match.where)
        )
        facts = self._facts(match.facts, "facts")
        otherwise = _Case(None, match.report, match.variant, match.stopped, facts)
        return CompiledMatch(self.pattern, where, (*self._cases(facts), otherwise))

    def _cases(self, facts: Mapping[str, Expression]) -> Iterator[_Case]:
        for index, case in enumerate(self.match.cases):
            part = f"cases[{index}]"
            for report in case.report or (self.match.report,):
                self._check_report(report, f"{part}.report")
                when = self._expression(case.when, f"{part}.when", it=report)
                more = self._facts(case.facts, f"{part}.facts", it=report)
                yield _Case(when, report, case.variant, case.stopped, {**facts, **more})

    def _facts(self, facts: Mapping[str, str], part: str, it: str = "it") -> dict[str, Expression]:
        if len(facts) > MOST_FACTS:
            raise PatternError(f"more than {MOST_FACTS} facts", part, "", 1, 1)
        return {name: self._expression(fact, f"{part}.{name}", it) for name, fact in facts.items()}

    def _expression(self, text: str, part: str, it: str = "it") -> Expression:
        return compile_expression(_IT.sub(it, text), part, self.pattern.variables)

    def _check_report(self, name: str, part: str) -> None:
        if name not in self.pattern.variables:
            guess = hint(name, self.pattern.variables)
            raise PatternError(f"the pattern has no variable {name!r}{guess}", part, name, 1, 1)
        if name in self.pattern.optional:
            raise PatternError(f"{name!r} may be left out", part, name, 1, 1)

    def _check_is_made(self, name: str, part: str) -> None:
        if name not in self.pattern.producers:
            guess = hint(name, self.pattern.producers)
            raise PatternError(f"no node of the pattern makes {name!r}{guess}", part, name, 1, 1)


_IT = late(r"\bit\b")
