"""TFLite files and those of ONNX Runtime, with lies in all that their tables state."""

from __future__ import annotations

import random
import struct

from modellint.formats.flatwriter import Field, Fields, Number, Numbers, flatbuffer
from tests.fuzz import values

INDICES = (-2, -1, 0, 0, 1, 1, 2, 3, 7, 1 << 20, (1 << 31) - 1, -(1 << 31))


def tflite(chance: random.Random) -> tuple[str, bytes]:
    root: Fields = {
        0: Number("I", chance.choice((3, 3, 3, 0, 1 << 31))),
        1: [_code(chance) for _ in range(chance.randint(0, 3))],
        2: [_subgraph(chance) for _ in range(chance.choice((0, 1, 1, 2, 4)))],
        3: _text(chance),
        4: [_buffer(chance) for _ in range(chance.randint(0, 4))],
        6: [{0: _metadata(chance), 1: _index(chance, "I")} for _ in range(chance.randint(0, 2))],
        7: [_signature(chance) for _ in range(chance.randint(0, 2))],
        8: [{0: _text(chance)} for _ in range(chance.randint(0, 2))],
        9: [{0: _index(chance, "I"), 1: _index(chance, "I")} for _ in range(chance.randint(0, 2))],
    }
    return ".tflite", _damaged(flatbuffer(b"TFL3", _fewer(root, chance)), chance)


def ort(chance: random.Random) -> tuple[str, bytes]:
    model: Fields = {
        0: _long(chance),
        1: [{0: _text(chance), 1: _long(chance)} for _ in range(chance.randint(0, 3))],
        2: _text(chance),
        7: _graph(chance, 0),
        9: [{0: _text(chance), 1: _text(chance)} for _ in range(chance.randint(0, 2))],
    }
    root: Fields = {0: _text(chance), 1: _fewer(model, chance), 3: {0: [{0: _text(chance)}]}}
    return ".ort", _damaged(flatbuffer(b"ORTM", root), chance)


def _fewer(table: Fields, chance: random.Random) -> Fields:
    """Leave out fields, as a default is."""
    return {slot: field for slot, field in table.items() if chance.random() < 0.95}


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Change offsets, lengths and vtables, and cut the end off, in some files."""
    data = bytearray(content)
    for _ in range(chance.choice((0, 0, 0, 1, 2, 8))):
        at = 4 * chance.randrange(len(data) // 4)
        number = chance.choice((0, 1, 4, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, len(data), at))
        struct.pack_into("<I", data, at, number & 0xFFFFFFFF)
    return bytes(data[: chance.randrange(8, len(data))] if chance.random() < 0.1 else data)


def _text(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return chance.choice(("x", "y", "w", "main", ""))
    return values.name(chance).decode("utf-8", "replace")


def _index(chance: random.Random, code: str = "i") -> Number:
    number = chance.choice(INDICES)
    return Number(code, number & 0xFFFFFFFF if code == "I" else number)


def _long(chance: random.Random) -> Number:
    return Number("q", max(-(1 << 63), min(values.number(chance), (1 << 63) - 1)))


def _indices(chance: random.Random) -> Numbers:
    return Numbers("i", [chance.choice(INDICES) for _ in range(chance.randint(0, 4))])


def _dims(chance: random.Random, code: str) -> Numbers:
    bits = 8 * struct.calcsize(code) - 1
    dims = values.dims(chance)[:40]
    return Numbers(code, [max(-(1 << bits), min(dim, (1 << bits) - 1)) for dim in dims])


def _floats(chance: random.Random) -> Numbers:
    usual = [each for each in values.FLOATS if abs(each) < 1e38 or each != each]
    return Numbers("f", [chance.choice(usual) for _ in range(chance.randint(0, 3))])


def _code(chance: random.Random) -> Fields:
    number = chance.choice((0, 3, 9, 22, 32, 118, 119, 206, 127, 999, -1))
    return {
        0: Number("b", max(-128, min(number, 127))),
        1: _text(chance),
        2: _index(chance),
        3: Number("i", number),
    }


def _buffer(chance: random.Random) -> Fields:
    if chance.random() < 0.2:
        return {1: Number("Q", chance.choice((1, 8, 1 << 62))), 2: Number("Q", 16)}
    return {0: values.payload(chance, chance.choice((0, 4, 16, 5000)))}


def _metadata(chance: random.Random) -> str:
    names = ("min_runtime_version", "TFLITE_METADATA", "CONVERSION_METADATA")
    return chance.choice((*names, _text(chance)))


def _signature(chance: random.Random) -> Fields:
    def pair() -> Fields:
        return {0: _text(chance), 1: _index(chance, "I")}

    return {0: [pair()], 1: [pair()], 2: _text(chance), 4: _index(chance, "I")}


def _subgraph(chance: random.Random) -> Fields:
    table: Fields = {
        0: [_tensor(chance) for _ in range(chance.choice((0, 1, 3, 8)))],
        1: _indices(chance),
        2: _indices(chance),
        3: [_operator(chance) for _ in range(chance.choice((0, 1, 3, 20)))],
        4: _text(chance),
    }
    return _fewer(table, chance)


def _tensor(chance: random.Random) -> Fields:
    table: dict[int, Field] = {
        0: _dims(chance, "i"),
        1: Number("b", chance.choice((0, 0, 2, 4, 5, 9, 9, 13, 14, 17, 22, 99, -1))),
        2: _index(chance, "I"),
        3: _text(chance),
        5: Number("?", chance.random() < 0.2),
    }
    if chance.random() < 0.5:
        table[4] = {
            0: _floats(chance),
            2: _floats(chance),
            3: Numbers("q", [chance.choice(INDICES) for _ in range(chance.randint(0, 3))]),
            4: Number("B", chance.choice((0, 2, 3, 9))),
            5: {0: _index(chance), 2: _index(chance)},
            6: _index(chance),
        }
    if chance.random() < 0.1:
        table[6] = {0: _indices(chance)}
    if chance.random() < 0.3:
        table[7] = _dims(chance, "i")
    if chance.random() < 0.1:
        table[10] = _index(chance, "I")
    return _fewer(table, chance)


def _operator(chance: random.Random) -> Fields:
    options: Fields = {slot: Number("i", chance.choice(INDICES)) for slot in range(4)}
    table: Fields = {
        0: Number("I", chance.choice((0, 0, 1, 2, 1 << 31))),
        1: _indices(chance),
        2: _indices(chance),
        3: Number("B", chance.choice((0, 1, 8, 92, 93, 103, 126, 255))),
        4: options,
        5: values.payload(chance, 8),
        11: Number("B", chance.choice((0, 0, 15, 21, 23, 255))),
        12: {0: Numbers("i", [chance.choice(INDICES)]), 1: Number("i", chance.choice(INDICES))},
    }
    return _fewer(table, chance)


def _graph(chance: random.Random, depth: int) -> Fields:
    table: Fields = {
        0: [_ort_tensor(chance) for _ in range(chance.randint(0, 3))],
        1: [_value(chance) for _ in range(chance.randint(0, 4))],
        2: [_node(chance, depth) for _ in range(chance.choice((0, 1, 3, 10)))],
        5: [_text(chance) for _ in range(chance.randint(0, 2))],
        6: [_text(chance) for _ in range(chance.randint(0, 2))],
        7: [{0: _ort_tensor(chance), 1: _ort_tensor(chance), 2: _dims(chance, "q")}],
    }
    return {slot: field for slot, field in table.items() if chance.random() < (0.8, 0.2)[slot == 7]}


def _ort_tensor(chance: random.Random) -> Fields:
    table: Fields = {
        0: _text(chance),
        2: _dims(chance, "q"),
        3: Number("i", chance.choice((0, 1, 1, 3, 7, 8, 10, 22, 99, -1))),
        4: values.payload(chance, chance.choice((0, 4, 16, 5000))),
        5: [_text(chance)],
    }
    return _fewer(table, chance)


def _value(chance: random.Random) -> Fields:
    dim: Fields = {
        0: Number("b", chance.choice((0, 1, 2, 9))),
        1: _long(chance),
        2: _text(chance),
    }
    tensor: Fields = {0: Number("i", chance.choice((0, 1, 7, 99, -1))), 1: {0: [{0: dim}] * 2}}
    stated: Fields = {1: Number("B", chance.choice((0, 1, 1, 1, 2, 3, 9))), 2: tensor}
    return {0: _text(chance), 2: stated}


def _node(chance: random.Random, depth: int) -> Fields:
    kinds = ("Relu", "Add", "If", "Loop", "Constant", "Reshape", "Conv", "")
    table: Fields = {
        0: _text(chance),
        2: chance.choice(("", "", "com.microsoft", _text(chance))),
        5: chance.choice((*kinds, _text(chance))),
        7: _text(chance),
        8: [_text(chance) for _ in range(chance.randint(0, 3))],
        9: [_text(chance) for _ in range(chance.randint(0, 2))],
        10: [_attribute(chance, depth) for _ in range(chance.randint(0, 2))],
        12: [_text(chance)],
    }
    return _fewer(table, chance)


def _attribute(chance: random.Random, depth: int) -> Fields:
    table: dict[int, Field] = {
        0: chance.choice(("axis", "perm", "value", "then_branch", "body", _text(chance))),
        2: Number("i", chance.choice((*range(13), -1, 99))),
        3: Number("f", 0.5),
        4: _long(chance),
        5: values.name(chance),
        6: _ort_tensor(chance),
        8: _floats(chance),
        9: _dims(chance, "q"),
        10: [_text(chance)],
        11: [_ort_tensor(chance)],
    }
    if depth < 3 and chance.random() < 0.3:
        table[7] = _graph(chance, depth + 1)
        table[12] = [_graph(chance, depth + 1)]
    return _fewer(table, chance)
