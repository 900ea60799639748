"""Memory on a device, for one model and for several together."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass
from modellint.results.inspection.structure import Dims
from modellint.results.inspection.timing import Roofline

Verdict = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes: with all known optimizations of the runtime, as expected, and without them."""

    low: int
    expected: int
    high: int
    confidence: Annotated[str, "measured, calibrated, derived or theoretical."]
    note: str = ""


@dataclass(frozen=True, slots=True)
class AliveTensor:
    """A tensor alive at the peak."""

    name: str
    dtype: str | None
    shape: Dims | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The point at which activations need most memory."""

    node: str
    op_type: str
    bytes: Annotated[int, "Bytes of activations at the peak, as in `activations.low`."]
    tensors: Annotated[list[AliveTensor], "Tensors alive at the peak, largest first."]


@dataclass(frozen=True, slots=True)
class Cell:
    """Memory of one batch size at one precision."""

    batch: int
    expected: Annotated[int | None, "Bytes; null if a smaller batch already does not fit."]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Row:
    """Memory of each batch size at one precision."""

    precision: str
    chosen: Annotated[bool, "True for the precision of the deployment."]
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and time of the model for a deployment."""

    target: Annotated[str | None, "The device's id."]
    device: Annotated[str | None, "The device's name."]
    runtime: str | None
    version: Annotated[str | None, "The runtime's version."]
    precision: Annotated[str, "As requested, else as assumed, or the type of most weights."]
    assumed: Annotated[list[str], "Which of runtime, version and precision were not stated."]
    computed: Annotated[
        list[str],
        "The precisions of products: those that are quantized, and `precision` if others are not.",
    ]
    narrow_weights: Annotated[str | None, "The type of most weights, if it has fewer than 16 bits."]
    usable: Annotated[int | None, "Bytes available on the device."]
    usable_confidence: str | None
    weights: Annotated[int, "Bytes as deployed."]
    weight_bytes: Annotated[dict[str, int], "As deployed, by element type."]
    activations: Estimate
    workspace: Estimate
    inputs_outputs: Estimate
    kv_cache: Estimate
    overhead: Annotated[Estimate, "The runtime's own context on the device."]
    total: Estimate
    unknown_tensors: Annotated[
        int, "Tensors of data-dependent or unknown size, which are not counted."
    ]
    verdict: Annotated[
        Verdict | None, "Null without a target, and if too little is counted to say that it fits."
    ]
    computes: Annotated[
        list[str] | None, "What the device computes in, if `precision` is not among it."
    ]
    largest_batch: Annotated[int | None, "0 if none fits; null if the batch is fixed."]
    largest_sequence: Annotated[
        int | None, "Largest size of the dim named by `sequence` that fits, all else equal."
    ]
    sequence: str | None
    smallest_target: Annotated[str | None, "The smallest device of the same kind that it fits."]
    peak: Peak | None
    roofline: Annotated[Roofline | None, "Null if the device's rates are unknown."]
    table: Annotated[
        list[Row] | None, "Precision by batch; null unless there is exactly one target."
    ]
    cache_unknown: Annotated[
        str | None, "Why the cache of a language model is not known; the total is without it."
    ] = None


@dataclass(frozen=True, slots=True)
class Share:
    """One of several models on a device."""

    path: str
    bytes: Annotated[int | None, "Without the runtime's own context; null if unknown."]
    tokens: Annotated[int | None, "Context of a language model."]
    seconds: Annotated[float | None, "Expected time of a run; null if unknown."] = None


@dataclass(frozen=True, slots=True)
class Together:
    """Several models on one device, loaded at the same time."""

    target: str
    usable: int
    models: list[Share]
    overhead: Annotated[int, "The runtime's own context, once for each runtime."]
    total: int
    verdict: Verdict
    budget: Annotated[int | None, "The configured budget max-vram."]
    in_sequence: Annotated[
        float | None, "Expected seconds of one run of each; null if any is unknown."
    ] = None
    side_by_side: Annotated[
        float | None,
        "Seconds if they run at once, at best: the longest of them, and of the sums of their "
        "arithmetic and of their traffic.",
    ] = None
