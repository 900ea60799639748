"""A model of 70 billion parameters, whose weights are a file of holes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_SIZE, MIDDLE, VOCABULARY = 80, 8192, 64, 8, 128, 28672, 128256
PARAMETERS = 70_553_706_496  # https://huggingface.co/meta-llama/Llama-3.1-70B: 70.6B
MEGABYTES, READ = 300, 40
"""MiB of memory, and MiB read from files: the weights are 131 GiB."""

LOOK = """
import json, sys
from pathlib import Path
from modellint.analysis.blocks import blocks
from modellint.analysis.cost import cost
from modellint.analysis.memory import memory
from modellint.analysis.roofline import roofline
from modellint.formats import read_model
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
model = read_model(Path(sys.argv[1]))
deployment = Deployment(
    target=find_target("h100-sxm"), precision="fp16", batch=1,
    symbols={"sequence": 1, "past": 8191, "total": 8192},
)
estimate = memory(model, deployment)
bound = roofline(model, deployment)
found = blocks(model, deployment)
print(json.dumps({
    "parameters": cost(model, deployment).parameters,
    "weights": estimate.weights.expected,
    "cache": estimate.kv_cache.low,
    "per token": estimate.cache.bytes_per_token,
    "verdict": estimate.verdict,
    "variant": found.attention.variant,
    "bound by": bound.bottleneck,
    "read": int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0]) / 2**20,
    # Unlike ru_maxrss, this does not begin with what the parent had.
    "megabytes": int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024,
}))
"""


class _Decoder:
    """Llama's graph with the operators that ONNX Runtime's own builder writes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.offset = 0

    def weight(self, name: str, *shape: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape)
        size = 2
        for dim in shape:
            size *= dim
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.data"), ("offset", self.offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self.offset += size
        self.weights.append(tensor)
        return name

    def add(self, op: str, inputs: list[str], *outputs: str, domain: str = "", **rest: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, outputs, domain=domain, **rest))
        return outputs[0]

    def product(self, x: str, name: str, rows: int, columns: int) -> str:
        return self.add("MatMul", [x, self.weight(name, rows, columns)], f"{name}.out")

    def norm(self, x: str, name: str) -> str:
        inputs = [x, self.weight(name, HIDDEN)]
        return self.add("SimplifiedLayerNormalization", inputs, f"{name}.out", epsilon=1e-5)

    def layer(self, x: str, at: int) -> str:
        wide, narrow = HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
        y = self.norm(x, f"{at}.input_norm")
        q = self.product(y, f"{at}.q", HIDDEN, wide)
        k = self.product(y, f"{at}.k", HIDDEN, narrow)
        v = self.product(y, f"{at}.v", HIDDEN, narrow)
        inputs = [q, k, v, f"past.{at}.key", f"past.{at}.value", "lengths", "total_length"]
        y = self.add(
            "GroupQueryAttention",
            inputs,
            f"{at}.attention",
            f"present.{at}.key",
            f"present.{at}.value",
            domain="com.microsoft",
            num_heads=HEADS,
            kv_num_heads=KV_HEADS,
        )
        x = self.add("Add", [x, self.product(y, f"{at}.o", wide, HIDDEN)], f"{at}.residual")
        y = self.norm(x, f"{at}.output_norm")
        gate = self.product(y, f"{at}.gate", HIDDEN, MIDDLE)
        gate = self.add("Mul", [gate, self.add("Sigmoid", [gate], f"{at}.sigmoid")], f"{at}.silu")
        up = self.product(y, f"{at}.up", HIDDEN, MIDDLE)
        y = self.add("Mul", [gate, up], f"{at}.middle")
        return self.add("Add", [x, self.product(y, f"{at}.down", MIDDLE, HIDDEN)], f"{at}.out")


def build(folder: Path) -> Path:
    half, decoder = TensorProto.FLOAT16, _Decoder()
    x = decoder.add("Gather", [decoder.weight("embed", VOCABULARY, HIDDEN), "ids"], "embedded")
    for at in range(LAYERS):
        x = decoder.layer(x, at)
    x = decoder.norm(x, "norm")
    decoder.add("MatMul", [x, decoder.weight("head", HIDDEN, VOCABULARY)], "logits")

    def caches(prefix: str, dim: str) -> list[onnx.ValueInfoProto]:
        shape: list[str | int | None] = ["batch", KV_HEADS, dim, HEAD_SIZE]
        return [
            helper.make_tensor_value_info(f"{prefix}.{at}.{kind}", half, shape)
            for at in range(LAYERS)
            for kind in ("key", "value")
        ]

    graph = helper.make_graph(
        decoder.nodes,
        "llama",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
            helper.make_tensor_value_info("total_length", TensorProto.INT32, []),
            *caches("past", "past"),
        ],
        [
            helper.make_tensor_value_info("logits", half, ["batch", "sequence", VOCABULARY]),
            *caches("present", "total"),
        ],
        initializer=decoder.weights,
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "llama.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    try:
        with (folder / "w.data").open("wb") as file:
            file.truncate(decoder.offset)
    except OSError:
        pytest.skip("this file system has no room for a file of holes")
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux how much it took")
def test_seventy_billion_parameters(tmp_path: Path) -> None:
    path = build(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parameters"] == PARAMETERS
    assert found["weights"] == 2 * PARAMETERS
    per_token = LAYERS * 2 * KV_HEADS * HEAD_SIZE * 2
    assert found["per token"] == per_token
    assert found["cache"] == 8192 * per_token
    assert found["verdict"] == "does not fit"
    assert found["variant"] == "GQA"
    assert found["bound by"] == "memory"
    assert found["read"] < READ
    assert found["megabytes"] < MEGABYTES
