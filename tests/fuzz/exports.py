"""Exported programs of PyTorch, and files of Keras and of ncnn whose content is nearly right."""

from __future__ import annotations

import json
import random
import zipfile
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from modellint.formats.keras.hdf5_notation import encode as hdf5_of
from modellint.formats.torch.notation import encode as program_of
from tests.fuzz import values

SAVED = Path(__file__).parents[1] / "data" / "torch"
NAMES = ("mixed", "image", "image_core", "branches")
_PROGRAM = """@program 8.20
input x float32 [s0,4]
parameter w float32 [4,4]
constant c float16 [4]
q int8 [s0,4] = quantized_decomposed.quantize_per_tensor.default(input=x, scale=0.5, QUANTIZER)
y float32 [s0,4] = aten.linear.default(input=x, weight=w)
z float32 [s0,2,2] = aten.view.default(self=y, size=[3,2,2])
v float32 [s0,2,2] = aten.add_.Tensor(self=z, other=c)
output v
range s0 0..16
""".replace("QUANTIZER", "zero_point=0, quant_min=-128, quant_max=127, dtype=int8")
_KEYS = tuple(
    "as_int as_ints as_tensor as_tensors as_expr as_name as_graph as_float as_none".split()
)
_FORMULAS = (
    "Mul(Integer(2), Symbol('s0'))",
    "Pow(Symbol('s0'), Integer(99))",
    "FloorDiv(Symbol('s0'), Integer(0))",
    "Symbol('s0', " * 300,
    "s0**s0**s0",
    "Integer(-5)",
    "-" * 2000,
    "Mod(s0, 0)",
    "lambda: 0",
)


@cache
def _stated(name: str) -> str:
    with zipfile.ZipFile(SAVED / f"{name}.pt2") as archive:
        member = next(each for each in archive.namelist() if "/models/" in each)
        return archive.read(member).decode()


def exported(chance: random.Random) -> tuple[str, bytes]:
    """A program in which some of what it states is something else."""
    original = program_of(_PROGRAM)
    name = chance.choice((*NAMES, ""))
    if name:
        original = (SAVED / f"{name}.pt2").read_bytes()
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(original)) as archive, zipfile.ZipFile(made, "w") as changed:
        for member in archive.namelist():
            content = archive.read(member)
            if member.endswith(".json") and chance.random() < (
                0.9 if "/models/" in member else 0.3
            ):
                content = altered(json.loads(content), chance)
            if chance.random() < 0.97:
                changed.writestr(member, content)
    return chance.choice((".pt2", ".pt2", ".pt", ".onnx")), made.getvalue()


def altered(tree: Any, chance: random.Random) -> bytes:
    places = list(_places(tree))
    for _ in range(chance.choice((1, 1, 2, 5, 30))):
        holder, key = chance.choice(places)
        kind = chance.randrange(6)
        try:
            if kind == 0:
                del holder[key]
            elif kind == 1 and isinstance(holder, dict):
                holder[chance.choice(_KEYS)] = holder.pop(key)
            elif kind == 2:
                other, place = chance.choice(places)
                holder[key] = other[place]
            else:
                holder[key] = _strange(chance)
        except (KeyError, IndexError):
            continue
    try:
        return json.dumps(tree).encode(errors="replace")
    except (ValueError, RecursionError):  # a part that holds itself
        return b"{}"


def _places(tree: Any) -> Any:
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        for key in each if isinstance(each, dict) else range(len(each)):
            yield each, key
            if isinstance(each[key], (dict, list)):
                waiting.append(each[key])


def _strange(chance: random.Random) -> Any:
    kind = chance.randrange(7)
    if kind == 0:
        return values.number(chance)
    if kind == 1:
        return chance.choice(_FORMULAS)
    if kind == 2:
        return values.name(chance).decode(errors="replace")
    if kind == 3:
        return chance.choice((None, True, [], {}, [[]], 1.5, -1, 1e308))
    if kind == 4:
        return {chance.choice(_KEYS): values.number(chance)}
    if kind == 5:
        return values.dims(chance)[:40]
    return {"as_expr": {"expr_str": chance.choice(_FORMULAS)}}


_HDF5 = """
@keras_version 3.15.1
@model_config {"class_name": "Sequential", "config": {"name": "net", "layers": [{}]}}
model_weights/dense/kernel float32 [2,3]
model_weights/dense/bias float16 [3]
layers/a/vars/0 int64 []
optimizer/vars/0 float64 [0,2]
"""


def hdf5(chance: random.Random) -> tuple[str, bytes]:
    """A file of Keras, or an archive with one, in which some numbers are others."""
    content = bytearray(hdf5_of(_HDF5))
    for _ in range(chance.choice((0, 1, 2, 6))):
        width = chance.choice((1, 2, 4, 8))
        at = chance.randrange(8, len(content) - 8) // width * width
        number = chance.choice((0, 1, 3, 255, len(content), chance.randrange(len(content)), -1))
        content[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    if chance.random() < 0.1:
        del content[chance.randrange(len(content)) :]
    if chance.random() < 0.6:
        return chance.choice((".h5", ".hdf5", ".onnx")), bytes(content)
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", '{"class_name": "Sequential", "config": {}}')
        archive.writestr("model.weights.h5", bytes(content))
    return ".keras", made.getvalue()


_LAYERS = "Convolution InnerProduct LSTM Gemm MemoryData MultiHeadAttention BatchNorm Scale".split()


def ncnn(chance: random.Random) -> tuple[str, bytes]:
    """Layers of ncnn with parameters of any size; `weights.bin` has some for those named so."""
    lines = ["Input in 0 1 b0"]
    for at in range(chance.randint(0, 6)):
        parameters = " ".join(
            f"{chance.randrange(23)}={chance.choice((0, 1, 2, 3, 8, values.number(chance)))}"
            for _ in range(chance.randint(0, 8))
        )
        lines.append(f"{chance.choice(_LAYERS)} l{at} 1 1 b{at} b{at + 1} {parameters}")
    stated = len(lines) if chance.random() < 0.9 else values.number(chance)
    return ".param", f"7767517\n{stated} {stated}\n{chr(10).join(lines)}\n".encode()
