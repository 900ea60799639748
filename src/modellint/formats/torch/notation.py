"""PyTorch files as text: a line for each tensor, with name, type, shape and any peculiarity.

```
encoder.weight float32 [2,3]
optimizer/exp_avg float32 [2,3] on cuda:0 of 600
@import posix.system ls
@object my_model.Net
```

A slash puts a tensor into an inner dictionary. ``on`` names the device it was saved from, and
``of`` the elements of its storage. ``@import`` adds a call of what it names, ``@object`` makes the
whole an object of a class, ``@missing`` leaves out the last storage, and ``@short 8`` ends it
early. ``@stream`` writes the format of PyTorch before 1.6, and ``@script`` adds what tells a
TorchScript program. A text that begins with ``@program`` is an exported program, see
`program_notation.py`.
"""

from __future__ import annotations

import re
import struct
import zipfile
from io import BytesIO
from typing import NamedTuple

from modellint.formats.torch.program_notation import FIRST, encode_program
from modellint.formats.torch.stream import MAGIC
from modellint.model import DTYPES, product

_TENSOR = re.compile(r"(\S+) (\w+) \[([\d, ]*)\](?: on (\S+))?(?: of (\d+))?")
_COMMAND = re.compile(r"@(import|object|missing|short|stream|script)(?: (\S+))?(?: (.+))?")
_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


class _Line(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    device: str
    elements: int


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    if text.lstrip().startswith(FIRST):
        return encode_program(text)
    lines: list[_Line] = []
    commands: dict[str, tuple[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        tensor, command = _TENSOR.fullmatch(line), _COMMAND.fullmatch(line)
        if tensor is not None and tensor[2] in _STORAGES:
            shape = tuple(int(dim) for dim in tensor[3].split(",") if dim.strip())
            elements = int(tensor[5] or product(shape))
            lines.append(_Line(tensor[1], tensor[2], shape, tensor[4] or "cpu", elements))
        elif command is not None:
            commands[command[1]] = command[2] or "", command[3] or ""
        else:
            raise ValueError(f"{line!r} is neither a tensor nor a command")
    return _stream(lines, commands) if "stream" in commands else _archive(lines, commands)


def _archive(lines: list[_Line], commands: dict[str, tuple[str, str]]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", _pickle(lines, commands))
        archive.writestr("archive/byteorder", b"little")
        for at, content in enumerate(_contents(lines, commands)):
            archive.writestr(f"archive/data/{at}", content)
        if "script" in commands:
            archive.writestr("archive/constants.pkl", b"\x80\x02).")
        archive.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def _contents(lines: list[_Line], commands: dict[str, tuple[str, str]]) -> list[bytes]:
    contents = [
        bytes(at % 50 + 1 for at in range(DTYPES[line.dtype].nbytes(line.elements)))
        for line in lines
    ]
    if "missing" in commands:
        contents.pop()
    if "short" in commands:
        contents[-1] = contents[-1][: -int(commands["short"][0])]
    return contents


def _stream(lines: list[_Line], commands: dict[str, tuple[str, str]]) -> bytes:
    keys = b"\x80\x02](" + b"".join(_text(str(at)) for at in range(len(lines))) + b"e."
    data = b"".join(
        struct.pack("<q", line.elements) + content
        for line, content in zip(lines, _contents(lines, commands), strict=False)
    )
    version, system = b"\x80\x02M\xe9\x03.", b"\x80\x02}."
    return MAGIC + version + system + _pickle(lines, commands) + keys + data


def _pickle(lines: list[_Line], commands: dict[str, tuple[str, str]]) -> bytes:
    inner: dict[str, list[bytes]] = {}
    pairs: list[bytes] = []
    for at, line in enumerate(lines):
        folder, _, name = line.name.rpartition("/")
        pair = _text(name) + _tensor(line, at)
        (inner.setdefault(folder, []) if folder else pairs).append(pair)
    pairs += [_text(folder) + _dict(each) for folder, each in inner.items()]
    if "import" in commands:
        called, argument = commands["import"]
        pairs.append(_text("x") + _global(*called.rsplit(".", 1)) + _text(argument) + b"\x85R")
    saved = _dict(pairs)
    if "object" in commands:
        saved = _global(*commands["object"][0].rsplit(".", 1)) + b")\x81" + saved + b"b"
    return b"\x80\x02" + saved + b"."


def _dict(pairs: list[bytes]) -> bytes:
    return b"}(" + b"".join(pairs) + b"u"


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _number(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _tuple(numbers: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_number, numbers)) + b"t"


def _tensor(line: _Line, at: int) -> bytes:
    storage = (
        b"("
        + _text("storage")
        + _global("torch", _STORAGES[line.dtype])
        + _text(str(at))
        + _text(line.device)
        + _number(line.elements)
        + b"tQ"
    )
    strides = tuple(product(line.shape[place + 1 :]) for place in range(len(line.shape)))
    arguments = storage + _number(0) + _tuple(line.shape) + _tuple(strides) + b"\x89"
    hooks = _global("collections", "OrderedDict") + b")R"
    return _global("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + hooks + b"tR"
