"""Layers that TensorRT for RTX computes in float although both of their operands are quantized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellint.analysis.precision import dtype_of_precision
from modellint.operators import Trait, having, of
from modellint.runtimes.support import precisions
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from modellint.analysis.quantization.parts import WeightedOp

CONVOLUTION, TRANSPOSED, PRODUCT = "convolution", "transposed-convolution", "product"
MEASURED = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION)


def layer_of(op: WeightedOp) -> str:
    """Return the layer that represents an op in the table of the runtime's precisions."""
    traits = of(op.node).traits
    if Trait.TRANSPOSED_CONVOLUTION in traits:
        return TRANSPOSED
    return CONVOLUTION if Trait.CONVOLUTION in traits else PRODUCT


def computed_in(op: WeightedOp, precision: str, deployment: Deployment) -> str | None:
    """Return the type that a quantized layer is computed in; None if it is not known.

    Without a target, that is a type that all devices share.
    """
    target = deployment.target
    capability = target.compute_capability if target is not None else None
    layers = precisions(deployment.runtime or "", deployment.runtime_version)
    quantized, wide = dtype_of_precision(precision), dtype_of_precision(op.float_precision)
    row = layers.get(layer_of(op), {}).get(f"{quantized} {wide}", {})
    if capability is not None:
        known: str | None = row.get("{}.{}".format(*capability))
        return known
    types = set(row.values())
    return types.pop() if len(types) == 1 else None


def is_held_back(op: WeightedOp, deployment: Deployment) -> bool:
    computed = computed_in(op, op.operand_precision, deployment)
    return computed not in (None, dtype_of_precision(op.operand_precision))
