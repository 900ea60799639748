"""Precisions of layers before and after, and what quantization gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.analysis.quantization import (
    Moves,
    QuantizationMap,
    QuantizationSummary,
    WeightedOp,
    weight_bytes,
)
from modellint.base.text import counted
from modellint.differ.matched import Matching
from modellint.results.difference import (
    DeviceDifference,
    LayerPrecision,
    PrecisionDifference,
    PrecisionShare,
    QuantizationImpact,
    ScorePart,
    SpeedBound,
)

Maps = tuple[QuantizationMap, QuantizationMap]

INTEGER_WORK, STORED_SIZE, CONVERSIONS = 60, 25, 15
"""Points of the efficiency score for each of its parts."""
LEAST_BITS = 8
"""Bits of a weight that give the full score for stored size."""


def precision_difference(found: Matching, maps: Maps) -> PrecisionDifference | None:
    """Return the precisions of layers, if any has another one or the new model is quantized."""
    old, new = maps
    changed = list(_changed(found, maps))
    left = list(_left(found, maps)) if new.is_quantized and not old.is_quantized else []
    if not changed and not left:
        return None
    return PrecisionDifference(list(_shares(maps)), changed, left)


def _changed(found: Matching, maps: Maps) -> Iterator[LayerPrecision]:
    for before, after in _layers(found, maps):
        if _said(before) != _said(after):
            yield _layer(maps, before, after, "")


def _left(found: Matching, maps: Maps) -> Iterator[LayerPrecision]:
    """Iterate over products in floats of a model that is quantized, with the reason."""
    for before, after in _layers(found, maps):
        if not after.is_quantized and not after.is_weight_only:
            yield _layer(maps, before, after, _why(maps[1], after))


def _layers(found: Matching, maps: Maps) -> Iterator[tuple[WeightedOp, WeightedOp]]:
    for pair in found.pairs:
        before, after = maps[0].op(pair.old.main), maps[1].op(pair.new.main)
        if before is not None and after is not None:
            yield before, after


def _layer(maps: Maps, before: WeightedOp, after: WeightedOp, why: str) -> LayerPrecision:
    node = after.node
    macs = maps[1].macs(after)
    return LayerPrecision(node.label, node.qualified_op, _said(before), _said(after), macs, why)


def _said(op: WeightedOp) -> str:
    """Return the precision of a product; with that of its weight where only this is narrower."""
    if op.is_weight_only:
        return f"{op.precision}, weights {op.weight_precision}"
    return op.precision


def _why(quantization: QuantizationMap, op: WeightedOp) -> str:
    if op.held_back:
        return op.held_back
    if op.is_recurrent:
        return f"{op.node.op_type} has no integer kernel for quantized pairs"
    move = quantization.kept(Moves).of(op.node)
    if move is not None:
        return move.what
    if not op.has_weight:
        return "it multiplies two activations, which are not quantized"
    parts = {"input": op.data.is_quantized, "weight": op.weight.is_quantized}
    missing = [name for name, is_quantized in parts.items() if not is_quantized]
    verb = "is" if len(missing) == 1 else "are"
    return f"its {' and '.join(missing)} {verb} not quantized" if missing else ""


def _shares(maps: Maps) -> Iterator[PrecisionShare]:
    grouped: list[dict[str, list[WeightedOp]]] = []
    for quantization in maps:
        groups: dict[str, list[WeightedOp]] = {}
        for op in quantization.ops:
            groups.setdefault(_said(op), []).append(op)
        grouped.append(groups)
    before, after = grouped
    names = sorted({*before, *after}, key=lambda n: (-len(before.get(n, ())), n))
    for name in names:
        one, other = before.get(name, []), after.get(name, [])
        shares = maps[0].share(one), maps[1].share(other)
        yield PrecisionShare(name, len(one), len(other), *shares)


# --- Quantization --------------------------------------------------------------------------------


def quantization_impact(
    maps: Maps,
    summary: QuantizationSummary,
    weights: Sequence[int],
    devices: Sequence[DeviceDifference],
) -> QuantizationImpact | None:
    """Return what quantization gains; None unless only the new model is quantized.

    `weights` are the stored bytes of both models.
    """
    old, new = maps
    if old.is_quantized or not new.is_quantized or not new.ops:
        return None
    integer = [op for op in new.ops if op.is_quantized and not op.held_back]
    parts = [
        _integer_work(new, integer),
        _stored_size(maps),
        _conversions(summary.conversions, len(new.ops)),
    ]
    return QuantizationImpact(
        method=summary.method,
        compression=weights[0] / weights[1] if all(weights) else None,
        integer_macs=new.share(integer),
        integer_layers=len(integer),
        layers=len(new.ops),
        conversions=summary.conversions,
        speed=[bound for device in devices if (bound := _speed(device)) is not None],
        score=sum(part.points for part in parts),
        parts=parts,
        obstacles=list(dict.fromkeys(d.title for d in (*summary.refused, *summary.deductions))),
    )


def _part(name: str, share: float, weight: int, says: str) -> ScorePart:
    share = min(max(share, 0.0), 1.0)
    return ScorePart(name, share, weight, round(weight * share), says)


def _integer_work(new: QuantizationMap, integer: Sequence[WeightedOp]) -> ScorePart:
    share = new.share(integer)
    if share is None:
        says = f"{len(integer)} of {len(new.ops)} layers run in integers"
        return _part("integer work", len(integer) / len(new.ops), INTEGER_WORK, says)
    return _part("integer work", share, INTEGER_WORK, f"{share:.0%} of MACs run in integers")


def _stored_size(maps: Maps) -> ScorePart:
    """Compare the saving of the layers' weights with that of storing all of them in 8 bits."""
    sizes, elements = [], 0
    for quantization in maps:
        unique = {id(op.weight.root.tensor): op for op in quantization.ops if op.has_weight}
        sizes.append(sum(weight_bytes(op) for op in unique.values()))
    for op in {id(op.weight.root.tensor): op for op in maps[0].ops if op.has_weight}.values():
        tensor = op.weight.root.tensor
        elements += tensor.elements if tensor is not None else 0
    possible = sizes[0] - elements * LEAST_BITS // 8
    saved = sizes[0] - sizes[1]
    share = saved / possible if possible > 0 else float(saved >= 0)
    bits = 8 * sizes[1] / elements if elements else 0
    return _part("stored size", share, STORED_SIZE, f"layers store {bits:.1f} bits per weight")


def _conversions(conversions: int, layers: int) -> ScorePart:
    between = counted(conversions, "conversion")
    says = f"{between} between precisions for {counted(layers, 'layer')}"
    return _part("conversions", 1 - conversions / layers, CONVERSIONS, says)


def _speed(device: DeviceDifference) -> SpeedBound | None:
    before, after = device.seconds
    if device.target is None or not before or not after:
        return None
    name = device.device or device.target
    return SpeedBound(device.target, name, before, after, before / after)
