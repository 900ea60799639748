"""Cost of a model per node: parameters, multiply-accumulates, operations and bytes.

Numbers are exact for known shapes and None otherwise, never guessed. A MAC is a
multiply-accumulate of a convolution, matrix product or recurrent cell, as in papers; all other
arithmetic operations count only as FLOPs (FLOPs = 2 x MACs + others).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, reduce

from modellint.analysis.cost.operators import MOST_WORK, UnknownCostError, Work, node_work
from modellint.analysis.cost.traffic import bytes_read, bytes_written, sizes_of, total_of
from modellint.analysis.parameters import parameters
from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, small_integers
from modellint.operators import Trait, having, of
from modellint.targets.deployment import Deployment


@dataclass(frozen=True, slots=True)
class NodeCost:
    """Cost of one or several nodes; None if unknown."""

    macs: int | None = 0
    flops: int | None = 0
    bytes_read: int | None = 0
    bytes_written: int | None = 0
    parameters: int = 0

    @property
    def bytes_moved(self) -> int | None:
        return _add(self.bytes_read, self.bytes_written)

    def plus(self, other: NodeCost) -> NodeCost:
        return NodeCost(
            _add(self.macs, other.macs),
            _add(self.flops, other.flops),
            _add(self.bytes_read, other.bytes_read),
            _add(self.bytes_written, other.bytes_written),
            self.parameters + other.parameters,
        )

    def times(self, count: int | None) -> NodeCost:
        return NodeCost(
            _times(self.macs, count),
            _times(self.flops, count),
            _times(self.bytes_read, count),
            _times(self.bytes_written, count),
            self.parameters,
        )


class ModelCost:
    """Cost of each node and of the whole model for a deployment."""

    def __init__(
        self, model: Model, deployment: Deployment, types: DeployedTypes | None = None
    ) -> None:
        self._model = model
        self._types = types or DeployedTypes(model, deployment)
        self._sizes = sizes_of(self._types, deployment.precision)
        self._parameters = parameters(model)
        self._nodes: dict[int, NodeCost] = {}
        self._works: dict[int, Work] = {}

    def of(self, node: Node) -> NodeCost:
        """Return the cost of a node, including its subgraphs."""
        known = self._nodes.get(id(node))
        if known is None:
            known = self._nodes[id(node)] = self._measure(node)
        return known

    def macs_of(self, node: Node) -> int | None:
        """Return the MACs of a node, without computing its memory traffic."""
        return self.work_of(node).macs

    def work_of(self, node: Node) -> Work:
        """Return the work of a node, without computing its memory traffic."""
        if not node.subgraphs:
            return self._work(node)
        whole = self.of(node)
        return Work(whole.macs, whole.flops)

    def bytes_moved_by(self, node: Node) -> int | None:
        """Return the memory traffic of a node, without computing its work."""
        if node.subgraphs:
            return self.of(node).bytes_moved
        return _add(bytes_read(node, self._sizes), bytes_written(node, self._sizes))

    @property
    def parameters(self) -> int:
        """Return the number of learned weights, counting shared ones once."""
        return self._parameters.total

    @cached_property
    def total(self) -> NodeCost:
        """Return the cost of the whole model; a number is None if it is None for any node."""
        everything = self._sum(self._model.graph)
        return NodeCost(
            everything.macs,
            everything.flops,
            everything.bytes_read,
            everything.bytes_written,
            self.parameters,
        )

    @cached_property
    def macs(self) -> int | None:
        """Return `total.macs`, without computing the rest."""
        return total_of([self.macs_of(node) for node in self._main_nodes])

    @cached_property
    def bytes_moved(self) -> int | None:
        """Return `total.bytes_moved`, without computing the rest."""
        return total_of([self.bytes_moved_by(node) for node in self._main_nodes])

    @cached_property
    def known_macs(self) -> int:
        """Return the MACs of nodes that can be counted: a lower bound if `macs` is None."""
        return sum(self.macs_of(node) or 0 for node in self._main_nodes)

    @cached_property
    def uncounted(self) -> tuple[Node, ...]:
        """Return main-graph nodes with unknown MACs: open shapes, or undefined ops."""
        return tuple(node for node in self._main_nodes if self.macs_of(node) is None)

    def share(self, nodes: Iterable[Node]) -> float | None:
        """Return the nodes' share of the model's MACs, 0 to 1."""
        mine = [self.macs_of(node) for node in nodes]
        if not self.macs or None in mine:
            return None
        return sum(macs for macs in mine if macs is not None) / self.macs

    @property
    def _main_nodes(self) -> Sequence[Node]:
        return self._model.graph.nodes

    def _sum(self, graph: Graph) -> NodeCost:
        costs = [self.of(node) for node in graph.nodes]
        return NodeCost(
            total_of([cost.macs for cost in costs]),
            total_of([cost.flops for cost in costs]),
            total_of([cost.bytes_read for cost in costs]),
            total_of([cost.bytes_written for cost in costs]),
            sum([cost.parameters for cost in costs]),
        )

    def _measure(self, node: Node) -> NodeCost:
        return self._measure_subgraphs(node) if node.subgraphs else self._measure_alone(node)

    def _measure_alone(self, node: Node) -> NodeCost:
        work = self._work(node)
        return NodeCost(
            work.macs,
            work.flops,
            bytes_read(node, self._sizes),
            bytes_written(node, self._sizes),
            self._parameters.of(node),
        )

    def _work(self, node: Node) -> Work:
        """Return the work of a node, without that of its subgraphs."""
        known = self._works.get(id(node))
        if known is None:
            try:
                known = node_work(node, self._types, is_function=self._calls_function(node))
            except UnknownCostError:
                known = Work(None, None)
            self._works[id(node)] = known
        return known

    def _calls_function(self, node: Node) -> bool:
        return bool(self._model.functions) and self._model.function_of(node) is not None

    def _measure_subgraphs(self, node: Node) -> NodeCost:
        costs = [self._sum(graph) for graph in node.subgraphs.values()]
        if node.op_type in having(Trait.ATTENTION):  # they change the scores once
            return reduce(NodeCost.plus, costs, self._measure_alone(node))
        if of(node).name == "If":
            return max(costs, key=lambda cost: (cost.macs is None, cost.macs or 0, cost.flops or 0))
        return costs[0].times(self._trip_count(node)) if costs else NodeCost()

    def _trip_count(self, node: Node) -> int | None:
        """Return the number of iterations of a Loop or Scan, if static."""
        if node.op_type == "Loop":
            return self._loop_count(node)
        if node.op_type == "Scan":
            return self._scan_count(node)
        return None

    def _loop_count(self, node: Node) -> int | None:
        count, condition = node.input(0), node.input(1)
        values = small_integers(count)
        body = node.subgraphs.get("body")
        if values is None or len(values) != 1:
            return None
        if body is None or not body.outputs:
            return None
        # The count is exact only if the condition is constantly true or passed through.
        carries = body.outputs[0]
        source = carries.producer
        passed = source is not None and source.op_type == "Identity"
        unconditional = carries.is_constant or carries.is_input or passed or condition is None
        return max(0, values[0]) if unconditional else None

    def _scan_count(self, node: Node) -> int | None:
        scanned = node.get_int("num_scan_inputs")
        value = node.inputs[-1] if scanned and node.inputs else None
        shape = self._types.shape(value) if value is not None else None
        axes = node.get_ints("scan_input_axes")
        axis = axes[-1] if axes else 0
        length = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
        return length if isinstance(length, int) and length >= 0 else None


_COSTS: Remembered[ModelCost] = Remembered()


def cost(model: Model, deployment: Deployment, types: DeployedTypes | None = None) -> ModelCost:
    """Run the analysis, once for all deployments with the same shapes and precision."""
    types = types or DeployedTypes(model, deployment)
    key = types.key, deployment.precision
    return model.memo.get(_COSTS, key, lambda: ModelCost(model, deployment, types))


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _times(one: int | None, count: int | None) -> int | None:
    if one == 0:
        return 0
    return None if one is None or count is None else min(one * count, MOST_WORK)


__all__ = ["ModelCost", "NodeCost", "cost"]
