"""Language models: their parts, and what a context needs."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass
from modellint.results.inspection.memory import Verdict


@dataclass(frozen=True, slots=True)
class LanguagePart:
    """One part of a language model's weights."""

    name: Annotated[str, "embeddings, attention, feed-forward, experts, output or other."]
    parameters: int
    bytes: int
    bits: Annotated[float | None, "Stored bits of each parameter, scales included."]


@dataclass(frozen=True, slots=True)
class LayerKind:
    """Layers of a language model that are alike."""

    count: int
    mixer: Annotated[str, "attention, latent, recurrent or none."]
    heads: int
    kv_heads: int
    key_size: int
    window: int | None
    feed_forward: int
    experts: int
    active_experts: int


@dataclass(frozen=True, slots=True)
class LanguageContext:
    """A language model with a context of some length: bytes on each device, and time."""

    tokens: int
    weights: int
    cache: int
    compute: Annotated[int, "Buffers of the runtime for what is computed at once."]
    overhead: Annotated[
        int, "What the runtime takes besides, such as its context; 0 without a target."
    ]
    total: int
    verdict: Verdict | None
    requests: Annotated[int | None, "Sequences of this length that fit together."]
    offloaded: Annotated[int | None, "Layers that fit on the device, if not all do."]
    first_token: Annotated[float | None, "Seconds to the first token of a full prompt, at least."]
    first_token_bound: Literal["compute", "memory"] | None
    decode: Annotated[float | None, "Tokens per second of one sequence, at most."]
    decode_bound: Literal["compute", "memory"] | None
    decode_together: Annotated[
        float | None, "Tokens per second of `requests` sequences together, at most."
    ]
    decode_together_bound: Literal["compute", "memory"] | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A smaller model that drafts tokens."""

    path: str
    weights: int
    break_even: Annotated[
        float | None, "Share of drafted tokens that must be accepted for it to gain time."
    ]


@dataclass(frozen=True, slots=True)
class ServedBy:
    """A runtime whose published list has the architecture."""

    runtime: str
    converted: Annotated[bool, "True if its own tool has to convert the model first."]
    source: str


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Architecture of a language model, and its needs by context length."""

    architecture: str
    layers: list[LayerKind]
    hidden: int
    vocabulary: int | None
    trained_context: int | None
    positions: Annotated[str, "The scheme, with its base and scaling."]
    tied_embeddings: bool | None
    extra_parts: Annotated[list[str], "Parts besides the decoder."]
    quantization: str
    parameters: int
    active_parameters: int
    bits: Annotated[float | None, "Stored bits of each parameter."]
    parts: list[LanguagePart]
    runtime: str
    kv_precision: str
    flash_attention: bool
    cache_per_token: Annotated[int, "Bytes of a token in all layers, before any window is full."]
    cache_per_token_in: Annotated[dict[str, int], "The same by type."]
    target: str | None
    room: Annotated[int | None, "Bytes of the device that the runtime takes."]
    devices: int
    parallel: str | None
    undivided: Annotated[list[str], "Counts that `devices` does not divide."]
    replicated: Annotated[list[str], "What every device holds whole."]
    compute_is_planned: Annotated[
        bool,
        "Whether `compute` follows the buffers that the runtime plans.",
    ]
    compute_basis: Annotated[
        Literal["planned", "estimated", "least"],
        "What `compute` follows: buffers as the runtime plans them, what runs of it have printed, "
        "or what the widest layer and the logits need at least, which was not measured.",
    ]
    contexts: list[LanguageContext]
    longest: Annotated[int | None, "Longest context that fits, at most the trained one."]
    draft: Draft | None
    served_by: Annotated[list[ServedBy], "Absence says nothing: lists may be older."]


@dataclass(frozen=True, slots=True)
class LanguageDevice:
    """A language model on one of several devices, with the longest of its `contexts`."""

    target: str
    runtime: str
    room: Annotated[int, "Bytes of the device that the runtime takes."]
    tokens: int
    total: int
    verdict: Verdict
    requests: Annotated[int, "Sequences of this length that fit together."]
    longest: Annotated[int, "Longest context that fits, at most the trained one."]
    decode: Annotated[float | None, "Tokens per second of one sequence, at most."]
