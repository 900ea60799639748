"""Results of `modellint inspect` for a model: plain data for reports and programs.

The JSON form is a contract, described in docs/inspect.md: fields may be added but not changed.
tools/generate_inspect_schema.py generates docs/schemas/inspect.schema.json from these types.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from modellint.base.records import dataclass
from modellint.base.version import __version__

Verdict = Literal["fits", "tight", "does not fit"]
Dims = list[int | str | None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem of the file, or a failure of modellint to inspect it."""

    code: Annotated[str | None, "Code of the rule under which `modellint check` reports it."]
    kind: Annotated[
        str, "For example truncated or external-missing; `internal` is about modellint."
    ]
    message: Annotated[str, "One sentence."]
    fatal: Annotated[bool, "True if the file could not be inspected at all."]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the model."""

    name: str
    dtype: str | None
    shape: Annotated[Dims | None, "Numbers, names of open dims, and null for unnamed open dims."]
    type: Annotated[str, "tensor, sequence, optional, map or sparse_tensor."]


@dataclass(frozen=True, slots=True)
class Identity:
    """Facts that the file states about itself."""

    producer: Annotated[str | None, "Name and version of the tool that wrote the file."]
    ir_version: int | None
    opsets: Annotated[dict[str, int], "Version by domain; ONNX's own domain is ai.onnx."]
    file_bytes: int
    external_files: Annotated[int, "External weight files of the model, present or missing."]
    external_missing: Annotated[int, "Number of missing external files."]
    external_bytes: Annotated[int, "Bytes of the external files that are present."]
    metadata: Annotated[dict[str, str], "Entries of the model's own metadata."]

    @property
    def has_other_files(self) -> bool:
        """Return True if files lie next to it; those of a folder are part of the model."""
        return self.external_bytes not in (0, self.file_bytes)

    @property
    def all_bytes(self) -> int:
        return self.file_bytes + (self.external_bytes if self.has_other_files else 0)


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a formula: the coefficient times each open dim to its power."""

    coefficient: int
    powers: Annotated[dict[str, int], "By the name of the open dim."]


@dataclass(frozen=True, slots=True)
class Attention:
    """The most frequent attention layer."""

    variant: Annotated[str | None, "MHA, GQA or MQA."]
    layers: int
    query_heads: int | None
    kv_heads: int | None
    head_size: int | None


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys and values that a decoder keeps."""

    layers: int
    kv_heads: int | None
    head_size: int | None
    bytes_per_token: Annotated[
        int | None, "Bytes for one token of one sequence, all layers together."
    ]


@dataclass(frozen=True, slots=True)
class States:
    """Tensors that a model carries from one run to the next without growing."""

    tensors: int
    nbytes: Annotated[int | None, "Bytes of all of them, for `sizes`."]


@dataclass(frozen=True, slots=True)
class Block:
    """A structure that the graph repeats."""

    kind: Annotated[str, "transformer, residual, inverted residual, squeeze and excitation."]
    count: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer and its repetitions: nodes of one op with weights of the same shape."""

    op_type: str
    shape: Annotated[list[int], "Shape of its largest weight."]
    count: int
    first: Annotated[str, "Name of the first node."]
    parameters: Annotated[int, "Parameters of all nodes together."]
    weight_bytes: Annotated[int, "Stored bytes of all nodes together."]
    macs: int | None
    macs_share: Annotated[float | None, "Share of the model's MACs, 0 to 1."]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One node of the main graph, for `sizes` and the first deployment."""

    name: str
    op_type: str
    index: Annotated[int, "Position in the graph."]
    block: Annotated[str, "The repeated block that it belongs to, or where it is between blocks."]
    inputs: Annotated[list[Dims | None], "Shapes of what it reads, without constants."]
    outputs: list[Dims | None]
    dtype: Annotated[str | None, "Element type of its first output."]
    weight: Annotated[list[int] | None, "Shape of its largest weight."]
    parameters: Annotated[int, "Those of its weights that no node before it has."]
    weight_bytes: Annotated[int, "Stored bytes of the same weights."]
    macs: int | None
    flops: Annotated[int | None, "2 x MACs plus all other arithmetic operations."]
    bytes: Annotated[
        int | None, "Bytes read and written; with a device, without what fused kernels keep on it."
    ]
    precision: Annotated[str, "As computed; empty if unknown."]
    quantized: Annotated[bool, "True if it computes on quantized numbers, or converts them."]
    folded: Annotated[bool, "True if a runtime computes it once, before it runs."]
    step: Annotated[
        int | None, "The kernel it is part of, in the order in which memory is planned."
    ]
    alive: Annotated[int | None, "Bytes of activations that are alive while that kernel runs."]
    bound: Annotated[
        Literal["compute", "memory"] | None, "What its time is bound by; null without a device."
    ] = None
    seconds: Annotated[float | None, "Lower bound on its time; null without a device."] = None
    expected: Annotated[
        float | None, "Expected seconds of the kernel whose main node it is; else null."
    ] = None
    limited_by: Annotated[
        Literal["compute", "memory", "overhead"] | None, "The largest part of `expected`."
    ] = None
    unit: Annotated[str | None, "Unit that it runs on, if the runtime has several."] = None
    critical: Annotated[
        bool, "True on the chain of dependencies that is expected to take longest."
    ] = False


@dataclass(frozen=True, slots=True)
class WeightFigures:
    """A stored tensor, by the elements that were read of it."""

    name: str
    dtype: str
    shape: list[int]
    elements: int
    read: Annotated[int, "Elements that were read, evenly spaced; fewer than all are a sample."]
    lowest: Annotated[float, "Of finite numbers, as are the following."]
    highest: float
    mean: float
    deviation: Annotated[float, "Standard deviation."]
    zeros: int
    not_finite: Annotated[int, "NaN and infinities."]
    histogram: Annotated[list[int], "Elements in equal parts of the range."]


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
class SlowNode:
    """A node that is slow even at the device's peak rates."""

    node: str
    op_type: str
    seconds: float
    share: Annotated[float, "Share of the model's time, 0 to 1."]
    bound: Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class Roofline:
    """Lower bound on the time of a run. Theoretical: real kernels stay below both peaks."""

    precision: Annotated[str, "The precision whose peak rate was used."]
    peak: Annotated[float, "Operations per second."]
    bandwidth: Annotated[float, "Bytes per second."]
    seconds: float
    memory_share: Annotated[float, "Share of the time spent waiting for memory, 0 to 1."]
    bottleneck: Literal["compute", "memory"]
    intensity: Annotated[float | None, "Operations per byte moved."]
    ridge: Annotated[float, "Intensity at which arithmetic and memory are equally busy."]
    per_second: Annotated[float | None, "Upper bound on batch items per second."]
    uncounted: Annotated[int, "Nodes of unknown cost, which are excluded."]
    slowest: list[SlowNode]


@dataclass(frozen=True, slots=True)
class TimedLayer:
    """Nodes that run as one kernel, with the seconds of its parts, which add up."""

    node: Annotated[str, "The node with most of the arithmetic, else the first."]
    op_type: str
    nodes: Annotated[int, "Nodes in the kernel."]
    seconds: float
    share: Annotated[float, "Share of the model's time, 0 to 1."]
    compute: float
    memory: float
    overhead: float
    bound: Literal["compute", "memory", "overhead"]


@dataclass(frozen=True, slots=True)
class TimeParts:
    """Seconds of all kernels by cause, which add up to the expected time."""

    compute: Annotated[float, "Arithmetic, as far as traffic does not hide it."]
    memory: Annotated[float, "Traffic, as far as arithmetic does not hide it."]
    overhead: Annotated[float, "Launching kernels, and the call of the runtime."]


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds that a run of the batch takes on a device."""

    low: float
    expected: float
    high: float
    confidence: Annotated[str, "measured, calibrated, derived or theoretical."]
    source: Annotated[str, "Where the coefficients are from."]
    parts: TimeParts
    precision: Annotated[str, "What most products are computed in."]
    batch: int
    per_second: Annotated[float, "Batch items per second, one run after the other."]
    transfer: Annotated[
        float, "Seconds of copying inputs and outputs to the device and back, not in `expected`."
    ]
    kernels: int
    uncounted: Annotated[int, "Nodes of unknown cost, which are excluded."]
    units: Annotated[
        dict[str, float],
        "Seconds of each unit and of the copies between them; empty if one unit runs it all.",
    ]
    layers: Annotated[
        list[TimedLayer],
        "In the order in which they run; the slowest ones first if there are several targets.",
    ]


Certainty = Literal["surely", "expected", "no"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device with a precision and a batch that a model could run with."""

    target: str
    precision: str
    batch: int
    low: float
    expected: Annotated[float, "Seconds of a run of the batch."]
    high: float
    confidence: str
    per_second: Annotated[float, "Batch items per second, one run after the other."]
    memory: Annotated[int, "Bytes expected."]
    verdict: Verdict | None
    price: Annotated[float | None, "Of an hour, if the target's file has one."]
    currency: str | None
    satisfies: Annotated[
        Certainty | None,
        "With --require: surely, if even the bounds satisfy it; null without requirements.",
    ]
    reasons: Annotated[list[str], "The requirements that are not satisfied, with the figures."]


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
    overhead: Annotated[int, "The runtime's own context on the device; 0 without a target."]
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
        "Whether `compute` follows the buffers that the runtime plans; otherwise it is what the "
        "widest layer and the logits need at least, which was not measured.",
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


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine."""

    name: str
    kind: Annotated[str | None, "For example CaskConvolution; null if the engine keeps only names."]
    type: Annotated[str | None, "The element type it computes in."]
    reformat: Annotated[bool, "True if it only changes type or layout."]
    nodes: Annotated[list[str], "ONNX nodes it was built from, by its metadata or name."]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A heavy layer in a wide type between quantized ones."""

    layer: str
    type: str


@dataclass(frozen=True, slots=True)
class Zone:
    """Consecutive light layers that were not fused."""

    first: str
    last: str
    layers: int


@dataclass(frozen=True, slots=True)
class LeftFloat:
    """A node that is quantized in the model but runs in a wide type."""

    node: str
    type: str


@dataclass(frozen=True, slots=True)
class Became:
    """Mapping of the model's nodes to the engine's layers."""

    nodes: int
    placed: Annotated[int, "Nodes named by a layer."]
    gone: Annotated[
        dict[str, int], "All other nodes by op: folded, or part of a layer that does not name them."
    ]
    left_float: list[LeftFloat]
    unknown: Annotated[list[str], "Nodes named by layers but absent from the model."]


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """One layer of a measured run."""

    name: str
    op: Annotated[str | None, "Operator or kind of layer, by the runtime's name."]
    nodes: Annotated[list[str], "Nodes of the model that it is made of."]
    kind: Annotated[str, "compute, reformat, copy or overhead."]
    precision: str | None
    kernel: Annotated[str | None, "Kernel, tactic or provider."]
    seconds: float
    share: Annotated[float, "Share of the time of all layers, 0 to 1."]
    flops: int | None
    nbytes: Annotated[int | None, "Bytes that it must read and write."]
    bound: Annotated[str | None, "compute or memory: what the device would wait for at best."]
    efficiency: Annotated[float | None, "Least time by the device's peaks, as a share of the time."]


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's layers, as reported by its runtime."""

    layers: list[EngineLayer]
    kinds: Annotated[dict[str, int], "Number of layers of each kind, including reformats."]
    types: Annotated[
        dict[str, int], "Number of layers computing in each type, without reformats and NoOps."
    ]
    bottlenecks: list[Bottleneck]
    zones: list[Zone]
    became: Annotated[Became | None, "Null if the engine is inspected on its own."]

    @property
    def reformats(self) -> int:
        return sum(layer.reformat for layer in self.layers)


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """Nodes that run on one unit before another one takes over."""

    unit: str
    nodes: int
    first: str
    last: str
    macs: Annotated[int | None, "Null if unknown."]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A value that one unit computes and another one reads."""

    value: str
    source: Annotated[str, "Unit that computes it."]
    reader: Annotated[str, "Unit that reads it."]
    bytes: Annotated[int | None, "Bytes to copy in a run; null if unknown."]
    node: Annotated[str, "Node that is not taken, and so causes the crossing."]
    reason: str


@dataclass(frozen=True, slots=True)
class LeftNodes:
    """Nodes that the accelerator does not take, for one reason."""

    op: str
    nodes: int
    first: str
    cause: Annotated[str, "operator, type, form, open-dims, precision or neighbor."]
    reason: Annotated[str, "The end of a sentence that begins with the operator."]


@dataclass(frozen=True, slots=True)
class Saving:
    """The effect of a change that makes the accelerator take some nodes."""

    op: str
    nodes: int
    first: str
    cause: Annotated[str, "As in `left`; open-dims is about fixing all of them."]
    reason: str
    partitions: Annotated[int, "Partitions on the accelerator after it."]


@dataclass(frozen=True, slots=True)
class Placed:
    """Units that the nodes of a model run on."""

    runtime: str
    version: Annotated[str | None, "Release that its tables describe."]
    measured: Annotated[bool, "True if they were measured with the runtime itself."]
    accelerator: str
    fallback: Annotated[str, "Unit of all other nodes; empty if there is none."]
    partitions: Annotated[int, "Partitions on the accelerator."]
    nodes: Annotated[dict[str, int], "Number of nodes by unit."]
    macs: Annotated[dict[str, float], "Share of the MACs by unit; empty if unknown."]
    crossing_bytes: Annotated[int | None, "Bytes copied between units in a run."]
    parts: Annotated[list[PlacedPart], "In the order in which they run."]
    boundaries: list[Crossing]
    left: Annotated[list[LeftNodes], "What is not taken and why, most nodes first."]
    savings: Annotated[list[Saving], "Changes that leave fewer partitions, best first."]
    most_partitions: Annotated[
        int | None, "Partitions that one core of the accelerator can load; null for any number."
    ] = None


Task = Literal[
    "image classification", "object detection", "text feature extraction", "language modeling"
]
"""Use of a model, of which architectures are known."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """A model among named architectures of the same task."""

    task: Annotated[Task, "By the interface."]
    macs_per_parameter: Annotated[float, "Of one image, or of one token of a text."]
    percentile: Annotated[float, "Share of the architectures that have fewer, 0 to 1."]
    references: Annotated[int, "Number of the architectures."]
    tokens: Annotated[
        int | None, "Length of the text, the same for the architectures; null for images."
    ] = None


@dataclass(frozen=True, slots=True)
class AssumedPart:
    """A part of a deployment."""

    value: Annotated[str | int | None, "Null if any, or as in the model."]
    origin: Annotated[
        Literal["given", "configured", "assumed"],
        "Where it is from: the command line, a configuration file, or a default.",
    ]
    option: Annotated[str, "The option that changes it."]


@dataclass(frozen=True, slots=True)
class Assumed:
    """A deployment that figures are for, part by part."""

    deployment: Annotated[str, "Its description, such as `a10 (tensorrt 11.5, fp16)`."]
    parts: Annotated[
        dict[str, AssumedPart], "device, runtime, version, precision, batch, shapes and dla."
    ]


@dataclass(frozen=True, slots=True)
class Inspection:
    """One model. All fields are present; those that do not apply or are unknown are null."""

    path: str
    format: Annotated[str, "`unknown` if the file could not be read as a model."]
    problems: list[Trouble]
    version: Literal[1] = 1
    modellint: Annotated[str, "The version of modellint that wrote this."] = __version__
    assumptions: Annotated[
        list[Assumed] | None, "The deployments: what was stated, and what was assumed."
    ] = None
    identity: Identity | None = None
    inputs: list[Port] | None = None
    outputs: list[Port] | None = None
    nodes: Annotated[int | None, "Nodes of all graphs, without functions."] = None
    subgraphs: int | None = None
    functions: Annotated[int | None, "Model-local functions."] = None
    parameters: Annotated[int | None, "Learned weights, counting shared ones once."] = None
    macs: Annotated[
        int | None, "Multiply-accumulates for `sizes`; null if any node's are unknown."
    ] = None
    flops: Annotated[int | None, "2 x MACs plus all other arithmetic operations."] = None
    macs_formula: Annotated[list[Term] | None, "Terms of a sum, if MACs depend on open dims."] = (
        None
    )
    known_macs: Annotated[int | None, "MACs of the nodes that can be counted."] = None
    uncounted: Annotated[int | None, "Nodes whose MACs are unknown."] = None
    sizes: Annotated[dict[str, int] | None, "Sizes of open dims, which all figures assume."] = None
    assumed: Annotated[dict[str, int] | None, "The subset of `sizes` that was not given."] = None
    efficiency: Annotated[
        Efficiency | None, "Next to architectures of the same task; null if the task is unknown."
    ] = None
    weight_bytes: Annotated[dict[str, int] | None, "Stored bytes by element type."] = None
    ops: Annotated[dict[str, int] | None, "Number of nodes of each op, most frequent first."] = None
    blocks: list[Block] | None = None
    attention: Attention | None = None
    kv_cache: Cache | None = None
    states: Annotated[States | None, "For example of an LSTM; null if there are none."] = None
    layers: Annotated[list[Layer] | None, "Layers with most weights, largest first."] = None
    every_layer: Annotated[
        list[LayerFacts] | None, "Each node of the main graph; null unless it was asked for."
    ] = None
    weights: Annotated[
        list[WeightFigures] | None, "Figures of stored weights; null unless they were asked for."
    ] = None
    engine: Annotated[
        Engine | None, "The model's engine: the file itself, or the one given with --layers."
    ] = None
    measured: Annotated[
        list[MeasuredLayer] | None, "Layers of the run given with --run, the longest first."
    ] = None
    memory: Annotated[dict[str, Memory] | None, "Memory by target; null without a target."] = None
    anywhere: Annotated[Memory | None, "Memory without a target; null with one."] = None
    time: Annotated[
        dict[str, Time | None] | None,
        "Expected time by target; null where the device's rates are unknown.",
    ] = None
    llm: Annotated[LanguageModel | None, "Of a language model, for the first deployment."] = None
    llm_unknown: Annotated[
        str | None, "Why the needs of a language model are not known, and `llm` is null."
    ] = None
    llm_devices: Annotated[
        list[LanguageDevice] | None, "The same for several deployments, in short."
    ] = None
    sweep: Annotated[
        list[Candidate] | None,
        "With several batches or precisions, or --require: all combinations, best first.",
    ] = None
    quantization: Annotated[
        dict[str, Any] | None, "With --quant: precisions, score, islands, moves."
    ] = None
    placement: Annotated[
        dict[str, Placed] | None,
        "With --placement: by target, or by runtime without one; null for runtimes of one unit.",
    ] = None
    not_placed: Annotated[
        dict[str, str] | None, "With --placement: why nothing is predicted, by target or runtime."
    ] = None
    profile: Annotated[dict[str, Any] | None, "With --profile: min, opt, max by input."] = None
    profile_open: Annotated[
        dict[str, list[str]] | None, "With --profile: dims without a known size, by input."
    ] = None

    @property
    def macs_per_parameter(self) -> float | None:
        """MACs for each weight: low for what reads much to compute little."""
        if not self.macs or not self.parameters:
            return None
        return self.macs / self.parameters

    @property
    def parameters_per_megabyte(self) -> float | None:
        """Weights in a million stored bytes: high for what is quantized."""
        stored = sum((self.weight_bytes or {}).values())
        return 1e6 * self.parameters / stored if stored and self.parameters else None

    @property
    def is_readable(self) -> bool:
        return not any(problem.fatal for problem in self.problems)

    @property
    def is_of_engine(self) -> bool:
        """Return True if its nodes are the layers of an engine."""
        return self.engine is not None and self.engine.became is None

    @property
    def estimates(self) -> list[Memory]:
        """Return the estimate of each deployment."""
        placed = list((self.memory or {}).values())
        return placed or ([self.anywhere] if self.anywhere is not None else [])

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        first = ("version", "modellint", "path", "format")
        return {name: plain[name] for name in (*first, *(n for n in plain if n not in first))}

    def _repr_html_(self) -> str:
        from modellint.base.markup import facts
        from modellint.base.text import quantity
        from modellint.base.units import format_bytes

        weights = sum((self.weight_bytes or {}).values())
        pairs: list[tuple[str, object]] = [
            ("format", self.format),
            ("producer", self.identity and self.identity.producer),
            *(("input", _port_text(each)) for each in self.inputs or ()),
            *(("output", _port_text(each)) for each in self.outputs or ()),
            ("nodes", self.nodes),
            ("parameters", self.parameters and quantity(self.parameters)),
            ("MACs", self.macs and quantity(self.macs)),
            ("weights", weights and format_bytes(weights)),
        ]
        for each in self.estimates:
            text = f"{format_bytes(each.total.expected)}, {each.verdict or 'no device given'}"
            pairs.append((f"memory on {each.target}" if each.target else "memory", text))
        pairs += [("problem", each.message) for each in self.problems]
        return facts(self.path, pairs)


def _port_text(port: Port) -> str:
    dims = "?" if port.shape is None else "x".join("?" if d is None else str(d) for d in port.shape)
    return f"{port.name}: {port.dtype or port.type} {dims}"


__all__ = [
    "AliveTensor",
    "Attention",
    "Became",
    "Block",
    "Bottleneck",
    "Cache",
    "Candidate",
    "Cell",
    "Certainty",
    "Crossing",
    "Draft",
    "Efficiency",
    "Engine",
    "EngineLayer",
    "Estimate",
    "Identity",
    "Inspection",
    "LanguageContext",
    "LanguageDevice",
    "LanguageModel",
    "LanguagePart",
    "Layer",
    "LayerFacts",
    "LayerKind",
    "LeftFloat",
    "LeftNodes",
    "Memory",
    "Peak",
    "Placed",
    "PlacedPart",
    "Port",
    "Roofline",
    "Row",
    "Saving",
    "ServedBy",
    "Share",
    "SlowNode",
    "Term",
    "Time",
    "TimeParts",
    "TimedLayer",
    "Together",
    "Trouble",
    "WeightFigures",
    "Zone",
]
