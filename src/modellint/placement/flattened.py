"""Products with a bias, which ONNX Runtime turns into a Gemm between two Reshapes.

It does so before it places nodes: a device without units for floats leaves the Gemm and takes both
Reshapes. Where the input of an attention is normalized, and added again to its result, the products
stay as they are for a fusion of the whole (onnxruntime/core/optimizer/matmul_add_fusion.cc, 1.32).
"""

from __future__ import annotations

from collections.abc import Iterable

from modellint.forms.facts import Facts
from modellint.model import Node, is_static
from modellint.operators import Trait, having
from modellint.placement.added import AddedNodes, beside

_PRODUCTS, _NORMALIZATIONS = having(Trait.MATMUL), having(Trait.NORMALIZATION)
_SUMS = having(Trait.ADDITION).keys() & having(Trait.ARITHMETIC).keys()
_SHAPES = having(Trait.READS_SHAPE)
_FLOATS = frozenset({"float16", "float32", "bfloat16"})
_PROJECTIONS = 3
"""Of an attention's query, keys and values."""


def flattened(facts: Facts, nodes: Iterable[Node]) -> AddedNodes:
    """Return the Reshapes around those of the nodes that become a Gemm."""
    added = AddedNodes()
    pairs = [pair for pair in map(_with_bias, nodes) if pair and _is_flattened(facts, *pair)]
    attention = {id(_after_attention(product)) for product, _ in pairs}
    for product, total in pairs:
        if _after_attention(product) is None and id(total) not in attention:
            added.put_before(product, beside(product, "Reshape", "gemm_input_reshape"))
            added.put_after(total, beside(total, "Reshape", "gemm_output_reshape"))
    return added


def _with_bias(product: Node) -> tuple[Node, Node] | None:
    result = product.output() if product.op_type in _PRODUCTS and not product.domain else None
    total = result.sole_consumer if result is not None else None
    return (product, total) if total is not None and total.op_type in _SUMS else None


def _is_flattened(facts: Facts, product: Node, total: Node) -> bool:
    data, weight = product.input(0), product.input(1)
    bias = next((value for value in total.inputs if value not in product.outputs), None)
    if data is None or weight is None or bias is None:
        return False
    dtype, shape, stored = facts.dtype(data), facts.shape(data), facts.shape(weight)
    return (
        dtype is not None
        and dtype.name in _FLOATS
        and shape is not None
        and len(shape) != 2
        and is_static(shape)
        and stored is not None
        and len(stored) == 2
        and facts.shape(bias) == stored[1:]
    )


def _after_attention(product: Node) -> Node | None:
    """Return the sum after an attention of which the product is a projection."""
    data = product.input(0)
    source = data.producer if data is not None else None
    if data is None or source is None or source.op_type not in _NORMALIZATIONS:
        return None
    readers = [use.node for use in data.consumers]
    sums = [node for node in readers if node.op_type in _SUMS]
    products = [node for node in readers if node.op_type in _PRODUCTS]
    shapes = [node for node in readers if node.op_type in _SHAPES]
    if len(sums) != 1 or len(products) != _PROJECTIONS:
        return None
    other = next((value for value in sums[0].inputs if value is not data), None)
    maker = other.producer if other is not None else None
    is_whole = len(shapes) + len(sums) + len(products) == len(readers)
    return maker if is_whole and maker is not None and maker.op_type in _SUMS else None
