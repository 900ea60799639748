"""What `modellint inspect` knows of one model: plain data, which reports draw and programs read.

The JSON form is a contract, which docs/inspect.md describes: a field may be added, none may change.
tools/generate_inspect_schema.py makes docs/schemas/inspect.schema.json of these types.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from modellint import __version__
from modellint.base.records import dataclass

Verdict = Literal["fits", "tight", "does not fit"]
Dims = list[int | str | None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with the file itself, or with modellint's own look at it."""

    code: Annotated[str | None, "The rule that `modellint check` reports it under."]
    kind: Annotated[str, "Such as truncated, external-missing; `internal` is about modellint."]
    message: Annotated[str, "One sentence."]
    fatal: Annotated[bool, "Whether there was nothing to look into."]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the model."""

    name: str
    dtype: str | None
    shape: Annotated[Dims | None, "Numbers, names of open dims, null for an open dim unnamed."]
    type: Annotated[str, "tensor, sequence, optional, map or sparse_tensor."]


@dataclass(frozen=True, slots=True)
class Identity:
    """What the file says of itself."""

    producer: Annotated[str | None, "Name and version of what wrote the file."]
    ir_version: int | None
    opsets: Annotated[dict[str, int], "Version by domain; ONNX's own domain is ai.onnx."]
    file_bytes: int
    external_files: Annotated[int, "Files with weights beside the model, there or missing."]
    external_missing: Annotated[int, "How many of them are missing."]
    external_bytes: Annotated[int, "Of those that are there."]
    metadata: Annotated[dict[str, str], "Entries of the model's own metadata."]


@dataclass(frozen=True, slots=True)
class Term:
    """One product of a formula: the coefficient times each open dim to its power."""

    coefficient: int
    powers: Annotated[dict[str, int], "By the name of the open dim."]


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention layer that most others are like."""

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
    bytes_per_token: Annotated[int | None, "Of one sequence, all layers together."]


@dataclass(frozen=True, slots=True)
class Block:
    """A structure that the graph repeats."""

    kind: Annotated[str, "transformer, residual, inverted residual, squeeze and excitation."]
    count: int


@dataclass(frozen=True, slots=True)
class Layer:
    """Nodes of one op whose weights are alike: a layer, and its repetitions."""

    op_type: str
    shape: Annotated[list[int], "Of its largest weight."]
    count: int
    first: Annotated[str, "The first of them."]
    parameters: Annotated[int, "Of all of them together."]
    weight_bytes: Annotated[int, "As stored, of all of them together."]
    macs: int | None
    macs_share: Annotated[float | None, "Of the model's MACs, 0 to 1."]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes: with the savings the runtime is known to make, as expected, and without them."""

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
    """Where activations need most memory."""

    node: str
    op_type: str
    bytes: Annotated[int, "Of activations there, as in `activations.low`."]
    tensors: Annotated[list[AliveTensor], "What fills it, the largest first."]


@dataclass(frozen=True, slots=True)
class Cell:
    """One batch at one precision."""

    batch: int
    expected: Annotated[int | None, "Bytes; null where a smaller batch does not fit already."]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Row:
    """What each batch takes at one precision."""

    precision: str
    chosen: Annotated[bool, "Whether it is the precision of the deployment."]
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class SlowNode:
    """A node that takes long even at the device's peak rates."""

    node: str
    op_type: str
    seconds: float
    share: Annotated[float, "Of the model's time, 0 to 1."]
    bound: Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least time one run can take. Theoretical: real kernels stay below both peaks."""

    precision: Annotated[str, "The rate that was reckoned with."]
    peak: Annotated[float, "Operations per second."]
    bandwidth: Annotated[float, "Bytes per second."]
    seconds: float
    memory_share: Annotated[float, "Of the time spent waiting for memory, 0 to 1."]
    bottleneck: Literal["compute", "memory"]
    intensity: Annotated[float | None, "Operations for each byte moved."]
    ridge: Annotated[float, "The intensity that keeps arithmetic and memory equally busy."]
    per_second: Annotated[float | None, "Items of a batch, at most."]
    joules: Annotated[float | None, "At most: the device's full power for that time."]
    uncounted: Annotated[int, "Nodes whose cost is unknown, and left out."]
    slowest: list[SlowNode]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the model takes where it runs."""

    target: Annotated[str | None, "The device's id."]
    device: Annotated[str | None, "The device's name."]
    runtime: str | None
    precision: Annotated[str, "As asked for, else what most weights are stored in."]
    usable: Annotated[int | None, "Bytes that the device offers."]
    usable_confidence: str | None
    weights: Annotated[int, "Bytes as deployed."]
    weight_bytes: Annotated[dict[str, int], "As deployed, by element type."]
    activations: Estimate
    workspace: Estimate
    inputs_outputs: Estimate
    kv_cache: Estimate
    overhead: Annotated[Estimate, "The runtime's own context on the device."]
    total: Estimate
    unknown_tensors: Annotated[int, "Whose size only the data decides: counted as nothing."]
    verdict: Annotated[Verdict | None, "Null without a target."]
    largest_batch: Annotated[int | None, "0 when none fits; null where the batch is fixed."]
    largest_sequence: Annotated[int | None, "Of the open dim `sequence` names, all else as it is."]
    sequence: str | None
    smallest_target: Annotated[str | None, "Of the same kind of device, the smallest it fits."]
    peak: Peak | None
    roofline: Annotated[Roofline | None, "Null where the device's rates are not known."]
    table: Annotated[list[Row] | None, "Precision by batch; null unless there is one target."]


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine."""

    name: str
    kind: Annotated[str | None, "Such as CaskConvolution; null where only names are told."]
    type: Annotated[str | None, "The element type it computes in."]
    reformat: Annotated[bool, "Whether it only changes type or layout."]
    nodes: Annotated[list[str], "ONNX nodes that it was made of, by its metadata or its name."]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A heavy layer in a wide type between quantized ones."""

    layer: str
    type: str


@dataclass(frozen=True, slots=True)
class Zone:
    """Light layers in a row that were not fused."""

    first: str
    last: str
    layers: int


@dataclass(frozen=True, slots=True)
class LeftFloat:
    """A node that the model quantizes, and that runs in a wide type all the same."""

    node: str
    type: str


@dataclass(frozen=True, slots=True)
class Became:
    """What the engine made of the model's nodes."""

    nodes: int
    placed: Annotated[int, "Nodes that a layer names."]
    gone: Annotated[dict[str, int], "The others by op: folded, or in a layer that does not say."]
    left_float: list[LeftFloat]
    unknown: Annotated[list[str], "Nodes that layers name and the model has not."]


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's layers, as its runtime tells them."""

    layers: list[EngineLayer]
    kinds: Annotated[dict[str, int], "How many layers of each kind, reformats among them."]
    types: Annotated[dict[str, int], "How many compute in each type; reformats and NoOps do not."]
    bottlenecks: list[Bottleneck]
    zones: list[Zone]
    became: Annotated[Became | None, "Null where the engine is looked at by itself."]

    @property
    def reformats(self) -> int:
        return sum(layer.reformat for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Inspection:
    """One model. Every field is there; what does not apply, or is not known, is null."""

    path: str
    format: Annotated[str, "`unknown` when the file could not be read as a model."]
    problems: list[Trouble]
    version: Literal[1] = 1
    modellint: Annotated[str, "The version of modellint that wrote this."] = __version__
    identity: Identity | None = None
    inputs: list[Port] | None = None
    outputs: list[Port] | None = None
    nodes: Annotated[int | None, "In all graphs, those of functions left out."] = None
    subgraphs: int | None = None
    functions: Annotated[int | None, "Model-local functions."] = None
    parameters: Annotated[int | None, "Learned weights, shared ones once."] = None
    macs: Annotated[int | None, "Multiply-accumulates for `sizes`; null if any is unknown."] = None
    flops: Annotated[int | None, "2 x MACs, and every other arithmetic operation."] = None
    macs_formula: Annotated[list[Term] | None, "A sum, where MACs depend on open dims."] = None
    known_macs: Annotated[int | None, "Of the nodes that can be counted."] = None
    uncounted: Annotated[int | None, "Nodes whose MACs are unknown."] = None
    sizes: Annotated[dict[str, int] | None, "Of open dims, that all figures are for."] = None
    assumed: Annotated[dict[str, int] | None, "Those among the sizes that nobody stated."] = None
    weight_bytes: Annotated[dict[str, int] | None, "As stored, by element type."] = None
    ops: Annotated[dict[str, int] | None, "How many nodes of each op, the most frequent first."] = (
        None
    )
    blocks: list[Block] | None = None
    attention: Attention | None = None
    kv_cache: Cache | None = None
    layers: Annotated[list[Layer] | None, "With most weights, the largest first."] = None
    engine: Annotated[Engine | None, "Of an engine, or of one beside the model: --layers."] = None
    memory: Annotated[dict[str, Memory] | None, "By target; null without one."] = None
    anywhere: Annotated[Memory | None, "The same without a device; null with one."] = None
    quantization: Annotated[dict[str, Any] | None, "With --quant: precisions, score, islands."] = (
        None
    )
    profile: Annotated[dict[str, Any] | None, "With --profile: min, opt, max by input."] = None
    profile_open: Annotated[
        dict[str, list[str]] | None, "With --profile: dims by input that no value is known for."
    ] = None

    @property
    def is_readable(self) -> bool:
        return not any(problem.fatal for problem in self.problems)

    @property
    def is_of_engine(self) -> bool:
        """Whether its nodes are the layers of an engine."""
        return self.engine is not None and self.engine.became is None

    @property
    def estimates(self) -> list[Memory]:
        """One for each deployment."""
        placed = list((self.memory or {}).values())
        return placed or ([self.anywhere] if self.anywhere is not None else [])

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        first = ("version", "modellint", "path", "format")
        return {name: plain[name] for name in (*first, *(n for n in plain if n not in first))}


__all__ = [
    "AliveTensor",
    "Attention",
    "Became",
    "Block",
    "Bottleneck",
    "Cache",
    "Cell",
    "Engine",
    "EngineLayer",
    "Estimate",
    "Identity",
    "Inspection",
    "Layer",
    "LeftFloat",
    "Memory",
    "Peak",
    "Port",
    "Roofline",
    "Row",
    "SlowNode",
    "Term",
    "Trouble",
    "Zone",
]
