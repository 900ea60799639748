"""Measures in which types TensorRT for RTX computes layers, by compute capability.

    python tools/measure_precisions.py

Builds one convolution or product at a time, for each capability, and reads from the plan in which
types its operands arrive: a quantized layer whose operands are floats is dequantized first. Writes
precisions-<version>.json, next to the runtime's other tables.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from modellint.probes.backends import known_backends
from modellint.runtimes.tensorrt import dotted
from modellint.runtimes.tensorrt.probe import logger_for
from modellint.runtimes.tensorrt_rtx import CAPABILITIES

ROOM = Path(__file__).parent.parent / "src" / "modellint" / "runtimes" / "tensorrt_rtx"
SECONDS = 120
ABOUT = (
    "Written by tools/measure_precisions.py; do not edit. For each layer, the type of its weight "
    "(with that of its float activations) and each compute capability: the type that its operands "
    "have in the engine, or null if it is not built."
)
SOURCE = (
    "https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/getting-started/support-matrix.html"
)
FLOATS = {
    "float32": (TensorProto.FLOAT, b"\0\0\x80\x3f"),
    "float16": (TensorProto.FLOAT16, b"\0\x3c"),
    "bfloat16": (TensorProto.BFLOAT16, b"\x80\x3f"),
}
"""Types, with the bytes of 1."""
QUANTIZED = {
    "int8": (TensorProto.INT8, b"\1"),
    "float8e4m3fn": (TensorProto.FLOAT8E4M3FN, b"\x38"),
    "int4": (TensorProto.INT4, b"\x11"),
    "float4e2m1": (TensorProto.FLOAT4E2M1, b"\x22"),
}
BLOCKS = {"int4": 64, "float4e2m1": 16}
PACKED = 2
"""Elements of 4 bits in a byte."""
IN_PLAN = {
    "float": "float32",
    "half": "float16",
    "bf16": "bfloat16",
    "int8": "int8",
    "fp8_e4m3": "float8e4m3fn",
    "int4": "int4",
    "fp4_e2m1": "float4e2m1",
}
LAYERS = {
    "convolution": ([1, 64, 32, 32], [64, 64, 3, 3], [1, 64, 30, 30]),
    "convolution-3d": ([1, 64, 8, 8, 8], [64, 64, 3, 3, 3], [1, 64, 6, 6, 6]),
    "transposed-convolution": ([1, 64, 32, 32], [64, 64, 3, 3], [1, 64, 34, 34]),
    "product": ([64, 128], [128, 64], [64, 64]),
}
"""Shapes of the input, the weight and the output."""
OPERATORS = {"product": "MatMul", "transposed-convolution": "ConvTranspose"}
"""Operators of layers other than Conv."""
_TEXT = re.compile(rb"[\x20-\x7e]{8,}")
_TENSOR = re.compile(r'^\s*tensor=\{.* name="(?P<name>[^"]+)".* type=(?P<type>\w+)')
_LAYER = re.compile(
    r"^\s*(?:corrltn|deconvolution|fully_connected)=\{ name=.* input=\{(?P<inputs>[^}]*)\}"
)


def cases() -> Iterator[tuple[str, str, str, onnx.ModelProto]]:
    """Yield a layer, the types of its weight and of its activations, and a model of it."""
    for layer in LAYERS:
        for activation in FLOATS:
            yield layer, activation, activation, model(layer, activation, None, pairs=False)
            for name in QUANTIZED:
                if name not in BLOCKS:
                    yield layer, name, activation, model(layer, activation, name, pairs=True)
                if layer == "product" or name not in BLOCKS:
                    alone = f"{name}-weight"
                    yield layer, alone, activation, model(layer, activation, name, pairs=False)


def model(layer: str, activation: str, quantized: str | None, *, pairs: bool) -> onnx.ModelProto:
    """Return a model of one layer; with `pairs` its input is quantized too."""
    number, one = FLOATS[activation]
    data, weight, result = LAYERS[layer]
    nodes, stored = [], []
    given = "x"
    if quantized is None:
        stored.append(_full("w", number, weight, one))
    else:
        kind, element = QUANTIZED[quantized]
        stored.append(_full("q", kind, weight, element, PACKED if quantized in BLOCKS else 1))
        block = BLOCKS.get(quantized)
        scales = [weight[0] // block, weight[1]] if block else []
        stored.append(_full("s", number, scales, one))
        blocked: dict[str, Any] = {"axis": 0, "block_size": block} if block else {}
        nodes.append(helper.make_node("DequantizeLinear", ["q", "s"], ["w"], **blocked))
        if pairs:
            stored.append(_full("z", kind, [], b"\0"))
            nodes.append(helper.make_node("QuantizeLinear", ["x", "s", "z"], ["i"]))
            nodes.append(helper.make_node("DequantizeLinear", ["i", "s", "z"], ["f"]))
            given = "f"
    op = OPERATORS.get(layer, "Conv")
    nodes.append(helper.make_node(op, [given, "w"], ["y"], name="layer"))
    x, y = (
        helper.make_tensor_value_info(n, number, dims) for n, dims in (("x", data), ("y", result))
    )
    graph = helper.make_graph(nodes, "m", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)


def _full(
    name: str, kind: int, dims: list[int], element: bytes, packed: int = 1
) -> onnx.TensorProto:
    count = 1
    for dim in dims:
        count *= dim
    return helper.make_tensor(name, kind, dims, element * (count // packed), raw=True)


def computed_in(proto: onnx.ModelProto, capability: tuple[int, int], module: str) -> str | None:
    """Return the type of the layer's operands in the engine; None if there is no engine."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_build_into, args=(sender, proto, capability, module))
    process.start()
    sender.close()
    try:
        found: str | None = receiver.recv() if receiver.poll(SECONDS) else None
    except EOFError:  # it crashed
        found = None
    process.kill()
    process.join()
    return found


def _build_into(
    sender: Any, proto: onnx.ModelProto, capability: tuple[int, int], module: str
) -> None:
    trt = importlib.import_module(module)
    logger = logger_for(trt, [])
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(proto.SerializeToString()):
        sender.send(None)
        return
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    major, minor = capability
    config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{major}{minor}"), 0)
    engine = builder.build_serialized_network(network, config)
    sender.send(_operands(bytes(engine)) if engine is not None else None)


def _operands(engine: bytes) -> str:
    """Return the type of the weight and the data of the engine's only layer: the wider one."""
    lines = [text.decode() for text in _TEXT.findall(engine)]
    types = {found["name"]: found["type"] for line in lines if (found := _TENSOR.match(line))}
    layer = next(found for line in lines if (found := _LAYER.match(line)))
    data, weight = (types[name] for name in re.findall(r'"([^"]+)"', layer["inputs"])[:2])
    assert data == weight, (data, weight)
    return IN_PLAN[data]


def main() -> None:
    backend = known_backends()["tensorrt-rtx"]
    assert backend.module is not None, backend.install
    layers: dict[str, dict[str, dict[str, str | None]]] = {}
    for layer, weight, activation, proto in cases():
        row = {
            dotted(capability): computed_in(proto, capability, backend.module)
            for capability in CAPABILITIES
        }
        layers.setdefault(layer, {})[f"{weight} {activation}"] = row
        sys.stderr.write(f"{layer} {weight} {activation}: {row}\n")
    release = ".".join((backend.version or "").split(".")[:2])
    table = {"about": ABOUT, "version": backend.version, "source": SOURCE}
    rows = [
        f"    {json.dumps(layer)}: {{\n"
        + ",\n".join(f"      {json.dumps(key)}: {json.dumps(row)}" for key, row in found.items())
        + "\n    }"
        for layer, found in layers.items()
    ]
    head = json.dumps(table, indent=2).removesuffix("\n}")
    text = head + ',\n  "layers": {\n' + ",\n".join(rows) + "\n  }\n}\n"
    (ROOM / f"precisions-{release}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
