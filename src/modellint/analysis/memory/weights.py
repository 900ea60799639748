"""Memory of the weights after loading by a runtime."""

from __future__ import annotations

from collections.abc import Container

from modellint.analysis.chains import LONGEST
from modellint.analysis.folding import Folding
from modellint.analysis.memory.fusion import PRODUCTS
from modellint.analysis.precision import weight_dtype
from modellint.base.records import dataclass
from modellint.model import DType, Model, Value, element_count
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

_FILLING = having(Trait.VIEW, Trait.CAST, Trait.BROADCAST)
"""Ops that keep a tensor of identical elements as such."""
_ARRANGING = having(Trait.VIEW, Trait.CAST, Trait.TRANSPOSE)
"""Ops on constants that are done before the first run."""
_DEQUANTIZES = having(Trait.DEQUANTIZE)
_SHAPE_BYTES = 1024
"""Maximum size of integer tensors that are shapes and axes, which stay on the host."""


@dataclass(frozen=True, slots=True)
class DeployedWeights:
    """Bytes at the deployed precision, by element type, and as stored in the file."""

    by_dtype: dict[str, int]
    stored: int
    folded: int
    """Bytes computed by the graph before the first run rather than stored."""
    matrices: int
    """Bytes of weights with two or more dims: vectors may be folded into kernels."""
    unknown: tuple[Value, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(self.by_dtype.values())


def deployed_weights(
    model: Model, folding: Folding, deployment: Deployment, left_out: frozenset[int]
) -> DeployedWeights:
    """Return all constants that running nodes read, without folded BatchNormalizations."""
    by_dtype: dict[str, int] = {}
    stored = folded = matrices = 0
    unknown: list[Value] = []
    if not model.has_graph:
        for tensor in model.tensors:
            kept = weight_dtype(tensor.dtype, deployment.precision)
            size = tensor.nbytes if kept is tensor.dtype else kept.nbytes(tensor.elements)
            by_dtype[kept.name] = by_dtype.get(kept.name, 0) + size
            stored += tensor.nbytes
        return DeployedWeights(by_dtype, stored, 0, sum(by_dtype.values()))
    for value in folding.weights():
        if id(value) in left_out or _merges(value):
            continue
        dtype = value.tensor.dtype if value.tensor is not None else value.dtype
        elements = element_count(folding.types.shape(value))
        if dtype is None or elements is None:
            unknown.append(value)
            continue
        deployed = _deployed(value, dtype, deployment.precision)
        size = deployed.nbytes(elements)
        if value.tensor is not None:
            stored += value.tensor.nbytes
            if deployed is dtype:
                size = value.tensor.nbytes or size
        elif dtype.is_float or size > _SHAPE_BYTES:
            folded += size
        if not dtype.is_float and size <= _SHAPE_BYTES and not _is_quantized(value):
            continue
        by_dtype[deployed.name] = by_dtype.get(deployed.name, 0) + size
        matrices += size if len(folding.types.shape(value) or ()) > 1 else 0
    return DeployedWeights(by_dtype, stored, folded, matrices, tuple(unknown))


def is_fill(value: Value) -> bool:
    """Return True for a constant of identical elements that a ConstantOfShape makes."""
    node = _origin(value, _FILLING).producer
    return node is not None and node.op_type == "ConstantOfShape"


def is_stored(value: Value) -> bool:
    """Return True for a stored constant, unchanged or only rearranged."""
    return _origin(value, _ARRANGING).is_constant


def _origin(value: Value, ops: Container[str]) -> Value:
    """Return the value that these ops make a value from, each from its first input."""
    for _ in range(LONGEST):
        node = value.producer
        source = node.input(0) if node is not None and node.op_type in ops else None
        if source is None:
            break
        value = source
    return value


def _deployed(value: Value, dtype: DType, precision: str | None) -> DType:
    """Return the deployed type; below 16 bits only for weights of products."""
    deployed = weight_dtype(dtype, precision)
    if not dtype.is_float or deployed.bits >= 16:
        return deployed
    shape = value.tensor.shape if value.tensor is not None else value.shape or ()
    multiplied = any(use.node.op_type in PRODUCTS for use in value.consumers)
    return deployed if multiplied and len(shape) > 1 else weight_dtype(dtype, "fp16")


def _is_quantized(value: Value) -> bool:
    return any(use.node.op_type in _DEQUANTIZES for use in value.consumers)


def _merges(value: Value) -> bool:
    """Return True for parameters of a BatchNormalization that is folded into a convolution."""
    if not value.consumers:
        return False
    for node, index in value.consumers:
        source = node.input(0)
        producer = source.producer if source is not None else None
        if node.op_type != "BatchNormalization" or index == 0 or producer is None:
            return False
        bias = len(producer.inputs) > 2 and producer.inputs[2] is not None
        if producer.op_type not in ("Conv", "ConvTranspose", "Gemm") or (index == 2 and not bias):
            return False
    return True
