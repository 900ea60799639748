"""Files of other formats, and files that are nearly of some format."""

from __future__ import annotations

import json
import math
import random
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO

from modellint.formats.trt import engine as engine_format
from tests.fuzz import exports, flatbuffers, networks, operators, pickles, seeds, splice, values
from tests.fuzz.gguf_files import gguf
from tests.fuzz.tree import write


def other(chance: random.Random) -> tuple[str, bytes]:
    """A suffix and content."""
    return chance.choice(SELDOM if chance.random() < 0.4 else OFTEN)(chance)


def _text(chance: random.Random) -> str:
    return values.name(chance).decode(
        "utf-8", "surrogateescape" if chance.random() < 0.1 else "replace"
    )


def _json(chance: random.Random, depth: int = 0) -> object:
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return values.number(chance) * chance.choice((1, 1, 10**300))
    if kind == 1:
        return chance.choice(values.FLOATS)
    if kind in (2, 3):
        return _text(chance)
    if kind == 4:
        return chance.choice((None, True, False, "", [], {}))
    if kind == 5:
        return values.dims(chance)[:10]
    if kind == 6:
        return [_json(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    return {_text(chance): _json(chance, depth + 1) for _ in range(chance.randint(0, 4))}


def _dumped(content: object, chance: random.Random) -> bytes:
    text = json.dumps(content).encode()
    kind = chance.random()
    if kind < 0.1:
        return b"[" * chance.choice((100, 5000, 100_000)) + text
    if kind < 0.2:
        return text[: chance.randrange(len(text) + 1)]
    if kind < 0.3:
        return text.replace(b":", b": " + b" " * 5000, 1).replace(
            b'"', b"\xff", chance.randrange(3)
        )
    return text


def safetensors(chance: random.Random) -> tuple[str, bytes]:
    """A header with some lies: types, dims, offsets, fields that are repeated or of other types."""
    entries: list[str] = []
    end = 0
    for _ in range(chance.randint(0, 4)):
        dims = [chance.choice((0, 1, 2, 8)) for _ in range(chance.randint(0, 3))]
        dtype, width = chance.choice((("F32", 4), ("BF16", 2), ("F8_E4M3", 1), ("I64", 8)))
        size = width * math.prod(dims)
        offsets = [end, end + size]
        stated: dict[str, object] = {"dtype": dtype, "shape": dims, "data_offsets": offsets}
        end += size
        if chance.random() < 0.4:
            lies: tuple[object, ...] = ("F4", "X", None, [16, 0], [-1, 1 << 63], _json(chance))
            lie = chance.choice((values.dims(chance)[:9], *lies))
            stated[chance.choice((*stated, "x"))] = lie
        entries.append(f"{json.dumps(_text(chance))}: {json.dumps(stated)}")
    entries *= chance.choice((1, 1, 1, 2))
    if chance.random() < 0.3:
        entries.append(f'"__metadata__": {json.dumps(_json(chance))}')
    text = "{" + ", ".join(entries) + "}"
    header = text.encode() if chance.random() < 0.7 else _dumped(_json(chance), chance)
    length = chance.choice((*[len(header)] * 5, 0, 1, len(header) + 1, 1 << 20, 1 << 63))
    return ".safetensors", struct.pack("<Q", length) + header + bytes(
        end + chance.choice((0, 0, 3))
    )


def flatbuffer(chance: random.Random) -> tuple[str, bytes]:
    suffix, magic = chance.choice(((".tflite", b"TFL3"), (".ort", b"ORTM")))
    table = b"".join(
        struct.pack(
            "<i",
            values.number(chance) & 0x7FFFFFFF
            if chance.random() < 0.5
            else chance.choice((0, 4, -4, 8)),
        )
        for _ in range(chance.choice((0, 1, 8, 100)))
    )
    return suffix, struct.pack("<I", chance.choice((0, 4, 16, 24, 0xFFFFFFFF))) + magic + table


def xml(chance: random.Random) -> tuple[str, bytes]:
    blanks = b" \t\n" * chance.choice((0, 1, 1300))
    begin = chance.choice(
        (b"<net", b"<?xml version='1.0'?><net", b"<?xml?>", b"<!-- x --><net", b"<!--", b"<NET")
    )
    name = values.name(chance)
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        if chance.random() < 0.3
        else b""
    )
    body = (
        b' name="'
        + name
        + b'" version="11"><layers>'
        + b"<layer>" * chance.choice((0, 1, 5000))
        + b"</net>"
    )
    return chance.choice((".xml", ".onnx")), blanks + bomb + begin + blanks + body


def archive(chance: random.Random) -> tuple[str, bytes]:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in chance.choice(
            (("archive/data.pkl",), ("config.json",), ("a.npy",), ("../../x", "model.onnx"), ())
        ):
            made.writestr(name, values.payload(chance, chance.choice((0, 10, 3000))))
    data = content.getvalue()
    if chance.random() < 0.5 and data:
        data = _damaged(data, chance)
    return chance.choice((".pt", ".keras", ".npz", ".zip", ".onnx")), data


def engine(chance: random.Random) -> tuple[str, bytes]:
    magic = chance.choice((*engine_format.WRITERS, b"xtrt"))
    size = chance.choice((0, 32, 100, 1 << 62, (1 << 64) - 1))
    head = magic + values.payload(chance, 12) + struct.pack("<Q", size)
    head += bytes(chance.choice((0, 1, 8, 10, 40, 41, 255)) for _ in range(8))
    length = chance.choice((4, 5, 16, 31, 32, 32, 32))
    data = head[:length] + values.payload(chance, chance.choice((0, 100)))
    if chance.random() < 0.4:
        text = _dumped({_text(chance): _json(chance) for _ in range(3)}, chance)
        length = chance.choice((len(text), len(text), len(text) + 1, 0, 0xFFFFFFFF))
        data = struct.pack("<I", length) + text + data
    return chance.choice((".engine", ".plan", ".trt", ".onnx")), data


def layers(chance: random.Random) -> tuple[str, bytes]:
    """An export of an engine's layers: TensorRT's inspector, or trtexec."""

    def tensor() -> object:
        return {
            "Name": _text(chance),
            "Dimensions": chance.choice((values.dims(chance)[:9], None, "x", [[1]], [1.5])),
            "Format/Datatype": chance.choice(
                ("Half", "Row major linear FP32", "", None, _text(chance))
            ),
        }

    def layer() -> object:
        made: dict[str, object] = {
            "Name": _text(chance),
            "LayerType": chance.choice(
                ("Convolution", "kgen", "Reformat", "", None, _text(chance))
            ),
            "Inputs": [tensor() for _ in range(chance.randint(0, 3))],
            "Outputs": [tensor() for _ in range(chance.randint(0, 3))],
            "Metadata": chance.choice((_text(chance), "[ONNX Layer: a]\x1e[ONNX Layer: b]", None)),
            "TacticName": _text(chance),
            "Weights": chance.choice(
                ({"Type": "Half", "Count": values.number(chance)}, None, _json(chance))
            ),
            "StreamId": values.number(chance),
        }
        for key in list(made):
            if chance.random() < 0.1:
                made[key] = _json(chance)
            elif chance.random() < 0.1:
                del made[key]
        return made if chance.random() < 0.9 else _json(chance)

    document: object = {
        "Layers": [layer() for _ in range(chance.choice((0, 1, 3, 10)))],
        "Bindings": chance.choice(([_text(chance)], [], None, _json(chance))),
    }
    if chance.random() < 0.2:
        document = _json(chance)
    return ".json", _dumped(document, chance)


def onnx_text(chance: random.Random) -> tuple[str, bytes]:
    import onnx.printer

    from modellint.native import messages

    model = write(chance.choice(seeds.examples()))
    text = bytearray(onnx.printer.to_text(messages().ModelProto.FromString(model)).encode())
    for _ in range(chance.randint(0, 5)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            del text[at : at + chance.randint(1, 30)]
        elif kind == 1:
            text[at:at] = values.name(chance)
        elif kind == 2:
            text[at:at] = text[at : at + chance.randint(1, 200)]
        elif kind == 3:
            text[at:at] = str(values.number(chance)).encode()
        elif kind == 4:
            text[at:at] = chance.choice(
                (b"<", b">", b"{", b"(", b"[", b'"', b"\\", b",", b"@", b"#")
            ) * chance.choice((1, 2, 5000))
        else:
            text[at:at] = chance.choice(
                (b"float[", b"If (c) <", b"seq(", b"<ir_version:", b"= {", b'"\\u')
            )
    return ".onnxtxt", bytes(text)


def pointer(chance: random.Random) -> tuple[str, bytes]:
    oid = chance.choice((b"0" * 64, b"", b"zz", b"a" * 3000))
    size = chance.choice((b"1", b"-1", b"9" * 400, b"", "٣".encode()))
    return (
        ".onnx",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:"
        + oid
        + b"\nsize "
        + size
        + b"\n",
    )


BEGINNINGS = (
    *(
        b"",
        b"\0",
        bytes(600),
        b"\x80\x02}",
        b"\x80\x04\x95",
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"BZh91AY&SY",
    ),
    *(
        b"\x89HDF\r\n\x1a\n",
        b"\x93NUMPY",
        b"7z\xbc\xaf\x27\x1c",
        b"Salted__",
        b"#!/bin/sh",
        b"\xef\xbb\xbf",
    ),
    *(
        b"<html>",
        b"[[[",
        b'{"',
        b"\x08\x08",
        b"\x08\x08:\x00",
        b":\x00",
        b"\x08\x08:" + b"\x80" * 8 + b"\x02",
    ),
)


def small(chance: random.Random) -> tuple[str, bytes]:
    """Next to nothing, or what other files begin with."""
    start = chance.choice(BEGINNINGS)
    suffix = chance.choice((".onnx", ".engine", ".pt", ".txt"))
    return suffix, start + values.payload(chance, chance.choice((0, 1, 30, 5000)))


def damaged_model(chance: random.Random) -> tuple[str, bytes]:
    return ".onnx", _damaged(write(seeds.seed(chance)), chance)


def _damaged(data: bytes, chance: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            content[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 2:
            content[at:at] = values.payload(chance, chance.randint(1, 20))
        else:
            del content[at : at + chance.randint(1, 40)]
    return bytes(content)


def misnamed(chance: random.Random) -> tuple[str, bytes]:
    """A model in name and first bytes, with a tensor in place of the rest."""
    return ".onnx", b"\x08\x08" + write(operators.tensor(chance, b"x"))


Maker = Callable[[random.Random], tuple[str, bytes]]
SELDOM: tuple[Maker, ...] = (safetensors, flatbuffer, xml, archive, pointer, small, misnamed)
OFTEN: tuple[Maker, ...] = (
    engine,
    layers,
    onnx_text,
    damaged_model,
    gguf,
    flatbuffers.tflite,
    flatbuffers.ort,
    pickles.torch,
    networks.openvino,
    networks.coreml,
    exports.exported,
    exports.hdf5,
    exports.ncnn,
    splice.spliced,
)
"""Formats that are read."""
