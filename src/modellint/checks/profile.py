"""Measured runs: time lost because of the model rather than the device."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from modellint.checks.api import Context, Hit
from modellint.model import Node
from modellint.operators import Trait, having
from modellint.profiles.profiled import ProfiledLayer, ProfiledModel

_POINTWISE = having(Trait.POINTWISE)
_WIDER = {"fp16": ("fp32", "fp64"), "bf16": ("fp32", "fp64"), "int8": ("fp16", "bf16", "fp32")}
"""Precisions that are wider than that of most of the time, and slower."""
_NARROW_SHARE = 0.5
FEW = 3


def unmatched(context: Context) -> Iterator[Hit]:
    """A profile whose layers do not match the model."""
    profiled = context.profiled
    if profiled is None or not profiled.run.layers or not context.model.has_graph:
        return
    share = profiled.found
    if share < context.options["share"]:
        yield Hit(None, {"share": share, "layers": len(profiled.run.layers)})


def reformats(context: Context) -> Iterator[Hit]:
    """Layers that only convert types or layouts."""
    yield from _of_kind(context, "reformat")


def host_copies(context: Context) -> Iterator[Hit]:
    """Copies between the memories of host and device, inside a run or around it."""
    profiled = context.profiled
    times = profiled.run.times if profiled is not None else None
    if times is not None and times.host is not None and times.median > 0:
        share = times.host / (times.host + times.median)
        if share >= context.options["share"]:
            facts = {**_cost(times.host, times.host + times.median), "share": share}
            yield Hit(None, facts, variant="around")
    yield from _of_kind(context, "copy")


def _of_kind(context: Context, kind: str) -> Iterator[Hit]:
    profiled = context.profiled
    if profiled is None or not profiled.total:
        return
    found = [each for each in profiled.layers if each.layer.kind == kind]
    seconds = math.fsum(each.seconds for each in found)
    share = seconds / profiled.total
    if not found or share < context.options["share"]:
        return
    found.sort(key=lambda each: -each.seconds)
    facts = {
        **_cost(seconds, profiled.total),
        "share": share,
        "layers": len(found),
        "first": [each.layer.name for each in found[:FEW]],
    }
    place = next((each.nodes[0] for each in found if each.nodes), None)
    yield Hit(place, facts, count=len(found))


def launch_bound(context: Context) -> Iterator[Hit]:
    """A GPU that waits for kernels to be launched most of the time."""
    profiled = context.profiled
    if profiled is None or profiled.run.device.kind != "gpu" or profiled.run.times is None:
        return
    whole, busy = profiled.run.times.median, profiled.total
    kernels = sum(max(1.0, each.layer.calls or 1.0) for each in profiled.layers)
    if not kernels or not 0 < busy < whole:
        return
    idle, mean = 1 - busy / whole, busy / kernels
    if idle >= context.options["idle"] and mean * 1e6 <= context.options["microseconds"]:
        facts = {
            **_cost(whole - busy, whole),
            "idle": idle,
            "kernels": round(kernels),
            "microseconds": mean * 1e6,
        }
        yield Hit(None, facts)


def wide_layer(context: Context) -> Iterator[Hit]:
    """A compute-heavy layer in a wider type than most of the model."""
    profiled = context.profiled
    if profiled is None or not profiled.total:
        return
    heavy = [each for each in profiled.layers if each.macs]
    usual = _usual_precision(heavy)
    if usual not in _WIDER:
        return
    for each in heavy:
        share = each.seconds / profiled.total
        if each.layer.precision in _WIDER[usual] and share >= context.options["share"]:
            facts = {
                **_cost(each.seconds, profiled.total),
                "type": each.layer.precision,
                "usual": usual,
                "share": share,
            }
            yield Hit(_heaviest(each), facts)


def _usual_precision(layers: Sequence[ProfiledLayer]) -> str:
    """Return the precision of most of the arithmetic, if more than half of it has one."""
    macs: dict[str, int] = {}
    for each in layers:
        if each.layer.precision is not None:
            macs[each.layer.precision] = macs.get(each.layer.precision, 0) + (each.macs or 0)
    most = max(macs, key=lambda name: macs[name], default="")
    total = sum(each.macs or 0 for each in layers)
    return most if most and macs[most] > _NARROW_SHARE * total else ""


def passes(context: Context) -> Iterator[Hit]:
    """Consecutive pointwise layers, each of which reads and writes full tensors."""
    profiled = context.profiled
    if profiled is None or not profiled.total:
        return
    taken: set[int] = set()
    for each in profiled.layers:
        if id(each) in taken or not _is_pointwise(each):
            continue
        chain = _chain(profiled, each)
        taken |= {id(member) for member in chain}
        seconds = math.fsum(member.seconds for member in chain)
        share = seconds / profiled.total
        if len(chain) > 1 and share >= context.options["share"]:
            facts = {
                **_cost(seconds, profiled.total),
                "layers": len(chain),
                "share": share,
                "last": chain[-1].nodes[-1].label,
                "saved": 1000 * seconds * (len(chain) - 1) / len(chain),
            }
            related = tuple(member.nodes[-1] for member in chain[1:])
            yield Hit(chain[0].nodes[0], facts, count=len(chain), related=related)


def _chain(profiled: ProfiledModel, first: ProfiledLayer) -> list[ProfiledLayer]:
    chain = [first]
    while True:
        last = chain[-1]
        after = profiled.next_layers(last)
        is_kept = any(v is not None and v.is_output for n in last.nodes for v in n.outputs)
        if len(after) != 1 or is_kept or after[0] is None or after[0] in chain:
            return chain
        if not _is_pointwise(after[0]) or not _is_alike(last, after[0]):
            return chain
        chain.append(after[0])


def _is_pointwise(each: ProfiledLayer) -> bool:
    return bool(each.nodes) and all(node.op_type in _POINTWISE for node in each.nodes)


def _is_alike(one: ProfiledLayer, other: ProfiledLayer) -> bool:
    """Return True for layers whose results have the same shape."""
    shapes = [
        value.shape if (value := each.nodes[-1].output()) is not None else None
        for each in (one, other)
    ]
    return shapes[0] is not None and shapes[0] == shapes[1]


def idle_units(context: Context) -> Iterator[Hit]:
    """A kernel with fewer blocks than the GPU has multiprocessors."""
    profiled = context.profiled
    units = profiled.run.device.units if profiled is not None else None
    if profiled is None or not units or profiled.run.device.kind != "gpu" or not profiled.total:
        return
    for each in profiled.layers:
        blocks, share = math.prod(each.layer.grid), each.seconds / profiled.total
        if each.layer.grid and blocks < units and share >= context.options["share"]:
            facts = {
                **_cost(each.seconds, profiled.total),
                "layer": each.layer.name,
                "blocks": blocks,
                "units": units,
                "share": share,
            }
            yield Hit(each.nodes[0] if each.nodes else None, facts)


def slow_among_alike(context: Context) -> Iterator[Hit]:
    """A layer that is far slower than others with the same operator and about the same work."""
    profiled = context.profiled
    if profiled is None or not profiled.total:
        return
    heavy = [each for each in profiled.layers if each.macs and each.flops_per_second]
    for each in heavy:
        share = each.seconds / profiled.total
        if share < context.options["share"]:
            continue
        rates = [
            other.flops_per_second or 0.0
            for other in heavy
            if other is not each and _does_alike(each, other)
        ]
        own = each.flops_per_second or 0.0
        if len(rates) >= context.options["others"]:
            usual = statistics.median(rates)
            if usual >= context.options["factor"] * own:
                facts = {
                    **_cost(each.seconds, profiled.total),
                    "share": share,
                    "factor": usual / own,
                    "others": len(rates),
                    "expected": 1000 * (each.flops or 0) / usual,
                }
                yield Hit(_heaviest(each), facts)


def _does_alike(one: ProfiledLayer, other: ProfiledLayer) -> bool:
    """Return True for layers with the same operators, precision, and about the same work."""
    if _heaviest(one).op_type != _heaviest(other).op_type:
        return False
    if one.layer.precision != other.layer.precision:
        return False
    if _heaviest(one).get_int("group", 1) != _heaviest(other).get_int("group", 1):
        return False
    mine, its = one.intensity, other.intensity
    return (
        mine is not None
        and its is not None
        and 0.5 <= mine / its <= 2
        and 0.25 <= (one.macs or 1) / (other.macs or 1) <= 4
    )


def _heaviest(each: ProfiledLayer) -> Node:
    """Return the node of a layer that names it: the first product, else the first node."""
    products = (n for n in each.nodes if n.op_type in ("Conv", "Gemm", "MatMul", "ConvTranspose"))
    return next(products, each.nodes[0])


def _cost(seconds: float, total: float) -> dict[str, object]:
    """Return the facts for every message of these rules."""
    return {"milliseconds": 1000 * seconds, "total": 1000 * total}
