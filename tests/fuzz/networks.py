"""OpenVINO and Core ML models, with lies in all that they state."""

from __future__ import annotations

import random
from functools import cache
from xml.sax.saxutils import quoteattr

from modellint.formats.coreml.features import ARRAY_TYPES
from modellint.formats.coreml.network import LAYER_KINDS
from modellint.formats.coreml.notation import entry, field
from modellint.formats.coreml.reader import KINDS
from modellint.formats.coreml.values import DATA_TYPES
from modellint.formats.openvino.types import ELEMENT_TYPES
from modellint.operators import rows
from tests.fuzz import values

DEEPEST = 3
SIZES = (0, 1, 2, 4, 16, 1 << 20, (1 << 31) - 1, 1 << 62, (1 << 64) - 1)


@cache
def operations(format: str) -> tuple[str, ...]:
    """Return the names of a format's operations."""
    own = [row.op_type for row in rows().values() if row.name.startswith(f"{format}.")]
    others = [e.name for row in rows().values() for e in row.dialects if e.format == format]
    return tuple(sorted({*own, *others}))


def _text(chance: random.Random) -> str:
    if chance.random() < 0.7:
        return chance.choice(("x", "y", "w", "main", "", "0", "1,1"))
    return values.name(chance).decode("utf-8", "replace")


# OpenVINO


def openvino(chance: random.Random) -> tuple[str, bytes]:
    text = "<?xml version='1.0'?>" if chance.random() < 0.5 else ""
    version = chance.choice(("11", "11", "11", "10", "7", "-1", "99999999999999999999", "x", ""))
    info = f"<rt_info>{_info(chance, 0)}</rt_info>"
    network = _network(chance, 0)
    text += f"<net name={_attribute(chance)} version='{version}'>{network}{info}</net>"
    data = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice((b"", b"<", b"&a;", b"\xff", b"</x>")) + data[at + 1 :]
    return ".xml", data[: chance.randrange(len(data))] if chance.random() < 0.05 else data


def _attribute(chance: random.Random) -> str:
    plain = "".join(each for each in _text(chance) if each.isprintable())
    return quoteattr(plain)


def _network(chance: random.Random, depth: int) -> str:
    count = chance.choice((0, 1, 2, 4, 8))
    layers = "".join(_layer(chance, number, depth) for number in range(count))
    edges = "".join(_edge(chance, count) for _ in range(chance.choice((0, count, 2 * count))))
    return f"<layers>{layers}</layers><edges>{edges}</edges>"


def _layer(chance: random.Random, number: int, depth: int) -> str:
    kind = chance.choice(
        ("Parameter", "Const", "Result", *chance.sample(operations("openvino"), 4))
    )
    id = number if chance.random() < 0.95 else chance.choice((0, -1, "x"))
    data = "".join(f" {name}={_stated(chance, name)}" for name in _names(chance, kind))
    ports = "".join(_port(chance, each) for each in range(chance.randint(0, 3)))
    given = "".join(_port(chance, each) for each in range(chance.randint(0, 2)))
    body = ""
    if depth < DEEPEST and chance.random() < 0.1:
        tag = chance.choice(("body", "then_body", "else_body"))
        body = f"<{tag}>{_network(chance, depth + 1)}</{tag}>"
    mark = "<rt_info><attribute name='decompression'/></rt_info>" if chance.random() < 0.1 else ""
    return (
        f"<layer id='{id}' name={_attribute(chance)} type='{kind}' version='opset{number}'>"
        f"<data{data}/>{mark}{body}<input>{ports}</input><output>{given}</output></layer>"
    )


_STATED = (
    "shape element_type offset size destination_type axis strides pads_begin pads_end dilations"
    " kernel auto_pad mode levels batch_dims min max epsilon keep_dims special_zero variable_id"
    " transpose_b block_size equation auto_broadcast sort reduction num_groups"
).split()


_WORDS = ("explicit", "valid", "max", "none", "value", "numpy", "same_upper")


def _names(chance: random.Random, kind: str) -> list[str]:
    usual = _STATED[:4] if kind == "Const" else _STATED[:2] if kind == "Parameter" else []
    return [*dict.fromkeys((*usual, *chance.sample(_STATED, chance.randint(0, 5))))]


def _stated(chance: random.Random, name: str) -> str:
    if chance.random() < 0.1:
        return _attribute(chance)
    if name in ("element_type", "destination_type"):
        return f'"{chance.choice((*ELEMENT_TYPES, "dynamic", "f17"))}"'
    if name in ("offset", "size", "axis", "levels", "batch_dims", "block_size"):
        return f'"{values.number(chance) if chance.random() < 0.3 else chance.choice(SIZES)}"'
    if name in ("auto_pad", "mode", "sort", "reduction", "auto_broadcast"):
        return f'"{chance.choice(_WORDS)}"'
    if chance.random() < 0.1:
        return f'"{chance.choice(("...", "?", "1..", "..3", "-1", "1..9999999999999999999999"))}"'
    return f'"{",".join(map(str, values.dims(chance)[:40]))}"'


def _port(chance: random.Random, number: int) -> str:
    precision = chance.choice(("FP32", "FP16", "I64", "U4", "BOOL", "", "X"))
    dims = "".join(f"<dim>{dim}</dim>" for dim in values.dims(chance)[:40])
    if chance.random() < 0.05:
        dims += chance.choice(("<dim/>", "<dim>x</dim>", "<dim>9e9</dim>", "<dam>1</dam>"))
    return f"<port id='{number}' precision='{precision}' names={_attribute(chance)}>{dims}</port>"


def _edge(chance: random.Random, count: int) -> str:
    ends = [chance.randrange(count or 1), chance.randrange(count or 1)]
    if chance.random() < 0.1:
        ends[0] = chance.randrange(-1, count + 1)
    ports = chance.randint(0, 2), chance.randint(0, 2)
    return (
        f"<edge from-layer='{ends[0]}' from-port='{ports[0]}'"
        f" to-layer='{ends[1]}' to-port='{ports[1]}'/>"
    )


def _info(chance: random.Random, depth: int) -> str:
    if depth > DEEPEST:
        return ""
    inner = "".join(_info(chance, depth + 1) for _ in range(chance.randint(0, 2)))
    tag = chance.choice(("a", "info", "b"))
    return f"<{tag} name={_attribute(chance)} value={_attribute(chance)}>{inner}</{tag}>"


# Core ML


def coreml(chance: random.Random) -> tuple[str, bytes]:
    data = _damaged(_model(chance, 0), chance)
    return ".mlmodel", data


def _damaged(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 8, 0x12, 0x7F, 0x80, 0xFF))
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


def _model(chance: random.Random, depth: int) -> bytes:
    described = b"".join(
        field(chance.choice((1, 10, 13)), _feature(chance)) for _ in range(chance.randint(0, 4))
    )
    described += field(100, field(100, field(1, _text(chance)) + field(2, _text(chance))))
    kind = chance.choice((502, 502, 502, 500, 500, 403, 200, 202, 610, *KINDS))
    return (
        field(1, chance.choice((4, 7, 9, 0, values.number(chance))))
        + field(2, described)
        + field(kind, _content(chance, kind, depth))
    )


def _content(chance: random.Random, kind: int, depth: int) -> bytes:
    if kind == 502:
        return _program(chance)
    if kind in (500, 403, 303):
        return _layers(chance, 0)
    if kind in (200, 201, 202) and depth < DEEPEST:
        models = (field(1, _model(chance, depth + 1)) for _ in range(chance.randint(0, 3)))
        inner = b"".join(models)
        return inner if kind == 202 else field(1, inner)
    return values.payload(chance, chance.choice((0, 0, 8, 30)))


def _feature(chance: random.Random) -> bytes:
    kind = chance.choice((1, 2, 4, 5, 5, 5, 6, 7, 8))
    dims = b"".join(field(1, dim) for dim in values.dims(chance)[:40])
    content = dims + field(2, chance.choice((*ARRAY_TYPES, 0, 7)))
    if chance.random() < 0.3:
        sizes = (
            field(1, values.number(chance)) + field(2, values.number(chance)) for _ in range(3)
        )
        content += field(31, b"".join(field(1, each) for each in sizes))
    if chance.random() < 0.3:
        content += field(21, b"".join(field(1, dims) for _ in range(chance.randint(0, 3))))
    return field(1, _text(chance)) + field(3, field(kind, content))


def _program(chance: random.Random) -> bytes:
    function = b"".join(field(1, _named(chance)) for _ in range(chance.randint(0, 2)))
    function += field(2, chance.choice(("CoreML6", "CoreML8", "CoreML99", "", "X")))
    function += entry(3, "CoreML6", _block(chance, 0))
    names = ("main", _text(chance)) if chance.random() < 0.3 else ("main",)
    return b"".join(entry(2, name, function) for name in names)


def _block(chance: random.Random, depth: int) -> bytes:
    operations = (field(3, _operation(chance, depth)) for _ in range(chance.choice((0, 1, 3, 8))))
    outputs = (field(2, _text(chance)) for _ in range(chance.randint(0, 2)))
    return b"".join((*operations, *outputs))


def _named(chance: random.Random) -> bytes:
    return field(1, _text(chance)) + field(2, _type(chance))


def _type(chance: random.Random) -> bytes:
    dims = values.dims(chance)[:40]
    content = field(1, chance.choice((*DATA_TYPES, 0, 99)))
    content += field(2, len(dims) if chance.random() < 0.95 else values.number(chance))
    for dim in dims:
        content += field(3, field(1, field(1, dim)) if chance.random() < 0.9 else field(2, b""))
    wrapped = field(chance.choice((1, 1, 1, 1, 2, 3, 4)), content)
    return field(5, field(1, wrapped)) if chance.random() < 0.1 else wrapped


def _value(chance: random.Random) -> bytes:
    content = field(2, _type(chance))
    if chance.random() < 0.3:
        place = chance.choice(
            ("@model_path/weights/weight.bin", "/etc/passwd", "../x", "", _text(chance))
        )
        return content + field(5, field(1, place) + field(2, chance.choice(SIZES)))
    numbers = values.payload(chance, chance.choice((0, 1, 4, 8, 16, 5000)))
    return content + field(3, field(1, field(chance.randint(1, 7), field(1, numbers))))


def _operation(chance: random.Random, depth: int) -> bytes:
    kind = chance.choice(("const", "const", *chance.sample(operations("coreml"), 4)))
    content = field(1, kind)
    for _ in range(chance.randint(0, 4)):
        name = chance.choice(("x", "y", "weight", "values", "axis", "perm", "axes", _text(chance)))
        bindings = (
            field(1, field(1, _text(chance)) if chance.random() < 0.8 else field(2, _value(chance)))
            for _ in range(chance.choice((0, 1, 1, 1, 3)))
        )
        content += entry(2, name, b"".join(bindings))
    content += b"".join(field(3, _named(chance)) for _ in range(chance.choice((0, 1, 1, 1, 2))))
    for name in ("val", "name")[: chance.randint(0, 2)]:
        content += entry(5, name, _value(chance))
    if depth < DEEPEST and chance.random() < 0.15:
        content += field(4, _block(chance, depth + 1))
    return content


def _layers(chance: random.Random, depth: int) -> bytes:
    return b"".join(
        field(1, _network_layer(chance, depth)) for _ in range(chance.choice((0, 1, 3, 8)))
    )


def _network_layer(chance: random.Random, depth: int) -> bytes:
    number = chance.choice((100, 140, 605, 615, *LAYER_KINDS, 99_999))
    content = field(1, _text(chance))
    content += b"".join(field(chance.choice((2, 3)), _text(chance)) for _ in range(3))
    parameters = b"".join(
        field(chance.choice((1, 2, 10, 20, 30, 60)), values.number(chance)) for _ in range(4)
    )
    weight = field(chance.choice((1, 2, 30, 31)), values.payload(chance, chance.choice((0, 3, 64))))
    weight += field(40, field(1, chance.choice((0, 1, 4, 5, 8, 99))))
    parameters += field(chance.choice((20, 21, 90, 91)), weight)
    if depth < DEEPEST and number in (605, 615):
        parameters += b"".join(field(each, _layers(chance, depth + 1)) for each in (1, 2, 3, 4))
    return content + field(number, parameters)
