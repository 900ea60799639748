"""Each node of the main graph, with all that analyses know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from modellint.analysis.blocks import Blocks, GraphBlock
from modellint.analysis.folding import Folding, folding
from modellint.analysis.latency import LayerTime, TimeEstimate
from modellint.analysis.memory import memory
from modellint.analysis.parameters import parameters, stored_weight
from modellint.analysis.precision import without_strange_assumption
from modellint.inspector.critical import critical_path
from modellint.inspector.node_facts import NodeFacts, attempt
from modellint.model import Model, Node, Value
from modellint.placement.timed import latency_on_units
from modellint.results.inspection import Dims, LayerFacts
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

Limit = Literal["compute", "memory", "overhead"]
START, BETWEEN, END = "start", "between blocks", "end"
FEWEST_BLOCKS = 2
FEWEST_SCOPES, MOST_SCOPES = 3, 60


def every_layer(opened: OpenModel, deployment: Deployment) -> list[LayerFacts]:
    return _EveryLayer(opened, deployment).layers()


class _EveryLayer:
    """Facts about all nodes. An analysis that fails leaves its own out, and no others."""

    def __init__(self, opened: OpenModel, deployment: Deployment) -> None:
        self._model = opened.model
        deployment = without_strange_assumption(self._model, deployment)
        facts = self._facts = NodeFacts(opened, deployment)
        own = opened.under(deployment)
        self._folding: Folding | None = attempt(
            lambda: folding(self._model, facts.sized, facts.types)
        )
        self._blocks = attempt(lambda: block_names(self._model, facts.blocks())) or {}
        self._steps = attempt(lambda: _steps(own.get(memory).footprint.profile)) or {}
        time = attempt(lambda: own.get(latency_on_units))
        self._times = attempt(lambda: _times(time)) or {}
        self._critical = attempt(lambda: critical_path(time)) if time is not None else None
        self._parameters = parameters(self._model)
        self._counted: set[int] = set()

    def layers(self) -> list[LayerFacts]:
        return [self._layer(node) for node in self._model.graph.nodes]

    def _layer(self, node: Node) -> LayerFacts:
        cost, bound = self._facts.cost(node), self._facts.bounds.get(id(node))
        step, alive = self._steps.get(id(node), (None, None))
        expected, limit = self._times.get(id(node), (None, None))
        weight, parameters, stored = self._weights(node)
        first = node.output()
        return LayerFacts(
            name=node.label,
            op_type=node.qualified_op,
            index=node.index,
            block=self._blocks.get(id(node), ""),
            inputs=[self._shape(value) for value in node.inputs if value and not value.is_constant],
            outputs=[self._shape(value) for value in node.outputs if value is not None],
            dtype=first.dtype.name if first is not None and first.dtype is not None else None,
            weight=weight,
            parameters=parameters,
            weight_bytes=stored,
            macs=cost.macs,
            flops=cost.flops,
            bytes=bound.nbytes if bound is not None else cost.bytes_moved,
            precision=self._facts.precision(node, bound),
            quantized=self._facts.is_quantized(node),
            folded=self._folding is not None and self._folding.is_folded(node),
            step=step,
            alive=alive,
            bound=bound.bound if bound is not None else None,
            seconds=bound.seconds if bound is not None else None,
            expected=expected,
            limited_by=limit,
            unit=self._facts.units.get(id(node)),
            critical=self._critical is not None and id(node) in self._critical,
        )

    def _weights(self, node: Node) -> tuple[list[int] | None, int, int]:
        tensors = {id(each): each for each in map(stored_weight, node.inputs) if each is not None}
        if not tensors or not self._parameters.of(node):
            return None, 0, 0
        fresh = [each for at, each in tensors.items() if at not in self._counted]
        self._counted.update(tensors)
        largest = max(tensors.values(), key=lambda each: each.nbytes)
        learned = sum(self._parameters.learned(each) for each in fresh)
        return list(largest.shape), learned, sum(each.nbytes for each in fresh)

    def _shape(self, value: Value) -> Dims | None:
        shape = self._facts.shape(value)
        return list(shape) if shape is not None else None


def _steps(profile: object) -> dict[int, tuple[int, int]]:
    """Return the step of each node, and the bytes alive at it."""
    order, timeline = getattr(profile, "order", ()), getattr(profile, "timeline", ())
    return {
        id(node): (step, alive)
        for step, (task, alive) in enumerate(zip(order, timeline, strict=True))
        for node in task.nodes
    }


def _times(found: TimeEstimate | None) -> dict[int, tuple[float, Limit]]:
    """Return the expected seconds of each kernel, by its main node, and their largest part."""
    return {
        id(each.launch.main): (each.seconds, _limit(each))
        for each in (found.layers if found is not None else ())
    }


def _limit(layer: LayerTime) -> Limit:
    parts: dict[Limit, float] = {
        "compute": layer.time.compute,
        "memory": layer.time.memory,
        "overhead": layer.time.overhead,
    }
    return max(parts, key=lambda name: parts[name])


def block_names(model: Model, blocks: Blocks) -> Mapping[int, str]:
    """Return the block of each node: a repeated structure, or else a scope of names."""
    found = _outermost(blocks.all)
    if len(found) >= FEWEST_BLOCKS:
        return _numbered(model, found)
    return _scopes(model.graph.nodes)


def _outermost(blocks: Iterable[GraphBlock]) -> list[GraphBlock]:
    """Return blocks that are in no larger one, in the order of their ends."""
    kept, taken = [], set[int]()
    for block in sorted(blocks, key=lambda each: -len(each.nodes)):
        if block.kind != "squeeze and excitation" and id(block.end) not in taken:
            kept.append(block)
            taken.update(id(node) for node in block.nodes)
    return sorted(kept, key=lambda each: each.end.index)


def _numbered(model: Model, blocks: Sequence[GraphBlock]) -> dict[int, str]:
    """Give each node the block whose nodes surround it in the graph's order."""
    counts: dict[str, int] = defaultdict(int)
    names: dict[int, str] = {}
    ends: list[tuple[int, str]] = []
    for block in blocks:
        counts[block.kind] += 1
        name = f"{block.kind} {counts[block.kind]}"
        names.update((id(node), name) for node in block.nodes)
        ends.append((block.end.index, name))
    first = min(node.index for block in blocks for node in block.nodes)
    at = 0
    for node in model.graph.nodes:
        while at < len(ends) and ends[at][0] < node.index:
            at += 1
        if id(node) not in names:
            around = ends[at][1] if at < len(ends) else END
            names[id(node)] = START if node.index < first else around
    return names


def _scopes(nodes: Sequence[Node]) -> dict[int, str]:
    """Return the shallowest part of names that divides a graph into a few parts."""
    paths = {id(node): [part for part in node.name.split("/") if part][:-1] for node in nodes}
    deepest = max(map(len, paths.values()), default=0)
    for depth in range(1, min(deepest, 6) + 1):
        named = {at: "/".join(path[:depth]) for at, path in paths.items()}
        if FEWEST_SCOPES <= len(set(named.values())) <= MOST_SCOPES:
            shared = _shared_start(set(named.values()) - {""})
            return {at: name.removeprefix(shared) or START for at, name in named.items()}
    return {}


def _shared_start(names: set[str]) -> str:
    """Return the path that all names begin with, up to its last slash."""
    if len(names) < FEWEST_BLOCKS:
        return ""
    low, high = min(names), max(names)
    same = next((at for at, char in enumerate(low) if high[at : at + 1] != char), len(low))
    return low[: low.rfind("/", 0, same) + 1]
