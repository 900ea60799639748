"""Graphs of any operators, called with too few, too many or absurd things."""

from __future__ import annotations

import math
import random
import struct
from functools import cache
from typing import NamedTuple

import onnx
import onnx.defs

from tests.fuzz import values
from tests.fuzz.tree import Message, kind_of

DTYPES = (1, 1, 1, 1, 10, 16, 11, 7, 7, 6, 9, 3, 2, 17, 22, 8, 0, 99, 14, 21, 23)
SIZES = {1: 4, 10: 2, 16: 2, 11: 8, 7: 8, 6: 4, 9: 1, 3: 1, 2: 1, 17: 1, 22: 1, 14: 8, 21: 1, 23: 1}


NUMBERS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "string_data")
DATA = (*NUMBERS, "external_data", "data_location")
"""Fields of a tensor that hold its numbers, or say where they are."""


class Operator(NamedTuple):
    domain: str
    name: str
    inputs: int
    outputs: int
    attributes: tuple[tuple[str, int], ...]
    """Names and types."""


TYPES = dict(onnx.AttributeProto.AttributeType.items())


@cache
def operators() -> tuple[Operator, ...]:
    """All that onnx defines, those of its other domains, and onnxruntime's."""
    defined = [
        Operator(
            schema.domain,
            schema.name,
            min(len(schema.inputs), 9),
            min(len(schema.outputs), 9),
            tuple(
                (each.name, TYPES[str(each.type).rpartition(".")[2]])
                for each in schema.attributes.values()
            ),
        )
        for schema in onnx.defs.get_all_schemas()
    ]
    from modellint.operators import rows

    foreign = [
        Operator(*name.rpartition(".")[::2], 6, 2, CONTRIB) for name in rows() if "." in name
    ]
    return (*defined, *foreign)


_NAMES = {
    1: "epsilon scale mask_filter_value theta",
    2: "num_heads kv_num_heads axis K N bits block_size unidirectional k experts hidden_size",
    3: "activation input_layout",
    7: "qkv_hidden_sizes",
}
CONTRIB = tuple((name, kind) for kind, names in _NAMES.items() for name in names.split())
"""Attributes of operators that onnx does not define."""


def built(chance: random.Random) -> Message:
    """A small model of random nodes, each of which uses what is there before it."""
    model, graph = Message(kind_of("ModelProto")), Message(kind_of("GraphProto"))
    model.add("ir_version", chance.choice((3, 7, 8, 9, 10, 10, 13)))
    graph.add("name", b"g")
    names = [b"x%d" % index for index in range(chance.randint(1, 4))]
    for each in names:
        graph.add("input", value_info(chance, each))
    for index in range(chance.randint(0, 4)):
        graph.add("initializer", tensor(chance, b"w%d" % index))
        names.append(b"w%d" % index)
    domains = {""}
    for index in range(chance.choice((1, 1, 2, 3, 6))):
        operator = chance.choice(operators())
        domains.add(operator.domain)
        graph.add("node", node(chance, operator, names, index))
    for each in chance.sample(names, min(len(names), 2)):
        graph.add("output", value_info(chance, each))
    model.add("graph", graph)
    for domain in sorted(domains):
        entry = Message(kind_of("OperatorSetIdProto"))
        entry.add("domain", domain.encode())
        version = chance.choice((1, 6, 9, 11, 13, 17, 19, 21, 23)) if not domain else 1
        entry.add("version", version if chance.random() < 0.95 else values.number(chance))
        model.add("opset_import", entry)
    return model


def node(chance: random.Random, operator: Operator, names: list[bytes], index: int) -> Message:
    made = Message(kind_of("NodeProto"))
    made.add("op_type", operator.name.encode())
    if operator.domain:
        made.add("domain", operator.domain.encode())
    count = operator.inputs if chance.random() < 0.7 else chance.choice((0, 1, 2, 3, 5, 12))
    for _ in range(count):
        made.add("input", b"" if chance.random() < 0.08 else chance.choice(names))
    count = operator.outputs if chance.random() < 0.8 else chance.choice((0, 1, 2, 5))
    for place in range(count):
        name = b"n%d_%d" % (index, place)
        made.add("output", name)
        names.append(name)
    for name_, kind in operator.attributes:
        if chance.random() < 0.5:
            made.add("attribute", attribute(chance, name_.encode(), kind))
    return made


def attribute(chance: random.Random, name: bytes, kind: int) -> Message:
    """An attribute of a type, mostly with a value of this type."""
    made = Message(kind_of("AttributeProto"))
    made.add("name", name)
    if chance.random() < 0.05:
        kind = chance.randrange(16)
    made.add("type", kind)
    if chance.random() < 0.06:
        kind = chance.randint(1, 12)
    few = range(chance.choice((0, 1, 2, 2, 3, 4, 4, 8, 30)))
    number = values.small if chance.random() < 0.6 else values.number
    if kind == 1:
        made.add("f", struct.pack("<f", chance.choice(values.FLOATS)))
    elif kind == 2:
        made.add("i", number(chance))
    elif kind == 3:
        made.add(
            "s",
            chance.choice((b"SAME_UPPER", b"NOTSET", b"linear", b"bilinear", values.name(chance))),
        )
    elif kind == 4:
        made.add("t", tensor(chance, b""))
    elif kind == 5:
        made.add("g", small_graph(chance))
    elif kind == 6:
        made.set("floats", *(struct.pack("<f", chance.choice(values.FLOATS)) for _ in few))
    elif kind == 7:
        made.set("ints", *(number(chance) for _ in few))
    elif kind == 8:
        made.set("strings", *(values.name(chance) for _ in few))
    elif kind == 9:
        made.set("tensors", *(tensor(chance, b"") for _ in few))
    elif kind == 10:
        made.set("graphs", *(small_graph(chance) for _ in few))
    elif kind in (13, 14):
        made.add("tp", type_(chance))
    elif kind in (11, 12):
        made.add("sparse_tensor", sparse(chance))
    return made


def small_graph(chance: random.Random) -> Message:
    graph = Message(kind_of("GraphProto"))
    graph.add("name", b"body")
    names = [b"i", b"x0", b"w0"]
    graph.add("input", value_info(chance, b"i"))
    graph.add(
        "node",
        node(chance, chance.choice(operators()), names, 7)
        if chance.random() < 0.5
        else node(chance, Operator("", "Identity", 1, 1, ()), names, 7),
    )
    graph.add("output", value_info(chance, names[-1]))
    return graph


def value_info(chance: random.Random, name: bytes) -> Message:
    made = Message(kind_of("ValueInfoProto"))
    made.add("name", name)
    if chance.random() < 0.93:
        made.add("type", type_(chance))
    return made


def type_(chance: random.Random, depth: int = 0) -> Message:
    made = Message(kind_of("TypeProto"))
    kinds = ("tensor_type",) * 12 + (
        "sequence_type",
        "optional_type",
        "map_type",
        "sparse_tensor_type",
    )
    kind = chance.choice(kinds)
    inner = Message(made.kind.fields_by_name[kind].message_type)
    made.add(kind, inner)
    if kind in ("tensor_type", "sparse_tensor_type"):
        inner.add("elem_type", chance.choice(DTYPES))
        if chance.random() < 0.9:
            inner.add("shape", shape(chance))
    elif depth < 5:
        if kind == "map_type":
            inner.add("key_type", chance.choice(DTYPES))
            inner.add("value_type", type_(chance, depth + 1))
        else:
            inner.add("elem_type", type_(chance, depth + 1))
    return made


def shape(chance: random.Random) -> Message:
    made = Message(kind_of("TensorShapeProto"))
    for size in values.dims(chance):
        dim = Message(made.kind.fields_by_name["dim"].message_type)
        kind = chance.random()
        if kind < 0.75:
            dim.add("dim_value", size)
        elif kind < 0.92:
            dim.add(
                "dim_param", chance.choice((b"n", b"batch", b"seq", b"n + 1", values.name(chance)))
            )
        made.add("dim", dim)
    return made


def tensor(chance: random.Random, name: bytes) -> Message:
    """A tensor that is mostly consistent; numbers, emptiness and rank are absurd."""
    made = Message(kind_of("TensorProto"))
    dtype = chance.choice(DTYPES)
    sizes = values.dims(chance)
    for size in sizes:
        made.add("dims", size)
    if chance.random() < 0.97:
        made.add("data_type", dtype)
    if name or chance.random() < 0.2:
        made.add("name", name)
    count = 1
    for size in sizes:
        count = min(max(count * size, 0), 4096)
    if dtype == 8:
        made.set("string_data", *(values.name(chance) for _ in range(min(count, 4))))
        return made
    size = count * SIZES.get(dtype, 4)
    kind = chance.random()
    if kind < 0.75:
        made.add("raw_data", values.payload(chance, size))
    elif kind < 0.8:
        made.add(
            "raw_data", values.payload(chance, chance.choice((0, 1, 3, 7, size + 1, size // 2)))
        )
    elif kind < 0.9:
        field = {7: "int64_data", 1: "float_data", 11: "double_data", 14: "double_data"}.get(
            dtype, "int32_data"
        )
        if field == "float_data":
            made.add(field, values.payload(chance, 4 * count))
        elif field == "double_data":
            made.add(field, values.payload(chance, 8 * count))
        else:
            made.add(field, b"".join(bytes([chance.randrange(128)]) for _ in range(count)))
    elif kind < 0.95:
        made.add("data_location", 1)
        external(chance, made)
    return made


def fill(tensor: Message, chance: random.Random, most: int) -> None:
    """Give a tensor numbers of its own shape and type, unless they are more than some bytes."""
    sizes = [each.value for each in tensor.all("dims") if isinstance(each.value, int)]
    size = math.prod(sizes) * SIZES.get(tensor.number("data_type"), 4)
    if 0 <= size <= most:
        for name in DATA:
            tensor.drop(name)
        tensor.add("raw_data", values.payload(chance, size))


def external(chance: random.Random, made: Message) -> None:
    """Change the location that is stated for a tensor's data."""
    places = (
        b"weights.bin",
        b"../weights.bin",
        b"/etc/passwd",
        b"/dev/zero",
        b".",
        b"",
        b"mutant.onnx",
    )
    for key, choices in (
        (b"location", (*places, values.name(chance))),
        (
            b"offset",
            (b"0", b"16", b"-1", b"1_0", "٣".encode(), b"9" * 30, b"1e3", b"nan", b" 4", b"0x10"),
        ),
        (
            b"length",
            (b"0", b"16", b"-1", b"4", b"9" * 30, b"", b"18446744073709551615", b"1" * 5000),
        ),
        (b"checksum", (b"00", values.name(chance))),
    ):
        for _ in range(chance.choice((0, 1, 1, 1, 1, 2))):
            entry = Message(kind_of("StringStringEntryProto"))
            entry.add("key", key)
            entry.add("value", chance.choice(choices))
            made.add("external_data", entry)


def sparse(chance: random.Random) -> Message:
    made = Message(kind_of("SparseTensorProto"))
    made.add("values", tensor(chance, b"s"))
    made.add("indices", tensor(chance, b""))
    for size in values.dims(chance):
        made.add("dims", size)
    return made
