"""Text for Core ML models, for the examples of rules.

    version 7
    input x float32[1,3,16..64,224]        or image RGB[1..,224]
    input z float32[1,3] float32[1,4]      enumerated shapes
    output y float16[1,8,30,30]
    state s float16[1,8]
    program CoreML6
    w float16[8,3,3,3] = const blob=0      at an offset of weights/weight.bin
    n int32[2] = const val=1,2
    y float16[1,8,30,30] = conv x=x weight=w strides=n pad_type="valid"
    return y

A network instead: each layer with its inputs, outputs, and numbers of fields.

    network
    layer innerProduct x -> y 1=4 2=2 20.1=float:8     eight floats; or half:8, raw:8, double:0.5
    scaler x 0.5
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

from modellint.formats.coreml.features import ARRAY_TYPES, COLOR_SPACES, RANGED
from modellint.formats.coreml.network import LAYER_KINDS
from modellint.formats.coreml.reader import KINDS
from modellint.formats.coreml.values import DATA_TYPES
from modellint.formats.protobuf import write_varint

_TYPE = re.compile(r"(\w+)\[([^\]]*)\]$")
_FIELDS = {"input": 1, "output": 10, "state": 13}
UNBOUNDED = (1 << 64) - 1


class Double(float):
    """A number of 64 bits."""


def encode(text: str) -> bytes:
    """Return the bytes of a model. Raises ValueError with the mistake in the text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _model(iter(lines))


def varint(number: int) -> bytes:
    return write_varint(number & UNBOUNDED)


def field(number: int, content: int | str | bytes | float) -> bytes:
    """Return a field: a number, a float, or content after its length."""
    if isinstance(content, Double):
        return varint(number << 3 | 1) + struct.pack("<d", content)
    if isinstance(content, float):
        return varint(number << 3 | 5) + struct.pack("<f", content)
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def entry(number: int, key: str, value: bytes) -> bytes:
    """Return an entry of a map."""
    return field(number, field(1, key) + field(2, value))


def _model(lines: Iterator[str]) -> bytes:
    version, described, content = 7, b"", b""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "version":
            version = int(rest)
        elif word in _FIELDS:
            described += field(_FIELDS[word], _feature(rest, word == "state"))
        elif word == "metadata":
            key, _, value = rest.partition("=")
            described += field(100, field(100, field(1, key) + field(2, value)))
        elif word == "program":
            content = field(502, _program(rest or "CoreML6", lines))
        elif word in ("network", "classifier"):
            content = field(500 if word == "network" else 403, _network(lines))
        elif word == "pipeline":
            content = field(202, _pipeline(lines))
        elif word == "model":
            kind, _, fields = rest.partition(" ")
            number = next(number for number, name in KINDS.items() if name == kind)
            content = field(number, _numbers(fields))
        else:
            raise ValueError(f"not part of a model: {line}")
    return field(1, version) + field(2, described) + content


def _pipeline(lines: Iterator[str]) -> bytes:
    """Encode the models of a pipeline, each of which ends with a line ``end``."""
    content = b""
    part: list[str] = []
    for line in lines:
        if line == "end":
            content += field(1, _model(iter(part)))
            part = []
        else:
            part.append(line)
    return content


def _parsed(type: str) -> tuple[str, list[str]]:
    found = _TYPE.match(type)
    if found is None:
        raise ValueError(f"not a type: {type}")
    return found[1], [dim.strip() for dim in found[2].split(",") if dim.strip()]


def _feature(text: str, is_state: bool) -> bytes:
    name, kind, *more = text.split()
    if kind == "image":
        space, dims = _parsed(more[0])
        type = field(4, _image(space, dims))
    elif "[" in kind:
        array = _array(kind, more)
        type = field(8, field(1, array)) if is_state else field(5, array)
    else:
        type = field({"int64": 1, "double": 2, "string": 3}[kind], b"")
    return field(1, name) + field(3, type)


def _array(type: str, others: list[str]) -> bytes:
    name, dims = _parsed(type)
    codes = {known: code for code, known in ARRAY_TYPES.items()}
    content = b"".join(field(1, int(_bounds(dim)[0])) for dim in dims) + field(2, codes[name])
    if others:
        shapes = [_parsed(each)[1] for each in (type, *others)]
        each = (field(1, b"".join(field(1, int(dim)) for dim in shape)) for shape in shapes)
        content += field(21, b"".join(each))
    elif any(".." in dim for dim in dims):
        content += field(RANGED, b"".join(field(1, _range(dim)) for dim in dims))
    return content


def _image(space: str, dims: list[str]) -> bytes:
    codes = {name: code for code, name in COLOR_SPACES.items()}
    height, width = dims
    content = field(1, _bounds(width)[0]) + field(2, _bounds(height)[0]) + field(3, codes[space])
    if any(".." in dim for dim in dims):
        content += field(RANGED, field(1, _range(width)) + field(2, _range(height)))
    return content


def _bounds(dim: str) -> tuple[int, int]:
    low, dots, high = dim.partition("..")
    return int(low), int(high) if high else (-1 if dots else int(low))


def _range(dim: str) -> bytes:
    low, high = _bounds(dim)
    return field(1, low) + field(2, high)


# Programs


def _program(opset: str, lines: Iterator[str]) -> bytes:
    block, inputs = b"", b""
    for line in lines:
        if line.startswith("return "):
            block += b"".join(field(2, name) for name in line.split()[1:])
        elif line.startswith("given "):
            _, name, type = line.split()
            inputs += field(1, field(1, name) + field(2, _value_type(type)))
        else:
            block += field(3, _operation(line))
    function = inputs + field(2, opset) + entry(3, opset, block)
    return field(1, 1) + entry(2, "main", function)


def _value_type(type: str) -> bytes:
    name, dims = _parsed(type)
    codes = {str(dtype): code for code, dtype in DATA_TYPES.items()}
    content = field(1, codes[name]) + field(2, len(dims))
    for dim in dims:
        content += field(3, field(2, b"") if dim == "?" else field(1, field(1, int(dim))))
    return field(1, content)


def _operation(line: str) -> bytes:
    before, _, after = line.rpartition(" = ")
    kind, _, arguments = after.partition(" ")
    content = field(1, kind)
    words = before.split()
    outputs = list(zip(words[::2], words[1::2], strict=True))
    for name, type in outputs:
        content += field(3, field(1, name) + field(2, _value_type(type)))
    for argument in arguments.split():
        key, _, value = argument.partition("=")
        if key == "blob":
            content += entry(5, "val", _blob(outputs[0][1], int(value)))
        elif key == "val":
            content += entry(5, "val", _immediate(outputs[0][1], value))
        elif value.startswith('"'):
            content += entry(2, key, field(1, field(2, _immediate("string[]", value[1:-1]))))
        else:
            names = (field(1, field(1, name)) for name in value.split(","))
            content += entry(2, key, b"".join(names))
    label = outputs[0][0] if outputs else kind
    return content + entry(5, "name", _immediate("string[]", label))


def _blob(type: str, offset: int) -> bytes:
    name = "@model_path/weights/weight.bin"
    return field(2, _value_type(type)) + field(5, field(1, name) + field(2, offset))


def _immediate(type: str, text: str) -> bytes:
    kind, _ = _parsed(type)
    if kind == "string":
        tensor = field(4, field(1, text))
    elif kind.startswith("float"):
        numbers = [float(each) for each in text.split(",")]
        tensor = field(1, field(1, struct.pack(f"<{len(numbers)}f", *numbers)))
    else:
        number = 3 if kind == "bool" else 2
        packed = b"".join(varint(int(each)) for each in text.split(","))
        tensor = field(number, field(1, packed))
    return field(2, _value_type(type)) + field(3, field(1, tensor))


# Networks


def _network(lines: Iterator[str]) -> bytes:
    content = b""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "scaler":
            name, scale = rest.split()
            content += field(2, field(1, name) + field(10, field(10, float(scale))))
            continue
        before, arrow, after = rest.partition("->")
        if word != "layer" or not arrow:
            raise ValueError(f"not a layer: {line}")
        name, *inputs = before.split()
        outputs = [each for each in after.split() if "=" not in each]
        number = next(number for number, kind in LAYER_KINDS.items() if kind == name)
        layer = field(1, outputs[0] if outputs else name)
        layer += b"".join(field(2, each) for each in inputs)
        layer += b"".join(field(3, each) for each in outputs)
        fields = " ".join(each for each in after.split() if "=" in each)
        content += field(1, layer + field(number, _numbers(fields)))
    return content


def _numbers(text: str) -> bytes:
    """Encode fields by number, ``20.1`` for one inside another."""
    return b"".join(_nested(*word.split("=", 1)) for word in text.split())


def _nested(path: str, text: str) -> bytes:
    *outer, last = map(int, path.split("."))
    content = field(last, _content(text))
    for number in reversed(outer):
        content = field(number, content)
    return content


def _content(text: str) -> int | str | bytes | float:
    kind, colon, count = text.partition(":")
    if colon:
        if kind == "double":
            return Double(float(count))
        sizes = {"float": 4, "half": 2, "raw": 1}
        return bytes(sizes[kind] * int(count))
    if text.isdigit():
        return int(text)
    return float(text) if re.fullmatch(r"[\d.]+", text) else text


def blob_file(tensors: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a file of weights, each with the number of its type. The first is at byte 64."""
    content = bytes(64)
    for code, raw in tensors:
        start = len(content) + 64
        content += struct.pack("<IIQQ", 0xDEADBEEF, code, len(raw), start).ljust(64, b"\0")
        content += raw.ljust(-(-len(raw) // 64) * 64, b"\0")
    return content
