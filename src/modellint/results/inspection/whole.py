"""One inspected model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from modellint.base.records import dataclass
from modellint.base.version import __version__
from modellint.results.inspection.assumed import Assumed
from modellint.results.inspection.engine import Engine, MeasuredLayer
from modellint.results.inspection.language import LanguageDevice, LanguageModel
from modellint.results.inspection.memory import Memory
from modellint.results.inspection.placement import Placed
from modellint.results.inspection.structure import (
    Attention,
    Block,
    Cache,
    Efficiency,
    Identity,
    Layer,
    LayerFacts,
    Port,
    States,
    Term,
    Trouble,
    WeightFigures,
)
from modellint.results.inspection.sweep import Candidate
from modellint.results.inspection.timing import Time


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
