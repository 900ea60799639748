"""SavedModels as text: the content of graphs, or, after ``@variables``, the index of variables.

```
tags serve
signature serving_default x float32 [?,4] -> y float32 [?,3]
node y PartitionedCall x f=twice
node twice/add AddV2 x x
node read ReadFile
prints file:///tmp/log
```

A node whose name has a slash is in a function, whose parameters are what no node of it is called,
and which returns its last node. What follows an operator are inputs, and functions that it calls.
Results of a signature are nodes of their names. Variables are a line each: ``w float32 [4,3]``.
Their elements are in one file, one after the other.
"""

from __future__ import annotations

import re
import struct

from modellint.formats.protobuf import write_varint
from modellint.formats.savedmodel.table import FOOTER, MAGIC
from modellint.formats.savedmodel.types import TYPES
from modellint.model import DTYPES, product

_VARIABLES = "@variables"
_TENSOR = r"(?<!\S)(\S+) (\w+) \[([^\]]*)\]"
_INFO = re.compile(_TENSOR)
_LINE = re.compile(r"(tags|release|signature|node|prints) (.+)")
_CODES = {dtype.name: code for code, dtype in sorted(TYPES.items(), reverse=True)}


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines[:1] == [_VARIABLES]:
        return _index(lines[1:])
    return _graphs(lines)


def field(number: int, content: bytes | int) -> bytes:
    """Return a field of a message: a number, or bytes of any meaning."""
    if isinstance(content, int):
        return write_varint(number << 3) + write_varint(content % (1 << 64))
    return write_varint(number << 3 | 2) + write_varint(len(content)) + content


def _graphs(lines: list[str]) -> bytes:
    about, nodes, signatures = field(5, b"2.21.0"), b"", b""
    functions: dict[str, list[tuple[str, str, list[str]]]] = {}
    names = {line.split()[1] for line in lines if line.startswith("node ")}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"{line!r} says nothing about a graph")
        kind, rest = found.groups()
        if kind == "tags":
            about += b"".join(field(4, tag.encode()) for tag in rest.split())
        elif kind == "release":
            about = about.replace(field(5, b"2.21.0"), field(5, rest.encode()))
        elif kind == "signature":
            signatures += field(5, _signature(names, *rest.split(" ", 1)))
        else:
            path, op, *given = ["print", "PrintV2"] if kind == "prints" else rest.split()
            function, _, name = path.rpartition("/")
            if function:
                functions.setdefault(function, []).append((name, op, given))
            else:
                printed = field(5, _entry("output_stream", field(2, rest.encode())))
                nodes += field(1, _node(name, op, given) + (printed if kind == "prints" else b""))
    library = b"".join(field(1, _function(name, body)) for name, body in functions.items())
    graph = field(1, about) + field(2, nodes + field(2, library)) + signatures
    return field(1, 1) + field(2, graph)


def _entry(key: str, value: bytes) -> bytes:
    return field(1, key.encode()) + field(2, value)


def _node(name: str, op: str, given: list[str]) -> bytes:
    called = [each.split("=", 1) for each in given if "=" in each]
    read = [each for each in given if "=" not in each]
    return (
        field(1, name.encode())
        + field(2, op.encode())
        + b"".join(field(3, each.encode()) for each in read)
        + b"".join(
            field(5, _entry(key, field(10, field(1, function.encode()))))
            for key, function in called
        )
    )


def _function(name: str, nodes: list[tuple[str, str, list[str]]]) -> bytes:
    names = {each for each, _, _ in nodes}
    read = [each for _, _, given in nodes for each in given if "=" not in each]
    parameters = dict.fromkeys(each for each in read if each.split(":")[0] not in names)
    signature = field(1, name.encode())
    signature += b"".join(field(2, field(1, each.encode()) + field(3, 1)) for each in parameters)
    signature += field(3, field(1, b"result") + field(3, 1))
    body = b"".join(field(3, _node(*each)) for each in nodes)
    returned = field(1, b"result") + field(2, f"{nodes[-1][0]}:output:0".encode())
    return field(1, signature) + body + field(4, returned)


def _signature(names: set[str], key: str, ends: str) -> bytes:
    inputs, _, outputs = ends.partition("->")
    stated = b"".join(
        field(number, _entry(name, _placed(name, number, names) + _info(dtype, dims)))
        for number, end in ((1, inputs), (2, outputs))
        for name, dtype, dims in _INFO.findall(end)
    )
    return field(1, key.encode()) + field(2, stated)


def _placed(name: str, number: int, names: set[str]) -> bytes:
    """Say where an input is, or a result that a node has the name of."""
    return field(1, f"{name}:0".encode()) if number == 1 or name in names else b""


def _info(dtype: str, dims: str) -> bytes:
    return field(2, _CODES[dtype]) + field(3, _shape(dims))


def _shape(dims: str) -> bytes:
    sizes = [dim.strip() for dim in dims.split(",") if dim.strip()]
    return b"".join(field(2, field(1, -1 if size == "?" else int(size))) for size in sizes)


def _index(lines: list[str]) -> bytes:
    entries, offset = [(b"", field(1, 1))], 0
    for line in lines:
        found = _INFO.fullmatch(line)
        if found is None:
            raise ValueError(f"{line!r} does not describe a variable")
        name, dtype, dims = found.groups()
        size = DTYPES[dtype].nbytes(product(int(dim) for dim in dims.split(",") if dim.strip()))
        stated = (
            field(1, _CODES[dtype]) + field(2, _shape(dims)) + field(4, offset) + field(5, size)
        )
        entries.append((name.encode(), stated))
        offset += size
    block = _block(sorted(entries))
    place = write_varint(0) + write_varint(len(block) - 5)
    handles = _block([(b"\xff", place)])
    end = write_varint(len(block)) + write_varint(len(handles) - 5)
    return block + handles + (b"\0\0" + end).ljust(FOOTER - 8, b"\0") + struct.pack("<Q", MAGIC)


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return a block without shared beginnings, and with a checksum of zeros."""
    content = b"".join(
        b"\0" + write_varint(len(key)) + write_varint(len(value)) + key + value
        for key, value in entries
    )
    return content + struct.pack("<II", 0, 1) + bytes(5)
