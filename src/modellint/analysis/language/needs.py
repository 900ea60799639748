"""Memory of a language model by context length, and the lengths and requests that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import Literal

from modellint.analysis.kv_cache import kv_cache
from modellint.analysis.language.caching import cached_type, padded
from modellint.analysis.language.parts import Parts, PartSize, part_of, weight_parts
from modellint.analysis.language.split import Split
from modellint.analysis.language.view import architecture_of, language_runtime
from modellint.analysis.memory import memory
from modellint.base.records import dataclass
from modellint.model import Model
from modellint.model.architecture import Architecture, LayerShape
from modellint.runtimes import LanguageMemory, Reserved, ReservingDevice
from modellint.targets.deployment import Deployment
from modellint.targets.target import Target

Fit = Literal["fits", "tight", "does not fit"]
Basis = Literal["planned", "estimated", "least"]

USUAL_CONTEXTS = (1 << 10, 8 << 10, 32 << 10, 128 << 10)
_BY_BYTES = {4: "fp32", 2: "fp16", 1: "int8", 0.5: "int4"}
TIGHT = 0.95
"""Share of the room above which a model fits only tightly."""
STEP = 256
"""The longest context is rounded down to a multiple of this many tokens."""
MOST_TOKENS = 1 << 24
MOST_REQUESTS = 1 << 12


@dataclass(frozen=True, slots=True)
class ContextNeed:
    """Bytes on each device for sequences of a length."""

    tokens: int
    weights: int
    cache: int
    compute: int
    overhead: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + self.overhead


class LanguageNeeds:
    """Memory of a language model in a deployment."""

    def __init__(self, model: Model, deployment: Deployment, architecture: Architecture) -> None:
        self.deployment = deployment
        self.architecture = architecture
        self.runtime_name, self.runtime = language_runtime(model, deployment)
        self.parts = _deployed(weight_parts(model, architecture), model, deployment)
        serving = deployment.serving
        self._rearranged = _rearranged(model, deployment, self.parts, self.runtime)
        asked = serving.kv_precision or _type_in_graph(model, deployment)
        self.kv_precision = cached_type(self.runtime, asked)
        split = serving.parallel or self.runtime.split
        cached = architecture
        if self.runtime.pads_values and not self.flash_attention:
            cached = padded(architecture)
        self.split = Split(cached, self.parts, serving.devices, split)
        self._known: dict[tuple[int, int], ContextNeed] = {}

    @property
    def flash_attention(self) -> bool:
        """Return True if attention keeps its scores on chip."""
        asked = self.deployment.serving.flash_attention
        return asked is not False or not self.runtime.chooses_attention

    @cached_property
    def contexts(self) -> tuple[int, ...]:
        """Return the context lengths to tell about: those of the deployment, or usual ones."""
        stated = self.deployment.serving.contexts
        if stated:
            return stated
        most = self.architecture.context or USUAL_CONTEXTS[1]
        usual = [tokens for tokens in USUAL_CONTEXTS if tokens < most]
        return (*usual[-3:], most)

    def at(self, tokens: int, requests: int = 1) -> ContextNeed:
        """Return the bytes on each device for sequences that are computed together."""
        key = (tokens, requests)
        if key not in self._known:
            self._known[key] = ContextNeed(
                tokens,
                self.split.weights + self._rearranged,
                self.split.cache(tokens, self.kv_precision, self.runtime, requests),
                self._compute(tokens, requests),
                self.overhead,
            )
        return self._known[key]

    def _compute(self, tokens: int, requests: int) -> int:
        if self.runtime.graph:
            planned = import_module(self.runtime.graph).compute_bytes
            size: int = planned(
                self.architecture,
                tokens * requests,
                flash_attention=self.flash_attention,
                requests=requests,
            )
            return size
        if self._reserved is not None:
            return self._reserved.compute
        step = tokens if self.runtime.step is None else min(tokens, self.runtime.step)
        return self._step_bytes(step, tokens, requests)

    @cached_property
    def _reserved(self) -> Reserved | None:
        """Return the bytes that the runtime keeps free from the start, if known for the device."""
        target = self.deployment.target
        device = _seen(target) if target is not None else None
        if not self.runtime.startup or (target is not None and device is None):
            return None
        split, architecture = self.split, self.architecture
        if split.how == "pipeline":  # the last stage, which samples
            architecture = replace(architecture, layers=architecture.layers[-split.stage :])
        shares = split.devices if split.how == "tensor" else 1
        reserved = import_module(self.runtime.startup).reserved
        found: Reserved = reserved(architecture, device, shares)
        return found

    @property
    def compute_basis(self) -> Basis:
        """Return the basis of the figures for compute buffers."""
        if self.runtime.graph:
            return "planned"
        return "estimated" if self._reserved is not None else "least"

    def _step_bytes(self, step: int, tokens: int, requests: int) -> int:
        """Return the activations of one layer for all tokens of a step, and the logits."""
        widest = max(self._widest(layer, tokens) for layer in self.architecture.layers)
        activations = step * (2 * self.architecture.hidden + widest) * 2
        return activations + requests * (self.architecture.vocabulary or 0) * 4

    def _widest(self, layer: LayerShape, tokens: int) -> int:
        """Return the most elements of a token that are alive together in a layer."""
        sizes = layer.key_size + layer.value_size
        scores = 0 if self.flash_attention else 2 * layer.heads * tokens
        fed = layer.feed_forward * max(layer.active_experts, 1) + layer.shared_width
        return max((layer.heads + layer.kv_heads) * sizes, 3 * fed, scores)

    @cached_property
    def overhead(self) -> int:
        """Return the runtime's own context on the device."""
        target = self.deployment.target
        if target is None:
            return 0
        if self._reserved is not None:
            return self._reserved.overhead
        # Runtimes share the driver's context, which is most of it.
        known = target.overheads.get(self.runtime_name) or min(
            target.overheads.values(), key=lambda each: each.high, default=None
        )
        return (known.low + known.high) // 2 if known is not None else 0

    # What fits

    @property
    def room(self) -> int | None:
        """Return the bytes of a device that the runtime takes; None without a target."""
        target: Target | None = self.deployment.target
        return int(target.memory.usable * self.runtime.share) if target is not None else None

    def fit(self, tokens: int) -> Fit | None:
        if self.room is None:
            return None
        total = self.at(tokens).total
        if total > self.room:
            return "does not fit"
        return "fits" if total <= TIGHT * self.room else "tight"

    @cached_property
    def longest(self) -> int | None:
        """Return the longest context that fits, at most the trained one; 0 if none fits."""
        room = self.room
        if room is None:
            return None
        most = self.architecture.context or MOST_TOKENS
        if self.at(most).total <= room:
            return most
        steps = _largest(lambda count: self.at(count * STEP).total <= room, most // STEP)
        return steps * STEP

    def requests(self, tokens: int) -> int | None:
        """Return the number of sequences of a length that fit together."""
        room = self.room
        if room is None:
            return None
        return _largest(lambda count: self.at(tokens, count).total <= room, MOST_REQUESTS)

    def offloaded(self, tokens: int) -> int | None:
        """Return the layers that fit on the device, where the others stay in the host's memory."""
        if self.room is None or not self.runtime.offloads:
            return None
        need = self.at(tokens)
        room = self.room - need.compute - need.overhead
        count = len(self.architecture.layers)
        each = (need.weights - self.parts.of("embeddings").nbytes + need.cache) / max(count, 1)
        return max(0, min(count, int(room / each))) if each > 0 else count


def _seen(target: Target) -> ReservingDevice | None:
    """Return the memory that a runtime sees on an NVIDIA GPU; None for others, unmeasured."""
    if target.compute_capability is None:
        return None
    link = target.interconnect.kind if target.interconnect is not None else ""
    units = target.units or 0
    return ReservingDevice(target.id, target.memory.nominal, units, target.compute_capability, link)


def _type_in_graph(model: Model, deployment: Deployment) -> str | None:
    """Return the type of the cache that a graph has as an input; None without a graph."""
    cache = kv_cache(model, deployment) if model.has_graph else None
    return _BY_BYTES.get(cache.element_bytes) if cache is not None else None


def _deployed(parts: Parts, model: Model, deployment: Deployment) -> Parts:
    """Return the weights of a graph as deployed; those of other formats stay as stored."""
    if not model.has_graph:
        return parts
    weights = memory(model, deployment).weights.expected
    return replace(parts, sizes=(PartSize("other", parts.parameters, weights),))


def _rearranged(model: Model, deployment: Deployment, parts: Parts, runtime: LanguageMemory) -> int:
    """Return the bytes of tied embeddings that exist a second time, in another layout."""
    target = deployment.target
    if parts.of("output").nbytes or (target is not None and target.compute_capability is not None):
        return 0
    tables = (tensor for tensor in model.tensors if part_of(tensor.name) == "embeddings")
    return sum(table.nbytes for table in tables if table.dtype.name in runtime.repacks)


def language_needs(model: Model, deployment: Deployment) -> LanguageNeeds | None:
    """Run the analysis; None for other models, and for those whose cache is not known."""
    architecture = architecture_of(model, deployment)
    if architecture is None or architecture.doubt:
        return None
    return LanguageNeeds(model, deployment, architecture)


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` that fits, 0 if none does; fitting is monotonic."""
    low, high = 0, 1
    while high <= most and fits(high):
        low, high = high, high * 2
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
