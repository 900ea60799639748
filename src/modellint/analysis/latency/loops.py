"""Work of loops over elements in ONNX Runtime's CPU provider, from `loops.toml`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from modellint.analysis.fusion import axes_of
from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.model import Node, Value, product
from modellint.operators import Trait, having

_FILE = Path(__file__).with_name("loops.toml")
_PRODUCTS = having(
    Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION, Trait.MATMUL, Trait.GEMM, Trait.CONTRACTION
)
_RECURRENT = having(Trait.RECURRENT)
_POINTWISE = having(Trait.POINTWISE)
_NORMALIZATIONS = having(Trait.NORMALIZATION, Trait.SKIP_NORMALIZATION)
_ALONG_ROWS = having(Trait.NORMALIZATION, Trait.SKIP_NORMALIZATION, Trait.SOFTMAX)
_SOFTMAXES = having(Trait.SOFTMAX)
_POOLS = having(Trait.POOL)
_REDUCTIONS = having(Trait.REDUCES)
_MEANS = having(Trait.MEAN)
_ROOTS = having(Trait.ROOT)
_SELECTS = having(Trait.SELECTS)
_TRANSPOSES = having(Trait.TRANSPOSE)
_ARITHMETIC = having(Trait.ARITHMETIC)

ShapeOf = Callable[[Value | None], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Loops:
    """Work besides products: vector operations, and rows that are begun one by one."""

    operations: float = 0.0
    rows: int = 0


@cache
def table() -> dict[str, Any]:
    return kept_toml(_FILE)


def loops_of(nodes: Sequence[Node], shape_of: ShapeOf) -> Loops:
    """Return the work of a kernel."""
    names = {node.op_type for node in nodes}
    if (
        len(nodes) > 1 and not names.isdisjoint(_MEANS) and not names.isdisjoint(_ROOTS)
    ):  # a normalization, written out
        largest = max((shape_of(node.input(0)) for node in nodes), key=product)
        return Loops(table()["normalization"] * product(largest), product(largest[:-1]))
    if len(nodes) > 1 and table()["gelu_of"] in names:
        return Loops(table()["gelu"] * max(_elements(node, shape_of) for node in nodes))
    operations, rows = 0.0, 0
    is_fused = not names.isdisjoint(_PRODUCTS)
    for node in nodes:
        each = _each(node, shape_of)
        if is_fused and node.op_type in _POINTWISE:
            each = min(each, table()["fused"])
        operations += each * _elements(node, shape_of)
        if node.op_type in _ALONG_ROWS:
            rows += product(shape_of(node.input(0))[:-1])
    return Loops(operations, rows)


def _elements(node: Node, shape_of: ShapeOf) -> int:
    """Return the elements of a node's first operand or result, whichever has more."""
    made = product(shape_of(node.output()))
    return made if node.op_type in _SELECTS else max(made, product(shape_of(node.input(0))))


def _each(node: Node, shape_of: ShapeOf) -> float:
    """Return the operations for each element."""
    op_type, costs = node.op_type, table()
    if op_type in _PRODUCTS or op_type in _RECURRENT:
        return 0.0
    found = costs["operators"].get(op_type)
    if found is None:
        found = costs["operators"].get(f"{op_type}.{node.get_str('mode', 'nearest')}")
    if node.op_type in _TRANSPOSES and _moves_last(node):
        found = costs["turned"]
    if found is not None:
        is_scaled = node.op_type in _ARITHMETIC and _has_number(node, shape_of)
        return float(found) * (costs["scalar"] if is_scaled else 1)
    return float(costs[_kind(node, shape_of)]) * _positions(node, shape_of)


def _kind(node: Node, shape_of: ShapeOf) -> str:
    """Return the figure for an operator without its own."""
    op_type = node.op_type
    if op_type in _SOFTMAXES:
        return "softmax"
    if op_type in _NORMALIZATIONS:
        return "normalization"
    if op_type in _POOLS:
        return "pool" if node.get_ints("kernel_shape") else "global_pool"
    if op_type in _REDUCTIONS and _is_strided(node, len(shape_of(node.input(0)))):
        return "strided"
    return "pointwise" if op_type in _POINTWISE or op_type in _REDUCTIONS else "other"


def _positions(node: Node, shape_of: ShapeOf) -> float:
    """Return the positions of a pool's window for each element that counts; 1 for anything else."""
    window = node.get_ints("kernel_shape")
    if node.op_type not in _POOLS or not window:
        return 1.0
    made = product(shape_of(node.output()))
    return product(tuple(window)) * made / max(1, _elements(node, shape_of))


def _moves_last(node: Node) -> bool:
    order = node.get_ints("perm")
    return not order or order[-1] != len(order) - 1


def _has_number(node: Node, shape_of: ShapeOf) -> bool:
    return any(product(shape_of(value)) == 1 for value in node.inputs)


def _is_strided(node: Node, rank: int) -> bool:
    """Return True if the axes of a reduction are known and do not end with the last one."""
    axes = axes_of(node)
    return bool(axes) and rank > 0 and all(axis % rank != rank - 1 for axis in axes or ())
