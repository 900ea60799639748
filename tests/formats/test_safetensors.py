"""safetensors files: read as the library reads them, and refused where it refuses them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.formats.safetensors.header import DTYPE_NAMES, LONGEST
from modellint.formats.safetensors.notation import encode
from modellint.model import DTYPES, Model

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
TOLERATED = {"duplicate-tensor", "tensor-unaligned", "type-unloadable"}
"""Problems of files that the library loads."""


def packed(header: object, data: bytes = bytes(8), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def read(folder: Path, content: bytes) -> Model:
    path = folder / "m.safetensors"
    path.write_bytes(content)
    return read_model(path)


def tensors_of(model: Model) -> dict[str, tuple[str, tuple[int, ...], bytes]] | None:
    """Return type, shape and bytes of each tensor; None if something is refused."""
    if any(problem.kind not in TOLERATED for problem in model.problems):
        return None
    content = model.path.read_bytes()
    places = {tensor.name: tensor.region for tensor in model.tensors}
    assert all(places.values())
    return {
        tensor.name: (tensor.dtype.name, tensor.shape, content[place.offset :][: place.length])
        for tensor in model.tensors
        if (place := tensor.region) is not None
    }


def tensors_by_library(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]] | None:
    safetensors = pytest.importorskip("safetensors")
    try:
        listed = safetensors.deserialize(content)
    except safetensors.SafetensorError:
        return None
    return {
        name: (DTYPE_NAMES[each["dtype"]], tuple(each["shape"]), bytes(each["data"]))
        for name, each in listed
    }


def test_every_type_is_read(tmp_path: Path) -> None:
    lines = [f"{name} {name} [8,3]" for name in DTYPE_NAMES]
    content = encode("\n".join(lines))
    model = read(tmp_path, content)
    assert tensors_of(model) == tensors_by_library(content)
    for tensor in model.tensors:
        numbers = tensor.numpy()
        assert numbers is not None
        assert numbers.shape == (8, 3)
        (part,) = tensor.parts([(5, 11)])
        assert part.tobytes() == numbers.reshape(-1)[5:11].tobytes()


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"a": {**TENSOR, "other": [1]}},
        {"a": ["F32", [2], [0, 8]]},
        {"a": {**TENSOR, "dtype": {"F32": None}}},
        {"a": {**TENSOR, "dtype": "f32"}},
        {"a": {**TENSOR, "shape": [2.0]}},
        {"a": {**TENSOR, "shape": [True]}},
        {"a": {**TENSOR, "shape": [1 << 64]}},
        {"a": {**TENSOR, "shape": [1 << 40, 1 << 40]}},
        {"a": {**TENSOR, "data_offsets": [8, 0]}},
        {"a": {**TENSOR, "data_offsets": [0, 8, 8]}},
        {"a": {**TENSOR, "data_offsets": [4, 12]}},
        {"a": {**TENSOR, "dtype": "F4", "shape": [3]}},
        {"a": TENSOR, "b": TENSOR},
        {"a": TENSOR, "none": {**TENSOR, "shape": [0], "data_offsets": [4, 4]}},
        {"a": TENSOR, "none": {**TENSOR, "shape": [0, 1 << 40], "data_offsets": [8, 8]}},
        {"a": {**TENSOR, "shape": [1] * 40 + [2]}},
        {"__metadata__": None, "a": TENSOR},
        {"__metadata__": {"a": 1}, "a": TENSOR},
        {"__metadata__": [], "a": TENSOR},
        b'{"a":%(t)s,"a":%(t)s}',
        b'{"__metadata__":{},"__metadata__":{},"a":%(t)s}',
        b' \n{"a":%(t)s}  ',
        b'{"a":%(t)s}\0',
        b'\xef\xbb\xbf{"a":%(t)s}',
        b'{"\xff":%(t)s}',
        b'{"\\ud83d\\ude00":%(t)s}',
        b'{"\\ud83d":%(t)s}',
        b'{"\x01":%(t)s}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":NaN}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1e999}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1%(zeros)s}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":%(deep)s}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":%(deeper)s}}',
        b"[]",
    ],
)
def test_headers_are_taken_as_by_the_library(header: Any, tmp_path: Path) -> None:
    if isinstance(header, bytes):
        words = {
            b"t": json.dumps(TENSOR).encode(),
            b"zeros": b"0" * 400,
            b"deep": b"[" * 125 + b"]" * 125,
            b"deeper": b"[" * 126 + b"]" * 126,
        }
        header = header % words if b"%(" in header else header
    data = b"" if header == {} else bytes(8)
    content = packed(header, data)
    assert tensors_of(read(tmp_path, content)) == tensors_by_library(content)


def mutants(count: int) -> Iterator[bytes]:
    """Iterate over files of which a byte, a number or the length is wrong."""
    chance = random.Random(3)
    for _ in range(count):
        names = chance.sample(sorted(DTYPE_NAMES), 3)
        text = "\n".join(f"{name}.weight {name} [{chance.choice((0, 1, 8))},8]" for name in names)
        content = bytearray(encode(f"__metadata__ format = pt\n{text}"))
        header = 8 + int.from_bytes(content[:8], "little")
        at = chance.randrange(8, header) if chance.random() < 0.95 else chance.randrange(8)
        kind = chance.randrange(5)
        if kind == 0:
            content[at] = chance.choice(b'0129{}[],:"-. \\e')
        elif kind == 1:
            del content[at]
        elif kind == 2:
            content.insert(at, chance.choice(b'0129{}[],:"-. \\e'))
        elif kind == 3:
            content[header - 2 : header] = b"} " if content[header - 1] == ord("}") else b"  "
        else:
            content = content[: chance.randrange(len(content) + 1)] + bytes(chance.choice((0, 3)))
        yield bytes(content)


def test_mutants_are_taken_as_by_the_library(tmp_path: Path) -> None:
    taken = 0
    for content in mutants(150):
        theirs = tensors_by_library(content)
        assert tensors_of(read(tmp_path, content)) == theirs, content
        taken += theirs is not None
    assert 10 < taken < 140


def test_a_header_is_read_up_to_the_limit_of_the_library(tmp_path: Path) -> None:
    assert read(tmp_path, packed({"a": TENSOR}, length=LONGEST)).problems[0].kind == "truncated"
    assert read(tmp_path, packed({"a": TENSOR}, length=LONGEST + 1)).problems[0].fatal


def test_a_file_of_a_hundred_gigabytes_is_read_by_its_header(tmp_path: Path) -> None:
    elements = 25_000_000_000
    big = {"dtype": "F32", "shape": [elements], "data_offsets": [0, 4 * elements]}
    text = json.dumps({"a": big}).encode()
    text += b" " * (-len(text) % 8)
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write(packed(text, b""))
        file.truncate(8 + len(text) + 4 * elements)
    model = read_model(path)
    assert not model.problems
    assert model.tensors[0].nbytes == 4 * elements
    assert next(model.tensors[0].parts([(elements - 2, elements)])).tolist() == [0, 0]


def test_a_mistake_in_the_notation_is_shown() -> None:
    for text in ("a X32 [2]", "a F32", "a F32 [2] = 1 2 3"):
        with pytest.raises(ValueError, match=r"unknown dtype|neither|3 numbers"):
            encode(text)


def test_the_notation_fills_in_numbers() -> None:
    assert DTYPES["float32"].nbytes(4) == len(encode("a F32 [4]")) - len(encode("a F32 [0]"))
