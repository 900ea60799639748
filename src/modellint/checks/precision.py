"""Precision of a deployment compared to the stored weights and the device."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.precision import weight_dtype
from modellint.checks.api import Context, Hit


def weights_wider_than_deployed(context: Context) -> Iterator[Hit]:
    """Files that store weights in more bits than the deployment uses."""
    precision = context.deployment.precision
    stored = [tensor for tensor in context.model.tensors if tensor.dtype.is_float]
    now = sum(tensor.nbytes for tensor in stored)
    then = sum(weight_dtype(t.dtype, precision).nbytes(t.elements) for t in stored)
    if now - then >= context.options["min-bytes"]:
        widest = max({tensor.dtype for tensor in stored}, key=lambda dtype: dtype.bits)
        yield Hit(None, {"stored": now, "deployed": then, "dtype": str(widest)})


def precision_not_on_target(context: Context) -> Iterator[Hit]:
    """Deployments in a precision that the device does not support."""
    target, precision = context.deployment.target, context.deployment.precision
    known = target is not None and bool(target.matrix_precisions or target.vector_precisions)
    if target is None or precision is None or not known or target.supports(precision):
        return
    has = ", ".join((*target.matrix_precisions, *target.vector_precisions))
    yield Hit(None, {"precisions": has})
