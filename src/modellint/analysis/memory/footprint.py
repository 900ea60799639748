"""Device-independent memory of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from itertools import chain

from modellint.analysis.assume import settle
from modellint.analysis.blocked import BlockedLayout
from modellint.analysis.cost.operators import UnknownCostError, node_work
from modellint.analysis.folding import Folding, folding
from modellint.analysis.kv_cache import KvCache, kv_cache
from modellint.analysis.laying_out import lay_out
from modellint.analysis.liveness import Sizes, sized
from modellint.analysis.memory.conversions import with_conversions
from modellint.analysis.memory.fusion import CONVOLUTIONS, PRODUCTS, find_grouping
from modellint.analysis.memory.integers import Filling, fill_up, find_fillings
from modellint.analysis.memory.planner import (
    UTMOST_STREAMS,
    BufferPlan,
    add_copies,
    has_product,
    parallel_branches,
    peak_with_scratch,
    plan,
    without_held,
)
from modellint.analysis.memory.weights import DeployedWeights, deployed_weights, is_fill, is_stored
from modellint.analysis.positions import positions_suffice
from modellint.analysis.precision import is_narrow, running_precision
from modellint.analysis.programs import (
    Alive,
    Buffer,
    Layout,
    Profile,
    Program,
    Task,
    best_profile,
    profile,
)
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Value, element_count
from modellint.operators import Trait, having, names
from modellint.runtimes import RuntimeMemory
from modellint.targets.deployment import Deployment
from modellint.targets.target import Confidence

CONCATENATIONS, COPIES = names(Trait.CONCATENATES), names(Trait.TRANSPARENT)
DEQUANTIZE = names(Trait.DEQUANTIZE)
APART = having(Trait.NORMALIZATION, Trait.SKIP_NORMALIZATION).keys() | (
    having(Trait.GELU).keys() & having(Trait.CURVED).keys()
)
"""Ops in place in principle, whose kernels in ONNX Runtime write their results elsewhere."""


@dataclass(frozen=True, slots=True)
class Part:
    """A component of the estimate, in bytes."""

    name: str
    low: int
    expected: int
    high: int
    confidence: Confidence
    note: str = ""


_SLACK = 8
"""Upper bound on the copies of each tensor in any plan, including padding and holes."""
_LARGEST_ELEMENT = 16
"""Maximum bytes per element of a weight in any runtime."""
_MOST_ALIGNMENT = 1 << 12
_PADDING = 1.15
"""Factor for the memory that a planner may lose to padding and holes."""


class Footprint:
    """Weights, activations, workspace, inputs and outputs, and the cache, for known shapes."""

    def __init__(self, model: Model, deployment: Deployment, runtime: RuntimeMemory) -> None:
        settled = settle(model, deployment)
        self.model = model
        self.assumed: Mapping[str, int] = settled.assumed
        """Assumed sizes of open dims."""
        self.symbols: Mapping[str, int] = settled.deployment.symbols
        self.unknown: list[Value] = []
        """Tensors of data-dependent or unknown size, which are not counted."""
        self.cache: KvCache | None = kv_cache(model, deployment)
        self._nested: dict[int, int] = {}
        """Memory of a node's subgraphs."""
        self._deployment = settled.deployment
        self._narrow = is_narrow(running_precision(model, deployment))
        self._runtime = runtime
        self._types = DeployedTypes(model, settled.deployment)
        self._sizes = Sizes(self._types, deployment.precision)

    @property
    def has_positions(self) -> bool:
        """Return False if the model's tables of positions are too short for the sizes."""
        symbol = self.cache.sequence_symbol if self.cache is not None else None
        return positions_suffice(self.model, self._types, self.symbols.get(symbol or "", 0))

    @cached_property
    def _folding(self) -> Folding:
        return folding(self.model, self._deployment, self._types)

    @cached_property
    def stored_weights(self) -> DeployedWeights:
        made_anew = frozenset(map(id, chain(*self._fills)))
        return deployed_weights(self.model, self._folding, self._deployment, made_anew)

    @cached_property
    def weights(self) -> Part:
        found = self.stored_weights
        filled = {(each.shape, each.group): each.nbytes for each in self._fillings}
        size = found.nbytes + sum(filled.values())
        note = f"{found.folded} bytes of them computed by the graph" if found.folded else ""
        return Part("weights", found.matrices, size, size, "derived", note)

    @cached_property
    def activations(self) -> Part:
        """Return the peak of all tensors between inputs and outputs."""
        if not self.model.has_graph:
            return Part("activations", 0, 0, 0, "theoretical", "the format has no graph")
        low, expected = self.profile.peak, self._arena
        apart = profile(without_held(self.plain), self.plain.tasks, in_place=False).peak
        high = round(max(expected, apart) * _PADDING)
        if not high and self.unknown:
            return Part("activations", 0, 0, 0, "theoretical", "no sizes are known")
        return Part("activations", low, expected, high, "derived")

    @cached_property
    def workspace(self) -> Part:
        """Return the workspace of convolutions and matrix products."""
        tasks = self.programs[0].tasks
        if not any(map(has_product, tasks)):
            return Part("workspace", 0, 0, 0, "derived")
        one = self._runtime.scratch
        planned = min(plan.with_scratch for plan in self._plans)
        expected = max(0, planned - self._arena)
        low = max(0, peak_with_scratch(self.profile, one) - self.profile.peak)
        widest = max(parallel_branches(self.programs[0], UTMOST_STREAMS))
        high = max(expected, self._runtime.scratch_high, one * widest)
        return Part("workspace", min(low, expected), expected, high, "calibrated")

    @cached_property
    def inputs_outputs(self) -> Part:
        pairs = self.cache.pairs if self.cache is not None else ()
        cached = {id(value) for pair in pairs for value in (pair.past, pair.present)}
        size = sum(buffer.nbytes for buffer in self._callers if id(buffer.value) not in cached)
        return Part("inputs and outputs", size, size, size, "derived")

    @cached_property
    def kv_cache(self) -> Part:
        """Return the size of keys and values: once if they share a buffer, else twice."""
        if self.cache is None:
            return Part("kv cache", 0, 0, 0, "derived")
        pasts = {id(pair.past) for pair in self.cache.pairs}
        presents = {id(pair.present) for pair in self.cache.pairs}
        before = sum(b.nbytes for b in self._callers if id(b.value) in pasts)
        after = sum(b.nbytes for b in self._callers if id(b.value) in presents)
        both = before + after
        return Part("kv cache", max(before, after), both, both, "derived")

    @property
    def parts(self) -> tuple[Part, ...]:
        return (
            self.weights,
            self.activations,
            self.workspace,
            self.inputs_outputs,
            self.kv_cache,
        )

    @cached_property
    def largest_tensor(self) -> int:
        """Return the bytes of the largest tensor of known size."""
        return max((size or 0 for size in self._all_sizes), default=0)

    @property
    def is_complete(self) -> bool:
        """Return True if the size of every tensor is known."""
        return None not in self._all_sizes

    @cached_property
    def ceiling(self) -> int:
        """Return a cheap upper bound on `expected`, to see that a small model fits."""
        if not self.model.has_graph:
            return self.expected
        stored = sum(tensor.elements for tensor in self.model.tensors) * _LARGEST_ELEMENT
        tensors = sum(size or 0 for size in self._all_sizes) + _MOST_ALIGNMENT * len(
            self._all_sizes
        )
        scratch = self._runtime.scratch + self._runtime.scratch_high
        return _SLACK * (stored + tensors + scratch * sum(1 for _ in self.model.graphs()))

    @cached_property
    def _all_sizes(self) -> list[int | None]:
        graphs = self.model.graphs()
        return [self._sizes.of(value) for graph in graphs for value in graph.values.values()]

    @cached_property
    def expected(self) -> int:
        """Return the expected total of all parts, without computing bounds."""
        others = (self.weights, self.workspace, self.inputs_outputs, self.kv_cache)
        return self._arena + sum(part.expected for part in others)

    @cached_property
    def _arena(self) -> int:
        """Return the memory of activations in a plan with fusion."""
        if not self.model.has_graph:
            return 0
        return max(self.profile.peak, min(plan.nbytes for plan in self._plans))

    @cached_property
    def profile(self) -> Profile:
        """Return the profile of the kernels, without inputs and outputs."""
        played = [best_profile(without_held(program)) for program in self.programs]
        return min(played, key=lambda each: each.peak)

    @property
    def at_peak(self) -> list[Alive]:
        return self.profile.alive_at(self.profile.peak_step)

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """Return programs of the runtime's kernels, without and with joins if supported."""
        graph = self.model.graph
        apart = self._program(graph)
        if not self._runtime.joins or not graph.by_op.get("Concat"):
            return (apart,)
        return (apart, self._program(graph, joins=True))

    @cached_property
    def plain(self) -> Program:
        """Return the program with one kernel per node."""
        graph = self.model.graph
        groups = [(node,) for node in graph.ordered if not self._folding.is_folded(node)]
        layout = lay_out(graph, groups, self._folding)
        return sized(layout, self._sizes, [], inside=self._inside)

    @cached_property
    def _plans(self) -> list[BufferPlan]:
        return [self._plan(program, self.model.graph) for program in self.programs]

    def _plan(self, program: Program, graph: Graph) -> BufferPlan:
        return plan(self._as_planned(program, graph), self._runtime)

    def _program(self, graph: Graph, *, joins: bool = False) -> Program:
        layout = self._layout(graph, joins=joins)
        return self._in_layout(sized(layout, self._sizes, self.unknown, inside=self._inside), graph)

    def _layout(self, graph: Graph, *, joins: bool) -> Layout:
        grouping = find_grouping(graph, self._folding, self._runtime, narrow=self._narrow)
        ahead, needed = self._fills
        if graph.parent is not None or not (ahead or needed):
            return grouping.layout(self._folding, joins=joins)
        return lay_out(  # not kept: which of them are equal may depend on sizes
            graph,
            grouping.groups,
            self._folding,
            joins=joins,
            widens=self._runtime.widens_products,
            ahead=ahead,
            fills=needed,
        )

    def _in_layout(self, program: Program, graph: Graph) -> Program:
        """Add the cost of the convolutions' own layout, and hide their tensors from the planner."""
        fill_up(program, self._fillings)
        if self._runtime.changes_layout:
            add_copies(program, self._folding.types, narrow=self._narrow)
        if self._runtime.parallel_work:
            program.is_busy = self._is_busy(graph)
        if self._runtime.computes_constants:
            folded = filter(self._folding.is_folded, graph.nodes)
            program.beside = sum(map(self._runs_beside, folded))
        return program

    def _as_planned(self, program: Program, graph: Graph) -> Program:
        """Return the program as a planner sees it that overwrites, and converts layouts."""
        if self._runtime.in_place:
            tasks = [_without_overwriting(task) for task in program.tasks]
            program = replace(program, tasks=tasks)
        if not self._runtime.blocks_channels or not graph.by_op.get("Conv"):
            return program
        kernels = [task.nodes for task in program.tasks]
        layout = BlockedLayout(graph, self._known_shape, self._folding.is_constant, kernels)
        return with_conversions(program, layout)

    def _known_shape(self, value: Value | None) -> tuple[int, ...]:
        shape = self._types.shape(value) if value is not None else None
        return tuple(dim for dim in shape or () if isinstance(dim, int))

    def _is_busy(self, graph: Graph) -> bool:
        """Return True if the convolutions have too much to do for branches to run in parallel.

        Where a normalization is left to the runtime, it compiles the kernel itself, does not know
        how long that takes, and runs branches in parallel whatever they have to do.
        """
        if graph.by_op.get("BatchNormalization"):
            return False
        if _joins_by_sums_alone(graph) and not _copies_parameters(graph):
            return True
        convolutions = (node for name in CONVOLUTIONS for node in graph.by_op.get(name, ()))
        return sum(map(self._known_macs, convolutions)) > self._runtime.parallel_work

    def _runs_beside(self, node: Node) -> bool:
        """Return True for a product that waits for nothing, and is worth a stream of its own."""
        if node.op_type not in PRODUCTS or 2 * self._known_macs(node) < self._runtime.ahead_from:
            return False
        return all(value is None or is_stored(value) for value in node.inputs)

    def _known_macs(self, node: Node) -> int:
        try:
            return node_work(node, self._folding.types).macs or 0
        except UnknownCostError:
            return 0

    @cached_property
    def _fillings(self) -> tuple[Filling, ...]:
        """Return the zeros that fill up the inputs of convolutions of integers."""
        multiple = self._runtime.packs_channels
        if multiple == 1:
            return ()
        return tuple(find_fillings(self.model.graph.ordered, self._folding, multiple))

    @cached_property
    def _fills(self) -> tuple[list[Value], list[Value]]:
        """Return weights that are computed in every run: at its start, and when they are needed."""
        ahead: list[Value] = []
        needed: list[Value] = []
        runtime = self._runtime
        for value in self._folding.weights() if runtime.fills_above else ():
            count = element_count(self._types.shape(value)) or 0
            if count > runtime.fills_above and is_fill(value):
                (ahead if count >= runtime.ahead_from else needed).append(value)
        return ahead, needed

    def _inside(self, node: Node) -> int:
        """Return the memory of the largest branch, or of a loop's body."""
        key = id(node)
        if key not in self._nested:
            graphs = node.subgraphs.values()
            plans = (self._plan(self._program(graph), graph) for graph in graphs)
            self._nested[key] = max((each.nbytes for each in plans), default=0)
        return self._nested[key]

    @cached_property
    def _callers(self) -> list[Buffer]:
        """Return the buffers of the model's inputs and outputs."""
        return [buffer for buffer in self.programs[0].buffers if buffer.held]


def _without_overwriting(task: Task) -> Task:
    is_apart = bool(task.nodes) and task.nodes[0].op_type in APART
    return replace(task, replaces=()) if is_apart else task


def _joins_by_sums_alone(graph: Graph) -> bool:
    """Return True if no branches are concatenated, and none are quantized.

    A sum runs in a convolution, which waits for what it adds.
    """
    return not any(graph.by_op.get(op) for op in (*CONCATENATIONS, *DEQUANTIZE))


def _copies_parameters(graph: Graph) -> bool:
    """Return True if there are copies of constants, as where an exporter shares equal biases."""
    copies = (node for op in COPIES for node in graph.by_op.get(op, ()))
    return any(value is not None and value.is_constant for node in copies for value in node.inputs)
