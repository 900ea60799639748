"""TFLite files as text, for examples in rule files.

    main (x) => (y)
    x int8[1,4,4,3] *0.5 @-1
    w int8[8,1,1,3] *0.1,0.2 axis 0 = 0
    y int8[1,4,4,8] *0.25
    CONV_2D (x, w, -) => (y) {padding=SAME stride_w=1 stride_h=1} v3

A subgraph begins with its name, inputs and outputs. Its tensors follow, each with type and shape
(``?`` for an open dim), and perhaps with scales, zero points and their axis, the word ``variable``,
and a value: one number for all elements, or all of them. Then come its nodes, with options and a
version. A name is ``"quoted"`` if it has other characters than letters. Besides, there are

    signature serving (image=x) => (label=y)
    metadata min_runtime_version 1.14.0
    schema 3
    buffer 1000
    Flex:custom (x) => (y)

A tensor may be given by its index, ``#99``, to refer to what does not exist.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from math import prod

from modellint.formats.flatwriter import Field, Fields, Number, Numbers, flatbuffer
from modellint.formats.tflite.schema import schema

_NAME = r'(?:"[^"]*"|[\w./#-]+)'
_LIST = r"\(\s*([^()]*?)\s*\)"
_SUBGRAPH = re.compile(rf"({_NAME})\s*{_LIST}\s*=>\s*{_LIST}$")
_NODE = re.compile(
    rf"(?P<op>{_NAME})(?P<mark>:custom)?\s*{_LIST}\s*=>\s*{_LIST}"
    r"(?:\s*\{(?P<options>[^{}]*)\})?(?:\s+v(?P<version>\d+))?$"
)
_TENSOR = re.compile(
    rf"(?P<name>{_NAME})\s+(?P<type>[a-z]\w*)\[(?P<shape>[\d?,\s-]*)\]"
    r"(?:\s*\*(?P<scales>[^\s@]+))?(?:\s*@(?P<zeros>[\d,-]+))?(?:\s+axis\s+(?P<axis>\d+))?"
    r"(?P<variable>\s+variable)?(?:\s*=\s*(?P<value>.+))?$"
)
_CODES = {
    "FLOAT32": "f",
    "FLOAT16": "e",
    "FLOAT64": "d",
    "INT8": "b",
    "UINT8": "B",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "BOOL": "?",
}


def encode(text: str) -> bytes:
    """Return the file's bytes. Raises ValueError with the mistake in the text."""
    file = _TFLiteFile()
    for line in filter(None, map(str.strip, text.splitlines())):
        file.add(line)
    return flatbuffer(b"TFL3", file.fields())


class _TFLiteFile:
    """A file as far as it has been written."""

    def __init__(self) -> None:
        self.schema = 3
        self.codes: list[tuple[str, bool, int]] = []
        self.buffers: list[Fields] = [{}]
        self.subgraphs: list[_WrittenGraph] = []
        self.signatures: list[Fields] = []
        self.metadata: list[Fields] = []

    def fields(self) -> Fields:
        return {
            0: Number("I", self.schema),
            1: [_code(*each) for each in self.codes],
            2: [each.fields() for each in self.subgraphs],
            3: "MLIR Converted.",
            4: self.buffers,
            6: self.metadata,
            7: self.signatures,
        }

    def add(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if first == "schema":
            self.schema = int(rest)
        elif first == "buffer":
            self.buffer(bytes(int(rest)))
        elif first == "metadata":
            name, _, value = rest.partition(" ")
            self.metadata.append({0: name, 1: Number("I", self.buffer(value.encode()))})
        elif first == "signature":
            self._add_signature(rest)
        elif (match := _TENSOR.match(line)) is not None:
            self._subgraph.add_tensor(match, self)
        elif (match := _NODE.match(line)) is not None and self._is_node(match):
            self._subgraph.add_node(match, self)
        elif (match := _SUBGRAPH.match(line)) is not None:
            self.subgraphs.append(_WrittenGraph(*map(str, match.groups())))
        else:
            raise ValueError(f"neither a subgraph nor a tensor or node: {line!r}")

    @property
    def _subgraph(self) -> _WrittenGraph:
        if not self.subgraphs:
            raise ValueError("a tensor or node before the first subgraph")
        return self.subgraphs[-1]

    def _is_node(self, match: re.Match[str]) -> bool:
        return bool(match["mark"]) or match["op"] in schema().operators

    def buffer(self, content: bytes) -> int:
        self.buffers.append({0: content})
        return len(self.buffers) - 1

    def code(self, op: str, is_custom: bool, version: int) -> int:
        key = (op, is_custom, version)
        if key not in self.codes:
            self.codes.append(key)
        return self.codes.index(key)

    def _add_signature(self, text: str) -> None:
        match = _SUBGRAPH.match(text)
        if match is None:
            raise ValueError(f"not a signature: {text!r}")
        maps = [self._tensor_map(each) for each in match.groups()[1:]]
        self.signatures.append(
            {0: maps[0], 1: maps[1], 2: _plain(match[1]), 4: Number("I", len(self.subgraphs) - 1)}
        )

    def _tensor_map(self, text: str) -> list[Fields]:
        pairs = [each.partition("=") for each in _split(text)]
        return [
            {0: name, 1: Number("I", self._subgraph.index(tensor))} for name, _, tensor in pairs
        ]


class _WrittenGraph:
    def __init__(self, name: str, inputs: str, outputs: str) -> None:
        self.name, self.inputs, self.outputs = _plain(name), inputs, outputs
        self.names: list[str] = []
        self.tensors: list[Fields] = []
        self.nodes: list[Fields] = []

    def fields(self) -> Fields:
        return {
            0: self.tensors,
            1: self.indices(self.inputs),
            2: self.indices(self.outputs),
            3: self.nodes,
            4: self.name,
        }

    def index(self, name: str) -> int:
        if name == "-":
            return -1
        if name.startswith("#"):
            return int(name[1:])
        if _plain(name) not in self.names:
            raise ValueError(f"no tensor {name}")
        return self.names.index(_plain(name))

    def indices(self, names: str) -> Numbers:
        return Numbers("i", [self.index(each) for each in _split(names)])

    def add_tensor(self, match: re.Match[str], file: _TFLiteFile) -> None:
        kind = match["type"].upper()
        if kind not in schema().types:
            raise ValueError(f"no element type {match['type']}")
        dims = [-1 if each == "?" else int(each) for each in _split(match["shape"])]
        shape = [1 if dim == -1 else dim for dim in dims]
        self.names.append(_plain(match["name"]))
        fields: dict[int, Field] = {
            0: Numbers("i", shape),
            1: Number("b", schema().types.index(kind)),
            2: Number("I", self._buffer(match["value"], kind, prod(shape), file)),
            3: _plain(match["name"]),
            8: Number("?", True),
        }
        if match["scales"]:
            scales = [float(each) for each in _split(match["scales"])]
            zeros = [int(each) for each in _split(match["zeros"] or "0")]
            fields[4] = {
                2: Numbers("f", scales),
                3: Numbers("q", zeros * len(scales) if len(zeros) == 1 else zeros),
                6: Number("i", int(match["axis"] or 0)),
            }
        if match["variable"]:
            fields[5] = Number("?", True)
        if -1 in dims:
            fields[7] = Numbers("i", dims)
        self.tensors.append(fields)

    def _buffer(self, value: str | None, kind: str, count: int, file: _TFLiteFile) -> int:
        if value is None:
            return 0
        numbers = [float(each) for each in value.split()]
        if len(numbers) == 1:
            numbers *= count
        code = _CODES.get(kind)
        if code is None:
            return file.buffer(bytes(-(-count // 2)) if kind in ("INT4", "UINT4") else bytes(count))
        whole = numbers if code in "efd" else [int(each) for each in numbers]
        return file.buffer(struct.pack(f"<{len(whole)}{code}", *whole))

    def add_node(self, match: re.Match[str], file: _TFLiteFile) -> None:
        is_custom = bool(match["mark"])
        code = file.code(_plain(match["op"]), is_custom, int(match["version"] or 1))
        fields: dict[int, Field] = {
            0: Number("I", code),
            1: self.indices(match[3]),
            2: self.indices(match[4]),
        }
        if match["options"] is not None:
            stated = dict(each.partition("=")[::2] for each in match["options"].split())
            fields |= _options(match["op"], stated)
        self.nodes.append(fields)


def _code(op: str, is_custom: bool, version: int) -> Fields:
    number = schema().operators.index("CUSTOM" if is_custom else op)
    fields: dict[int, Field] = {
        0: Number("b", min(number, 127)),
        2: Number("i", version),
        3: Number("i", number),
    }
    if is_custom:
        fields[1] = op
    return fields


def _options(op: str, stated: Mapping[str, str]) -> dict[int, Field]:
    """Return the options that are stated, as the table that has all of their names."""
    known = schema()
    words = op.replace("_", "").lower()
    for union, names in enumerate(known.unions):
        ranked = sorted(names, key=lambda name: not name.lower().startswith(words))
        for name in ranked:
            fields = {each[0]: each for each in known.tables.get(name, ())}
            if name and stated.keys() <= fields.keys() and fields:
                table = {fields[key][1]: _option(fields[key], text) for key, text in stated.items()}
                kind_slot, slot = ((3, 4), (11, 12))[union]
                return {kind_slot: Number("B", names.index(name)), slot: table}
    raise ValueError(f"no operator has the options {', '.join(stated)}")


def _option(field: list[object], text: str) -> Field:
    _, _, kind, _, *enum = field
    code = str(kind)
    if enum and not text.lstrip("-").isdigit():
        return Number(code, schema().enums[str(enum[0])].index(text))
    if code == "s":
        return text
    if code.endswith("*"):
        return Numbers(code[0], [int(each) for each in text.split(",")])
    return Number(code, float(text) if code in "fd" else int(text))


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _plain(name: str) -> str:
    return name.strip('"')
