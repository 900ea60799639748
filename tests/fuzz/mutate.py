"""Changes of a model's tree. Most keep the file readable and most of the model in place."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests.fuzz import operators, seeds, values
from tests.fuzz.tree import (
    BYTES,
    FIXED32,
    FIXED64,
    LENGTH,
    MESSAGE,
    STRING,
    VARINT,
    Field,
    Message,
    copied,
    kind_of,
    wire_of,
)

Change = Callable[[Message, random.Random], None]

MANY = 0.05
"""Share of repetitions that are thousands: these cost more than all other mutants together."""
LARGE = 2_000_000
"""Bytes from which a model is not changed further: some changes multiply what is there."""


def mutated(model: Message, chance: random.Random) -> Message:
    count = chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 12))
    for change in chance.choices(list(CHANGES), list(CHANGES.values()), k=count):
        change(model, chance)
        if _size(model) > LARGE:
            break
    return model


def _size(message: Message) -> int:
    """Return about the size of a message."""
    return sum(
        2 + (len(item.value) if type(item.value) is bytes else 2)
        for each in message.walk()
        for item in each.fields
    )


def _pick(model: Message, chance: random.Random, kind: str) -> Message | None:
    found = model.of(kind)
    return chance.choice(found) if found else None


def _any(model: Message, chance: random.Random) -> Message | None:
    found = [each for each in model.walk() if each.fields]
    return chance.choice(found) if found else None


def delete(model: Message, chance: random.Random) -> None:
    if message := _any(model, chance):
        del message.fields[chance.randrange(len(message.fields))]


def duplicate(model: Message, chance: random.Random) -> None:
    """Repeat something, once or thousands of times."""
    if message := _any(model, chance):
        item = chance.choice(message.fields)
        most = LARGE // _size(Message(message.kind, [item]))
        counts = (3000, 20_000) if chance.random() < MANY else (1, 1, 1, 1, 1, 2, 30, 30)
        count = min(chance.choice(counts), most)
        message.fields += copied(Message(message.kind, [item] * count)).fields


def shuffle(model: Message, chance: random.Random) -> None:
    if message := _any(model, chance):
        chance.shuffle(message.fields)


def replace(model: Message, chance: random.Random) -> None:
    """Replace a value by an absurd one of its type."""
    if message := _any(model, chance):
        item = chance.choice(message.fields)
        own = message.kind.fields_by_number.get(item.number)
        if own is not None:
            item.value = invented(own, chance, model)


def insert(model: Message, chance: random.Random) -> None:
    """Add a field that the grammar allows in some message."""
    message = chance.choice(model.walk())
    if message.kind.fields:
        own = chance.choice(list(message.kind.fields))
        message.fields.append(Field(own.number, wire_of(own), invented(own, chance, model)))


def invented(
    own: object, chance: random.Random, model: Message, depth: int = 0
) -> int | bytes | Message:
    """A value for a field by its descriptor."""
    kind = own.type  # type: ignore[attr-defined]
    if kind == MESSAGE:
        return message_of(own.message_type, chance, model, depth)  # type: ignore[attr-defined]
    wire = wire_of(own)
    if wire == VARINT:
        return values.small(chance) if chance.random() < 0.5 else values.number(chance)
    if wire == FIXED32:
        return struct.pack("<f", chance.choice(values.FLOATS))
    if wire == FIXED64:
        return struct.pack("<d", chance.choice(values.FLOATS))
    if kind == STRING and chance.random() < 0.6:
        return known_name(model, chance)
    if kind == BYTES and chance.random() < 0.7:
        return values.payload(chance, chance.choice((0, 1, 3, 4, 8, 16, 40)))
    return values.name(chance)


def known_name(model: Message, chance: random.Random) -> bytes:
    """A text that the model has already: of another node, value, operator, domain or symbol."""
    texts = [
        item.value
        for message in model.walk()
        for item in message.fields
        if isinstance(item.value, bytes) and item.wire == LENGTH and len(item.value) < 200
    ]
    return chance.choice(texts) if texts else b""


def message_of(kind: object, chance: random.Random, model: Message, depth: int = 0) -> Message:
    """A message of a type: one of this model, of another model, a made one, or any fields."""
    name = kind.name  # type: ignore[attr-defined]
    made = chance.random()
    if made < 0.35 and (other := _pick(model, chance, name)):
        return copied(other)
    if made < 0.5 and (other := _pick(chance.choice(seeds.examples()), chance, name)):
        return copied(other)
    if name in _MADE and made < 0.85:
        return _MADE[name](chance)
    message = Message(kind)
    for own in kind.fields:  # type: ignore[attr-defined]
        if chance.random() < 0.35 and (own.type != MESSAGE or depth < 3):
            message.fields.append(
                Field(own.number, wire_of(own), invented(own, chance, model, depth + 1))
            )
    return message


_MADE: dict[str, Callable[[random.Random], Message]] = {
    "TensorProto": lambda chance: operators.tensor(chance, b"t"),
    "TypeProto": operators.type_,
    "TensorShapeProto": operators.shape,
    "ValueInfoProto": lambda chance: operators.value_info(chance, values.name(chance)),
    "AttributeProto": lambda chance: operators.attribute(chance, b"axis", chance.randint(1, 14)),
    "SparseTensorProto": operators.sparse,
    "GraphProto": operators.small_graph,
}


def retype(model: Message, chance: random.Random) -> None:
    """Another shape or type of a value, in place of its own."""
    if value := _pick(model, chance, "ValueInfoProto"):
        types = value.children("type")
        tensors = [each for type_ in types for each in type_.children("tensor_type")]
        if tensors and chance.random() < 0.7:
            tensors[0].set("shape", operators.shape(chance))
        else:
            value.set("type", operators.type_(chance))


def resize(model: Message, chance: random.Random) -> None:
    """Change one dim of a shape or a tensor."""
    if (dim := _pick(model, chance, "Dimension")) and chance.random() < 0.7:
        dim.fields.clear()
        if chance.random() < 0.8:
            dim.add("dim_value", chance.choice(values.DIMS))
        else:
            dim.add("dim_param", values.name(chance))
    elif tensor := _pick(model, chance, "TensorProto"):
        sizes = tensor.all("dims")
        if sizes and chance.random() < 0.7:
            chance.choice(sizes).value = chance.choice(values.DIMS)
        else:
            tensor.set("dims", *values.dims(chance))


def other_constant(model: Message, chance: random.Random) -> None:
    """Another constant under the same name, or other numbers in the same one."""
    if tensor := _pick(model, chance, "TensorProto"):
        if chance.random() < 0.5:
            operators.fill(tensor, chance, 1 << 16)
        else:
            tensor.fields = operators.tensor(chance, tensor.text("name")).fields


def other_operator(model: Message, chance: random.Random) -> None:
    if node := _pick(model, chance, "NodeProto"):
        operator = chance.choice(operators.operators())
        node.set("op_type", operator.name.encode())
        node.set("domain", *([operator.domain.encode()] if operator.domain else []))
        for name, kind in operator.attributes:
            if chance.random() < 0.3:
                node.add("attribute", operators.attribute(chance, name.encode(), kind))


def rewire(model: Message, chance: random.Random) -> None:
    """Change what a node takes or gives: fewer, more, none, something later, itself."""
    node = _pick(model, chance, "NodeProto")
    if node is None:
        return
    side = "input" if chance.random() < 0.75 else "output"
    items = node.all(side)
    kind = chance.randrange(6)
    if kind == 0 and items:
        node.fields.remove(items[-1])
    elif kind == 1:
        for _ in range(chance.choice((1, 1, 2, 8, 200))):
            node.add(side, known_name(model, chance))
    elif kind == 2 and items:
        chance.choice(items).value = b""
    elif kind == 3 and items:
        chance.choice(items).value = chance.choice((node.text("output"), node.text("input")))
    elif items:
        other = _pick(model, chance, "NodeProto")
        if other is not None:
            chance.choice(items).value = other.text(chance.choice(("output", "input")))


def fewer(model: Message, chance: random.Random) -> None:
    """Leave only the first inputs or outputs of a node."""
    if node := _pick(model, chance, "NodeProto"):
        side = chance.choice(("input", "input", "output"))
        kept = node.all(side)[: chance.randint(0, 2)]
        node.set(side, *(each.value for each in kept))


def other_attribute(model: Message, chance: random.Random) -> None:
    """Another value of an attribute: of its type, or of another."""
    if attribute := _pick(model, chance, "AttributeProto"):
        types = [each.value for each in attribute.all("type") if isinstance(each.value, int)]
        kind = types[-1] if types and chance.random() < 0.75 else chance.randint(0, 14)
        attribute.fields = operators.attribute(chance, attribute.text("name"), kind).fields


LONGEST = 4096
"""Bytes of a name that is written in many places."""


def rename(model: Message, chance: random.Random) -> None:
    """Give something another name, everywhere it is named: the model stays whole."""
    old, new = known_name(model, chance), values.name(chance)[:LONGEST]
    for message in model.walk():
        for item in message.fields:
            if item.value == old and item.wire == LENGTH:
                item.value = new


def misname(model: Message, chance: random.Random) -> None:
    """Give one thing another name."""
    texts = [
        item
        for message in model.walk()
        for item in message.fields
        if isinstance(item.value, bytes)
        and (own := message.kind.fields_by_number.get(item.number)) is not None
        and own.type == STRING
    ]
    if texts:
        chance.choice(texts).value = values.name(chance)


DEEP = 2_000_000
"""Bytes of a graph, times the levels it is put below: each level is written once more."""


def nest(model: Message, chance: random.Random) -> None:
    """Put the graph into branches of branches."""
    for graph in model.children("graph")[:1]:
        inner = Message(graph.kind, list(graph.fields))
        deepest = DEEP // _size(graph)
        for _ in range(min(chance.choice((1, 2, 3, 10, 50, 120, 400, 3000)), deepest)):
            attribute = Message(kind_of("AttributeProto"))
            attribute.add("name", chance.choice((b"then_branch", b"else_branch", b"body", b"x")))
            attribute.add("type", 5)
            attribute.add("g", inner)
            node = Message(kind_of("NodeProto"))
            node.add("op_type", chance.choice((b"If", b"If", b"Loop", b"Scan", b"Foo")))
            node.add("input", b"c")
            node.add("output", b"y")
            node.add("attribute", attribute)
            inner = Message(graph.kind)
            inner.add("node", node)
        graph.fields += inner.fields


def nest_type(model: Message, chance: random.Random) -> None:
    if value := _pick(model, chance, "ValueInfoProto"):
        inner = operators.type_(chance)
        for _ in range(chance.choice((1, 5, 60, 300))):
            outer = Message(inner.kind)
            kind = chance.choice(("sequence_type", "optional_type"))
            part = Message(inner.kind.fields_by_name[kind].message_type)
            part.add("elem_type", inner)
            outer.add(kind, part)
            inner = outer
        value.set("type", inner)


def function(model: Message, chance: random.Random) -> None:
    """Add a function of the model's own, perhaps one that calls itself, and call it."""
    made = Message(kind_of("FunctionProto"))
    name, domain = chance.choice(
        ((b"f", b"local"), (b"Relu", b""), (b"Attention", b"com.microsoft"))
    )
    made.add("name", name)
    made.add("domain", domain)
    nodes = [node for graph in model.children("graph") for node in graph.children("node")]
    if not nodes:
        return
    first = chance.choice(nodes)
    for side in ("input", "output"):
        made.set(side, *(each.value for each in first.all(side)))
    body = copied(first)
    if chance.random() < 0.5:
        body.set("op_type", name)
        body.set("domain", domain)
    made.add("node", body)
    if chance.random() < 0.3:
        made.add("attribute", b"alpha")
    model.add("functions", made)
    called = chance.choice(nodes)
    called.set("op_type", name)
    called.set("domain", domain)


def metadata(model: Message, chance: random.Random) -> None:
    entry = Message(kind_of("StringStringEntryProto"))
    entry.add(
        "key", chance.choice((b"modellint.ignore", b"layers", b"stride", values.name(chance)))
    )
    entry.add(
        "value", chance.choice((b"QNT", b"*", b"VAL003 FUS", b"a,b;c\nd", values.name(chance)))
    )
    place = model if chance.random() < 0.5 else chance.choice(model.of("NodeProto") or [model])
    place.add("metadata_props", entry)


def training(model: Message, chance: random.Random) -> None:
    made = Message(kind_of("TrainingInfoProto"))
    made.add("algorithm", operators.small_graph(chance))
    model.add("training_info", made)


def annotate(model: Message, chance: random.Random) -> None:
    """Quantization annotations of the graph, and the fields that hardly anyone writes."""
    for graph in model.children("graph"):
        for own in graph.kind.fields:
            if own.name in (
                "quantization_annotation",
                "sparse_initializer",
                "metadata_props",
                "doc_string",
            ):
                graph.fields.append(Field(own.number, wire_of(own), invented(own, chance, model)))


def move_out(model: Message, chance: random.Random) -> None:
    """Say that a tensor's data is in another file."""
    if tensor := _pick(model, chance, "TensorProto"):
        if chance.random() < 0.7:
            tensor.drop("raw_data")
        tensor.set("data_location", chance.choice((1, 1, 1, 0, 2)))
        operators.external(chance, tensor)


def opset(model: Message, chance: random.Random) -> None:
    entries = model.children("opset_import")
    if entries and chance.random() < 0.7:
        version = chance.choice((1, 5, 7, 9, 11, 13, 18, 21, 25))
        chance.choice(entries).set(
            "version", version if chance.random() < 0.7 else values.number(chance)
        )
    else:
        entry = Message(kind_of("OperatorSetIdProto"))
        entry.add("domain", chance.choice((b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft", b"x")))
        entry.add(
            "version",
            chance.choice((1, 13, 21)) if chance.random() < 0.7 else values.number(chance),
        )
        model.add("opset_import", entry)


def wrong_wire(model: Message, chance: random.Random) -> None:
    """Write a field as if it were of another type."""
    if message := _any(model, chance):
        item = chance.choice(message.fields)
        if isinstance(item.value, int):
            item.wire, item.value = chance.choice(
                ((LENGTH, b"\x01"), (FIXED32, bytes(4)), (LENGTH, b""))
            )
        else:
            item.wire, item.value = chance.choice(
                ((VARINT, 1), (FIXED64, bytes(8)), (LENGTH, b"\xff" * 3))
            )


CHANGES: dict[Change, int] = {
    delete: 6,
    duplicate: 4,
    shuffle: 1,
    replace: 10,
    insert: 6,
    retype: 8,
    resize: 8,
    other_constant: 10,
    other_operator: 6,
    rewire: 10,
    fewer: 4,
    other_attribute: 10,
    rename: 3,
    misname: 4,
    nest: 1,
    nest_type: 1,
    function: 3,
    metadata: 1,
    training: 1,
    annotate: 1,
    move_out: 3,
    opset: 4,
    wrong_wire: 1,
}
"""With how often each is made."""
