"""Heads of keys and values that are copied for the query heads that share them."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.attention import Attentions
from modellint.base.records import dataclass
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset, tolerance_of
from modellint.fixes.conditions import integers
from modellint.model import Node, Value, small_integers
from modellint.model.edits import Fix, GraphEdit, NewNode, Operand
from modellint.operators import Trait, having

_SWAPPED, _SWAPPED_FLAT = (0, 1, 3, 2), (0, 2, 1)
"""Orders of axes that turn keys, with a batch and heads, or with both in one axis."""
_RANK = 4
_MOST_STEPS = 8
_BROADCASTS = having(Trait.BROADCAST)
_VIEWS = having(Trait.VIEW)
_PER_ELEMENT = having(Trait.SCALING, Trait.CAST)


@dataclass(frozen=True, slots=True)
class _Copied:
    """The second operand of a product, whose heads are copies."""

    source: Value
    """Keys or values before they are copied: batch, heads, length, size."""
    nodes: tuple[Node, ...]
    """All nodes from there to the product, in order."""
    is_turned: bool

    @property
    def repeated(self) -> Iterator[Node]:
        """Iterate over what changes elements: it is left to do for the source."""
        return (node for node in self.nodes if node.op_type in _PER_ELEMENT)


def share_heads(context: Context, hit: Hit) -> Fix | None:
    """Multiply the rows of all query heads that share keys, or values, by the stored ones."""
    blocks = context.analysis(Attentions).found
    block = next((each for each in blocks if hit.place in each.expands), None)
    result = block.result.output() if block is not None else None
    if block is None or result is None or not main_opset(context, block.softmax.graph):
        return None
    edits: list[GraphEdit] = []
    for product in (block.scores, block.result):
        if product.input(1) is None or block.expand_of(product) is None:
            continue
        copied = _copied(context, product)
        shared = _shared(context, product, copied) if copied is not None else None
        if shared is None:
            return None
        edits += shared
    says = f"Lets query heads share keys and values around Softmax '{block.softmax.label}'."
    return Fix(tuple(edits), says, tolerance=tolerance_of(result))


def _copied(context: Context, product: Node) -> _Copied | None:
    """Follow a product's second operand to the copied value; None if more happens on the way."""
    nodes: list[Node] = []
    is_turned = False
    value = product.input(1)
    for _ in range(_MOST_STEPS):
        node = value.producer if value is not None else None
        if node is None:
            return None
        nodes.insert(0, node)
        if node.op_type in _BROADCASTS:
            return _at_source(context, nodes, is_turned=is_turned)
        perm = node.get_ints("perm")
        if perm in (_SWAPPED, _SWAPPED_FLAT):
            is_turned = not is_turned
        elif node.op_type not in _VIEWS and not _is_per_element(context, node):
            return None
        value = next(
            (each for each in node.inputs if each is not None and not each.is_constant), None
        )
    return None


def _at_source(context: Context, nodes: list[Node], *, is_turned: bool) -> _Copied | None:
    """Return the value that an Expand or Tile copies along an axis added by an Unsqueeze."""
    unsqueezed = nodes[0].input(0)
    maker = unsqueezed.producer if unsqueezed is not None else None
    source = maker.input(0) if maker is not None else None
    if maker is None or source is None or maker.op_type != "Unsqueeze":
        return None
    axes = small_integers(maker.input(1))
    stated = maker.get_ints("axes") if axes is None else axes
    shape = context.shape(source)
    if stated not in ((2,), (-3,)) or shape is None or len(shape) != _RANK:
        return None
    return _Copied(source, (maker, *nodes), is_turned)


def _is_per_element(context: Context, node: Node) -> bool:
    """Return True for a cast, or a product with a single number."""
    if node.op_type not in _PER_ELEMENT:
        return False
    shapes = [context.shape(value) if value is not None else None for value in node.inputs]
    return node.op_type in having(Trait.CAST) or shapes[-1] in ((), (1,))


def _shared(context: Context, product: Node, copied: _Copied) -> tuple[GraphEdit, ...] | None:
    """Return the edits of one product; None if a size is unknown."""
    rows, result = product.input(0), product.output()
    queried, stored = _heads(context, product), (context.shape(copied.source) or ())[1]
    if rows is None or result is None or len(context.shape(rows) or ()) != _RANK:
        return None
    if queried is None or not isinstance(stored, int) or not stored or queried % stored:
        return None
    base, together, apart = result.name, f"{result.name}_together", f"{result.name}_apart"
    made = [NewNode("Reshape", (rows, together), (f"{base}_rows",))]
    value: Operand = copied.source
    if copied.is_turned:
        made.append(NewNode("Transpose", (value,), (f"{base}_turned",), {"perm": _SWAPPED}))
        value = f"{base}_turned"
    for number, node in enumerate(copied.repeated):
        output = f"{base}_{node.op_type.lower()}_{number}"
        made.append(NewNode(node.op_type, (value, *node.inputs[1:]), (output,), like=node))
        value = output
    made += [
        NewNode("MatMul", (f"{base}_rows", value), (f"{base}_shared",), name=product.name),
        NewNode("Reshape", (f"{base}_shared", apart), (result,)),
    ]
    return (
        integers(together, product.graph, (0, stored, -1, 0)),
        integers(apart, product.graph, (0, queried, -1, 0)),
        *instead((*copied.nodes, product), product, *made),
    )


def _heads(context: Context, product: Node) -> int | None:
    """Return the number of query heads, if it is known."""
    for value in (product.input(0), product.output(), product.input(1)):
        shape = context.shape(value) if value is not None else None
        if shape is not None and len(shape) == _RANK and isinstance(shape[1], int):
            return shape[1]
    return None
