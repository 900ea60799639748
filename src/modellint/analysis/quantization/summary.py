"""Quantization summary of `inspect --quant`: precisions, islands, and the readiness score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from modellint.analysis.quantization.islands import Island, find_islands
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves import Moves
from modellint.analysis.quantization.ops import TYPED_PRODUCTS
from modellint.analysis.quantization.parts import WeightedOp, weight_bytes
from modellint.analysis.quantization.readiness import Obstacle, Readiness
from modellint.analysis.quantization.scheme import Scheme
from modellint.base.records import dataclass
from modellint.model import Model
from modellint.targets.deployment import Deployment

GAINS = 3
"""Number of suggested changes."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Ops that run in a precision."""

    ops: int
    ops_share: float
    macs: int | None
    macs_share: float | None
    weight_bytes: int
    """Bytes of weights stored in this precision."""


@dataclass(frozen=True, slots=True)
class IslandSummary:
    """A float region between quantized ops."""

    node: str
    op_type: str
    nodes: int
    products: int
    """Number of weighted ops that run in float because of it."""
    conversions: int
    macs_share: float | None
    precision: str
    slowdown: float | None
    """Slowdown on the target, from its peak rates."""


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """A weighted op, and the reason for its precision."""

    node: str
    op_type: str
    precision: str
    weight_precision: str
    data_scheme: str | None
    weight_scheme: str | None
    macs: int | None
    macs_share: float | None


@dataclass(frozen=True, slots=True)
class Deduction:
    """Points that an obstacle deducts from the score, and how to regain them."""

    kind: str
    title: str
    points: int
    share: float
    nodes: int
    first: str
    remedy: str


@dataclass(frozen=True, slots=True)
class MoveSummary:
    """Pairs to insert, remove or replace, and what that gains."""

    what: str
    gain: str
    layers: tuple[str, ...]
    """The layers that become integer."""
    macs: int | None
    macs_share: float | None
    conversions: int
    """Conversions of activations that vanish at least; negative if some are added."""
    edits: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class QuantizationSummary:
    """Quantization of a model, or its readiness for it."""

    method: str
    """``none``, ``QDQ``, ``QOperator``, ``dynamic``, ``integer`` (by the types of tensors alone),
    ``weight-only``, or several joined by +."""
    precision: str
    """Precision of most of the model."""
    coverage: Mapping[str, Coverage]
    """Coverage by the precision of products."""
    values: Mapping[str, int]
    """Number of activations by precision."""
    schemes: Mapping[str, Mapping[str, int]]
    """Schemes of activations and weights: descriptions with counts."""
    conversions: int
    """Number of conversions at the borders of islands and at the ends of the model."""
    islands: tuple[IslandSummary, ...]
    layers: tuple[LayerSummary, ...]
    score: int | None
    deductions: tuple[Deduction, ...]
    moves: tuple[MoveSummary, ...]
    """Pairs in the wrong place for the deployment's runtime, those with the largest gain first."""
    refused: tuple[Deduction, ...]
    """If no runtime is given: why TensorRT would refuse the model."""
    by_work: bool
    """True if shares are of MACs; otherwise shapes are open and they are of layers."""
    assumed: Mapping[str, int]
    """Assumed dims that MACs are counted for."""
    target: str | None

    @property
    def gains(self) -> tuple[Deduction, ...]:
        """Return the changes with the largest gains."""
        return self.deductions[:GAINS]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON data; unknown fields are null."""
        plain = asdict(self)
        for name in ("islands", "layers", "deductions", "refused"):
            plain[name] = list(plain[name])
        plain["moves"] = [
            {**asdict(m), "layers": list(m.layers), "edits": list(m.edits)} for m in self.moves
        ]
        return {**plain, "gains": [asdict(gain) for gain in self.gains]}


def quantization_summary(model: Model, deployment: Deployment) -> QuantizationSummary:
    """Summarize the quantization of a model. Reads the weights of float models."""
    readiness = Readiness(model, deployment)
    quantization = readiness.map
    islands = find_islands(quantization)
    return QuantizationSummary(
        method=_method(quantization),
        precision=_mostly(quantization),
        coverage=_coverage(quantization),
        values=dict(Counter(quantization.value_precisions().values()).most_common()),
        schemes={
            "activations": _schemes(
                [q.scheme for q in quantization.activation_quantizers]
                + [op.data.own_scheme for op in quantization.ops]
            ),
            "weights": _schemes(
                [dq.scheme for dq in quantization.weight_dequantizers]
                + [op.weight.own_scheme for op in quantization.ops]
            ),
        },
        conversions=sum(island.conversions for island in islands) + quantization.end_conversions,
        islands=tuple(_island(quantization, island) for island in islands),
        layers=tuple(_layer(quantization, op) for op in quantization.ops),
        score=readiness.score,
        deductions=tuple(_deduction(obstacle) for obstacle in readiness.obstacles),
        moves=tuple(_moves(quantization.kept(Moves))),
        refused=_refused(readiness) if deployment.runtime is None else (),
        by_work=readiness.is_by_work,
        assumed=dict(quantization.assumed),
        target=deployment.target.name if deployment.target is not None else None,
    )


def _method(quantization: QuantizationMap) -> str:
    found = []
    if any(not q.is_weight for q in quantization.quantizers) and any(
        op.is_quantized and op.integer is None for op in quantization.ops
    ):
        found.append("QDQ")
    integer = {op.node.op_type for op in quantization.ops if op.integer}
    qualified = {op.node.qualified_op for op in quantization.ops if op.integer}
    if any(op.startswith(("QLinear", "QGemm", "QAttention")) for op in integer):
        found.append("QOperator")
    if any(op.endswith(("Integer", "Integer16", "IntegerToFloat")) for op in integer) or any(
        op.startswith("Dynamic") for op in integer
    ):
        found.append("dynamic")
    if any(op in TYPED_PRODUCTS for op in qualified):
        found.append("integer")
    if not found and any(op.is_weight_only for op in quantization.ops):
        found.append("weight-only")
    if not found and quantization.is_quantized:
        found.append("QDQ")
    return "+".join(found) or "none"


def _mostly(quantization: QuantizationMap) -> str:
    counts = Counter(op.precision for op in quantization.ops)
    return counts.most_common(1)[0][0] if counts else "fp32"


def _coverage(quantization: QuantizationMap) -> dict[str, Coverage]:
    computed: dict[str, list[WeightedOp]] = {}
    for op in quantization.ops:
        computed.setdefault(op.precision, []).append(op)
    stored: Counter[str] = Counter()
    seen: set[int] = set()
    for op in quantization.ops:
        tensor = op.weight.root.tensor
        if tensor is not None and id(tensor) not in seen:
            seen.add(id(tensor))
            stored[op.weight_precision] += weight_bytes(op)
    names = sorted({*computed, *stored}, key=lambda name: (-len(computed.get(name, ())), name))
    return {name: _covered(quantization, computed.get(name, []), stored[name]) for name in names}


def _covered(quantization: QuantizationMap, ops: list[WeightedOp], stored: int) -> Coverage:
    return Coverage(
        ops=len(ops),
        ops_share=len(ops) / max(1, len(quantization.ops)),
        macs=quantization.sum_macs(ops),
        macs_share=quantization.share(ops),
        weight_bytes=stored,
    )


def _schemes(schemes: Iterable[Scheme | None]) -> dict[str, int]:
    return dict(Counter(one.describe() for one in schemes if one is not None).most_common())


def _island(quantization: QuantizationMap, island: Island) -> IslandSummary:
    floating = next((op.float_precision for op in island.ops), _mostly(quantization))
    return IslandSummary(
        node=island.opener.label,
        op_type=island.opener.qualified_op,
        nodes=len(island.nodes),
        products=len(island.ops),
        conversions=island.conversions,
        macs_share=quantization.share(island.ops),
        precision=floating,
        slowdown=quantization.slowdown(quantization.main_precision, floating),
    )


def _layer(quantization: QuantizationMap, op: WeightedOp) -> LayerSummary:
    data, weight = op.data.scheme, op.weight.scheme
    return LayerSummary(
        node=op.node.label,
        op_type=op.node.qualified_op,
        precision=op.precision,
        weight_precision=op.weight_precision,
        data_scheme=data.describe() if data is not None else None,
        weight_scheme=weight.describe() if weight is not None else None,
        macs=quantization.macs(op),
        macs_share=quantization.share([op]),
    )


def _moves(moves: Moves) -> Iterator[MoveSummary]:
    for move in moves.all:
        yield MoveSummary(
            what=move.what,
            gain=moves.gain(move),
            layers=tuple(op.node.label for op in move.ops),
            macs=moves.map.sum_macs(move.ops),
            macs_share=moves.map.share(move.ops),
            conversions=move.conversions,
            edits=tuple(edit.to_json() for edit in move.edits),
        )


def _refused(readiness: Readiness) -> tuple[Deduction, ...]:
    quantized = readiness.map.is_quantized
    return tuple(_deduction(each) for each in readiness.refused if each is not None and quantized)


def _deduction(obstacle: Obstacle) -> Deduction:
    return Deduction(
        kind=obstacle.kind,
        title=obstacle.title,
        points=obstacle.points,
        share=obstacle.share,
        nodes=len(obstacle.nodes),
        first=obstacle.nodes[0].label,
        remedy=obstacle.remedy,
    )
