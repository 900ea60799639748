"""Parameters and bytes of a language model by part: attention, experts, embeddings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache

from modellint.analysis.parameters import learned, packed_bits, parameters, without_numbers
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Model, Tensor
from modellint.model.architecture import Architecture

PART_NAMES = ("embeddings", "attention", "feed-forward", "experts", "output", "other")

_PATTERNS: Mapping[str, str] = {
    "other": r"(^|[._])(vision|visual|audio|mm_projector|multi_modal_projector|v\.blk|mm)[._]",
    "experts": r"ffn_(gate|up|down|gate_up)_exps|\.experts[._]|\.moe\.(w|linear)|expert_weights",
    "embeddings": r"token_embd|embed_tokens|tok_embeddings|word_embeddings|\bwte\b|\bwpe\b"
    r"|embed_in\b|position_embd|per_layer_token_embd|embed_positions",
    "output": r"^output\.weight|lm_head|embed_out|^output\b(?!_norm)",
    "attention": r"\battn_(?!norm)|attn\.|attention\.|self_attn|linear_attn|\bmixer\b|\bssm_|mamba"
    r"|time_mix",
    "feed-forward": r"ffn_(?!norm)|\bmlp\b|feed_forward|shared_expert|channel_mix|\bdense_",
}
"""Tensors of each part by name, in order: what names an expert may also name an MLP."""
_NORMS = re.compile(r"norm|\bln_|layernorm|_sinks?\b|sinks$", re.IGNORECASE)
_COMPILED = {part: re.compile(pattern) for part, pattern in _PATTERNS.items()}


@dataclass(frozen=True, slots=True)
class PartSize:
    """One part of a language model."""

    name: str
    parameters: int
    nbytes: int

    @property
    def bits(self) -> float | None:
        """Return the stored bits of each parameter, scales included."""
        return self.nbytes * 8 / self.parameters if self.parameters else None


@dataclass(frozen=True)
class Parts:
    """All parts of a language model that are not empty."""

    sizes: tuple[PartSize, ...]
    active_share: float
    """Share of the experts that a token is sent to."""

    @cached_property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.sizes)

    @cached_property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.sizes)

    @property
    def active_parameters(self) -> int:
        """Return the parameters that each token is computed with."""
        experts = self.of("experts").parameters
        return self.parameters - experts + round(experts * self.active_share)

    def read_bytes(self, share: float) -> int:
        """Return the bytes read if tokens are sent to a share of the experts.

        Embeddings are only looked up.
        """
        experts, embeddings = self.of("experts").nbytes, self.of("embeddings").nbytes
        looked_up = embeddings if self.of("output").nbytes else 0
        return self.nbytes - experts - looked_up + round(experts * share)

    @property
    def multiplied(self) -> int:
        """Return the parameters that each token is multiplied with."""
        looked_up = self.of("embeddings").parameters if self.of("output").parameters else 0
        return self.active_parameters - looked_up

    def of(self, name: str) -> PartSize:
        return next((part for part in self.sizes if part.name == name), PartSize(name, 0, 0))


_PARTS: Remembered[Parts] = Remembered()


def weight_parts(model: Model, architecture: Architecture) -> Parts:
    """Return the parts of the stored weights, or of those that the architecture implies."""
    return model.memo.get(_PARTS, None, lambda: _find_parts(model, architecture))


def _find_parts(model: Model, architecture: Architecture) -> Parts:
    share = active_share(architecture)
    if model.has_graph:
        total = parameters(model).total
        return Parts((PartSize("other", total, model.weight_bytes),), share)
    if not model.tensors:
        return Parts(tuple(_implied(architecture)), share)
    return Parts(tuple(_stored(model.tensors, packed_bits(architecture))), share)


def active_share(architecture: Architecture) -> float:
    """Return the share of all experts that a token is sent to."""
    experts = sum(layer.experts for layer in architecture.layers)
    active = sum(layer.active_experts or layer.experts for layer in architecture.layers)
    return min(active / experts, 1.0) if experts else 1.0


def _stored(tensors: Iterable[Tensor], bits: int | None) -> Iterable[PartSize]:
    counts, sizes = dict.fromkeys(PART_NAMES, 0), dict.fromkeys(PART_NAMES, 0)
    for tensor in tensors:
        part = part_of(without_numbers(tensor.name))
        sizes[part] += tensor.nbytes
        counts[part] += learned(tensor, bits)
    return [PartSize(name, counts[name], sizes[name]) for name in PART_NAMES if sizes[name]]


@lru_cache(maxsize=1024)
def part_of(name: str) -> str:
    """Return the part that a tensor belongs to, by its name in files of GGUF or Hugging Face."""
    for part, pattern in _COMPILED.items():
        if pattern.search(name):
            is_norm = part in ("attention", "feed-forward", "output") and _NORMS.search(name)
            return "other" if is_norm else part
    return "other"


def _implied(architecture: Architecture) -> Iterable[PartSize]:
    """Return the parts that the architecture implies, at 16 bits."""
    counts = dict.fromkeys(PART_NAMES, 0)
    hidden = architecture.hidden
    for layer in architecture.layers:
        heads = layer.heads * (layer.key_size + (layer.value_size or layer.key_size))
        counts["attention"] += hidden * (
            heads + layer.kv_heads * (layer.key_size + layer.value_size)
        )
        width = hidden * layer.feed_forward * (3 if layer.gated else 2)
        counts["experts" if layer.experts else "feed-forward"] += width * max(layer.experts, 1)
        if layer.experts:
            counts["feed-forward"] += hidden * layer.shared_width * (3 if layer.gated else 2)
    table = hidden * (architecture.vocabulary or 0)
    counts["embeddings"] = table
    counts["output"] = 0 if architecture.tied_embeddings else table
    return [PartSize(name, count, 2 * count) for name, count in counts.items() if count]
