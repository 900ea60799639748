"""The estimate itself: parts, totals, the verdict, and what would fit instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from modellint.analysis.assume import settle
from modellint.analysis.folding import Folding
from modellint.analysis.kv_cache import KvCache, kv_cache
from modellint.analysis.liveness import Buffer, Program, best_profile, build_program, profile
from modellint.analysis.memory.fusion import PRODUCTS, Kernels
from modellint.analysis.memory.planner import planned_bytes
from modellint.analysis.memory.runtimes import RuntimeMemory, runtime_memory
from modellint.analysis.memory.weights import Weights, deployed_weights
from modellint.model import Graph, Model, Node, Value
from modellint.targets.deployment import Deployment
from modellint.targets.target import Confidence, Target

Verdict = Literal["fits", "tight", "does not fit"]

TIGHT = 0.9
"""A model that may take more than this share of the usable memory fits tightly."""
_LARGEST = 1 << 20
_NARROW = frozenset({"fp16", "bf16", "fp8", "fp4", "int8", "int4"})


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes memory, in bytes."""

    name: str
    low: int
    expected: int
    high: int
    confidence: Confidence
    note: str = ""

    def __post_init__(self) -> None:
        assert self.low <= self.expected <= self.high, self


@dataclass(frozen=True, slots=True)
class Filling:
    """One tensor alive where activations peak."""

    value: Value
    nbytes: int

    @property
    def name(self) -> str:
        return self.value.name


class MemoryEstimate:
    """What one model takes in one deployment."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        settled = settle(model, deployment)
        self.model = model
        self.deployment = deployment
        self.assumed: Mapping[str, int] = settled.assumed
        """Sizes of open dims that nobody stated."""
        self._settled = settled.deployment
        self._folding = Folding(model, settled.deployment)
        self._runtime: RuntimeMemory = runtime_memory(_runtime_name(deployment))
        self.unknown: list[Value] = []
        """Tensors whose size depends on data or on ops nobody defined: counted as nothing."""
        self.cache: KvCache | None = kv_cache(model, deployment)

    # Parts

    @cached_property
    def weights_by_dtype(self) -> Weights:
        return deployed_weights(self.model, self._folding, self._settled)

    @cached_property
    def weights(self) -> Part:
        found = self.weights_by_dtype
        size = found.nbytes
        note = f"{found.folded} of them computed by the graph" if found.folded else ""
        return Part("weights", size, size, size, "derived", note)

    @cached_property
    def activations(self) -> Part:
        """Everything between inputs and outputs, at the step that needs most."""
        graph = self.model.graph
        if graph is None:
            return Part("activations", 0, 0, 0, "theoretical", "the format states no graph")
        fused = self._fused
        low = best_profile(_inner(fused)).peak
        planned = planned_bytes(fused, alignment=self._runtime.alignment, scratch=0)
        high = profile(_inner(self._plain), self._plain.tasks, in_place=False).peak
        expected = max(low, planned)
        return Part("activations", low, expected, max(expected, high), "derived")

    @cached_property
    def workspace(self) -> Part:
        """Scratch memory of convolutions and matrix products."""
        products = sum(
            node.op_type in PRODUCTS for task in self._fused.tasks for node in task.nodes
        )
        if not products:
            return Part("workspace", 0, 0, 0, "derived")
        runtime = self._runtime
        together = planned_bytes(self._fused, alignment=runtime.alignment, scratch=runtime.scratch)
        expected = max(0, together - self.activations.expected)
        return Part(
            "workspace", min(expected, runtime.scratch), expected,
            max(expected, runtime.scratch_high), "calibrated",
        )  # fmt: skip

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
        low = max(before, after)
        return Part("kv cache", low, before + after, before + after, "derived")

    @cached_property
    def overhead(self) -> Part:
        """The runtime's own context on this target; nothing is known without a target."""
        target = self.deployment.target
        known = target.overhead(_runtime_name(self.deployment)) if target is not None else None
        if known is None:
            return Part("runtime", 0, 0, 0, "theoretical", "not known for this target")
        middle = (known.low + known.high) // 2
        return Part("runtime", known.low, middle, known.high, known.origin.confidence)

    @property
    def parts(self) -> tuple[Part, ...]:
        return (
            self.weights, self.activations, self.workspace, self.inputs_outputs, self.kv_cache,
            self.overhead,
        )  # fmt: skip

    @cached_property
    def total(self) -> Part:
        order: list[Confidence] = ["measured", "calibrated", "derived", "theoretical"]
        parts = [part for part in self.parts if part.high]
        weakest = order[max((order.index(part.confidence) for part in parts), default=2)]
        return Part(
            "total",
            sum(part.low for part in parts),
            sum(part.expected for part in parts),
            sum(part.high for part in parts),
            weakest,
            "tensors of unknown size are missing" if self.unknown else "",
        )

    @cached_property
    def at_peak(self) -> tuple[Filling, ...]:
        """Tensors alive where the fused activations peak, largest first."""
        played = best_profile(_inner(self._fused))
        return tuple(Filling(t.value, t.nbytes) for t in played.alive_at(played.peak_step))

    @cached_property
    def peak_node(self) -> Node | None:
        return best_profile(_inner(self._fused)).peak_node

    # The answer

    @property
    def usable(self) -> int | None:
        """Bytes the target offers; None without a target."""
        target = self.deployment.target
        return target.memory.usable if target is not None else None

    @property
    def verdict(self) -> Verdict | None:
        """Whether it fits the target, None without one: `tight` is when it may not."""
        return self.verdict_for(TIGHT)

    def verdict_for(self, headroom: float) -> Verdict | None:
        """The verdict when up to `headroom` (0 to 1) of the usable memory may be taken."""
        return None if self.usable is None else _verdict(self.total, self.usable, headroom)

    def on(self, target: Target, runtime: str | None = None) -> MemoryEstimate:
        """The same estimate for another device; what is computed already stays."""
        deployment = replace(
            self.deployment, target=target, runtime=runtime or self.deployment.runtime
        )
        if runtime_memory(_runtime_name(deployment)) is not self._runtime:
            return MemoryEstimate(self.model, deployment)
        other = MemoryEstimate.__new__(MemoryEstimate)
        other.__dict__ = {
            key: value for key, value in self.__dict__.items() if key not in ("overhead", "total")
        }
        other.deployment = deployment
        return other

    def smallest_target(self, targets: Iterable[Target]) -> Target | None:
        """The device with the least memory that the model fits, not tightly."""
        for target in sorted(targets, key=lambda each: (each.memory.usable, each.id)):
            if self.on(target).verdict == "fits":
                return target
        return None

    @cached_property
    def largest_batch(self) -> int | None:
        """The largest batch that fits the target; 0 when none does, None when it is not free."""
        symbol = self._batch_symbol
        return None if symbol is None else self.largest(symbol)

    def largest(self, symbol: str) -> int | None:
        """The largest size of an open dim that fits the target, all else as it is."""
        usable = self.usable
        if usable is None or symbol not in self._open:
            return None
        return _largest(lambda size: self._with(symbol, size).total.expected <= usable)

    def with_size(self, symbol: str, size: int) -> MemoryEstimate:
        """The estimate with another size of an open dim: a batch, a sequence length."""
        return self._with(symbol, size)

    # Inside

    @property
    def _open(self) -> set[str]:
        graph = self.model.graph
        return {
            dim
            for value in (graph.inputs if graph is not None else ())
            for dim in value.shape or ()
            if isinstance(dim, str)
        }

    @property
    def _batch_symbol(self) -> str | None:
        graph = self.model.graph
        for value in graph.inputs if graph is not None else ():
            shape = value.shape
            if not value.is_constant and shape and isinstance(shape[0], str):
                return shape[0]
        return None

    def _with(self, symbol: str, size: int) -> MemoryEstimate:
        batch = size if symbol == self._batch_symbol else self.deployment.batch
        return MemoryEstimate(
            self.model,
            replace(
                self.deployment,
                batch=batch,
                shapes={},
                symbols={**self._settled.symbols, symbol: size},
            ),
        )

    @cached_property
    def _fused(self) -> Program:
        graph = self.model.graph
        assert graph is not None
        return self._program(graph, self._runtime)

    @cached_property
    def _plain(self) -> Program:
        graph = self.model.graph
        assert graph is not None
        groups = [(node,) for node in graph.nodes if not self._folding.is_folded(node)]
        return build_program(
            graph, groups, self._folding, self.deployment.precision, [], inside=self._inside
        )

    def _program(self, graph: Graph, runtime: RuntimeMemory) -> Program:
        narrow = self.deployment.precision in _NARROW
        kernels = Kernels(graph.nodes, self._folding, runtime, narrow=narrow)
        return build_program(
            graph, kernels.groups(), self._folding, self.deployment.precision, self.unknown,
            inside=self._inside,
        )  # fmt: skip

    def _inside(self, node: Node) -> int:
        return max(
            (
                planned_bytes(
                    self._program(graph, self._runtime),
                    alignment=self._runtime.alignment,
                    scratch=0,
                )
                for graph in node.subgraphs.values()
            ),
            default=0,
        )

    @cached_property
    def _callers(self) -> list[Buffer]:
        """Buffers of the model's inputs and outputs."""
        return [buffer for buffer in self._plain.buffers if buffer.held] if self.model.graph else []

    def _is_cache(self, value: Value) -> bool:
        pairs = self.cache.pairs if self.cache is not None else ()
        return any(value is pair.past or value is pair.present for pair in pairs)


def memory(model: Model, deployment: Deployment) -> MemoryEstimate:
    """The analysis: ``context.analysis(memory)``."""
    return MemoryEstimate(model, deployment)


def _runtime_name(deployment: Deployment) -> str | None:
    if deployment.runtime is None and deployment.target is not None:
        return deployment.target.default_runtime
    return deployment.runtime


def _inner(program: Program) -> Program:
    """Without what is the caller's: inputs and outputs."""
    buffers = [
        Buffer(buffer.value, 0 if buffer.held else buffer.nbytes, buffer.held)
        for buffer in program.buffers
    ]
    return Program(program.tasks, buffers)


def _verdict(total: Part, usable: int, headroom: float) -> Verdict:
    if total.low > usable:
        return "does not fit"
    return "fits" if total.expected <= usable * headroom else "tight"


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest size for which `fits` holds, which it does for all smaller ones."""
    if not fits(1):
        return 0
    low = 1
    while low < _LARGEST and fits(2 * low):
        low *= 2
    if low >= _LARGEST:
        return low
    high = 2 * low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
