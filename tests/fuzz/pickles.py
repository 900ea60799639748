"""Archives and streams of PyTorch whose pickles are nearly right, or arbitrary instructions."""

from __future__ import annotations

import pickletools
import random
import struct
import zipfile
from io import BytesIO

from modellint.formats.torch.notation import encode
from tests.fuzz import values

_TEXT = """
w float32 [2,3]
inner/b bfloat16 [4] on cuda:0 of 9
n int64 []
@import argparse.Namespace a
"""
_ARGUMENTS = (0, 1, 4, 255, 1 << 31, (1 << 32) - 1)


def torch(chance: random.Random) -> tuple[str, bytes]:
    """A suffix and content."""
    suffix = chance.choice((".pt", ".pth", ".bin", ".onnx"))
    if chance.random() < 0.2:
        return suffix, _damaged(encode(f"{_TEXT}\n@stream"), chance)
    content = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(encode(_TEXT))) as original,
        zipfile.ZipFile(
            content, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        ) as made,
    ):
        for name in original.namelist():
            data = original.read(name)
            if name.endswith("data.pkl"):
                data = _program(chance) if chance.random() < 0.4 else _damaged(data, chance)
            elif chance.random() < 0.2:
                data = _damaged(data, chance)
            if chance.random() < 0.95:
                made.writestr(name, data)
    data = content.getvalue()
    return suffix, _damaged(data, chance) if chance.random() < 0.2 else data


def _program(chance: random.Random) -> bytes:
    """Arbitrary instructions, with arguments of the right kind more often than not."""
    steps = [_step(chance) for _ in range(chance.choice((1, 5, 40, 400)))]
    return b"\x80\x02" + b"".join(steps) + chance.choice((b".", b""))


def _step(chance: random.Random) -> bytes:
    opcode = chance.choice(pickletools.opcodes)
    code = opcode.code.encode("latin1")
    if opcode.arg is None:
        return code
    if opcode.arg.n > 0:
        return code + bytes(chance.choice((0, 0, 1, 255)) for _ in range(opcode.arg.n))
    if opcode.arg.n == pickletools.UP_TO_NEWLINE:
        lines = 2 if "pair" in opcode.arg.name else 1
        return code + b"".join(values.name(chance)[:50] + b"\n" for _ in range(lines))
    width = {pickletools.TAKEN_FROM_ARGUMENT1: "<B", pickletools.TAKEN_FROM_ARGUMENT8U: "<Q"}
    layout = width.get(opcode.arg.n, "<I")
    number = chance.choice(_ARGUMENTS) % (1 << 8 * struct.calcsize(layout))
    return code + struct.pack(layout, number) + bytes(min(number, 300))


def _damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 40, 127, 128, 255))
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed) + 1) :]
    return bytes(changed)
