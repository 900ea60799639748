"""A language model split over several devices: bytes on each, and what does not divide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from modellint.analysis.language.caching import cache_bytes, layer_cache
from modellint.analysis.language.parts import Parts
from modellint.base.records import dataclass
from modellint.model.architecture import Architecture, LayerShape
from modellint.runtimes import LanguageMemory


@dataclass(frozen=True)
class Split:
    """A model on a number of devices: ``tensor``, ``pipeline`` or ``expert`` parallel."""

    architecture: Architecture
    parts: Parts
    devices: int
    how: str

    @cached_property
    def weights(self) -> int:
        """Return the bytes of weights on the device that has most of them."""
        parts, devices = self.parts, self.devices
        if devices == 1:
            return parts.nbytes
        other = parts.of("other").nbytes
        if self.how == "tensor":
            return other + -(-(parts.nbytes - other) // devices)
        if self.how == "expert":
            experts = parts.of("experts").nbytes
            return parts.nbytes - experts + -(-experts // devices)
        ends = max(parts.of("embeddings").nbytes, parts.of("output").nbytes)
        inside = parts.nbytes - parts.of("embeddings").nbytes - parts.of("output").nbytes
        layers = len(self.architecture.layers)
        return ends + inside * self.stage // max(layers, 1)

    @property
    def stage(self) -> int:
        """Return the layers of the longest stage of a pipeline."""
        return -(-len(self.architecture.layers) // self.devices)

    def cache(self, tokens: int, precision: str, runtime: LanguageMemory, requests: int) -> int:
        """Return the bytes of the cache on the device that has most of it."""
        if self.devices == 1 or self.how == "expert":
            return cache_bytes(self.architecture, tokens, precision, runtime, requests)
        if self.how == "tensor":
            share = replace(
                self.architecture,
                layers=tuple(self._part_of(layer) for layer in self.architecture.layers),
            )
            return cache_bytes(share, tokens, precision, runtime, requests)
        sizes = [
            layer_cache(layer, tokens, precision, runtime, requests)
            for layer in self.architecture.layers
        ]
        return max(sum(sizes[at : at + self.stage]) for at in range(0, len(sizes), self.stage))

    def _part_of(self, layer: LayerShape) -> LayerShape:
        """Return a layer's heads on one device: fewer heads than devices are replicated."""
        heads = layer.kv_heads if layer.mixer == "latent" else -(-layer.kv_heads // self.devices)
        return replace(layer, kv_heads=heads, state=-(-layer.state // self.devices))

    @property
    def undivided(self) -> list[str]:
        """Return the counts that the number of devices does not divide."""
        return list(dict.fromkeys(self._undivided()))

    def _undivided(self) -> Iterator[str]:
        devices = self.devices
        if devices == 1:
            return
        layers = self.architecture.layers
        if self.how == "pipeline":
            if len(layers) % devices:
                yield f"{len(layers)} layers"
            return
        for layer in layers:
            if self.how == "expert":
                if layer.experts % devices:
                    yield f"{layer.experts} experts"
                continue
            if layer.heads % devices:
                yield f"{layer.heads} heads"
            if layer.kv_heads % devices and devices % (layer.kv_heads or 1):
                yield f"{layer.kv_heads} key-value heads"
            if layer.feed_forward % devices:
                yield f"feed-forward width {layer.feed_forward}"

    @property
    def replicated(self) -> list[str]:
        """Return what every device holds whole."""
        if self.devices == 1 or self.how == "pipeline":
            return []
        layers = self.architecture.layers
        if self.how == "expert":
            return ["attention", "embeddings", "the cache of its own requests"]
        found = ["norms"]
        if any(layer.mixer == "latent" for layer in layers):
            found.append("the compressed cache")
        if any(0 < layer.kv_heads < self.devices for layer in layers if layer.mixer != "latent"):
            found.append("key-value heads")
        return found
