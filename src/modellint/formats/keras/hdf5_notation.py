"""Files of HDF5 as text: a line for each tensor, its path, type and shape, and attributes.

```
@keras_version 3.15.1
@model_config {"class_name": "Sequential", "config": {"name": "net", "layers": []}}
model_weights/dense/kernel float32 [2,3]
```
"""

from __future__ import annotations

import re
import struct

from modellint.formats.hdf5 import SIGNATURE
from modellint.model import DTYPES, product

_ATTRIBUTE = re.compile(r"@(\w+) (.*)")
_TENSOR = re.compile(r"(\S+) (\w+) \[([\d, ]*)\]")
_ABSENT = b"\xff" * 8
_SUPERBLOCK = 96
_FLOATS = {16: (10, 5, 15), 32: (23, 8, 127), 64: (52, 11, 1023)}
"""Bits of mantissa and exponent, and the bias, by width."""
Tree = dict[str, "Tree | bytes"]


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    root: Tree = {}
    attributes: list[bytes] = []
    writer = _HDF5Writer()
    for line in filter(None, map(str.strip, text.splitlines())):
        attribute, tensor = _ATTRIBUTE.fullmatch(line), _TENSOR.fullmatch(line)
        if attribute is not None:
            attributes.append(_attribute(attribute[1].encode(), attribute[2].encode()))
        elif tensor is not None:
            shape = tuple(int(dim) for dim in tensor[3].split(",") if dim.strip())
            _put(root, tensor[1].split("/"), writer.dataset(tensor[2], shape))
        else:
            raise ValueError(f"{line!r} is neither a tensor nor an attribute")
    start = writer.group(root, attributes)
    end = _SUPERBLOCK + len(writer.content)
    places = struct.pack("<Q8sQ8s", 0, _ABSENT, end, _ABSENT)
    entry = struct.pack("<QQII16x", 0, start, 0, 0)
    head = SIGNATURE + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    return head + places + entry + bytes(writer.content)


def _put(tree: Tree, path: list[str], header: bytes) -> None:
    for name in path[:-1]:
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{name!r} is a tensor and a group")
        tree = inner
    tree[path[-1]] = header


class _HDF5Writer:
    """Lays objects out one after the other, and knows where each is."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, data: bytes) -> int:
        start = _SUPERBLOCK + len(self.content)
        self.content += data + bytes(-len(data) % 8)
        return start

    def dataset(self, dtype: str, shape: tuple[int, ...]) -> bytes:
        nbytes = DTYPES[dtype].nbytes(product(shape))
        start = self.add(bytes(at % 50 + 1 for at in range(nbytes)))
        space = struct.pack("<BBB5x", 1, len(shape), 0)
        space += b"".join(struct.pack("<Q", dim) for dim in shape)
        layout = struct.pack("<BBQQ", 3, 1, start, nbytes)
        return _message(1, space) + _message(3, _type(dtype)) + _message(8, layout)

    def group(self, tree: Tree, attributes: list[bytes]) -> int:
        messages = [_message(12, each) for each in attributes]
        for name, inner in tree.items():
            at = self.group(inner, []) if isinstance(inner, dict) else self.add(_header(inner))
            label = name.encode()
            link = struct.pack("<BBB", 1, 0, len(label)) + label + struct.pack("<Q", at)
            messages.append(_message(6, link))
        info = _message(2, struct.pack("<BB8s8s", 0, 0, _ABSENT, _ABSENT))
        return self.add(_header(info + b"".join(messages)))


def _header(messages: bytes) -> bytes:
    count = at = 0
    while at < len(messages):
        count, at = count + 1, at + 8 + int.from_bytes(messages[at + 2 : at + 4], "little")
    return struct.pack("<BxHII4x", 1, count, 1, len(messages)) + messages


def _message(kind: int, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 8)
    return struct.pack("<HHB3x", kind, len(padded), 0) + padded


def _type(dtype: str) -> bytes:
    found = DTYPES[dtype]
    bits, size = int(found.bits), int(found.bits) // 8
    if not found.is_float:
        signed = 8 if found.kind == "int" else 0
        return struct.pack("<BBBBIHH", 0x10, signed, 0, 0, size, 0, bits)
    mantissa, exponent, bias = _FLOATS[bits]
    properties = struct.pack("<HHBBBBI", 0, bits, mantissa, exponent, 0, mantissa, bias)
    return struct.pack("<BBBBI", 0x11, 0x20, bits - 1, 0, size) + properties


def _attribute(name: bytes, text: bytes) -> bytes:
    parts = [
        name + b"\0",
        struct.pack("<BBBBI", 0x13, 0, 0, 0, len(text)),
        struct.pack("<BBB5x", 1, 0, 0),
    ]
    sizes = struct.pack("<BxHHH", 1, *map(len, parts))
    return sizes + b"".join(part + bytes(-len(part) % 8) for part in parts) + text
