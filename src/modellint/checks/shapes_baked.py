"""Sizes of one batch or one image that are stored in a model for any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modellint.analysis.chains import LONGEST
from modellint.analysis.origins import Origin, Origins
from modellint.checks.api import Context, Hit
from modellint.model import Node, Shape, Value, product, small_integers
from modellint.model.features import OPEN_INPUT
from modellint.operators import Trait, having, names, of, with_input

ELEMENTWISE = having(Trait.BROADCASTS)
CONCATS = having(Trait.CONCATENATES)
RECURRENT = {op: row.places("state>1", "state>2") for op, row in having(Trait.RECURRENT).items()}
_ELEMENT_BY_ELEMENT = having(
    Trait.POINTWISE, Trait.CAST, Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.TRANSPARENT
).keys()
_BY_SIDES = (
    _ELEMENT_BY_ELEMENT
    | with_input("filler").keys()
    | having(Trait.CONVOLUTION, Trait.EXTENDS, Trait.NORMALIZATION, Trait.POOL).keys()
)
"""Ops whose output has open sides if their input has."""
_BY_BATCH = (
    _ELEMENT_BY_ELEMENT
    | having(
        Trait.BROADCASTS,
        Trait.CONVOLUTION,
        Trait.GEMM,
        Trait.MATMUL,
        Trait.NORMALIZATION,
        Trait.POOL,
        Trait.SOFTMAX,
        Trait.TRANSPOSED_CONVOLUTION,
    ).keys()
)
"""Ops that treat what lies along their first axis alike."""


def batch_baked_into_reshape(context: Context) -> Iterator[Hit]:
    """Reshapes with a constant shape that fixes a batch left open by the model's inputs."""
    reshapes = list(context.nodes("Reshape"))
    symbols = batch_symbols(context) if reshapes else None
    if not symbols:
        return
    for node in reshapes:
        baked = _baked_batch(node, symbols)
        if baked is not None:
            symbol, batch, target = baked
            if _is_deployed(context, symbol, batch):
                continue
            shape = "×".join(map(str, target))
            yield Hit(node, {"symbol": symbol, "batch": batch, "shape": shape})


def _is_deployed(context: Context, symbol: str, size: int) -> bool:
    """Return True if the model is deployed with the one size of a dim that it works for."""
    deployment = context.deployment
    return deployment.symbols.get(symbol, deployment.batch) == size


def batch_symbols(context: Context) -> frozenset[str]:
    """Return the symbols of the leading dims of the model's inputs."""
    shapes = [value.declared_shape for value in context.model.fed]
    return frozenset(shape[0] for shape in shapes if shape and isinstance(shape[0], str))


def _symbols(context: Context) -> frozenset[str]:
    """Return the symbols of the model's inputs."""
    dims = (dim for value in context.model.fed for dim in value.declared_shape or ())
    return frozenset(dim for dim in dims if isinstance(dim, str))


def _baked_batch(node: Node, symbols: frozenset[str]) -> tuple[str, int, list[int]] | None:
    """Return the batch symbol, and the size and shape that a Reshape forces on it."""
    data, target = node.input(0), _numbers(node.input(1))
    if data is None or target is None:
        return None
    shape = data.shape
    if not shape or shape[0] not in symbols:
        return None
    symbol = str(shape[0])
    rest = [dim for dim in shape[1:] if isinstance(dim, int)]
    if any(dim == 0 for dim in target) or len(rest) != len(shape) - 1 or not product(rest):
        return None
    if -1 not in target:
        return symbol, product(target) // product(rest), target
    if target[0] < 1:
        return None
    reached = list(outputs_by_batch(node.output()))
    is_batch = len(target) == len(shape) or _is_batch_name(symbol)
    claims = any((value.declared_shape or ("",))[0] == symbol for value in reached)
    return (symbol, target[0], target) if reached and (is_batch or claims) else None


def _is_batch_name(symbol: str) -> bool:
    return "batch" in symbol.lower() or symbol.lower() in ("n", "b", "bs")


def outputs_by_batch(start: Value | None) -> Iterator[Value]:
    """Iterate over the model's outputs that a value leads to by ops that keep its first axis."""
    pending = [start] if start is not None else []
    seen = set(map(id, pending))
    while pending:
        value = pending.pop()
        if value.is_output and value.graph.parent is None:
            yield value
        for use in value.consumers:
            for result in use.node.outputs if _keeps_batch(use.node) else ():
                if result is not None and id(result) not in seen:
                    seen.add(id(result))
                    pending.append(result)


def _keeps_batch(node: Node) -> bool:
    if node.op_type in CONCATS:
        return node.get_int("axis") != 0
    if node.op_type == "Reshape":
        return (_numbers(node.input(1)) or [0])[0] > 0
    return node.op_type in _BY_BATCH


def _numbers(value: Value | None) -> list[int] | None:
    """Return the elements of a small constant of integers."""
    stored = small_integers(value)
    return list(stored) if stored is not None else None


def size_baked_into_layer(context: Context) -> Iterator[Hit]:
    """Layers that read a flattened image whose sides the model's inputs leave open."""
    products = names(Trait.GEMM, Trait.MATMUL)
    if context.lacks(products):
        return
    images = {id(value): value for value in context.model.fed if _open_sides(value.declared_shape)}
    for node in context.nodes(*products) if images else ():
        weight, flat = node.input(of(node).place("weight") or 1), _flattening(node.input(0))
        stored = weight.shape if weight is not None and weight.is_constant else None
        if flat is None or stored is None or len(stored) != 2:
            continue
        image = _image_of(flat.input(0), images)
        if image is not None:
            facts = {
                "depth": stored[1 if node.get_int("transB", 0) else 0],
                "flat": flat.label,
                "input": image.name,
                "axes": " and ".join(map(str, _open_sides(image.declared_shape))),
                "sides": len(_open_sides(image.declared_shape)),
            }
            yield Hit(node, facts, related=(flat,))


def _open_sides(shape: Shape | None) -> list[int]:
    """Return the axes of an image's sides that are open."""
    if shape is None or len(shape) not in (4, 5):
        return []
    return [axis for axis in range(2, len(shape)) if not isinstance(shape[axis], int)]


def _flattening(value: Value | None) -> Node | None:
    """Return the node that makes a row of each sample, up to a few element-wise ops before."""
    for _ in range(LONGEST):
        node = value.producer if value is not None else None
        if node is None or _flattens(node):
            return node
        if node.op_type not in _ELEMENT_BY_ELEMENT:
            return None
        value = node.input(0)
    return None


def _flattens(node: Node) -> bool:
    if node.op_type == "Flatten":
        return node.get_int("axis", 1) == 1
    sizes = node.input(1) if node.op_type == "Reshape" else None
    target = _numbers(sizes)
    if target is not None or sizes is None:
        return target is not None and len(target) == 2
    joined = sizes.producer
    return (
        joined is not None
        and joined.op_type in CONCATS
        and len(joined.inputs) == 2
        and _numbers(joined.input(1)) == [-1]
    )


def _image_of(value: Value | None, images: Mapping[int, Value]) -> Value | None:
    """Return the image that a value depends on by ops that leave its sides open."""
    pending = [value] if value is not None else []
    seen = set(map(id, pending))
    while pending:
        current = pending.pop()
        if id(current) in images:
            return current
        node = current.producer
        if node is None or node.op_type not in _BY_SIDES or _has_static_sides(current.shape):
            continue
        for each in node.inputs:
            if each is not None and not each.is_constant and id(each) not in seen:
                seen.add(id(each))
                pending.append(each)
    return None


def _has_static_sides(shape: Shape | None) -> bool:
    return shape is not None and all(isinstance(dim, int) for dim in shape[2:])


def batch_baked_into_constant(context: Context) -> Iterator[Hit]:
    """Constants for a fixed batch combined with data of any batch, without broadcasting."""
    if context.lacks([OPEN_INPUT]):
        return
    symbols = batch_symbols(context)
    any_symbol = _symbols(context)
    if not any_symbol:
        return
    for hit in _baked_constants(context, symbols, any_symbol):
        if not _is_deployed(context, str(hit.facts["symbol"]), int(str(hit.facts["batch"]))):
            yield hit


def _baked_constants(
    context: Context, symbols: frozenset[str], any_symbol: frozenset[str]
) -> Iterator[Hit]:
    for node in context.nodes("Expand"):
        yield from _expanded(node, symbols)
    for node in context.nodes(*CONCATS, *RECURRENT, *ELEMENTWISE):
        if not any(value is not None and _is_fixed(context, value) for value in node.inputs):
            continue
        for constant, axis, others in _meetings(node):
            shape = constant.shape or ()
            batch = shape[axis] if axis < len(shape) else None
            open_dims = any_symbol if node.op_type in RECURRENT else symbols
            symbol = next((dim for dim in others if dim in open_dims), None)
            broadcasts = batch == 1 and node.op_type in ELEMENTWISE
            if (
                isinstance(batch, int)
                and symbol
                and not broadcasts
                and _is_fixed(context, constant)
            ):
                yield Hit(node, {"constant": constant.name, "batch": batch, "symbol": symbol})
                break


def _expanded(node: Node, symbols: frozenset[str]) -> Iterator[Hit]:
    data, target = node.input(0), _numbers(node.input(1))
    shape = data.shape if data is not None else None
    if shape and target and len(target) == len(shape) and shape[0] in symbols and target[0] > 1:
        wanted = node.inputs[1]
        name = wanted.name if wanted is not None else ""
        yield Hit(node, {"constant": name, "batch": target[0], "symbol": shape[0]})


def _meetings(node: Node) -> Iterator[tuple[Value, int, list[object]]]:
    """Iterate over candidate inputs, their batch axis, and the dims that must equal it."""
    values = [value for value in node.inputs if value is not None]
    if node.op_type in RECURRENT:
        data = node.input(0)
        shape = data.shape if data is not None else None
        if node.get_int("layout", 0) == 0 and shape is not None and len(shape) == 3:
            for place in RECURRENT[node.op_type]:
                state = node.input(place)
                if state is not None:
                    yield state, 1, [shape[1]]
        return
    if node.op_type in CONCATS and node.get_int("axis") == 0:
        return
    shapes = {value: value.shape for value in values}
    ranks = {len(shape) for shape in shapes.values() if shape}
    for value in values:
        shape = shapes[value]
        if shape and len(shape) == max(ranks) > 1:
            others = (each for other, each in shapes.items() if other is not value and each)
            yield value, 0, [each[0] for each in others if len(each) == len(shape)]


def _is_fixed(context: Context, value: Value) -> bool:
    return context.analysis(Origins).of(value) is Origin.CONSTANT
