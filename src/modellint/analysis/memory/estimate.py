"""The memory estimate: parts, totals, the verdict, and the sizes that fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal

from modellint.analysis.assume import token_lengths
from modellint.analysis.kv_cache import KvCache
from modellint.analysis.memory.footprint import Footprint, Part
from modellint.analysis.memory.scaling import NOWHERE, largest_size
from modellint.analysis.programs import Alive
from modellint.base.memo import Remembered
from modellint.model import Dim, Model, Node, Value
from modellint.runtimes import memory_of
from modellint.targets.deployment import Deployment
from modellint.targets.target import Confidence, Target

Verdict = Literal["fits", "tight", "does not fit"]

TIGHT = 0.9
"""Share of the usable memory above which a model fits only tightly."""
CONSIDERABLE = 0.2
"""Share of tensors of unknown size above which nothing is said to fit."""
_FOOTPRINTS: Remembered[Footprint] = Remembered()
_NEEDS: Remembered[dict[int, int]] = Remembered()
"""Bytes by size of an open dim."""
_TRUST: tuple[Confidence, ...] = ("measured", "calibrated", "derived", "theoretical")


class MemoryEstimate:
    """Memory of a model in a deployment."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.model = model
        self.deployment = deployment
        self.footprint = footprint(model, deployment)

    # Parts

    @property
    def weights(self) -> Part:
        return self.footprint.weights

    @property
    def activations(self) -> Part:
        return self.footprint.activations

    @property
    def workspace(self) -> Part:
        return self.footprint.workspace

    @property
    def inputs_outputs(self) -> Part:
        return self.footprint.inputs_outputs

    @property
    def kv_cache(self) -> Part:
        return self.footprint.kv_cache

    @cached_property
    def overhead(self) -> Part:
        """Return the runtime's own context on this target; unknown without a target."""
        target = self.deployment.target
        known = target.overhead(_runtime_name(self.deployment)) if target is not None else None
        if known is None:
            return Part("runtime", 0, 0, 0, "theoretical", "not known")
        middle = (known.low + known.high) // 2
        return Part("runtime", known.low, middle, known.high, known.origin.confidence)

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.footprint.parts, self.overhead)

    @cached_property
    def total(self) -> Part:
        parts = [part for part in self.parts if part.high]
        weakest = max((_TRUST.index(part.confidence) for part in parts), default=0)
        return Part(
            "total",
            sum(part.low for part in parts),
            sum(part.expected for part in parts),
            sum(part.high for part in parts),
            _TRUST[weakest],
            "tensors of unknown size are missing" if self.footprint.unknown else "",
        )

    @property
    def expected(self) -> int:
        """Return `total.expected`, without computing bounds."""
        return self.footprint.expected + self.overhead.expected

    # What it rests on

    @property
    def assumed(self) -> Mapping[str, int]:
        """Return the assumed sizes of open dims."""
        return self.footprint.assumed

    @property
    def unknown(self) -> list[Value]:
        """Return tensors of data-dependent or unknown size, which are not counted."""
        return self.footprint.unknown

    @cached_property
    def is_partial(self) -> bool:
        """Return True if a considerable part of the tensors is not counted."""
        if self.unknown_cache:
            return True
        if self.footprint.is_complete:
            return False  # for nearly all models, without a plan of their memory
        tensors = sum(len(program.buffers) for program in self.footprint.programs[:1])
        return len({id(value) for value in self.unknown}) > CONSIDERABLE * tensors

    @property
    def unknown_cache(self) -> str:
        """Return why the cache of a language model is not known, and not counted; else nothing."""
        stated = self.model.architecture
        return stated.doubt if stated is not None and not self.model.has_graph else ""

    @property
    def weights_by_dtype(self) -> Mapping[str, int]:
        """Return the bytes of the deployed weights by type."""
        return self.footprint.stored_weights.by_dtype

    @property
    def cache(self) -> KvCache | None:
        return self.footprint.cache

    @property
    def at_peak(self) -> list[Alive]:
        """Return the tensors alive at the peak of the fused activations, largest first."""
        return self.footprint.at_peak

    @property
    def peak(self) -> int:
        """Return `activations.low`, without computing bounds."""
        return self.footprint.profile.peak

    @property
    def peak_node(self) -> Node | None:
        return self.footprint.profile.peak_node

    # The answer

    @property
    def usable(self) -> int | None:
        """Return the target's usable bytes; None without a target."""
        target = self.deployment.target
        return target.memory.usable if target is not None else None

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict for the target, `tight` if uncertain.

        None without a target, and if too little is counted to say that the model fits.
        """
        return self.verdict_for(TIGHT)

    def verdict_for(self, headroom: float) -> Verdict | None:
        """Return the verdict for a maximum share `headroom` (0 to 1) of the usable memory."""
        if self.usable is None:
            return None
        if self.takes_at_most(headroom):
            return None if self.is_partial else "fits"
        if self.is_partial:
            return "does not fit" if self.total.low > self.usable else None
        if self.expected <= self.usable * headroom:
            return "fits"
        return "does not fit" if self.total.low > self.usable else "tight"

    def takes_at_most(self, share: float) -> bool:
        """Return True if the counted bytes fit into the usable memory, whatever the plan.

        Quick to see for nearly all models, and then neither bounds nor the plan are needed.
        """
        if self.usable is None:
            return False
        return self.footprint.ceiling + self.overhead.expected <= self.usable * share

    def on(self, target: Target) -> MemoryEstimate:
        """Return the estimate for another device, with its default runtime unless one is set."""
        return MemoryEstimate(self.model, replace(self.deployment, target=target))

    def smallest_target(self, targets: Iterable[Target]) -> Target | None:
        """Of devices of the same kind, the one with the least memory that the model fits."""
        akin = filter(self._is_akin, targets)
        for target in sorted(akin, key=lambda each: (each.memory.usable, each.id)):
            if self.on(target).verdict == "fits":
                return target
        return None

    def with_size(self, symbol: str, size: int) -> MemoryEstimate:
        """Return the estimate for another size of an open dim, such as batch or sequence."""
        return MemoryEstimate(self.model, self._resized(symbol, size))

    @cached_property
    def largest_batch(self) -> int | None:
        """Return the largest batch expected to fit; 0 if none does, None if it is fixed."""
        symbol = self.batch_symbol
        return None if symbol is None else self.largest(symbol)

    def largest(self, symbol: str) -> int | None:
        """Return the largest size of an open dim that is expected to fit, all else equal.

        None if unknown.
        """
        if self.usable is None or self.is_partial or symbol not in self.open_symbols:
            return None
        room = self.usable - self.overhead.expected
        needs = self.model.memo.get(_NEEDS, (symbol, *_footprint_key(self.deployment)), dict)
        return largest_size(lambda size: self._need(symbol, size), room, needs)

    def _need(self, symbol: str, size: int) -> int:
        """Return the bytes expected at another size; infinite if the model does not support it,
        for example beyond its table of positions."""
        deployment = self._resized(symbol, size)
        # Not kept: one search asks for many, and each holds a program of the whole graph.
        found = Footprint(self.model, deployment, memory_of(_runtime_name(deployment)))
        expected = found.expected
        known = {id(value) for value in self.unknown}
        breaks = any(id(value) not in known for value in found.unknown)
        return NOWHERE if breaks or not found.has_positions else expected

    @property
    def open_symbols(self) -> dict[str, int]:
        """Return the symbols of the model's inputs with their sizes."""
        return {
            dim: self.footprint.symbols[dim]
            for value in self.model.inputs
            for dim in value.shape or ()
            if isinstance(dim, str) and dim in self.footprint.symbols
        }

    @property
    def batch_symbol(self) -> str | None:
        """Return the symbol of the inputs' first dim, if open."""
        for value in self.model.inputs:
            shape = value.shape
            if not value.is_constant and shape and isinstance(shape[0], str):
                return shape[0]
        return None

    def _is_akin(self, target: Target) -> bool:
        """Return True for the same vendor, a common group, and support of the precision."""
        mine, precision = self.deployment.target, self.deployment.precision
        if mine is not None and not mine.is_akin(target.vendor, target.groups):
            return False
        return precision is None or target.supports(precision)

    def _resized(self, symbol: str, size: int) -> Deployment:
        """Return a resized deployment; assumed sizes stay open, as some follow from others."""
        is_batch = symbol == self.batch_symbol
        stated = {
            name: known
            for name, known in self.footprint.symbols.items()
            if name not in self.assumed
        }
        return replace(
            self.deployment,
            batch=size if is_batch else self.deployment.batch,
            shapes={},
            symbols={**stated, **dict.fromkeys(self.tied(symbol), size), symbol: size},
        )

    def tied(self, symbol: str) -> Iterator[str]:
        """Iterate over symbols that grow together: all batches, all token lengths, or all cache
        lengths."""
        length, masks = token_lengths(self.model)
        dims: list[Dim] = []
        if symbol == self.batch_symbol:
            dims = [v.shape[0] for v in self.model.inputs if v.shape]
        elif self.cache is not None and symbol == self.cache.sequence_symbol:
            axis = self.cache.sequence_axis
            dims = [(pair.past.shape or ())[axis] for pair in self.cache.pairs]
        elif self.cache is None and symbol in (length, *masks):
            dims = [length, *masks]
        return (dim for dim in dims if isinstance(dim, str))


def memory(model: Model, deployment: Deployment) -> MemoryEstimate:
    """Run the analysis: ``context.analysis(memory)``."""
    return MemoryEstimate(model, deployment)


def footprint(model: Model, deployment: Deployment) -> Footprint:
    """Return the device-independent part of an estimate, computed once for all devices."""
    runtime = memory_of(_runtime_name(deployment))
    key = _footprint_key(deployment)
    return model.memo.get(_FOOTPRINTS, key, lambda: Footprint(model, deployment, runtime))


def _footprint_key(deployment: Deployment) -> tuple[Hashable, ...]:
    """Return everything of a deployment that a footprint depends on."""
    runtime = memory_of(_runtime_name(deployment))
    return runtime, deployment.precision, deployment.facet("shapes")


def _runtime_name(deployment: Deployment) -> str | None:
    if deployment.runtime is None and deployment.target is not None:
        return deployment.target.default_runtime
    return deployment.runtime
