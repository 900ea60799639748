"""Models of the gallery that no file of the repository has: made by rule, nothing downloaded."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from modellint.benching.suites import WORKLOADS

HIDDEN, FED, LAYERS, VOCABULARY, KEYS = 8192, 28672, 80, 128256, 1024
"""Sizes of Llama 3 70B, as its own config.json states them."""
DECODER = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": FED,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
PER_FILE = 10
"""Layers of each file of weights."""


def detector(folder: Path) -> list[Path]:
    """Write a detector like YOLO in three precisions: with random weights, and quantized."""
    model = WORKLOADS["yolo"]()
    paths = [folder / f"yolo-{precision}.onnx" for precision in ("fp32", "fp16", "int8")]
    onnx.save(model, paths[0])
    onnx.save(_in_half(model), paths[1])
    quantize = ["quantize", paths[0].name, "-o", paths[2].name, "--recipe", "tensorrt-int8"]
    command = [sys.executable, "-m", "modellint", *quantize, "--calibrate", "random"]
    subprocess.run([*command, "--force"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
    return [path for path in paths if path.exists()]


def _in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy that computes in fp16: all of its floats are weights, inputs or outputs."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    kept = {node.input[2] for node in half.graph.node if node.op_type == "Resize"}
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in kept:
            numbers = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    for value in (*half.graph.input, *half.graph.output, *half.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return half


def decoder(folder: Path) -> Path:
    """Write the folder of a decoder with 70 billion parameters, whose weights are holes."""
    path = folder / "llama-70b"
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(DECODER), encoding="utf-8")
    groups = [list(_outer())] + [
        [each for at in range(start, start + PER_FILE) for each in _layer(at)]
        for start in range(0, LAYERS, PER_FILE)
    ]
    places: dict[str, str] = {}
    for number, tensors in enumerate(groups, 1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        places |= dict.fromkeys((tensor for tensor, _ in tensors), name)
        _write_holes(path / name, tensors)
    index = {"metadata": {}, "weight_map": places}
    (path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return path


def _outer() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCABULARY, HIDDEN)


def _layer(at: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    layer = f"model.layers.{at}"
    for norm in ("input_layernorm", "post_attention_layernorm"):
        yield f"{layer}.{norm}.weight", (HIDDEN,)
    for name, width in (("q", HIDDEN), ("k", KEYS), ("v", KEYS), ("o", HIDDEN)):
        yield f"{layer}.self_attn.{name}_proj.weight", (width, HIDDEN)
    for name, shape in (("gate", (FED, HIDDEN)), ("up", (FED, HIDDEN)), ("down", (HIDDEN, FED))):
        yield f"{layer}.mlp.{name}_proj.weight", shape


def _write_holes(path: Path, tensors: list[tuple[str, tuple[int, ...]]]) -> None:
    """Write a file of safetensors that takes no room: its tensors are one hole."""
    ends = list(accumulate(2 * prod(shape) for _, shape in tensors))
    header: dict[str, Any] = {
        name: {"dtype": "BF16", "shape": shape, "data_offsets": [end - 2 * prod(shape), end]}
        for (name, shape), end in zip(tensors, ends, strict=True)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + ends[-1])


def engine_layers(model: Path) -> Path:
    """Write an export of layers in the form of trtexec, made up from how a network is fused.

    Engines can only be read where there is a GPU: this shows the page, not what TensorRT does.
    """
    graph = onnx.load(model, load_external_data=False).graph
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    done: set[str] = set()
    layers = [_layer_of([], "Reformat", graph.input[0].name, "in_half", "Float", "Half")]
    for node in graph.node:
        if node.name in done or node.op_type == "Constant":
            continue
        chain = [node]
        while (after := users.get(chain[-1].output[0], [])) and _is_fused(chain, after):
            chain.append(after[0])
        done |= {each.name for each in chain}
        kind = KINDS.get(node.op_type, "PointWiseV2")
        first = "in_half" if node.input[0] == graph.input[0].name else node.input[0]
        ends = ("Half", "Float" if node.op_type == "Gemm" else "Half")
        layers.append(_layer_of(chain, kind, first, chain[-1].output[0], *ends))
    path = model.with_name("layers.json")
    outside = [graph.input[0].name, graph.output[0].name]
    path.write_text(json.dumps({"Layers": layers, "Bindings": outside}), encoding="utf-8")
    return path


KINDS = {"Conv": "CaskConvolution", "MaxPool": "CaskPooling", "GlobalAveragePool": "CaskPooling"}
KINDS |= {"Gemm": "CaskGemmMatrixMultiply", "Flatten": "Shuffle"}


def _is_fused(chain: list[onnx.NodeProto], after: list[onnx.NodeProto]) -> bool:
    """Return True if the next node runs as part of a convolution."""
    follows = after[0].op_type in ("BatchNormalization", "Relu", "Add")
    return chain[0].op_type == "Conv" and len(after) == 1 and follows


def _layer_of(
    nodes: list[onnx.NodeProto], kind: str, first: str, last: str, before: str, after: str
) -> dict[str, Any]:
    names = [node.name for node in nodes]
    return {
        "Name": " + ".join(names) or f"Reformatting CopyNode for Input Tensor 0 to {last}",
        "LayerType": kind,
        "Inputs": [{"Name": first, "Format/Datatype": before}],
        "Outputs": [{"Name": last, "Format/Datatype": after}],
        "Metadata": "\x1e".join(f"[ONNX Layer: {name}]" for name in names),
    }
