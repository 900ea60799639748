"""Dynamic shapes: unnamed dims, baked-in sizes, and data-dependent shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from modellint.analysis.chains import LONGEST
from modellint.analysis.origins import Origin, Origins
from modellint.checks.api import Context, Hit
from modellint.model import Node, Shape, Value, format_shape, product
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
SIZE_INPUTS = with_input("shape", "size")
"""Inputs whose elements determine the size of the output."""
RANK_INPUTS = with_input("shape", "axes")
"""Inputs whose length determines the rank of the output."""
MAKERS = {
    **dict.fromkeys(names(Trait.MAKES_SEQUENCE), "sequence"),
    **dict.fromkeys(names(Trait.MAKES_OPTIONAL), "optional"),
}
"""Ops that create non-tensors from tensors."""


# Unnamed dims.


def unnamed_dynamic_dim(context: Context) -> Iterator[Hit]:
    """Inputs of the model with unnamed dims or unknown rank."""
    if context.lacks([OPEN_INPUT]):
        return
    for value in context.model.fed:
        shape = value.declared_shape
        if shape is None:
            yield Hit(value, variant="rank")
        elif None in shape:
            axes = [str(axis) for axis, dim in enumerate(shape) if dim is None]
            yield Hit(value, {"axes": ", ".join(axes), "dims": len(axes)})


def symbol_for_two_dims(context: Context) -> Iterator[Hit]:
    """Inputs with the same symbol for the batch and another dim."""
    if context.lacks([OPEN_INPUT]):
        return
    for value in context.model.fed:
        shape = value.declared_shape or ()
        if len(shape) < 3 or not isinstance(shape[0], str) or shape[0].isdigit():
            continue
        twins = [axis for axis, dim in enumerate(shape) if dim == shape[0]]
        if len(twins) > 1:
            axes = ", ".join(map(str, twins))
            yield Hit(value, {"symbol": shape[0], "axes": axes, "shape": format_shape(shape)})


def batch_dims_named_apart(context: Context) -> Iterator[Hit]:
    """Pairs of batch dims with different symbols that must be equal, since they meet."""
    if context.lacks([OPEN_INPUT]):
        return
    symbols = _batch_symbols(context)
    reported: set[frozenset[str]] = set()
    if len(symbols) < 2:
        return
    for node in context.nodes(*ELEMENTWISE, *CONCATS):
        if node.op_type in CONCATS and node.get_int("axis") == 0:
            continue
        for one, other in combinations(_batches(node, symbols), 2):
            pair = frozenset({one, other})
            if len(pair) == 2 and pair not in reported:
                reported.add(pair)
                yield Hit(node, {"one": one, "other": other})


def _batches(node: Node, symbols: frozenset[str]) -> list[str]:
    """Return the batch symbols of the inputs of highest rank."""
    shapes = [value.shape or () for value in node.inputs if value is not None]
    rank = max(map(len, shapes), default=0)
    leading = [shape[0] for shape in shapes if shape and len(shape) == rank]
    return [dim for dim in leading if isinstance(dim, str) and dim in symbols]


# Baked-in sizes.


def batch_baked_into_reshape(context: Context) -> Iterator[Hit]:
    """Reshapes with a constant shape that fixes a batch left open by the model's inputs."""
    reshapes = list(context.nodes("Reshape"))
    symbols = _batch_symbols(context) if reshapes else None
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


def _batch_symbols(context: Context) -> frozenset[str]:
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
    tensor = value.tensor if value is not None else None
    if tensor is None or not tensor.dtype.is_integer:
        return None
    plain = tensor.plain()
    if plain is not None:
        return list(map(int, plain))
    data = tensor.if_small()
    return [int(number) for number in data.reshape(-1)] if data is not None else None


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
    symbols = _batch_symbols(context)
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


# Data-dependent shapes.


def data_dependent_shape(context: Context) -> Iterator[Hit]:
    """Ops with a data-dependent output size."""
    for node in context.nodes(*names(Trait.SIZED_BY_DATA)):
        if context.analysis(Origins).of(node.input(0)) is Origin.DATA:
            yield Hit(node)
    for node in context.nodes(*SIZE_INPUTS):
        for place in SIZE_INPUTS[node.op_type]:
            size, origins = node.input(place), context.analysis(Origins)
            if size is not None and origins.of(size) is Origin.DATA and not size.is_input:
                yield Hit(node, {"size": size.name}, variant="operand")
                break


def resize_to_runtime_size(context: Context) -> Iterator[Hit]:
    """Resizes with scales or sizes computed from data."""
    for node in context.nodes("Resize", "Upsample"):
        for size in node.inputs[1:]:
            if size is not None and context.analysis(Origins).of(size) is Origin.DATA:
                yield Hit(node, {"size": size.name})
                break


def dynamic_rank(context: Context) -> Iterator[Hit]:
    """Nodes from which on the rank is unknown."""
    for node in context.nodes(*RANK_INPUTS):
        data, output = node.input(0), node.output(0)
        if data is None or output is None or data.shape is None or output.shape is not None:
            continue
        length = node.input(RANK_INPUTS[node.op_type][0])
        if length is not None and not _length_is_known(length):
            yield Hit(node, {"axes": length.name})
        elif node.op_type == "Squeeze" and length is None and not node.get_ints("axes"):
            yield Hit(node, {"shape": format_shape(data.shape)}, variant="squeeze")


def _length_is_known(value: Value) -> bool:
    shape = value.shape
    return shape == () or (shape is not None and isinstance(shape[0], int))


def output_rank_unknown(context: Context) -> Iterator[Hit]:
    """Outputs of the model of unknown rank."""
    for value in context.model.outputs:
        if value.type_name == "tensor" and context.shape(value) is None:
            yield Hit(value)


def shape_arithmetic_in_float(context: Context) -> Iterator[Hit]:
    """Sizes that are cast to float, computed with, and cast back."""
    for node in context.nodes("Cast"):
        value, output = node.input(0), node.output(0)
        if value is None or output is None:
            continue
        if context.analysis(Origins).of(value) is not Origin.SHAPE:
            continue
        if value.dtype is None or not value.dtype.is_integer or not _is_float(output):
            continue
        back = _cast_back(output)
        if back is not None:
            steps = {"back": back.label, "dtype": str(output.dtype)}
            yield Hit(node, steps, related=(back,))


def _is_float(value: Value) -> bool:
    return value.dtype is not None and value.dtype.is_float


def _cast_back(value: Value, steps: int = 6) -> Node | None:
    """Return the Cast back to integer of sizes that are computed in float."""
    for use in value.consumers if steps else ():
        output = use.node.output(0)
        if output is None:
            continue
        if use.node.op_type == "Cast" and not _is_float(output):
            return use.node if _is_size(output) else None
        found = _cast_back(output, steps - 1) if _is_float(output) else None
        if found is not None:
            return found
    return None


def _is_size(value: Value, steps: int = 4) -> bool:
    """Return True if a value determines the size of another, possibly after concatenation."""
    for use in value.consumers if steps else ():
        node = use.node
        if use.index in SIZE_INPUTS.get(node.op_type, ()):
            return True
        if node.op_type in ("Resize", "Upsample") and use.index > 0:
            return True
        goes_on = node.op_type in CONCATS or node.op_type in ("Gather", "Unsqueeze")
        output = node.output(0) if goes_on else None
        if output is not None and _is_size(output, steps - 1):
            return True
    return value.is_output


# Control flow and non-tensors.


def loop_carry_changes_shape(context: Context) -> Iterator[Hit]:
    """Loops that change the shape of a carried value."""
    for node in context.nodes("Loop"):
        body = node.subgraphs.get("body")
        if body is None:
            continue
        carried = list(zip(body.inputs[2:], body.outputs[1:], strict=False))
        for given, handed_on in carried:
            change = _change(given, handed_on)
            if change:
                yield Hit(node, {"carried": given.name, "change": change})
                break
        else:
            if len(body.outputs) - 1 > len(carried) and not _runs_through(body.outputs[0]):
                yield Hit(node, {"condition": body.outputs[0].name}, variant="length")


def _change(given: Value, handed_on: Value) -> str:
    grown = handed_on.producer
    if grown is not None and grown.op_type in CONCATS and given in grown.inputs:
        return f"grows by Concat '{grown.label}'"
    before, after = given.shape, handed_on.shape
    if before is None or after is None or not _disagree(before, after):
        return ""
    return f"goes from {format_shape(before)} to {format_shape(after)}"


def _disagree(one: Shape, other: Shape) -> bool:
    """Return True if two shapes definitely differ."""
    return len(one) != len(other) or any(
        isinstance(a, int) and isinstance(b, int) and a != b
        for a, b in zip(one, other, strict=True)
    )


def _runs_through(condition: Value) -> bool:
    """Return True if a loop's condition stays true, so that only the trip count ends it."""
    for _ in range(LONGEST):
        producer = condition.producer
        source = producer.input(0) if producer is not None else None
        if producer is None or source is None or producer.op_type != "Identity":
            break
        condition = source
    return condition.is_constant or condition.is_input


def if_branches_disagree(context: Context) -> Iterator[Hit]:
    """Ifs whose branches return outputs of different rank."""
    for node in context.nodes("If"):
        branches = [node.subgraphs.get(key) for key in ("then_branch", "else_branch")]
        condition = node.input(0)
        if None in branches or (condition is not None and context.is_frozen(condition)):
            continue  # only one branch is built
        then, other = (graph.outputs for graph in branches if graph is not None)
        for one, two in zip(then, other, strict=False):
            if one.shape is not None and two.shape is not None and len(one.shape) != len(two.shape):
                facts = {"then": format_shape(one.shape), "else": format_shape(two.shape)}
                yield Hit(node, facts)
                break


def not_a_tensor(context: Context) -> Iterator[Hit]:
    """Places where sequences, optionals and maps enter the graph."""
    for value in context.model.inputs:
        if value.type_name not in ("tensor", "sparse_tensor"):
            yield Hit(value, {"type": value.type_name}, variant="input")
    for op in context.present(MAKERS):
        for node in context.nodes(op):
            yield Hit(node, {"type": MAKERS[op]})
