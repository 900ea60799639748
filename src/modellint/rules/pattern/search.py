"""Pattern search in a graph: from the rarest op along the edges, with bounded work."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from modellint.base.records import dataclass
from modellint.model import Graph, Node, Use, Value
from modellint.operators import Trait, names
from modellint.rules.pattern.expression import Expression
from modellint.rules.pattern.numbers import is_about, uniform_number
from modellint.rules.pattern.scope import Scope
from modellint.rules.pattern.syntax import Line, Pattern, Slot, ties

_COMMUTATIVE = frozenset(names(Trait.COMMUTATIVE))
STEPS_PER_SITE = 5_000
STEPS_PER_GRAPH = 50_000
STEPS_PER_NODE = 30

Inputs = tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """The next node to match, and the bound values that lead to it."""

    line: Line
    made: str | None
    """A bound value that the node produces: there is at most one such node."""
    taken: tuple[str, ...]
    """Bound values that the node consumes: the least used one is followed."""
    conditions: tuple[Expression, ...]
    """Conditions that can be evaluated once this node is matched."""


Plan = tuple[Step, ...]


def plan(pattern: Pattern, start: int, conditions: Iterable[Expression]) -> Plan:
    """Return the order in which to match the nodes of a pattern, from the line at `start`."""
    known: set[str] = set()
    waiting = list(conditions)
    rest = list(pattern.lines)
    steps = []
    line, made = rest[start], None
    while True:
        rest.remove(line)
        taken = tuple(s.name for s in line.inputs if s.name in known - pattern.optional)
        known |= {s.name for s in (*line.inputs, *line.outputs) if s.name is not None}
        ready = tuple(condition for condition in waiting if condition.variables <= known)
        waiting = [condition for condition in waiting if condition not in ready]
        steps.append(Step(line, made, tuple(n for n in taken if n is not None), ready))
        if not rest:
            return tuple(steps)
        line, made = _next(rest, frozenset(known), pattern.optional)


def _next(
    rest: list[Line], known: frozenset[str], optional: frozenset[str]
) -> tuple[Line, str | None]:
    for line in rest:
        for slot in line.outputs:
            if slot.name in known - optional:
                return line, slot.name
    return max(rest, key=lambda line: len(ties(line, optional) & known)), None


def rarest(pattern: Pattern, graph: Graph) -> int | None:
    """Return the line with the fewest candidates, or None if a line has none."""
    fewest, best = math.inf, None
    for index, line in enumerate(pattern.lines):
        if line.ops is None:
            continue
        count = sum(len(graph.by_op.get(op, ())) for op in line.ops)
        if count == 0:
            return None
        if count < fewest:
            fewest, best = count, index
    return best


class Search:
    """Search for a pattern in a graph. `accept` is called for each match, with its scope."""

    def __init__(self, steps: Plan, scope: Scope, accept: Callable[[], None]) -> None:
        self.steps = steps
        self.graph = scope.graph
        self.scope = scope
        self.accept = accept
        self.values = scope.values
        self.nodes = scope.nodes
        self.numbers: dict[int, float | None] = {}
        self.graph_budget = STEPS_PER_GRAPH + STEPS_PER_NODE * len(self.graph.nodes)
        self.budget = 0

    def run(self) -> None:
        first = self.steps[0]
        for op in sorted(first.line.ops or ()):
            for node in self.graph.by_op.get(op, ()):
                granted = self.budget = min(STEPS_PER_SITE, self.graph_budget)
                if granted <= 0:
                    return
                self._try(first, node, 0)
                self.graph_budget -= granted - self.budget

    def _extend(self, position: int) -> None:
        if position == len(self.steps):
            self.accept()
            return
        step = self.steps[position]
        ops = step.line.ops
        for node in self._candidates(step):
            self.budget -= 1
            if self.budget < 0:
                return
            if (
                (ops is None or node.qualified_op in ops)
                and node.graph is self.graph
                and node not in self.nodes.values()
            ):
                self._try(step, node, position)

    def _candidates(self, step: Step) -> Iterable[Node]:
        if step.made is not None:
            value = self.values[step.made]
            return (value.producer,) if value is not None and value.producer is not None else ()
        uses = self._uses(step.taken[0])
        for name in step.taken[1:]:
            uses = min(uses, self._uses(name), key=len)
        return _nodes_of(uses)

    def _uses(self, name: str) -> list[Use]:
        value = self.values[name]
        return value.consumers if value is not None else []

    def _try(self, step: Step, node: Node, position: int) -> None:
        """Bind the node to the step in all possible ways, and continue from there."""
        line = step.line
        unnamed = node.outputs[len(line.outputs) :]
        if unnamed and not line.more_outputs and any(map(_in_use, unnamed)):
            return
        for inputs in _layouts(line, node):
            self.budget -= 1
            if self.budget < 0:
                return
            bound: list[str] = []
            if (
                self._bind(line.outputs, node.outputs, bound)
                and self._bind(line.inputs, inputs, bound)
                and (not step.conditions or self._allowed(step.conditions))
            ):
                self.nodes[line.number] = node
                self._extend(position + 1)
                del self.nodes[line.number]
            for name in bound:
                del self.values[name]

    def _allowed(self, conditions: tuple[Expression, ...]) -> bool:
        return all(condition.holds(self.scope) for condition in conditions)

    def _bind(self, slots: tuple[Slot, ...], given: Inputs, bound: list[str]) -> bool:
        """Bind the names of a line to a node's values; return False if they do not fit."""
        values, count = self.values, len(given)
        for index, (name, optional, absent, literal) in enumerate(slots):
            value = given[index] if index < count else None
            if value is None:
                if not (optional or absent):
                    return False
            elif absent or (literal is not None and not self._is_number(value, literal)):
                return False
            if name is not None:
                if name not in values:
                    values[name] = value
                    bound.append(name)
                elif values[name] is not value:
                    return False
        return True

    def _is_number(self, value: Value, literal: float) -> bool:
        tensor = value.tensor
        if tensor is None:
            return False
        key = id(value)
        if key not in self.numbers:
            self.numbers[key] = uniform_number(tensor)
        number = self.numbers[key]
        return number is not None and is_about(number, literal, tensor)


def _nodes_of(uses: list[Use]) -> Iterator[Node]:
    previous = None
    for use in uses:
        if use.node is not previous:
            yield use.node
        previous = use.node


def _in_use(value: Value | None) -> bool:
    return value is not None and (value.is_output or bool(value.consumers))


def _layouts(line: Line, node: Node) -> Iterable[Inputs]:
    """Iterate over the orders of the node's inputs that the op allows."""
    given, wanted = node.inputs, len(line.inputs)
    if line.gap is not None:
        return _across(line.gap, wanted, given, to_end=not line.more_inputs)
    if len(given) > wanted and not line.more_inputs and _is_more(given[wanted:]):
        return ()
    if len(given) < 2 or node.op_type not in _COMMUTATIVE or node.domain:
        return (given,)
    if wanted == 0:
        return ((),)
    if len(given) == 2 == wanted:
        return (given, given[::-1]) if given[0] is not given[1] else (given,)
    copies: Counter[int] = Counter()
    useful = []
    for value in given:
        copies[id(value)] += 1
        if copies[id(value)] <= wanted:
            useful.append(value)
    return _orders(tuple(useful), min(wanted, len(given)))


def _across(gap: int, wanted: int, given: Inputs, *, to_end: bool) -> Iterator[Inputs]:
    """Iterate over the inputs before a gap, each time with others that come later."""
    last = len(given) - (wanted - gap)
    for start in range(max(gap, last) if to_end else gap, last + 1):
        yield (*given[:gap], *given[start : start + wanted - gap])


def _is_more(rest: Inputs) -> bool:
    return any(value is not None for value in rest)


def _orders(values: Inputs, length: int) -> Iterator[Inputs]:
    """Iterate over the distinct ways to choose some of the values in order."""
    chosen: list[Value | None] = []
    pending = [_choices(values)]
    while pending:
        value, rest = next(pending[-1], (None, None))
        if rest is None:
            pending.pop()
            del chosen[-1:]
        elif len(pending) == length:
            yield (*chosen, value)
        else:
            chosen.append(value)
            pending.append(_choices(rest))


def _choices(values: Inputs) -> Iterator[tuple[Value | None, Inputs]]:
    """Iterate over the distinct values, each with the others."""
    seen = set()
    for at, value in enumerate(values):
        if id(value) not in seen:
            seen.add(id(value))
            yield value, values[:at] + values[at + 1 :]
