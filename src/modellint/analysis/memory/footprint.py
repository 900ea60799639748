"""What a model takes whatever the device: the same for every target that runs it alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from modellint.analysis.assume import settle
from modellint.analysis.folding import Folding
from modellint.analysis.kv_cache import KvCache, kv_cache
from modellint.analysis.liveness import (
    Alive,
    Buffer,
    Profile,
    Program,
    best_profile,
    build_program,
    profile,
)
from modellint.analysis.memory.fusion import PRODUCTS, Kernels
from modellint.analysis.memory.planner import planned_bytes
from modellint.analysis.memory.runtimes import RuntimeMemory
from modellint.analysis.memory.weights import Weights, deployed_weights
from modellint.analysis.precision import is_narrow, running_precision
from modellint.model import Graph, Model, Node, Value
from modellint.targets.deployment import Deployment
from modellint.targets.target import Confidence


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes memory, in bytes."""

    name: str
    low: int
    expected: int
    high: int
    confidence: Confidence
    note: str = ""


class Footprint:
    """Weights, activations, workspace, inputs and outputs, and the cache, for known shapes."""

    def __init__(self, model: Model, deployment: Deployment, runtime: RuntimeMemory) -> None:
        settled = settle(model, deployment)
        self.model = model
        self.assumed: Mapping[str, int] = settled.assumed
        """Sizes of open dims that nobody stated."""
        self.symbols: Mapping[str, int] = settled.deployment.symbols
        self.unknown: list[Value] = []
        """Tensors whose size depends on data or on ops nobody defined: counted as nothing."""
        self.cache: KvCache | None = kv_cache(model, deployment)
        self._deployment = settled.deployment
        self._precision = deployment.precision
        self._narrow = is_narrow(running_precision(model, deployment))
        self._runtime = runtime
        self._folding = Folding(model, settled.deployment)

    @cached_property
    def stored_weights(self) -> Weights:
        return deployed_weights(self.model, self._folding, self._deployment)

    @cached_property
    def weights(self) -> Part:
        found = self.stored_weights
        size = found.nbytes
        note = f"{found.folded} of them computed by the graph" if found.folded else ""
        return Part("weights", size, size, size, "derived", note)

    @cached_property
    def activations(self) -> Part:
        """Everything between inputs and outputs, at the step that needs most."""
        if self.model.graph is None:
            return Part("activations", 0, 0, 0, "theoretical", "the format states no graph")
        low = self.profile.peak
        expected = max(low, self._planned(scratch=0))
        high = profile(without_held(self.plain), self.plain.tasks, in_place=False).peak
        return Part("activations", low, expected, max(expected, high), "derived")

    @cached_property
    def workspace(self) -> Part:
        """Scratch memory of convolutions and matrix products."""
        tasks = self.fused.tasks
        if not any(node.op_type in PRODUCTS for task in tasks for node in task.nodes):
            return Part("workspace", 0, 0, 0, "derived")
        one = self._runtime.scratch
        expected = max(0, self._planned(scratch=one) - self.activations.expected)
        high = max(expected, self._runtime.scratch_high)
        return Part("workspace", min(expected, one), expected, high, "calibrated")

    @cached_property
    def inputs_outputs(self) -> Part:
        size = sum(buffer.nbytes for buffer in self._callers if not self._is_cache(buffer.value))
        return Part("inputs and outputs", size, size, size, "derived")

    @cached_property
    def kv_cache(self) -> Part:
        """Keys and values, once where past and present share a buffer, else twice."""
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
            self.weights, self.activations, self.workspace, self.inputs_outputs, self.kv_cache,
        )  # fmt: skip

    @cached_property
    def expected(self) -> int:
        return sum(part.expected for part in self.parts)

    @cached_property
    def profile(self) -> Profile:
        """The kernels over time, inputs and outputs left out."""
        return best_profile(without_held(self.fused))

    @property
    def at_peak(self) -> list[Alive]:
        return self.profile.alive_at(self.profile.peak_step)

    @cached_property
    def fused(self) -> Program:
        """Kernels as the runtime forms them."""
        return self._program(self.model.graph) if self.model.graph is not None else Program()

    @cached_property
    def plain(self) -> Program:
        """Every node a kernel of its own."""
        graph = self.model.graph
        if graph is None:
            return Program()
        groups = [(node,) for node in graph.nodes if not self._folding.is_folded(node)]
        return build_program(graph, groups, self._folding, self._precision, [], inside=self._inside)

    def _planned(self, *, scratch: int) -> int:
        return planned_bytes(self.fused, alignment=self._runtime.alignment, scratch=scratch)

    def _program(self, graph: Graph) -> Program:
        kernels = Kernels(graph.nodes, self._folding, self._runtime, narrow=self._narrow)
        return build_program(
            graph, kernels.groups(), self._folding, self._precision, self.unknown,
            inside=self._inside,
        )  # fmt: skip

    def _inside(self, node: Node) -> int:
        """The branch that takes most; of a loop, its body."""
        programs = [self._program(graph) for graph in node.subgraphs.values()]
        alignment = self._runtime.alignment
        return max(
            (planned_bytes(each, alignment=alignment, scratch=0) for each in programs), default=0
        )

    @cached_property
    def _callers(self) -> list[Buffer]:
        """Buffers of the model's inputs and outputs."""
        return [buffer for buffer in self.plain.buffers if buffer.held]

    def _is_cache(self, value: Value) -> bool:
        pairs = self.cache.pairs if self.cache is not None else ()
        return any(value is pair.past or value is pair.present for pair in pairs)


def without_held(program: Program) -> Program:
    """Without what is the caller's: inputs and outputs."""
    buffers = [
        Buffer(buffer.value, 0 if buffer.held else buffer.nbytes, buffer.held)
        for buffer in program.buffers
    ]
    return Program(program.tasks, buffers)
