"""Roofline model: a lower bound on a model's time on a device, from its peak rates.

    >>> bound = roofline(model, deployment)      # None without a target, or without its figures
    >>> bound.seconds, bound.memory_share, bound.intensity, bound.ridge
    >>> [(cost.node.label, cost.seconds, cost.bound) for cost in bound.slowest(5)]

Each node is bound by arithmetic or memory. Theoretical: real kernels stay below both peaks.
Tensors that fused kernels keep on the chip are not counted as traffic, nor are conversions to
integers and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import inf
from typing import Literal

from modellint.analysis.assume import settle
from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import is_known, sizes_of
from modellint.analysis.folding import folding
from modellint.analysis.kernel_traffic import KernelTraffic
from modellint.analysis.memory.fusion import find_grouping
from modellint.analysis.precision import is_narrow, running_precision
from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.quantization.ops import INTEGER_OPS
from modellint.analysis.quantization.scheme import DEQUANTIZE
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Model, Node
from modellint.operators import Trait, having
from modellint.runtimes import memory_of
from modellint.targets.deployment import Deployment
from modellint.targets.target import Target

Bound = Literal["compute", "memory"]

_DEQUANTIZES = having(Trait.DEQUANTIZE)
_QUANTIZED = frozenset((*DEQUANTIZE, *INTEGER_OPS))
_FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "int4": ("int8", "fp16", "bf16", "fp32"),
    "fp4": ("fp8", "fp16", "bf16", "fp32"),
    "int8": ("fp16", "bf16", "fp32"),
    "fp8": ("fp16", "bf16", "fp32"),
    "fp16": ("bf16", "fp32"),
    "bf16": ("fp16", "fp32"),
    "tf32": ("fp32",),
    "fp64": (),
    "fp32": ("tf32", "fp16"),
}
"""Precisions that a device without a rate for a precision falls back to, never faster."""


@dataclass(frozen=True, slots=True)
class NodeBound:
    """Lower bound on the time of a node, and its cause."""

    node: Node
    flops: int
    nbytes: int
    compute_seconds: float
    memory_seconds: float
    precision: str

    @property
    def seconds(self) -> float:
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> Bound:
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"

    @property
    def intensity(self) -> float | None:
        """Return the operations per byte moved."""
        return self.flops / self.nbytes if self.nbytes else None


@dataclass(frozen=True)
class TimeBound:
    """Lower bound on the time of the whole model on a target."""

    target: Target
    precision: str
    peak: float
    """Peak operations per second at that precision."""
    bandwidth: float
    """Memory bandwidth in bytes per second."""
    batch: int | None
    nodes: tuple[NodeBound, ...]
    uncounted: tuple[Node, ...]
    """Number of nodes of unknown cost, which are excluded."""
    assumed: Mapping[str, int]

    confidence = "theoretical"

    @cached_property
    def seconds(self) -> float:
        return sum([node.seconds for node in self.nodes])

    @cached_property
    def compute_seconds(self) -> float:
        return sum(node.compute_seconds for node in self.nodes)

    @cached_property
    def memory_seconds(self) -> float:
        return sum(node.memory_seconds for node in self.nodes)

    @property
    def memory_share(self) -> float:
        """Return the share of time, 0 to 1, in memory-bound nodes."""
        waiting = sum([node.memory_seconds for node in self.nodes if node.bound == "memory"])
        return waiting / self.seconds if self.seconds else 0.0

    @property
    def bottleneck(self) -> Bound:
        return "memory" if self.memory_share > 0.5 else "compute"

    @property
    def flops(self) -> int:
        return sum(node.flops for node in self.nodes)

    @property
    def nbytes(self) -> int:
        return sum(node.nbytes for node in self.nodes)

    @property
    def intensity(self) -> float | None:
        return self.flops / self.nbytes if self.nbytes else None

    @property
    def ridge(self) -> float:
        """Return the intensity at which arithmetic and memory are equally busy."""
        return self.peak / self.bandwidth

    @property
    def inferences_per_second(self) -> float | None:
        """Return an upper bound on inferences per second; of single items if the batch is known."""
        return (self.batch or 1) / self.seconds if self.seconds else None

    def slowest(self, count: int) -> list[NodeBound]:
        return sorted(self.nodes, key=lambda node: -node.seconds)[:count]


def roofline(model: Model, deployment: Deployment) -> TimeBound | None:
    """Run the analysis; None if the target's peak or bandwidth is unknown."""
    target = deployment.target
    if target is None or not model.has_graph or not target.memory.bandwidth:
        return None
    precision = running_precision(model, deployment)
    found = peak_rate(target, precision)
    if found is None:
        return None
    precision_used, peak = found
    settled = settle(model, deployment)
    types = DeployedTypes(model, settled.deployment)
    costs = cost(model, settled.deployment, types)
    folded = folding(model, settled.deployment, types)
    sizes = sizes_of(types, deployment.precision)
    runtime = memory_of(deployment.runtime or target.default_runtime)
    grouping = find_grouping(model.graph, folded, runtime, narrow=is_narrow(precision))
    traffic = KernelTraffic(model.graph, grouping.groups, folded, sizes)
    quantized = _quantized(model, deployment)
    vector, bandwidth = target.peak("fp32") or peak, target.memory.bandwidth
    nodes, uncounted = [], []
    for node in model.graph.nodes:
        if folded.is_folded(node):
            continue
        work = costs.work_of(node)
        moved = costs.bytes_moved_by(node) if node.subgraphs else traffic.of(node)
        is_sized = bool(node.subgraphs) or is_known(node, sizes)
        if work.flops is None or moved is None or not is_sized:
            uncounted.append(node)
            continue
        if node.op_type in _DEQUANTIZES and not traffic.is_counted(node):
            continue
        name, rate = quantized.get(id(node)) or (precision_used, peak)
        matrix = 2 * (work.macs or 0)
        compute, memory = matrix / rate + (work.flops - matrix) / vector, moved / bandwidth
        nodes.append(NodeBound(node, work.flops, moved, compute, memory, name))
    return TimeBound(
        target,
        precision_used,
        peak,
        bandwidth,
        deployment.batch,
        tuple(nodes),
        tuple(uncounted),
        settled.assumed,
    )


def most_moved(model: Model, deployment: Deployment) -> float:
    """Return a cheap upper bound on the bytes moved, without fusion; infinite with subgraphs."""
    settled = settle(model, deployment)
    sizes = sizes_of(DeployedTypes(model, settled.deployment), deployment.precision)
    moved = 0
    for node in model.graph.nodes:
        if node.subgraphs:
            return inf
        moved += sum(sizes[value] or 0 for value in (*node.inputs, *node.outputs) if value)
    return moved


def peak_rate(target: Target, precision: str) -> tuple[str, float] | None:
    """Return the precision that is used for another on a target, and its peak rate."""
    for name in (precision, *_FALLBACKS.get(precision, ())):
        rate = target.peak(name)
        if rate:
            return name, rate
    return None


def _multiplies_integers(model: Model) -> bool:
    """Return True if a graph has any op that quantized products require."""
    return any(not _QUANTIZED.isdisjoint(graph.by_op) for graph in model.graphs(functions=True))


def _quantized(model: Model, deployment: Deployment) -> dict[int, tuple[str, float]]:
    """Return nodes quantized to 8 bits or fewer in the graph, with their rates."""
    target = deployment.target
    if target is None or not _multiplies_integers(model):
        return {}
    rates = {}
    for op in QuantizationMap(model, deployment).ops:
        rate = peak_rate(target, op.precision) if op.is_quantized else None
        if rate is not None:
            rates[id(op.node)] = rate
    return rates
