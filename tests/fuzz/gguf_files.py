"""GGUF files that lie: about counts, lengths, types, shapes, offsets, and what belongs together."""

from __future__ import annotations

import random
import struct
from functools import cache
from pathlib import Path

from modellint.formats.gguf.header import CODES
from modellint.formats.gguf.notation import encode
from tests.fuzz import values

DATA = Path(__file__).parents[1] / "data/gguf"
TEXT, ARRAY = 8, 9
KEYS = """
    general.architecture general.alignment general.file_type general.name general.type split.count
    split.no split.tensors.count llama.block_count llama.embedding_length llama.context_length
    llama.feed_forward_length llama.attention.head_count llama.attention.head_count_kv
    llama.attention.key_length llama.attention.key_length_mla llama.attention.value_length_mla
    llama.attention.sliding_window llama.attention.sliding_window_pattern llama.expert_count
    llama.expert_used_count llama.rope.scaling.type llama.rope.freq_base llama.rope.scaling.factor
    llama.ssm.inner_size llama.nextn_predict_layers llama.vocab_size tokenizer.ggml.model
    tokenizer.ggml.pre tokenizer.ggml.tokens tokenizer.ggml.scores tokenizer.ggml.token_type
    tokenizer.ggml.merges tokenizer.ggml.bos_token_id tokenizer.chat_template
    quantize.imatrix.file
    """.split()
ARCHITECTURES = "llama gemma2 jamba mamba qwen3next exaone4 falcon-h1 deepseek2 t5 clip".split()
TEXTS = (b"gpt2", b"llama", b"yarn", b"{{ x.__class__ }}", b"{%" * 1000, b"{{ '" + b"a" * 5000)
TENSORS = "token_embd.weight output.weight blk.0.attn_q.weight blk.0.ffn_down_exps.weight x".split()


def gguf(chance: random.Random) -> tuple[str, bytes]:
    """A suffix and content."""
    suffix = chance.choice((".gguf", ".gguf", "-00001-of-00002.gguf", "-00002-of-00002.gguf"))
    made = _damaged(chance) if chance.random() < 0.4 else _invented(chance)
    return suffix, made


@cache
def _models() -> tuple[bytes, ...]:
    return tuple(
        encode(path.read_text(encoding="utf-8"))[:20_000] for path in sorted(DATA.glob("*.txt"))
    )


def _damaged(chance: random.Random) -> bytes:
    """A model with a few numbers of its header replaced."""
    content = bytearray(chance.choice(_models()))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(4, min(len(content), 3000))
        number = values.number(chance) & 0xFFFFFFFFFFFFFFFF
        content[at : at + 8] = struct.pack("<Q", number)[: chance.choice((1, 4, 8))]
    return bytes(content[: chance.choice((len(content), chance.randrange(len(content))))])


def _invented(chance: random.Random) -> bytes:
    order = chance.choice("<<<>")
    entries = [_entry(chance, order) for _ in range(chance.choice((0, 1, 5, 30)))]
    if chance.random() < 0.8:
        name = chance.choice(ARCHITECTURES).encode()
        entries.insert(0, _text(order, b"general.architecture") + _typed(order, TEXT, name))
    tensors = [_tensor(chance, order) for _ in range(chance.choice((0, 1, 3, 30)))]
    counts = [len(tensors), len(entries)]
    if chance.random() < 0.1:
        counts[chance.randrange(2)] = values.number(chance) & 0xFFFFFFFFFFFFFFFF
    head = b"GGUF" + struct.pack(f"{order}IQQ", chance.choice((2, 3, 3, 3)), *counts)
    rest = b"".join((*entries, *tensors))
    if chance.random() < 0.1:
        rest = rest[: chance.randrange(len(rest) + 1)]
    return head + rest + values.payload(chance, chance.choice((0, 8, 5000)))


def _text(order: str, raw: bytes, length: int | None = None) -> bytes:
    return struct.pack(f"{order}Q", len(raw) if length is None else length) + raw


def _typed(order: str, kind: int, raw: bytes) -> bytes:
    return struct.pack(f"{order}I", kind) + _text(order, raw)


def _entry(chance: random.Random, order: str) -> bytes:
    key = chance.choice(KEYS).encode() if chance.random() < 0.8 else values.name(chance)
    lie = values.number(chance) & 0xFFFFFFFFFFFFFFFF if chance.random() < 0.03 else None
    return _text(order, key, lie) + _value(chance, order)


def _value(chance: random.Random, order: str, depth: int = 0) -> bytes:
    kind = chance.choice((4, 4, TEXT, ARRAY, chance.randrange(14)))
    return struct.pack(f"{order}I", kind) + _content(chance, order, kind, depth)


def _content(chance: random.Random, order: str, kind: int, depth: int) -> bytes:
    if kind == TEXT:
        raw = chance.choice(TEXTS) if chance.random() < 0.5 else values.name(chance)
        return _text(order, raw)
    if kind == ARRAY:
        return _array(chance, order, depth)
    if kind >= len(CODES):
        return b""
    return _number(chance, order, kind)


def _array(chance: random.Random, order: str, depth: int) -> bytes:
    kind = chance.choice((4, 5, 6, TEXT, ARRAY if depth < 8 else 4))
    count = chance.choice((0, 1, 2, 48, 600))
    if kind == ARRAY:
        count = min(count, 2)
    elements = b"".join(_content(chance, order, kind, depth + 1) for _ in range(count))
    lie = values.number(chance) & 0xFFFFFFFFFFFFFFFF if chance.random() < 0.05 else count
    return struct.pack(f"{order}IQ", kind, lie) + elements


def _number(chance: random.Random, order: str, kind: int) -> bytes:
    code = CODES[kind]
    if code in "fd":
        return struct.pack(
            order + code, chance.choice((0.0, 1.0, 1e30, float("inf"), float("nan")))
        )
    size = struct.calcsize(code)
    number = chance.choice((0, 1, 2, 32, 48)) if chance.random() < 0.7 else values.number(chance)
    return (number & ((1 << 8 * size) - 1)).to_bytes(size, "big" if order == ">" else "little")


def _tensor(chance: random.Random, order: str) -> bytes:
    name = chance.choice(TENSORS).encode() if chance.random() < 0.8 else values.name(chance)
    dims = values.dims(chance)[:10]
    rank = chance.choice((len(dims), len(dims), len(dims), 1 << 31))
    kind = chance.randrange(45) if chance.random() < 0.9 else values.number(chance) & 0xFFFFFFFF
    offset = chance.choice((0, 32, 64, 1, values.number(chance) & 0xFFFFFFFFFFFFFFFF))
    shape = b"".join(
        (dim & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big" if order == ">" else "little") for dim in dims
    )
    return (
        _text(order, name)
        + struct.pack(f"{order}I", rank)
        + shape
        + struct.pack(f"{order}IQ", kind, offset)
    )
