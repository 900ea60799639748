"""Memory that vLLM keeps free of its cache, as it measures when it starts.

It computes one batch of as many tokens, and samples for as many sequences, as it ever takes at
once, and counts the peak of PyTorch's tensors. Prompts and requests do not change that. Sizes
follow the tensors of its code in version 0.19; the multiples of the hidden width, memory outside
PyTorch and graphs are fitted to what it printed (`tests/data/vllm_memory.json`).
"""

from __future__ import annotations

from modellint.base.records import dataclass
from modellint.model.architecture import Architecture, LayerShape
from modellint.runtimes.runtime import Reserved, ReservingDevice

ELEMENT = 2
"""Bytes of an activation."""
SAMPLED = 2 + 4 + 4 + 4
"""Bytes of each token of the vocabulary while it samples: the logits, and in 32 bits those, their
softmax and random numbers."""
BUFFER = 4
"""The same for each multiprocessor, in the kernel that keeps the likeliest tokens."""
ALIVE, KEPT = 4, 2
"""Hidden states that are alive in a layer, and that are kept until a token is sampled."""
OUTSIDE, OUTSIDE_LINKED, OUTSIDE_SPLIT = 256 << 20, 2140 << 20, 400 << 20
"""Bytes outside PyTorch on one device, and on each of several: with NVLink, later than Ampere's
have large buffers for their sums."""
GRAPH = 268_000
"""Bytes of a CUDA graph for each layer."""
ROOMY = 70 << 30


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens and sequences that vLLM takes at once by default, and the graphs that it captures."""

    tokens: int
    sequences: int
    graphs: int


SMALL, LARGE = Batch(2048, 256, 51 + 35), Batch(8192, 1024, 51 + 51)


def batch(device: ReservingDevice | None) -> Batch:
    """Return the default of `vllm serve` on a device."""
    roomy = device is not None and device.memory >= ROOMY and "a100" not in device.name
    return LARGE if roomy else SMALL


def reserved(architecture: Architecture, device: ReservingDevice | None, shares: int) -> Reserved:
    """Return what is kept free on each device, if tensors are split into a number of shares."""
    taken = batch(device)
    units = device.units if device is not None else 0
    return Reserved(
        activations(architecture, taken, shares, units),
        _outside(device, shares) + GRAPH * taken.graphs * len(architecture.layers)
        if device is not None
        else 0,
    )


def activations(architecture: Architecture, taken: Batch, shares: int, units: int) -> int:
    """Return the peak of PyTorch's tensors besides the weights."""
    hidden = taken.tokens * architecture.hidden * ELEMENT
    vocabulary = architecture.vocabulary or 0
    sampling = (SAMPLED * taken.sequences + BUFFER * units) * vocabulary + KEPT * hidden
    widest = max((_fed(layer) for layer in architecture.layers), default=0)
    computing = taken.tokens * -(-widest // shares) * ELEMENT + ALIVE * hidden
    return max(sampling, computing) + _workspace(architecture, taken.tokens, shares)


def _fed(layer: LayerShape) -> int:
    """Return the elements of a token in a feed-forward network, without those sent to experts."""
    width = layer.shared_width if layer.experts else layer.feed_forward
    return (3 if layer.gated else 2) * width


def _workspace(architecture: Architecture, tokens: int, shares: int) -> int:
    """Return the two buffers of its kernel for experts, which stay; others have none."""
    if architecture.quantization.startswith("MXFP4"):
        return 0
    elements = 0
    for layer in architecture.layers:
        if layer.experts:
            width = -(-layer.feed_forward // shares)
            both = max(width, architecture.hidden) + max(2 * width, architecture.hidden)
            elements = max(elements, layer.active_experts * both)
    return tokens * elements * ELEMENT


def _outside(device: ReservingDevice, shares: int) -> int:
    if shares == 1:
        return OUTSIDE
    linked = device.link.startswith("NVLink") and device.capability >= (9, 0)
    return OUTSIDE_LINKED if linked else OUTSIDE_SPLIT
