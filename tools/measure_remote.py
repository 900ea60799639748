"""Measures what it costs to lint five models in a bucket: bytes, requests and time.

    PYTHONPATH=. python tools/measure_remote.py FOLDER [MILLISECONDS]

Two large models are made in FOLDER as sparse files; others may be there. A server that speaks as S3
does serves them, and waits so long before each answer. docs/remote.md shows the table.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from modellint.base.units import format_bytes
from modellint.formats.protobuf import write_varint
from tests.remote.bucket import BucketHandler, bucket
from tests.remote.servers import Web

LAYERS = 80
ADDRESS = "s3://bucket"


def write_onnx(path: Path, count: int, rows: int) -> None:
    """Write a chain of products, with weights in the file that are holes."""
    size = rows * rows * 4
    nodes = b"".join(_bytes(1, _product(at)) for at in range(count))
    weights = [_weight(b"w%d" % at, rows, size) for at in range(count)]
    shape = b"".join(_bytes(1, _number(1, each)) for each in (1, rows))
    kind = _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))
    ends = _bytes(11, _bytes(1, b"x0") + kind) + _bytes(12, _bytes(1, b"x%d" % count) + kind)
    before = nodes + _bytes(2, b"chain")
    length = len(before) + sum(map(len, weights)) + size * count + len(ends)
    with path.open("wb") as file:
        file.write(_number(1, 8) + _bytes(8, _number(2, 17)) + _begin(7, length) + before)
        for each in weights:
            file.write(each)
            file.seek(size, os.SEEK_CUR)
        file.write(ends)


def _product(at: int) -> bytes:
    inputs = _bytes(1, b"x%d" % at) + _bytes(1, b"w%d" % at)
    return inputs + _bytes(2, b"x%d" % (at + 1)) + _bytes(4, b"MatMul")


def _weight(name: bytes, rows: int, size: int) -> bytes:
    """Return a tensor up to its payload."""
    tensor = _number(1, rows) * 2 + _number(2, 1) + _bytes(8, name) + _begin(9, size)
    return _begin(5, len(tensor) + size) + tensor


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + bytes(write_varint(value))


def _begin(field: int, length: int) -> bytes:
    return bytes([field << 3 | 2]) + bytes(write_varint(length))


def _bytes(field: int, content: bytes) -> bytes:
    return _begin(field, len(content)) + content


def write_llama(folder: Path, shards: int) -> None:
    """Write a folder of a model of 70 billion parameters, as it is published."""
    hidden, inner, heads, pairs, words, width = 8192, 28672, 64, 8, 128256, 128
    shapes = {"model.embed_tokens.weight": [words, hidden]}
    for at in range(LAYERS):
        layer = {
            "self_attn.q_proj": [heads * width, hidden],
            "self_attn.k_proj": [pairs * width, hidden],
            "self_attn.v_proj": [pairs * width, hidden],
            "self_attn.o_proj": [hidden, heads * width],
            "mlp.gate_proj": [inner, hidden],
            "mlp.up_proj": [inner, hidden],
            "mlp.down_proj": [hidden, inner],
            "input_layernorm": [hidden],
            "post_attention_layernorm": [hidden],
        }
        shapes |= {f"model.layers.{at}.{name}.weight": shape for name, shape in layer.items()}
    shapes |= {"model.norm.weight": [hidden], "lm_head.weight": [words, hidden]}
    folder.mkdir()
    names = list(shapes)
    listed: dict[str, str] = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        mine = names[shard * len(names) // shards : (shard + 1) * len(names) // shards]
        listed |= dict.fromkeys(mine, file)
        _write_shard(folder / file, {name: shapes[name] for name in mine})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": heads,
        "num_key_value_heads": pairs,
        "vocab_size": words,
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config))


def _write_shard(path: Path, shapes: dict[str, list[int]]) -> None:
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


class MeasuredHandler(BucketHandler):
    """A bucket with pages as large as those of real ones."""

    page = 1000


def measure(address: str, web: Web) -> str:
    """Return a row of the table: requests, bytes and seconds, that of starting included."""
    web.asked.clear()
    web.sent = 0
    started = time.perf_counter()
    command = [sys.executable, "-m", "modellint", "check", address, "--target", "a10", "--no-cache"]
    done = subprocess.run([*command, "--isolated"], capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        sys.exit(done.stderr.decode())
    sent = format_bytes(web.sent)
    return f"| {sent} | {len(web.asked)} | {seconds:.1f} s |"


def main() -> None:
    folder = Path(sys.argv[1])
    MeasuredHandler.delay = float(sys.argv[2] if len(sys.argv) > 2 else 20) / 1000
    if not (folder / "embedded.onnx").exists():
        write_onnx(folder / "embedded.onnx", 120, 2048)
        write_llama(folder / "llama-70b", 30)
    with bucket(folder, MeasuredHandler) as web:
        keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        place = f"http://127.0.0.1:{web.port}"
        os.environ.update(keys, AWS_ENDPOINT_URL=place, AWS_REGION="us-east-1")
        for each in sorted(folder.iterdir()):
            files = [each] if each.is_file() else [*each.iterdir()]
            size = format_bytes(sum(file.stat().st_size for file in files))
            row = measure(f"{ADDRESS}/{each.name}{'/' * each.is_dir()}", web)
            print(f"| `{each.name}` | {size} {row}")  # noqa: T201


if __name__ == "__main__":
    main()
