"""One hit for several places of a model with one cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from modellint.checks.api import Hit
from modellint.model import Node, Tensor, Value


def together(nodes: Sequence[Node], facts: Mapping[str, object], **more: Any) -> Iterator[Hit]:
    """Return one hit at the first of some nodes; the message says `{rest}`: ` and 3 more`."""
    if nodes:
        yield _at(Hit(nodes[0], facts, **more), nodes)


def folded(hits: Iterable[Hit], *, by_facts: bool = True) -> Iterator[Hit]:
    """Return one hit for all nodes of an operator, of those with the same facts."""
    alike: dict[object, list[Hit]] = {}
    for hit in hits:
        alike.setdefault(_cause(hit, by_facts), []).append(hit)
    for same in alike.values():
        nodes = [hit.place for hit in same if isinstance(hit.place, Node)]
        if nodes:
            yield _at(same[0], nodes)
        else:
            yield from same


def folded_problems(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Return one hit for all problems of a file that have the same message."""
    alike: dict[str, list[Hit]] = {}
    for hit in hits:
        alike.setdefault(hit.variant, []).append(hit)
    for same in alike.values():
        names = [hit.place.name for hit in same if isinstance(hit.place, Value | Tensor)]
        facts = {**same[0].facts, "rest": _rest(same), "nodes": names}
        yield replace(same[0], facts=facts, count=len(same))


def _cause(hit: Hit, by_facts: bool) -> object:
    """Return what hits at nodes of an operator have in common, and nothing other hits have."""
    if not isinstance(hit.place, Node):
        return id(hit)
    facts = tuple((name, str(fact)) for name, fact in hit.facts.items()) if by_facts else ()
    return hit.place.qualified_op, hit.variant, hit.severity, hit.confidence, facts


def _at(hit: Hit, nodes: Sequence[Node]) -> Hit:
    """Return a hit for all of some nodes."""
    facts = {**hit.facts, "rest": _rest(nodes), "nodes": [node.label for node in nodes]}
    return replace(hit, facts=facts, count=len(nodes), places=tuple(nodes))


def _rest(places: Sequence[object]) -> str:
    return f" and {len(places) - 1:,} more" if len(places) > 1 else ""
