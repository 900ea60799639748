"""Nodes that a compiler or delegate has put into a part, from what the part reads and writes.

What a probe tells of them is the same for all compilers of TFLite files.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass
from modellint.model import Graph, Node, Value
from modellint.runtimes.probe import Remark, Tell

CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Delegated:
    """Nodes of a model by the part of an accelerator that runs them, and those left to the CPU."""

    partitions: tuple[tuple[Node, ...], ...] = ()
    left: tuple[Node, ...] = ()
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Reasons for nodes that are left, by their id, where the compiler states them."""
    figures: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


def tell_parts(
    request: Mapping[str, Any],
    tell: Tell,
    version: str,
    unit: str,
    ask: Callable[[Path], Delegated],
) -> None:
    """Tell in answer to a request what a compiler does with the model."""
    said = {"version": version, "level": request["level"]}
    started = time.perf_counter()
    found = ask(Path(request["path"]))
    if found.error:
        remark = Remark("model-refused", found.error)
        tell({**said, "status": "refused", "remarks": [asdict(remark)]})
        return
    counts = {unit: sum(map(len, found.partitions)), CPU: len(found.left)}
    names = {
        "partitions": [[_named(node) for node in part] for part in found.partitions],
        "left": [_named(node) for node in found.left],
    }
    left = [
        Remark("on-cpu", found.reasons.get(id(node), ""), *_named(node), index=node.index)
        for node in found.left
    ]
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": [asdict(each) for each in left],
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": counts[unit],
                "subgraphs_taken": len(found.partitions),
                **found.figures,
            },
            "placement": {name: count for name, count in counts.items() if count},
            **(names if request.get("names") else {}),
        }
    )


def _named(node: Node) -> tuple[str, str]:
    return node.label, node.op_type


def parts_of(
    borders: Iterable[tuple[Collection[Value], Collection[Value]]], left: Iterable[Node] = ()
) -> Iterator[tuple[Node, ...]]:
    """Iterate over the nodes of each part, in order, given what it reads and what it writes.

    A node is in the first part that needs it, unless it is among those that are left.
    """
    done = {id(node) for node in left}
    for reads, writes in borders:
        given = {id(value) for value in reads}
        pending, members = list(writes), []
        while pending:
            value = pending.pop()
            node = value.producer
            if node is not None and id(value) not in given and id(node) not in done:
                done.add(id(node))
                members.append(node)
                pending += [each for each in node.inputs if each is not None]
        yield tuple(sorted(members, key=lambda node: node.index))


def compiled_parts(
    graph: Graph, compiled: Graph, op: str
) -> tuple[tuple[tuple[Node, ...], ...], tuple[Node, ...]]:
    """Return the nodes of each part, for which a compiled file has an operator, and the others."""
    left = _counterparts(graph, [node for node in compiled.nodes if node.op_type != op])
    parts = [node for node in compiled.nodes if node.op_type == op]
    return tuple(parts_of(_borders(graph, parts), left)), left


def _counterparts(graph: Graph, remaining: list[Node]) -> tuple[Node, ...]:
    """Return the nodes of the model that are still in the compiled one."""
    places: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in reversed(graph.nodes):
        places[key_of(node)].append(node)
    renamed: Counter[str] = Counter()
    found: list[Node] = []
    for node in remaining:
        if places[key_of(node)]:
            found.append(places[key_of(node)].pop())
        else:  # a compiler may rename results that it converts
            renamed[node.op_type] += 1
    for op, count in renamed.items():
        found += [node for node in graph.nodes if node.op_type == op and node not in found][:count]
    return tuple(found)


def _borders(
    graph: Graph, parts: Iterable[Node]
) -> Iterator[tuple[Collection[Value], Collection[Value]]]:
    """Iterate over what parts read and write, as values of the model."""
    named: dict[str, list[Value]] = defaultdict(list)
    for value in graph.values.values():
        named[_plain(value.name)].append(value)
    for part in parts:
        sides = (
            (value for value in side if value is not None) for side in (part.inputs, part.outputs)
        )
        reads, writes = ([each for v in side for each in named[_plain(v.name)]] for side in sides)
        yield reads, writes


def _results(node: Node) -> list[str]:
    return [_plain(value.name) for value in node.outputs if value is not None]


def _plain(name: str) -> str:
    """Return a name without the suffix that makes it unique."""
    stem, _, suffix = name.rpartition("#")
    return stem if suffix.isdigit() else name


def key_of(node: Node) -> tuple[str, str]:
    """Return the operator and the first result, which a node has in a compiled file, too."""
    return node.op_type, next(iter(_results(node)), "")
