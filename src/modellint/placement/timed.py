"""Expected time of a model whose placement leaves nodes to a second unit.

Its parts run one after the other: those on the accelerator as if it ran all, the others on a CPU,
and every value that crosses from one unit to the other is copied. Each part on the accelerator is
a call of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modellint.analysis.assume import settle
from modellint.analysis.latency import LayerTime, TimeEstimate, latency
from modellint.analysis.latency.coefficients import Fitted, usual_cpu
from modellint.analysis.latency.cpu import Cpu
from modellint.analysis.latency.kernels import Launch
from modellint.analysis.latency.loops import Loops, table
from modellint.model import Model, Node
from modellint.placement.analysis import placement
from modellint.placement.placed import UnitPlacement
from modellint.targets.deployment import Deployment
from modellint.targets.target import Target

HOST_RATE = 1e11
"""Operations per second in fp32 of the CPU next to an accelerator, whose own rate is not known."""
HOST_CORES = 4
HOST_BANDWIDTH = 1e10
"""Bytes per second of the memory that both have, where it is not known."""
COPIES = "copies"
FP32 = 4


def latency_on_units(model: Model, deployment: Deployment) -> TimeEstimate | None:
    """Return the expected time with the nodes where the runtime places them.

    None for a deep-learning accelerator, of which no figures are known: a GPU's would be wrong.
    """
    if deployment.is_on_dla:
        return None
    estimate = latency(model, deployment)
    settled = settle(model, deployment).deployment  # as the time is that of assumed sizes
    units = placement(model, settled) if estimate is not None else None
    if estimate is None or units is None or not units.fallback:
        return estimate
    is_left = any(map(units.refusal_of, _running(estimate)))
    has_own_memory = estimate.target.compute_capability is not None
    return estimate if has_own_memory or not is_left else _split(estimate, units)


def _running(estimate: TimeEstimate) -> Iterator[Node]:
    for layer in estimate.layers:
        yield from layer.launch.nodes


def _split(estimate: TimeEstimate, units: UnitPlacement) -> TimeEstimate:
    """Return the time of all parts, and of what lies between them in the memory that both have."""
    target = estimate.target
    fitted = usual_cpu()
    host, weights = Cpu(_host_of(target), fitted.coefficients), estimate.launches.weight_bytes
    layers, elsewhere = [], 0.0
    for layer in estimate.layers:
        left = _left(layer.launch, units)
        if left is not layer.launch:
            layers.append(layer)
        if left is not None:
            layers.append(LayerTime(left, host.time(left, weights)))
            elsewhere += layers[-1].seconds
    crossing = sum(boundary.nbytes or 0 for boundary in units.boundaries)
    copies = 2 * crossing / (target.memory.bandwidth or HOST_BANDWIDTH)  # read and written
    calls = estimate.call * len(units.accelerated)
    here = sum([layer.seconds for layer in layers]) - elsewhere + calls
    whole = here + elsewhere + copies
    error = (here * estimate.fitted.error + (elsewhere + copies) * fitted.error) / whole
    return replace(
        estimate,
        fitted=Fitted(estimate.fitted.coefficients, error, "theoretical", estimate.fitted.source),
        layers=tuple(layers),
        call=calls + copies,
        units={units.unit: here, units.fallback: elsewhere, COPIES: copies},
    )


def _left(kernel: Launch, units: UnitPlacement) -> Launch | None:
    """Return what runs on the CPU of a kernel: all of it, loops over what crosses, or nothing."""
    if units.refusal_of(kernel.main) is not None:
        return kernel
    nodes = tuple(node for node in kernel.nodes if units.refusal_of(node) is not None)
    if not nodes:
        return None
    moved = sum(each.nbytes or 0 for each in units.boundaries if each.node in nodes)
    loops = Loops(table()["other"] * moved / FP32)
    return Launch(nodes, "pointwise", (), 0, 0, moved, loops)


def _host_of(target: Target) -> Target:
    """Return the CPU next to an accelerator: with the memory that both have."""
    return replace(
        target,
        vendor="cpu",
        architecture=None,
        vector_precisions=("fp32",),
        matrix_precisions=(),
        rates={"fp32": HOST_RATE},
        units=HOST_CORES,
        memory=replace(target.memory, bandwidth=target.memory.bandwidth or HOST_BANDWIDTH),
        l2_bytes=None,
    )
