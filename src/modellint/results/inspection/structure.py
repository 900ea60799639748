"""The model itself: its file, its interface, its blocks and layers."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass

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
