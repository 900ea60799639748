"""Matching of nodes that the canonical view sees through, once the operations are matched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping

from modellint.differ.attributes import opset_of, stated
from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.differ.matched import Matching
from modellint.model import Node, Value


def match_seen_through(found: Matching, old: CanonicalGraph, new: CanonicalGraph) -> None:
    """Match the ignored nodes: by the values that they pass on, else by operator, in order."""
    twins = found.values
    olds, news = list(old.light), list(new.light)
    for tell_old, tell_new in (
        (
            lambda node: (_passed(old, node, twins), _written(node)),
            lambda node: (_passed(new, node, {}), _written(node)),
        ),
        (lambda node: _passed(old, node, twins), lambda node: _passed(new, node, {})),
        (_written, _written),
        (_operator, _operator),
    ):
        places: dict[Hashable, list[Node]] = defaultdict(list)
        for node in news:
            places[tell_new(node)].append(node)
        taken: dict[Node, Node] = {}
        for node in olds:
            alike = places.get(tell_old(node))
            if alike:
                taken[node] = alike.pop(0)
        found.light += taken.items()
        matched = set(taken.values())
        olds = [node for node in olds if node not in taken]
        news = [node for node in news if node not in matched]
    found.light_removed += _without_steps(olds, found.added)
    found.light_added += _without_steps(news, found.removed)


def _without_steps(light: list[Node], steps: list[CanonicalStep]) -> list[Node]:
    """Return the nodes without those that the other model has as steps, such as a Cast to integers.

    Whether a node is seen through depends on types, which a model may not state.
    """
    by_form: dict[tuple[str, ...], list[CanonicalStep]] = defaultdict(list)
    for step in reversed(steps):
        by_form[step.form].append(step)
    left: list[Node] = []
    twins: set[CanonicalStep] = set()
    for node in light:
        alike = by_form.get((node.qualified_op,))
        if alike:
            twins.add(alike.pop())
        else:
            left.append(node)
    steps[:] = [step for step in steps if step not in twins]
    return left


def _passed(view: CanonicalGraph, node: Node, twins: Mapping[Value, Value]) -> Hashable:
    output = node.output()
    root = view.root(output) if output is not None else None
    return id(twins.get(root, root)) if root is not None else 0, node.qualified_op


def _written(node: Node) -> Hashable:
    return node.qualified_op, str(sorted(stated(node, opset_of(node.graph.model)).items()))


def _operator(node: Node) -> Hashable:
    return node.qualified_op
