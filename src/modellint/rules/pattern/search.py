"""Finding a pattern in a graph: from the rarest op along the edges, with bounded work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from modellint.model import Graph, Node, Value
from modellint.rules.pattern.expression import Expression
from modellint.rules.pattern.numbers import is_about, uniform_number
from modellint.rules.pattern.scope import Scope
from modellint.rules.pattern.syntax import COMMUTATIVE, Line, Pattern, Slot, ties

STEPS_PER_SITE = 5_000
STEPS_PER_GRAPH = 50_000
STEPS_PER_NODE = 10

Inputs = tuple[Value | None, ...]

_UNBOUND = object()


@dataclass(frozen=True, slots=True)
class Step:
    """The next node to find, and by which known values to reach it."""

    line: Line
    made: str | None
    """A known value that the node makes: there is at most one such node."""
    taken: tuple[str, ...]
    """Known values that the node takes: the least used one is followed."""
    conditions: tuple[Expression, ...]
    """What can be asked as soon as this node is found."""


Plan = tuple[Step, ...]


def plan(pattern: Pattern, start: int, conditions: Iterable[Expression]) -> Plan:
    """The order in which to find the nodes of a pattern, beginning with the line at `start`."""
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
    """The line with the fewest candidates, or None when some line has none."""
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
    """One pattern in one graph. `scope` holds the nodes and values of the match in progress."""

    def __init__(self, steps: Plan, graph: Graph, scope: Scope) -> None:
        self.steps = steps
        self.graph = graph
        self.scope = scope
        self.values: dict[str, Value | None] = scope.values
        self.nodes: dict[int, Node] = scope.nodes
        self.bound: list[str] = []
        self.numbers: dict[int, float | None] = {}
        self.graph_budget = STEPS_PER_GRAPH + STEPS_PER_NODE * len(graph.nodes)
        self.budget = 0

    def run(self) -> Iterator[None]:
        """Stop at every match; its nodes and values are in the scope until the next one."""
        first = self.steps[0]
        for op in sorted(first.line.ops or ()):
            for node in self.graph.by_op.get(op, ()):
                granted = self.budget = min(STEPS_PER_SITE, self.graph_budget)
                if granted <= 0:
                    return
                yield from self._try(first, node, 0)
                self.graph_budget -= granted - self.budget

    def _extend(self, position: int) -> Iterator[None]:
        if position == len(self.steps):
            yield
            return
        step = self.steps[position]
        for node in self._candidates(step):
            if node.graph is self.graph and node not in self.nodes.values():
                yield from self._try(step, node, position)

    def _candidates(self, step: Step) -> Iterable[Node]:
        if step.made is not None:
            value = self.values[step.made]
            return (value.producer,) if value is not None and value.producer is not None else ()
        taken = [value for name in step.taken if (value := self.values[name]) is not None]
        uses = min((value.consumers for value in taken), key=len)
        return (
            (uses[0].node,) if len(uses) == 1 else {id(use.node): use.node for use in uses}.values()
        )

    def _try(self, step: Step, node: Node, position: int) -> Iterator[None]:
        line = step.line
        if line.ops is not None and node.qualified_op not in line.ops:
            self.budget -= 1
            return
        for inputs in _orders(line, node):
            self.budget -= 1
            if self.budget < 0:
                return
            mark = len(self.bound)
            if self._unify(line, node, inputs) and all(
                condition.holds(self.scope) for condition in step.conditions
            ):
                self.nodes[line.number] = node
                yield from self._extend(position + 1)
                del self.nodes[line.number]
            while len(self.bound) > mark:
                del self.values[self.bound.pop()]

    def _unify(self, line: Line, node: Node, inputs: Inputs) -> bool:
        outputs = node.outputs
        if not line.more_outputs and any(map(_in_use, outputs[len(line.outputs) :])):
            return False
        for index, slot in enumerate(line.outputs):
            if not self._bind(slot, outputs[index] if index < len(outputs) else None):
                return False
        return all(map(self._bind, line.inputs, inputs))

    def _bind(self, slot: Slot, value: Value | None) -> bool:
        if value is None:
            if not (slot.optional or slot.absent):
                return False
        elif slot.absent:
            return False
        if slot.name is not None:
            known = self.values.get(slot.name, _UNBOUND)
            if known is _UNBOUND:
                self.values[slot.name] = value
                self.bound.append(slot.name)
                return True
            return known is value
        return slot.literal is None or self._is_number(value, slot.literal)

    def _is_number(self, value: Value | None, literal: float) -> bool:
        if value is None or value.tensor is None:
            return False
        key = id(value)
        if key not in self.numbers:
            self.numbers[key] = uniform_number(value.tensor)
        number = self.numbers[key]
        return number is not None and is_about(number, literal, value.tensor)


def _in_use(value: Value | None) -> bool:
    return value is not None and (value.is_output or bool(value.consumers))


def _orders(line: Line, node: Node) -> Iterator[Inputs]:
    """The node's inputs laid out as the line names them, in every order that the op allows."""
    given = node.inputs
    wanted = len(line.inputs)
    if node.qualified_op not in COMMUTATIVE or len(given) < 2:
        if line.more_inputs or not any(value is not None for value in given[wanted:]):
            yield (*given[:wanted], *(None,) * (wanted - len(given)))
        return
    if len(given) > wanted and not line.more_inputs:
        return
    seen = set()
    for order in permutations(given, min(wanted, len(given))):
        if order not in seen:
            seen.add(order)
            yield (*order, *(None,) * (wanted - len(given)))
