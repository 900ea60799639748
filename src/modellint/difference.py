"""Results of `modellint diff` for two models: plain data for reports and programs.

The JSON form is a contract, described in docs/diff.md: fields may be added but not changed.
tools/generate_diff_schema.py generates docs/schemas/diff.schema.json from these types.
"""

from __future__ import annotations

from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from modellint.base.records import dataclass
from modellint.base.version import __version__
from modellint.inspection import Assumed, Trouble, Verdict

NOT_FINITE = 1e30
"""Noise of a layer that gives NaN or infinities in other places."""
Plain = int | float | str | bool | list[int] | list[float] | list[str] | None
"""The value of an attribute."""


SAME_DIALECT = frozenset(("onnx", "onnx-text", "ort"))
"""Formats that state the same operators with the same attributes."""


@dataclass(frozen=True, slots=True)
class ModelSide:
    """One of the two models."""

    path: str
    format: Annotated[str, "`unknown` if the file could not be read as a model."]
    problems: list[Trouble]
    producer: Annotated[str | None, "Name and version of the tool that wrote the file."]
    opsets: Annotated[dict[str, int], "Version by domain; ONNX's own domain is ai.onnx."]
    nodes: Annotated[int | None, "Nodes of all graphs, without functions."]


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """A change of what programs that use the model depend on."""

    what: Annotated[
        Literal["input", "output", "opset", "metadata"], "The part of the interface it is about."
    ]
    name: Annotated[str, "Name of the input, output, domain or entry; the new one if it has both."]
    aspect: Annotated[str, "added, removed, name, order, type, shape or version."]
    old: str | None
    new: str | None
    breaking: bool
    why: Annotated[str, "Reason why it breaks; empty if it does not."]


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node of one of the models."""

    name: str
    op_type: str
    graph: Annotated[str, "Path of the graph, `main` or the name that the file gives it."]


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute, or a constant input that is one in another version of the operator."""

    name: str
    old: Annotated[Plain, "Null if the node does not state it."]
    new: Annotated[Plain, "Null if the node does not state it."]


@dataclass(frozen=True, slots=True)
class InputChange:
    """An input that comes from elsewhere."""

    index: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that both models have, and what is different."""

    old: NodePlace
    new: NodePlace
    attributes: list[AttributeChange]
    inputs: list[InputChange]


@dataclass(frozen=True, slots=True)
class Replacement:
    """A node in the place of another one."""

    old: NodePlace
    new: NodePlace


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Operations that both models have, written with different operators."""

    old: Annotated[list[str], "Operators of the old model."]
    new: Annotated[list[str], "Operators of the new model."]
    count: int
    first: Annotated[str, "Name of the first node in the new model."]


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """Nodes that are the same, changed, or only in one of the models."""

    matched: Annotated[int, "Operations that both models have."]
    changed: list[NodeChange]
    replaced: list[Replacement]
    removed: list[NodePlace]
    added: list[NodePlace]
    rewritten: list[Rewriting]
    reordered: Annotated[bool, "True if the matched operations are in another order."]
    renamed: Annotated[int, "Matched operations with another name."]
    plumbing_removed: Annotated[
        dict[str, int],
        "By operator: nodes that change no numbers but their type or place, and arithmetic on "
        "shapes or constants.",
    ]
    plumbing_added: Annotated[dict[str, int], "The same for nodes of the new model."]
    folded: Annotated[
        dict[str, int], "By operator: activations that are now the range of a quantizer."
    ]
    not_compared: Annotated[
        list[str], "What cannot be compared between the two formats; empty within one format."
    ] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Return True if all operations are the same, though they may be written differently."""
        return not (self.changed or self.replaced or self.removed or self.added or self.folded)


@dataclass(frozen=True, slots=True)
class CountChange:
    """A number of things of a kind, in each model."""

    kind: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class WeightChange:
    """A weight that both models have, and what is different."""

    name: Annotated[str, "Its name in the new model."]
    was: Annotated[str | None, "Its name in the old model, if that is another one."]
    dtype: Annotated[list[str], "Element type in the old and the new model."]
    shape: Annotated[list[list[int]], "Shape in the old and the new model."]
    numbers: Annotated[
        Literal["equal", "different", "sampled", "unread"],
        "`sampled`: equal as far as samples tell; `unread`: types differ, or bytes are missing.",
    ]
    changed: Annotated[int | None, "Number of elements that differ, if all were read."]
    largest: Annotated[
        float | None, "Largest difference, relative to the largest number of the old weight."
    ]
    sparsity: Annotated[
        list[float] | None, "Share of zeros in the old and the new model, if all were read."
    ]


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A weight that only one of the models has."""

    name: str
    dtype: str
    shape: list[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """Weights that are equal, changed, or only in one of the models."""

    matched: int
    equal: Annotated[int, "Weights whose numbers are equal, as far as they were read."]
    changed: Annotated[list[WeightChange], "Largest difference first."]
    removed: list[StoredWeight]
    added: list[StoredWeight]
    renamed: Annotated[int, "Matched weights with another name."]
    renamings: Annotated[dict[str, str], "New names of the first of them by their old names."]
    types: Annotated[dict[str, int], "Weights by change of type, such as `float32 -> float16`."]
    bytes_read: int
    sampled: Annotated[int, "Weights of which only samples were compared, for their size."]
    largest: Annotated[float | None, "Largest relative difference of all changed weights."]

    @property
    def is_same(self) -> bool:
        return not (self.changed or self.removed or self.added or self.types)


@dataclass(frozen=True, slots=True)
class LayerPrecision:
    """A layer whose product runs in another precision."""

    layer: str
    op_type: str
    old: str
    new: str
    macs: int | None
    why: Annotated[str, "Reason why it does not run in integers, if that is known."]


@dataclass(frozen=True, slots=True)
class PrecisionShare:
    """Layers that run in a precision, in each model."""

    precision: str
    old: int
    new: int
    old_macs: Annotated[float | None, "Share of the model's MACs, 0 to 1."]
    new_macs: Annotated[float | None, "Share of the model's MACs, 0 to 1."]


@dataclass(frozen=True, slots=True)
class PrecisionDifference:
    """Precisions of layers before and after."""

    shares: list[PrecisionShare]
    changed: list[LayerPrecision]
    left: Annotated[
        list[LayerPrecision], "Layers that stay in floats although the model is quantized."
    ]


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of `modellint inspect` in each model."""

    name: Annotated[
        str,
        "parameters, macs, nodes, file-bytes, weight-bytes, kv-cache-per-token.",
    ]
    unit: Annotated[Literal["", "bytes"], "Empty for numbers."]
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class DeviceDifference:
    """Memory and time for one deployment, as `modellint inspect` computes them."""

    target: Annotated[str | None, "The device's id; null without a target, for budgets."]
    device: str | None
    runtime: str | None
    precision: Annotated[list[str], "In the old and the new model."]
    memory: Annotated[list[int], "Expected bytes in all."]
    weights: Annotated[list[int], "Bytes as deployed."]
    activations: Annotated[list[int], "Bytes of activations at their peak, as expected."]
    verdict: Annotated[list[Verdict | None], "Whether they fit."]
    seconds: Annotated[list[float | None], "Lower bound on the time of a run."]


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding of `modellint check`."""

    code: str
    severity: Literal["info", "warning", "error"]
    message: str
    place: Annotated[str, "Name of the node or value; empty for the file."]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FindingDifference:
    """Findings by whether they are new, compared by fingerprint."""

    new: list[FindingChange]
    gone: list[FindingChange]
    still: Annotated[int, "Number of findings that both models have."]
    both: Annotated[list[FindingChange], "Those findings, as in the new model."]
    reads_weights: Annotated[
        bool, "False if rules that read weights were left out, since the models are too large."
    ]


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of the efficiency score: a share of what is possible, and how much it counts."""

    name: Annotated[str, "integer work, stored size, or conversions."]
    share: Annotated[float, "0 to 1."]
    weight: Annotated[int, "Points for a share of 1."]
    points: int
    says: Annotated[str, "What the share is of."]


@dataclass(frozen=True, slots=True)
class SpeedBound:
    """Ratio of the lower bounds on a run's time on one device."""

    target: str
    device: str
    old: float
    new: float
    ratio: Annotated[float, "Old over new: more than 1 is faster."]


@dataclass(frozen=True, slots=True)
class QuantizationImpact:
    """Gain of quantization, if the new model is the old one quantized."""

    method: Annotated[str, "QDQ, QOperator, dynamic, weight-only, or several joined by +."]
    compression: Annotated[float | None, "Old bytes of weights over new ones."]
    integer_macs: Annotated[float | None, "Share of MACs in integers, 0 to 1; null if unknown."]
    integer_layers: int
    layers: int
    conversions: Annotated[int, "Conversions of activations between precisions in a run."]
    speed: list[SpeedBound]
    score: Annotated[int, "0 to 100: the sum of its parts."]
    parts: list[ScorePart]
    obstacles: Annotated[
        list[str], "What keeps layers in floats or a runtime from taking the model, worst first."
    ]


@dataclass(frozen=True, slots=True)
class Statement:
    """A hyperparameter that both files state, with different values."""

    name: Annotated[str, "For example layers, vocabulary, rotary base."]
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class PartDifference:
    """One part of a language model's weights in each model."""

    name: Annotated[str, "embeddings, attention, feed-forward, experts, output or other."]
    parameters: Annotated[list[int], "In the old and the new model."]
    bytes: Annotated[list[int], "In the old and the new model."]
    bits: Annotated[list[float | None], "Stored bits of each parameter, scales included."]
    types: Annotated[list[list[str]], "Element types, that of most bytes first."]


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """Tensors of one role, such as those of all layers, that compare in the same way."""

    tensors: Annotated[str, "Their name, with * for the number of a layer."]
    count: int
    change: Annotated[
        Literal["same", "changed", "converted", "resized", "added", "removed", "unread"],
        "`converted`: of another type, and other numbers unless `largest` is 0; `unread`: the "
        "numbers could not be compared.",
    ]
    types: Annotated[list[str | None], "Element type in the old and the new model."]
    shapes: Annotated[list[list[int] | None], "Shape in the old and the new model."]
    bytes: Annotated[list[int], "Of all of them in the old and the new model."]
    largest: Annotated[
        float | None,
        "Largest difference: root mean square, relative to that of the old numbers.",
    ]
    where: Annotated[str, "Name of the tensor with the largest difference."]
    is_sample: Annotated[bool, "True if only samples of the numbers were compared."]
    form: Annotated[
        str, "transposed, permuted or plus 1, if a converter stores the numbers that way."
    ]


@dataclass(frozen=True, slots=True)
class LanguageDifference:
    """Two models without graphs: their architecture, and their tensors by role."""

    statements: list[Statement]
    parts: list[PartDifference]
    tensors: Annotated[list[TensorDifference], "Largest difference first."]
    cache_per_token: Annotated[
        list[int | None], "Bytes of a token in all layers at 16 bits, in each model."
    ]

    @property
    def is_same(self) -> bool:
        return not self.statements and all(each.change == "same" for each in self.tensors)


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric of both models' evaluations."""

    name: str
    old: float | None
    new: float | None
    better: Annotated[Literal["higher", "lower"] | None, "Direction of an improvement."]
    error: Annotated[float | None, "Standard error of the difference, if both are stated."]


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """A limit on the growth of a figure."""

    name: str
    target: Annotated[str | None, "The device's id, for figures that depend on one."]
    old: float | None
    new: float | None
    limit: Annotated[str, "As it was given: +5%, +1MB."]
    most: Annotated[float | None, "The largest figure within the limit; null without an old one."]
    exceeded: bool
    unit: Literal["", "bytes", "seconds"]


@dataclass(frozen=True, slots=True)
class OutputDeviation:
    """An output of both models, over all inputs that they were run on."""

    name: Annotated[str, "Its name in the new model."]
    shape: Annotated[list[list[int]], "Shape in the old and the new model."]
    equal: Annotated[bool, "True if type, shape and every bit are equal."]
    differing: Annotated[int, "Number of elements that differ."]
    elements: int
    max_abs: Annotated[float | None, "Null unless the shapes are equal, as for those below."]
    mean_abs: float | None
    max_relative: Annotated[
        float | None,
        "Largest difference relative to the element, or to a thousandth of the root mean square.",
    ]
    cosine: float | None
    sqnr: Annotated[float | None, "Signal over noise in dB; null if all numbers are equal."]
    top1: Annotated[
        float | None, "Share of rows whose largest element is the same one; null without rows."
    ]
    same_nonfinite: Annotated[bool, "True if NaN and infinities are in the same places."]


@dataclass(frozen=True, slots=True)
class LayerDeviation:
    """An operation of both models, and the difference of its results."""

    old: NodePlace
    new: NodePlace
    noise: Annotated[
        float,
        "Energy of the difference, as a share of the result's; 0 if equal, 1e30 if NaN or "
        "infinities are in other places.",
    ]
    before: Annotated[float, "The same of its inputs, together."]
    sqnr: Annotated[float | None, "Signal over noise in dB; null if equal."]
    cosine: float
    starts: Annotated[bool, "True if the difference starts here: its inputs have hardly any."]
    old_range: Annotated[list[float] | None, "Least and largest number in all runs."]
    new_range: list[float] | None


@dataclass(frozen=True, slots=True)
class Saturation:
    """A quantizer of the new model whose input exceeds its range."""

    node: str
    value: str
    clipped: Annotated[float, "Share of elements outside the range."]
    quantized: Annotated[list[float], "Range of the quantizer."]
    seen: Annotated[list[float], "Least and largest number in all runs."]


@dataclass(frozen=True, slots=True)
class DeadChannels:
    """A layer with more channels that are zero in all runs than it had."""

    layer: str
    channels: int
    old: int
    new: int
    first: Annotated[list[int], "The first of the new model's."]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """Both models run on the same inputs, without graph optimizations."""

    runtime: Annotated[list[str], "Runtime of the old and the new model."]
    inputs: Annotated[str, "Description of the inputs."]
    runs: Annotated[int, "Number of inputs."]
    seconds: Annotated[list[float], "Time of all runs together, on one thread."]
    error: Annotated[str, "Reason why they could not be compared; empty if they were."] = ""
    outputs: list[OutputDeviation] = field(default_factory=list)
    compared: Annotated[int, "Operations whose results were compared."] = 0
    starts: Annotated[
        list[LayerDeviation], "Operations where a difference starts, in the order of the network."
    ] = field(default_factory=list)
    noisiest: Annotated[
        list[LayerDeviation], "Operations that add most noise to that of their inputs."
    ] = field(default_factory=list)
    saturated: Annotated[list[Saturation], "Most clipped first."] = field(default_factory=list)
    dead: list[DeadChannels] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Return True if both ran, and all outputs are equal."""
        return not self.error and all(output.equal for output in self.outputs)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two models. All fields are present; those that do not apply are null."""

    old: ModelSide
    new: ModelSide
    version: Literal[1] = 1
    modellint: Annotated[str, "The version of modellint that wrote this."] = __version__
    assumptions: Annotated[
        list[Assumed], "The deployments: what was stated, and what was assumed."
    ] = field(default_factory=list)
    interface: list[InterfaceChange] = field(default_factory=list)
    nodes: Annotated[NodeDifference | None, "Null unless both models have a graph."] = None
    blocks: list[CountChange] = field(default_factory=list)
    weights: WeightDifference | None = None
    precisions: Annotated[PrecisionDifference | None, "Null if no layer has another one."] = None
    figures: list[FigureChange] = field(default_factory=list)
    devices: list[DeviceDifference] = field(default_factory=list)
    findings: FindingDifference | None = None
    quantization: QuantizationImpact | None = None
    language: Annotated[
        LanguageDifference | None, "Null unless both models have tensors and no graph."
    ] = None
    metrics: Annotated[list[MetricChange] | None, "Null unless evaluations were given."] = None
    budgets: list[BudgetCheck] = field(default_factory=list)
    run: Annotated[RunDifference | None, "Null unless --run was given."] = None

    @property
    def is_readable(self) -> bool:
        sides = (self.old, self.new)
        return not any(problem.fatal for side in sides for problem in side.problems)

    @property
    def is_between_formats(self) -> bool:
        """Return True if the formats state operators differently: few attributes are compared."""
        formats = {self.old.format, self.new.format}
        return len(formats) > 1 and not formats <= SAME_DIALECT

    @property
    def breaking(self) -> list[InterfaceChange]:
        return [change for change in self.interface if change.breaking]

    @property
    def is_same(self) -> bool:
        """Return True if both models compute the same numbers, as far as weights were read."""
        nodes, weights, language = self.nodes, self.weights, self.language
        return (
            self.is_readable
            and self.precisions is None
            and (nodes is None or nodes.is_same)
            and (weights is None or weights.is_same)
            and (language is None or language.is_same)
        )

    @property
    def is_unchanged(self) -> bool:
        """Return True if numbers, inputs, outputs and findings are the same."""
        found = self.findings
        return (
            self.is_same
            and not any(change.what in ("input", "output") for change in self.interface)
            and not (found is not None and (found.new or found.gone))
            and not any(check.exceeded for check in self.budgets)
        )

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        first = ("version", "modellint", "old", "new")
        return {name: plain[name] for name in (*first, *(n for n in plain if n not in first))}

    def _repr_html_(self) -> str:
        from modellint.base.markup import table

        rows: list[tuple[str, object, object, str]] = [
            (f"{each.what} {each.name}", each.old or "", each.new or "", each.why)
            for each in self.interface
        ]
        rows += [(each.name, each.old, each.new, "") for each in self.figures]
        for side in (self.old, self.new):
            rows += [(side.path, "", "", problem.message) for problem in side.problems]
        said = "no difference" if self.is_unchanged else "breaks" if self.breaking else "changed"
        title = f"{self.old.path} → {self.new.path}: {said}"
        return table(title, ("what", "old", "new", "why it breaks"), rows)


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One of several models that were compared."""

    name: Annotated[str, "Path of the new model, or of the old one if there is no new one."]
    was: Annotated[str | None, "Path of the old model, if it is another one."]
    status: Literal["same", "changed", "breaking", "added", "removed", "unreadable"]
    says: Annotated[str, "What has changed, in one line."]
    bytes: Annotated[list[int | None], "Bytes of the old and the new model's files."]


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One of several variants of a model."""

    name: str
    metric: float | None
    bytes: Annotated[int | None, "Of its files."]
    memory: Annotated[int | None, "Expected bytes in all."]
    seconds: Annotated[float | None, "Lower bound on the time of a run."]
    cost: Annotated[float | None, "Lower bound on the price of a million runs, one by one."]
    is_optimal: Annotated[bool, "True if no other variant is as good in all, and better in one."]


@dataclass(frozen=True, slots=True)
class TradeOffs:
    """Accuracy next to size, memory, time and cost."""

    metric: Annotated[str | None, "The metric that all evaluations state."]
    better: Annotated[Literal["higher", "lower"] | None, "Direction of its improvement."]
    target: str | None
    price: Annotated[str | None, "Price of the target, with its offer, day and source."]
    currency: str | None
    variants: list[VariantFigures]


@dataclass(frozen=True, slots=True)
class Overview:
    """Several models, each with another: of two folders, or of two revisions."""

    old: Annotated[str, "The folder or the revision of the old models."]
    new: Annotated[str, "The same of the new ones; empty for the working tree."]
    models: list[OverviewRow]
    trade_offs: Annotated[
        TradeOffs | None, "Null unless evaluations or more than two models were given."
    ] = None
