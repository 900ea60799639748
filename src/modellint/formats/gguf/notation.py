"""GGUF files as text, for examples in rule files.

small llama                            a complete model, which what follows changes
without tokenizer.chat_template        no such entry or tensor
llama.block_count = 2                  metadata: JSON, of the usual type
general.alignment (u64) = 64           or of another
tokenizer.ggml.scores = [0.0] * 48     an array of one value
tokenizer.ggml.tokens = texts * 48     an array of different texts
output.weight: Q4_0 [32, 48]           a tensor of zeros; the dim of a row first
output.weight: F32 [32] at 4096        at an offset of the data
output.weight: F32 [32] of 0000c07f    filled with these bytes
    output.weight: F32 [32] again          another with the same name
version 2, big-endian, repeat KEY      about the whole file
shorter by 100                         without its last bytes
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.gguf.header import (
    ALIGNMENT,
    ARRAY,
    CODES,
    MAGIC,
    TEXT,
    TYPE_NAMES,
    usable_alignment,
)
from modellint.formats.gguf.types import TYPES, ggml_name
from modellint.model import product

SMALL_LLAMA = """
general.architecture = "llama"
general.name = "Small"
general.file_type = 0
llama.context_length = 128
llama.embedding_length = 32
llama.block_count = 1
llama.feed_forward_length = 64
llama.attention.head_count = 4
llama.attention.head_count_kv = 2
llama.attention.layer_norm_rms_epsilon = 1e-5
llama.rope.dimension_count = 8
tokenizer.ggml.model = "llama"
tokenizer.ggml.tokens = texts * 48
tokenizer.ggml.scores = [0.0] * 48
tokenizer.ggml.token_type = [1] * 48
tokenizer.ggml.bos_token_id = 1
tokenizer.ggml.eos_token_id = 2
tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
token_embd.weight: F32 [32, 48]
output_norm.weight: F32 [32]
blk.0.attn_norm.weight: F32 [32]
blk.0.attn_q.weight: F32 [32, 32]
blk.0.attn_k.weight: F32 [32, 16]
blk.0.attn_v.weight: F32 [32, 16]
blk.0.attn_output.weight: F32 [32, 32]
blk.0.ffn_norm.weight: F32 [32]
blk.0.ffn_gate.weight: F32 [32, 64]
blk.0.ffn_up.weight: F32 [32, 64]
blk.0.ffn_down.weight: F32 [64, 32]
"""
_MODELS = {"llama": SMALL_LLAMA}

_ENTRY = re.compile(r"(?P<key>\S+)(?: \((?P<type>\w+)\))? = (?P<value>.+)")
_TENSOR = re.compile(
    r"(?P<name>\S+): (?P<type>\w+) \[(?P<dims>[-\d, ]*)\]"
    r"(?: at (?P<at>\d+))?(?: of (?P<of>\w+))?(?P<again> again)?"
)
_USUAL: Mapping[type, str] = {bool: "bool", int: "u32", float: "f32", str: "str"}
_USUAL_IN_ARRAYS = {**_USUAL, int: "i32"}
_TYPE_NUMBERS = {ggml_name(number): number for number in TYPES}

FARTHEST = 1 << 24
"""Maximum offset of data to write: a text can contain any."""


@dataclass(slots=True)
class _Draft:
    """Content of a file, as far as the text states it."""

    version: int = 3
    order: str = "<"
    entries: dict[str, bytes] = field(default_factory=dict)
    """Type and value of each."""
    alignment: int = ALIGNMENT
    repeated: list[str] = field(default_factory=list)
    tensors: dict[str, re.Match[str]] = field(default_factory=dict)
    cut: int = 0


def encode(text: str) -> bytes:
    """Return the file's bytes. Raises ValueError with the mistake in the text."""
    file = _Draft()
    for line in text.strip().splitlines():
        _obey(file, line.strip())
    return _bytes_of(file)


def _obey(file: _Draft, line: str) -> None:
    words = line.split()
    if not words:
        return
    tensor, entry = _TENSOR.fullmatch(line), _ENTRY.fullmatch(line)
    if words[0] == "small":
        for each in _MODELS[words[1]].strip().splitlines():
            _obey(file, each)
    elif words[0] == "version":
        file.version = int(words[1])
    elif words[0] == "big-endian":
        if file.entries:
            raise ValueError("big-endian comes first")
        file.order = ">"
    elif words[0] == "repeat":
        file.repeated.append(words[1])
    elif words[0] == "without":
        if file.entries.pop(words[1], None) is None and file.tensors.pop(words[1], None) is None:
            raise ValueError(f"nothing is called {words[1]}")
    elif words[0] == "shorter":
        file.cut = int(words[2])
    elif tensor is not None:
        file.tensors[tensor["name"] + (tensor["again"] or "")] = tensor
    elif entry is not None:
        _set(file, entry)
    else:
        raise ValueError(f"neither metadata nor a tensor: {line}")


def _set(file: _Draft, entry: re.Match[str]) -> None:
    value = _value_of(entry["value"])
    if entry["key"] == "general.alignment" and isinstance(value, int):
        file.alignment = usable_alignment(value)
    file.entries[entry["key"]] = _typed(file.order, value, entry["type"])


def _value_of(text: str) -> Any:
    text, _, times = text.partition("] * ")
    if times:
        return json.loads(text + "]") * int(times)
    if text.startswith("texts * "):
        return [f"t{number}" for number in range(int(text.removeprefix("texts * ")))]
    return json.loads(text)


def _typed(order: str, value: Any, kind: str | None) -> bytes:
    if not isinstance(value, list):
        number = TYPE_NAMES.index(kind or _USUAL[type(value)])
        return struct.pack(f"{order}I", number) + _plain(order, value, number)
    number = TYPE_NAMES.index(kind or (_USUAL_IN_ARRAYS[type(value[0])] if value else "str"))
    elements = b"".join(_plain(order, each, number) for each in value)
    return struct.pack(f"{order}IIQ", ARRAY, number, len(value)) + elements


def _plain(order: str, value: Any, kind: int) -> bytes:
    if kind == TEXT:
        return _string(order, str(value))
    return struct.pack(order + CODES[kind], value)


def _string(order: str, text: str) -> bytes:
    raw = text.encode()
    return struct.pack(f"{order}Q", len(raw)) + raw


def _bytes_of(file: _Draft) -> bytes:
    order = file.order
    keys = [*file.entries, *file.repeated]
    head = MAGIC + struct.pack(f"{order}IQQ", file.version, len(file.tensors), len(keys))
    head += b"".join(_string(order, key) + file.entries[key] for key in keys)
    data = b""
    for name, stated, dims, offset, content in _placed(file):
        head += _string(order, name) + struct.pack(f"{order}I{len(dims)}q", len(dims), *dims)
        head += struct.pack(f"{order}IQ", stated, offset)
        if offset <= FARTHEST:
            data += bytes(max(0, offset - len(data))) + content
    head += bytes(-len(head) % file.alignment)
    return (head + data)[: len(head) + len(data) - file.cut]


def _placed(file: _Draft) -> Iterator[tuple[str, int, list[int], int, bytes]]:
    """Iterate over tensors, one after the other unless the text says where they are."""
    end = 0
    for match in file.tensors.values():
        stated = _TYPE_NUMBERS.get(match["type"])
        number = int(match["type"].removeprefix("type")) if stated is None else stated
        dims = [int(dim) for dim in match["dims"].split(",")] if match["dims"] else []
        offset = int(match["at"]) if match["at"] else end
        dtype = TYPES.get(number)
        size = dtype.nbytes(product(dims)) if dtype is not None else 0
        size = min(max(size, 0), 1 << 20)  # a shape can promise anything
        pattern = bytes.fromhex(match["of"] or "00")
        content = (pattern * -(-size // len(pattern)))[:size]
        yield match["name"], number, dims, offset, content
        end = offset + -(-size // file.alignment) * file.alignment
