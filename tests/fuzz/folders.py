"""Folders that are models or hold some: each file as its reader expects it, or nearly so.

A folder is kept as a zip archive, in which links and pipes are entries of their type.
"""

from __future__ import annotations

import json
import math
import os
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.fuzz import exports, networks, others, splice, values
from tests.fuzz.gguf_files import gguf
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seed
from tests.fuzz.tree import Message, kind_of, write

SAVED = Path(__file__).parents[1] / "data" / "tensorflow" / "network"
SUFFIX = ".folder"
Files = dict[str, bytes]
Entries = dict[str, tuple[int, bytes]]
"""Types and contents of files by their paths; a link's content is where it leads."""
_OUTSIDE = b"/dev/zero ../../../../etc/passwd /proc/self/mem . .. / itself weights.bin".split()
_LAYER = "model.layers.0"


def folder(chance: random.Random) -> tuple[str, bytes]:
    """Some folder, in which some file may be something else."""
    files: Files = chance.choice(_KINDS)(chance)
    entries: Entries = {name: (stat.S_IFREG, content) for name, content in files.items()}
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        _spoil(entries, chance)
    return SUFFIX, packed(entries)


def packed(entries: Entries) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, (kind, content) in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, content)
    return made.getvalue()


def unpack(data: bytes, home: Path) -> None:
    """Make a folder of what was packed; entries that the system refuses are left out."""
    home.mkdir()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for entry in archive.infolist():
            try:
                _make(home / entry.filename, entry.external_attr >> 16, archive.read(entry))
            except (OSError, ValueError):  # a name that is too long, taken, or holds NUL
                continue


def _make(path: Path, mode: int, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        path.symlink_to(os.fsdecode(content))
    elif stat.S_ISFIFO(mode):
        os.mkfifo(path)
    elif stat.S_ISDIR(mode):
        path.mkdir()
    else:
        path.write_bytes(content)


# What a file system can do.


def _spoil(entries: Entries, chance: random.Random) -> None:
    name = chance.choice([*entries])
    kind, content = entries.pop(name)
    if len(entries) > 1 and chance.random() < 0.1:
        return  # it is missing
    stem, _, suffix = name.rpartition("/")[2].partition(".")
    hostile = values.name(chance)[:300].decode(errors="replace").replace("/", "")
    cut = content[: chance.randrange(len(content) + 1)]
    entries |= chance.choice(
        (
            {name: (stat.S_IFLNK, stem.encode() if chance.random() < 0.3 else name.encode())},
            {name: (stat.S_IFLNK, chance.choice(_OUTSIDE))},
            {name: (stat.S_IFIFO, b"")},
            {name: (stat.S_IFDIR, b"")},
            {name: (kind, cut)},
            {name: (kind, bytes(chance.choice((0, 8, 5000))))},
            {name: (kind, content), f"again/{name}": (kind, content)},
            {name: (kind, content), f"again{chance.randrange(3)}": (stat.S_IFLNK, b".")},
            {f"{hostile}.{suffix}": (kind, content)},
            {name: (kind, content), ".gitignore": (kind, values.name(chance) + b"\n**\n!*")},
        )
    )


# Kinds of folders.


def _json(stated: Mapping[str, Any], chance: random.Random) -> bytes:
    """JSON that states this, or something else in some places."""
    if chance.random() < 0.5:
        return exports.altered(json.loads(json.dumps(stated)), chance)
    return json.dumps(stated).encode()


def _settings(chance: random.Random) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": chance.choice(("llama", "qwen3_moe", "mamba", "gemma3", "bert", "t5", "x")),
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": chance.choice((1, 1, 2, values.number(chance))),
        "num_attention_heads": chance.choice((2, 2, 0, values.number(chance))),
        "num_key_value_heads": 1,
        "vocab_size": chance.choice((10, values.number(chance))),
        "max_position_embeddings": 64,
        "torch_dtype": "float16",
        "quantization_config": chance.choice(_QUANTIZED),
    }


_QUANTIZED: tuple[Any, ...] = (
    None,
    {"quant_method": "gptq", "bits": 4, "group_size": 128},
    {"quant_method": "awq", "bits": 4, "group_size": 0, "modules_to_not_convert": ["lm_head"]},
    {"quant_method": "fp8", "weight_block_size": [128, 128]},
    {"quant_method": "bitsandbytes", "load_in_4bit": True},
    {
        "quant_method": "compressed-tensors",
        "config_groups": {"a": {"targets": ["re:(a*)*$"], "weights": {"num_bits": 4}}},
        "ignore": ["re:(x+x+)+y"],
    },
)
_COMPANIONS: dict[str, Any] = {
    "generation_config.json": {"eos_token_id": [1, 2], "max_length": 20, "temperature": 0.1},
    "tokenizer.json": {
        "added_tokens": [{"id": 0, "content": "<s>"}],
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 99}, "merges": ["a b"]},
    },
    "tokenizer_config.json": {"model_max_length": 10**30, "chat_template": "{% for a in b %}"},
    "special_tokens_map.json": {"eos_token": {"content": "</s>"}},
    "hf_quant_config.json": {"quantization": {"quant_algo": "FP8", "exclude_modules": ["(a+)+$"]}},
    "quantize_config.json": {"bits": 4, "group_size": 128},
    "genai_config.json": {"model": {"type": "phi3", "decoder": {"filename": "model.onnx"}}},
    "mlc-chat-config.json": {"model_type": "llama", "quantization": "q4f16_1"},
    "ndarray-cache.json": {"records": [{"dataPath": "../x", "nbytes": 1, "records": []}]},
}


def _companions(chance: random.Random) -> Files:
    chosen = chance.sample([*_COMPANIONS], chance.randint(0, 4))
    return {name: _json(_COMPANIONS[name], chance) for name in chosen}


def _tensors(shapes: Mapping[str, tuple[int, int]]) -> bytes:
    """Safetensors of zeros."""
    stated, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        stated[name] = {"dtype": "F16", "shape": shape, "data_offsets": (end, end + size)}
        end += size
    header = json.dumps(stated).encode()
    return struct.pack("<Q", len(header)) + header + bytes(end)


def hugging_face(chance: random.Random) -> Files:
    shards = [f"model-0000{at}-of-00002.safetensors" for at in (1, 2)]
    names = ("model.embed_tokens.weight", f"{_LAYER}.mlp.up_proj.weight", "lm_head.weight")
    places: dict[str, Any] = {name: chance.choice(shards) for name in names}
    if chance.random() < 0.4:
        place = chance.choice(("../x", "/etc/passwd", ".", "config.json", "", 5, None, [shards[0]]))
        places[names[0]] = place
    if chance.random() < 0.1:
        places |= {f"{_LAYER}.{at}": f"model-{at}.safetensors" for at in range(2000)}
    index = {"metadata": {"total_size": values.number(chance)}, "weight_map": places}
    return {
        "config.json": _json(_settings(chance), chance),
        "model.safetensors.index.json": _json(index, chance),
        shards[0]: others.safetensors(chance)[1],
        shards[1]: _tensors({names[1]: (16, 8), names[2]: (10, 8)}),
        **_companions(chance),
    }


def adapter(chance: random.Random) -> Files:
    stated = {
        "peft_type": chance.choice(("LORA", "LOHA", "IA3", "")),
        "r": chance.choice((4, 4, 0, values.number(chance))),
        "lora_alpha": 16,
        "target_modules": chance.choice((["q_proj"], "all-linear", "(a+)+$", None)),
        "rank_pattern": chance.choice(({}, {"(a+)+$": 3}, [])),
        "base_model_name_or_path": values.name(chance).decode(errors="replace"),
    }
    stem = f"base_model.model.{_LAYER}.self_attn.q_proj"
    ranks = chance.choice(((4, 4), (4, 8), (0, 0)))
    return {
        "adapter_config.json": _json(stated, chance),
        "adapter_model.safetensors": _tensors(
            {f"{stem}.lora_A.weight": (ranks[0], 8), f"{stem}.lora_B.weight": (8, ranks[1])}
        ),
        **_companions(chance),
    }


def saved_model(chance: random.Random) -> Files:
    files = dict(_saved())
    files["saved_model.pb"] = splice.changed(files["saved_model.pb"], chance)
    if chance.random() < 0.5:
        index = bytearray(files["variables/variables.index"])
        index[chance.randrange(len(index))] = chance.choice((0, 1, 127, 255))
        files["variables/variables.index"] = bytes(index)
    return files


@cache
def _saved() -> Files:
    paths = (path for path in SAVED.rglob("*") if path.is_file())
    return {path.relative_to(SAVED).as_posix(): path.read_bytes() for path in sorted(paths)}


def core_ml(chance: random.Random) -> Files:
    items = {
        "A": {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel"},
        "B": {"path": chance.choice(("com.apple.CoreML/weights", "../..", "/etc", ""))},
    }
    manifest = {"itemInfoEntries": items, "rootModelIdentifier": chance.choice(("A", "A", "B"))}
    data = "m.mlpackage/Data/com.apple.CoreML"
    return {
        "m.mlpackage/Manifest.json": _json(manifest, chance),
        f"{data}/model.mlmodel": networks.coreml(chance)[1],
        f"{data}/weights/weight.bin": values.payload(chance, 200),
    }


def pairs(chance: random.Random) -> Files:
    """Networks whose weights are in another file: of OpenVINO, ncnn and split GGUF."""
    weights = values.payload(chance, chance.choice((0, 64, 5000)))
    return chance.choice(
        (
            {"m.xml": networks.openvino(chance)[1], "m.bin": weights},
            {"m.ncnn.param": exports.ncnn(chance)[1], "m.ncnn.bin": weights},
            {f"m-0000{at}-of-00003.gguf": gguf(chance)[1] for at in (1, 2)},
        )
    )


def external_data(chance: random.Random) -> Files:
    """A network with data in files next to it, which may be other files."""
    model = mutated(seed(chance), chance)
    for tensor in model.of("TensorProto")[:4]:
        for key in chance.choice((("location",), ("location", "offset", "length"))):
            entry = Message(kind_of("StringStringEntryProto"))
            entry.add("key", key.encode())
            entry.add("value", chance.choice(_PLACES if key == "location" else _AMOUNTS))
            tensor.add("external_data", entry)
        tensor.set("data_location", 1)
    return {"model.onnx": write(model), "w.bin": bytes(64), "a.bin": bytes(8)} | _companions(chance)


_PLACES = (*[b"w.bin"] * 6, *b"model.onnx ../w.bin . /dev/zero W.BIN sub/../w.bin a.bin".split())
_AMOUNTS = (*b"0 4 16 64 -1 1_0 0x4 1e3 18446744073709551616".split(), "٣".encode(), b"9" * 5000)


def repository(chance: random.Random) -> Files:
    """Models as Triton serves them."""
    number, name = values.number(chance), values.name(chance).decode(errors="replace")
    stated = (
        f'name: {json.dumps(name)}\nbackend: "onnxruntime"\nmax_batch_size: {number}\n'
        f'input [ {{ name: "x" data_type: TYPE_FP32 dims: [ {number} ] }} ]\n'
        f"instance_group [ {{ count: {values.number(chance)} kind: KIND_GPU }} ]\n"
        f"dynamic_batching {{ preferred_batch_size: [ {number} ] }}\n"
    )
    version = chance.choice(("1", "1", "1", "x", "-1", "9" * 40))
    return {
        "m/config.pbtxt": stated.encode(errors="replace"),
        f"m/{version}/model.onnx": write(mutated(seed(chance), chance)),
        f"m/{version}/model.plan": others.engine(chance)[1],
    }


def engines(chance: random.Random) -> Files:
    """Engines of TensorRT-LLM."""
    mapping = {"world_size": values.number(chance), "tp_size": 2}
    stated = {
        "pretrained_config": {"architecture": "LlamaForCausalLM", "mapping": mapping},
        "build_config": {"max_batch_size": values.number(chance), "plugin_config": {}},
    }
    ranks = {f"rank{at}.engine": others.engine(chance)[1] for at in range(2)}
    return {"config.json": _json(stated, chance), **ranks, **_companions(chance)}


def one_of_each(chance: random.Random) -> Files:
    """Folders in a folder."""
    made: Files = {}
    for at in range(chance.choice((2, 3))):
        kind = chance.choice(_KINDS[:-1])
        made |= {f"{at}/{name}": content for name, content in kind(chance).items()}
    return made


_KINDS: tuple[Callable[[random.Random], Files], ...] = (
    hugging_face,
    hugging_face,
    adapter,
    saved_model,
    core_ml,
    pairs,
    external_data,
    external_data,
    repository,
    engines,
    one_of_each,
)
