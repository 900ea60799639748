"""Estimates of memory and time on each device, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from modellint.analysis.assume import settle, token_lengths
from modellint.analysis.language.view import language_runtime
from modellint.analysis.memory import MemoryEstimate, Part, memory
from modellint.analysis.precision import (
    narrow_weights,
    running_precision,
    without_strange_assumption,
)
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.roofline import roofline
from modellint.analysis.shapes import DeployedTypes
from modellint.model import Dim, Model, Shape
from modellint.results.inspection import (
    AliveTensor,
    Cell,
    Estimate,
    Memory,
    Peak,
    Roofline,
    Row,
    SlowNode,
)
from modellint.session import OpenModel
from modellint.targets import Target
from modellint.targets.deployment import Deployment

BATCHES = ((1500, (1, 4, 16, 64, 256)), (4000, (1, 16, 64)), (10_000, (1, 64)))
"""Columns of the table, by the size that the graph is below: each plans the memory of the whole."""
PRECISIONS = (("fp32", "tf32"), ("fp16", "bf16"), ("int8", "fp8"), ("int4", "fp4"))
"""Rows of the table: the first precision of each group that the device runs."""
_BITS = {"fp64": 64, "fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8}
SLOWEST = 3
FILLERS = 4


PARTS = {"runtime": "runtime", "version": "runtime_version", "precision": "precision"}
"""Parts of a deployment that the page says to be assumed, and the deployment's own fields."""


class Needs:
    """Estimates for one model; `brief` omits what only the page of a single target shows."""

    def __init__(
        self, opened: OpenModel, targets: Callable[[], Iterable[Target]], *, brief: bool
    ) -> None:
        self._opened = opened
        self._model = opened.model
        self._targets = targets
        self._brief = brief

    def of(self, deployment: Deployment) -> Memory:
        deployment = without_strange_assumption(self._model, deployment)
        if self._model.architecture is not None and not self._model.has_graph:
            deployment = _served(self._model, deployment)
        estimate = self._opened.under(deployment).get(memory)
        target, total = deployment.target, estimate.total
        sequence = _sequence_symbol(estimate) if target is not None else None
        return Memory(
            target=deployment.target_id,
            device=target.name if target is not None else None,
            runtime=deployment.runtime,
            version=deployment.runtime_version,
            precision=running_precision(self._model, deployment),
            assumed=[
                name
                for name, part in PARTS.items()
                if deployment.is_assumed(part) and getattr(deployment, part) is not None
            ],
            computed=self._computed(deployment),
            narrow_weights=narrow_weights(self._model),
            usable=estimate.usable,
            usable_confidence=_trust(target),
            weights=estimate.weights.expected,
            weight_bytes=dict(estimate.weights_by_dtype),
            activations=_estimate(estimate.activations),
            workspace=_estimate(estimate.workspace),
            inputs_outputs=_estimate(estimate.inputs_outputs),
            kv_cache=_estimate(estimate.kv_cache),
            overhead=_estimate(estimate.overhead),
            total=_estimate(total),
            unknown_tensors=len({id(value) for value in estimate.unknown}),
            verdict=estimate.verdict,
            computes=self._instead(deployment),
            largest_batch=estimate.largest_batch if estimate.usable is not None else None,
            largest_sequence=estimate.largest(sequence) if sequence is not None else None,
            sequence=sequence,
            smallest_target=self._smallest(estimate),
            peak=_peak(estimate),
            roofline=self._roofline(deployment),
            table=None if self._brief else list(self._table(deployment, estimate)) or None,
            cache_unknown=estimate.unknown_cache or None,
        )

    def _instead(self, deployment: Deployment) -> list[str] | None:
        """Return the device's precision if it has no units for the model's floats."""
        target = deployment.target
        if target is None or not target.computes_only_integers:
            return None
        if deployment.precision is None and narrow_weights(self._model) is not None:
            return None
        if not target.lacks(running_precision(self._model, deployment)):
            return None
        return [*target.matrix_precisions, *target.vector_precisions]

    def _computed(self, deployment: Deployment) -> list[str]:
        """Return the precisions of products, the most frequent first, and that of floats."""
        running = [running_precision(self._model, deployment)]
        if not self._model.has_graph:
            return running
        products = self._opened.under(deployment).get(QuantizationMap).ops
        counts = Counter(each.precision for each in products if each.is_quantized)
        quantized = [name for name, _ in counts.most_common() if name not in running]
        is_whole = bool(products) and counts.total() == len(products)
        return quantized if quantized and is_whole else quantized + running

    def _smallest(self, estimate: MemoryEstimate) -> str | None:
        if self._brief or estimate.usable is None:
            return None
        target = estimate.smallest_target(self._targets())
        return target.id if target is not None else None

    def _roofline(self, deployment: Deployment) -> Roofline | None:
        bound = self._opened.under(deployment).get(roofline)
        if bound is None or not bound.seconds:
            return None
        return Roofline(
            precision=bound.precision,
            peak=bound.peak,
            bandwidth=bound.bandwidth,
            seconds=bound.seconds,
            memory_share=bound.memory_share,
            bottleneck=bound.bottleneck,
            intensity=bound.intensity,
            ridge=bound.ridge,
            per_second=bound.inferences_per_second,
            uncounted=len(bound.uncounted),
            slowest=[
                SlowNode(
                    each.node.label,
                    each.node.qualified_op,
                    each.seconds,
                    each.seconds / bound.seconds,
                    each.bound,
                )
                for each in bound.slowest(SLOWEST)
            ],
        )

    def _table(self, deployment: Deployment, estimate: MemoryEstimate) -> Iterator[Row]:
        """Iterate over rows of precision by batch; a fixed batch gives one column."""
        if not self._model.has_graph or deployment.target is None:
            return
        symbol = estimate.batch_symbol
        batches = self._batches() if symbol is not None else (None,)
        running = running_precision(self._model, deployment)
        for precision in _rows(running, deployment):
            at = self._opened.under(replace(deployment, precision=precision)).get(memory)
            cells: list[Cell] = []
            for batch in batches:
                if cells and cells[-1].verdict == "does not fit":
                    cells.append(Cell(batch or 1, None, "does not fit"))
                    continue
                sized = at if batch is None or symbol is None else at.with_size(symbol, batch)
                cells.append(Cell(batch or _batch(sized), sized.expected, sized.verdict))
            yield Row(precision, precision == running, cells)

    def _batches(self) -> tuple[int | None, ...]:
        nodes = sum(len(graph.nodes) for graph in self._model.graphs())
        return next((several for below, several in BATCHES if nodes < below), (1,))


def _served(model: Model, deployment: Deployment) -> Deployment:
    """Return the deployment in the runtime of a language model, with weights as they are stored."""
    runtime, _ = language_runtime(model, deployment)
    version = deployment.runtime_version if runtime == deployment.runtime else None
    precision = None if deployment.is_assumed("precision") else deployment.precision
    return replace(deployment, runtime=runtime, runtime_version=version, precision=precision)


def _rows(running: str, deployment: Deployment) -> Iterator[str]:
    """Iterate over precisions that the device runs and that do not widen the weights."""
    target = deployment.target
    for alternatives in PRECISIONS:
        names = [running] if running in alternatives else list(alternatives)
        able = [name for name in names if target is None or not target.lacks(name)]
        if running in names:
            yield running
        elif able and _BITS.get(able[0], 4) < _BITS.get(running, 4):
            yield able[0]


def _batch(estimate: MemoryEstimate) -> int:
    """Return the batch of a model with a fixed one: the first dim of its first input."""
    for value in estimate.model.inputs:
        if not value.is_constant and value.shape and isinstance(value.shape[0], int):
            return value.shape[0]
    return 1


def _sequence_symbol(estimate: MemoryEstimate) -> str | None:
    """Return the open dim of the sequence length: the cache's, else one with such a name."""
    cache = estimate.cache
    if cache is not None:
        return cache.sequence_symbol
    length, _ = token_lengths(estimate.model)
    named = [s for s in estimate.open_symbols if s != estimate.batch_symbol and "seq" in s.lower()]
    return length or (named[0] if len(named) == 1 else None)


def _peak(estimate: MemoryEstimate) -> Peak | None:
    node = estimate.peak_node
    if node is None or not estimate.at_peak:
        return None
    settled = settle(estimate.model, estimate.deployment)
    types = DeployedTypes(estimate.model, settled.deployment)
    return Peak(
        node.label,
        node.qualified_op,
        estimate.activations.low,
        [
            AliveTensor(
                alive.name,
                alive.value.dtype.name if alive.value.dtype is not None else None,
                _listed(types.shape(alive.value)),
                alive.nbytes,
            )
            for alive in estimate.at_peak[:FILLERS]
        ],
    )


def _listed(shape: Shape | None) -> list[Dim] | None:
    return list(shape) if shape is not None else None


def _estimate(part: Part) -> Estimate:
    return Estimate(part.low, part.expected, part.high, part.confidence, part.note)


def _trust(target: Target | None) -> str | None:
    """Return the confidence of the usable memory; without a measurement, that of the nominal."""
    if target is None:
        return None
    return target.confidence("usable") or target.confidence("memory")
