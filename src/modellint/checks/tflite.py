"""TFLite files: operators that runtimes lack, quantization that kernels refuse, and waste."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from modellint.checks.api import Context, Hit
from modellint.formats.tflite import CUSTOM, DOMAIN
from modellint.formats.tflite.facts import Quantization, TFLiteFacts, tflite_facts
from modellint.model import DType, Graph, Node, Value, is_static
from modellint.operators import Trait, having, of
from modellint.results.finding import Severity
from modellint.runtimes.tflite.operators import CUSTOM as REGISTERED_CUSTOM
from modellint.runtimes.tflite.operators import FLEX, is_older, operator_table

SCHEMA = 3
_CONVERTERS = having(Trait.CAST)
_PRODUCTS = having(Trait.FLOAT_PRODUCT)
_CONVOLUTIONS = having(Trait.CONVOLUTION)
_UNNAMED = Quantization()
_FIXED = {
    ("SOFTMAX", "int8"): (1 / 256, -128),
    ("SOFTMAX", "int16"): (1 / 32768, None),
    ("LOGISTIC", "uint8"): (1 / 256, None),
    ("LOGISTIC", "int8"): (1 / 256, None),
    ("LOGISTIC", "int16"): (1 / 32768, None),
    ("LOG_SOFTMAX", "int8"): (16 / 256, 127),
    ("L2_NORMALIZATION", "int8"): (1 / 128, 0),
}
"""Scales, and zero points, of outputs whose range the operator fixes."""
_SIZED_BY_DATA = having(Trait.SIZED_BY_DATA)


def operator_version(context: Context) -> Iterator[Hit]:
    """Builtin operators in a version that no release registers, or only later ones."""
    deployment, table = context.deployment, operator_table()
    if deployment.builder not in ("", "tflite"):
        return
    stated = None if deployment.is_assumed("runtime_version") else deployment.runtime_version
    seen: set[tuple[str, int]] = set()
    for node in _builtin(context):
        op, version = node.op_type, int(node.metadata.get("version", "1"))
        if (op, version) in seen:
            continue
        seen.add((op, version))
        lowest, highest = table.registered.get(op, (0, 0))
        first = table.first_release(op, version)
        facts = {"version": version, "highest": highest, "first": first, "wanted": stated}
        if not highest:
            yield Hit(node, facts, variant="unregistered")
        elif not lowest <= version <= highest:
            yield Hit(node, facts)
        elif stated and first and is_older(stated, first):
            yield Hit(node, facts, variant="later")


def flex_operator(context: Context) -> Iterator[Hit]:
    """TensorFlow's own operators, which need its kernels."""
    yield from _first_of([each for each in _custom(context) if each.op_type.startswith(FLEX)])


def custom_operator(context: Context) -> Iterator[Hit]:
    """Custom operators that the runtime does not bring."""
    found: dict[str, list[Node]] = {}
    for node in _custom(context):
        if not node.op_type.startswith(FLEX) and node.op_type not in REGISTERED_CUSTOM:
            found.setdefault(node.op_type, []).append(node)
    for nodes in found.values():
        yield Hit(nodes[0], count=len(nodes))


def schema_version(context: Context) -> Iterator[Hit]:
    """A schema version that runtimes refuse."""
    version = tflite_facts(context.model).schema_version
    if version != SCHEMA:
        yield Hit(None, {"version": version, "expected": SCHEMA})


def invalid_quantization(context: Context) -> Iterator[Hit]:
    """Scales, zero points and axes that do not fit their tensor."""
    for value, scheme in tflite_facts(context.model).quantization.items():
        shape, scales = value.declared_shape, len(scheme.scales)
        if not scales:
            continue
        zeros = len(scheme.zero_points)
        facts = {"scales": scales, "zeros": zeros, "axis": scheme.axis}
        if zeros != scales:
            yield Hit(value, facts, variant="zeros")
        elif shape and not 0 <= scheme.axis < len(shape):
            severity = Severity.WARNING if scales == 1 else None
            yield Hit(value, {**facts, "rank": len(shape)}, variant="axis", severity=severity)
        elif scales > 1 and shape and shape[scheme.axis] not in (scales, None):
            yield Hit(value, {**facts, "size": shape[scheme.axis]})


def fixed_scale(context: Context) -> Iterator[Hit]:
    """Outputs that are not quantized in the one way that their kernel has."""
    for node in _builtin(context):
        output = node.output()
        dtype = output.declared_dtype if output is not None else None
        wanted = _FIXED.get((node.op_type, dtype.name if dtype is not None else ""))
        scheme = _scheme(context, output)
        if wanted is None or not scheme.scales:
            continue
        scale, zero = wanted
        stated = next(iter(scheme.zero_points), 0)
        if not isclose(scheme.scales[0], scale, rel_tol=1e-3) or (zero not in (None, stated)):
            yield Hit(node, {"fixed": scale, "stated": scheme.scales[0]})


def subgraph_mismatch(context: Context) -> Iterator[Hit]:
    """Subgraphs that take or give another number of tensors than the node that calls them."""
    for node in context.nodes(f"{DOMAIN}.IF"):
        for key, graph in node.subgraphs.items():
            yield from _differing(node, key, graph, max(0, len(node.inputs) - 1), len(node.outputs))
    for node in context.nodes(f"{DOMAIN}.WHILE"):
        for key, graph in node.subgraphs.items():
            outputs = 1 if key == "cond" else len(node.inputs)
            yield from _differing(node, key, graph, len(node.inputs), outputs)


def _differing(node: Node, key: str, graph: Graph, inputs: int, outputs: int) -> Iterator[Hit]:
    taken, given = len(graph.inputs), len(graph.outputs)
    if (taken, given) != (inputs, outputs):
        facts = {"key": key, "taken": taken, "given": given, "inputs": inputs, "outputs": outputs}
        yield Hit(node, facts)
    elif key == "cond" and not all(_is(each, "bool") for each in graph.outputs):
        yield Hit(node, {"key": key}, variant="condition")


def hybrid_layer(context: Context) -> Iterator[Hit]:
    """Layers with float inputs and integer weights."""
    nodes = [
        node
        for node, data, weight in _layers(context)
        if _is_float(data) and weight.is_constant and _is(weight, "int8", "uint8", "int4", "int2")
    ]
    yield from _first_of(nodes)


def float_island(context: Context) -> Iterator[Hit]:
    """Float operators between integer ones."""
    if not _is_quantized(context):
        return
    seen: set[int] = set()
    for node in _builtin(context):
        if not _leaves_integers(node) or id(node) in seen:
            continue
        inside, returns = _region(node)
        seen |= {id(each) for each in inside}
        floats = [each for each in inside if not _is_converter(each)]
        if returns and floats:
            facts = {"nodes": len(floats), "ops": sorted({each.op_type for each in floats})}
            yield Hit(node, facts, related=tuple(floats[:8]))


def _region(start: Node) -> tuple[list[Node], bool]:
    """Return the nodes that compute on what a node made float, and whether integers follow."""
    found, pending, returns = {id(start): start}, [start], False
    while pending:
        for node in pending.pop().successors:
            if id(node) in found:
                continue
            if _enters_integers(node):
                returns = True
                continue
            if any(_is_float(value) for value in node.outputs):
                found[id(node)] = node
                pending.append(node)
    return list(found.values()), returns


def per_tensor_weights(context: Context) -> Iterator[Hit]:
    """Convolutions in int8 with a single scale for all channels."""
    nodes = []
    for node, _, weight in _layers(context):
        scheme, channels = _scheme(context, weight), _channels(node, weight)
        is_shared = len(scheme.scales) == 1 and channels > 1
        if node.op_type in _CONVOLUTIONS and _is(weight, "int8") and is_shared:
            nodes.append(node)
    yield from _first_of(nodes)


def _channels(node: Node, weight: Value) -> int:
    shape = weight.declared_shape or (1,)
    channels = shape[-1] if of(node).cost == "depthwise" else shape[0]
    return channels if isinstance(channels, int) else 1


def float_border(context: Context) -> Iterator[Hit]:
    """Inputs and outputs in float around a network of integers."""
    if not _is_quantized(context):
        return
    graph = context.model.graph
    inputs = [
        value
        for value in graph.inputs
        if _is_float(value)
        and value.consumers
        and all(_enters_integers(use.node) for use in value.consumers)
    ]
    outputs = [
        value
        for value in graph.outputs
        if value.producer is not None and _leaves_integers(value.producer)
    ]
    if inputs or outputs:
        names = [value.name for value in (*inputs, *outputs)]
        yield Hit((inputs or outputs)[0], {"names": names}, count=len(names))


def dynamic_tensor(context: Context) -> Iterator[Hit]:
    """Inputs with open dims, and operators whose results have a size that depends on data."""
    for value in context.model.inputs:
        shape = value.declared_shape
        if value.type_name == "tensor" and shape is not None and not is_static(shape):
            open_axes = (str(at) for at, dim in enumerate(shape) if dim is None)
            yield Hit(value, {"axes": ", ".join(open_axes)})
    nodes = [
        node
        for node in context.model.graph.nodes
        if node.op_type in _SIZED_BY_DATA and node.outputs
    ]
    if nodes:
        yield Hit(nodes[0], {"ops": sorted({n.op_type for n in nodes})}, "data", count=len(nodes))


def unsigned_scheme(context: Context) -> Iterator[Hit]:
    """Layers quantized as uint8, the scheme before int8."""
    layers = [node for node, data, weight in _layers(context) if _is(data, "uint8")]
    yield from _first_of(layers)


def int16_activations(context: Context) -> Iterator[Hit]:
    """Layers with int16 activations and int8 weights."""
    layers = [
        node
        for node, data, weight in _layers(context)
        if _is(data, "int16") and _is(weight, "int8", "int4")
    ]
    yield from _first_of(layers)


def unused_buffers(context: Context) -> Iterator[Hit]:
    """Buffers that nothing refers to."""
    buffers = tflite_facts(context.model).buffers
    if buffers.unused_bytes >= context.options["bytes"]:
        yield Hit(None, {"bytes": buffers.unused_bytes, "buffers": buffers.unused})


def no_signature(context: Context) -> Iterator[Hit]:
    """A file without signatures."""
    if not tflite_facts(context.model).signatures:
        yield Hit(None, {"inputs": len(context.model.inputs)})


def _builtin(context: Context) -> Iterator[Node]:
    return (node for node in context.nodes() if node.domain == DOMAIN)


def _custom(context: Context) -> Iterator[Node]:
    return (node for node in context.nodes() if node.domain == CUSTOM)


def _layers(context: Context) -> Iterator[tuple[Node, Value, Value]]:
    """Iterate over products with a weight: the node, its data and its weight."""
    for node in _builtin(context):
        row = of(node)
        if node.op_type not in _PRODUCTS or row.place("weight") is None:
            continue
        data, weight = node.input(row.place("data") or 0), node.input(row.place("weight") or 1)
        if data is not None and weight is not None:
            yield node, data, weight


def _first_of(nodes: list[Node]) -> Iterator[Hit]:
    """Report the first of several nodes, and what kinds of operators there are."""
    if nodes:
        facts = {"ops": sorted({each.op_type for each in nodes})}
        yield Hit(nodes[0], facts, count=len(nodes), related=tuple(nodes[1:4]))


def _is_quantized(context: Context) -> bool:
    """Return True if most layers of the model compute on integers."""
    layers = [_is_integer(data) for _, data, _ in _layers(context)]
    return sum(layers) * 2 > len(layers)


def _scheme(context: Context, value: Value | None) -> Quantization:
    facts: TFLiteFacts = tflite_facts(context.model)
    return facts.quantization.get(value, _UNNAMED) if value is not None else _UNNAMED


def _is_converter(node: Node) -> bool:
    return _leaves_integers(node) or _enters_integers(node)


def _leaves_integers(node: Node) -> bool:
    """Return True if a node turns quantized activations into floats."""
    source = node.input(0)
    is_activation = source is not None and not source.is_constant and _is_integer(source)
    return node.op_type in _CONVERTERS and is_activation and _is_float(node.output())


def _enters_integers(node: Node) -> bool:
    return node.op_type in _CONVERTERS and _is_float(node.input(0)) and _is_integer(node.output())


def _type(value: Value | None) -> DType | None:
    return value.declared_dtype if value is not None and value.type_name == "tensor" else None


def _is(value: Value | None, *names: str) -> bool:
    dtype = _type(value)
    return dtype is not None and dtype.name in names


def _is_float(value: Value | None) -> bool:
    dtype = _type(value)
    return dtype is not None and dtype.is_float


def _is_integer(value: Value | None) -> bool:
    return _is(value, "int8", "uint8", "int16")
