"""Layers of a quantized model that the runtimes compute in integers."""

from __future__ import annotations

import re
from pathlib import Path

import onnx

from modellint.formats import read_model
from modellint.probes import ProbeRequest, probe
from modellint.targets import find_target
from modellint.targets.deployment import Deployment

INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantize")
RENAMED = "/MatMulAddFusion"
"""Suffix of the name of a product that ONNX Runtime merges with its bias."""
RTX = Deployment(find_target("a10"), runtime="tensorrt-rtx")

# The text of a TensorRT for RTX engine: one line per tensor, and one per kernel.
_TEXT = re.compile(rb"[\x20-\x7e]{8,}")
_TENSOR = re.compile(r'\s*(?:sub_)?tensor=\{.* dims=\{(?P<dims>[^}]*)\}.* name="(?P<name>[^"]+)"')
_TYPE = re.compile(r" type=(\w+)")
_KERNEL = re.compile(
    r'\s*(?:corrltn|fully_connected)=\{ name="(?P<name>[^"]+)".*?input=\{(?P<in>[^}]*)'
)
_NUMBER = re.compile(r"_U\d+$")
_ROUNDED = re.compile(r"\s*function=\{ name=(?P<name>\w+)")


def optimized(path: Path) -> list[onnx.NodeProto]:
    """The nodes that are left when ONNX Runtime makes a session."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    written = path.with_suffix(".optimized.onnx")
    options.optimized_model_filepath = str(written)
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return list(onnx.load(written).graph.node)


def integer_in_onnxruntime(model: onnx.ModelProto, folder: Path) -> tuple[set[str], int]:
    """The layers that ONNX Runtime makes integer, and the Q and DQ of activations that remain."""
    path = folder / "asked.onnx"
    onnx.save(model, path)
    nodes = optimized(path)
    layers = {n.name.removesuffix(RENAMED) for n in nodes if n.op_type.startswith(INTEGER)}
    computed = {name for node in nodes for name in node.output}
    computed |= {value.name for value in model.graph.input}
    left = [n for n in nodes if n.op_type.endswith("uantizeLinear") and n.input[0] in computed]
    return layers, len(left)


def integer_in_tensorrt(model: onnx.ModelProto, folder: Path) -> tuple[set[str], int]:
    """The layers whose operands are int8 in the engine of TensorRT for RTX, and its roundings."""
    path = folder / "asked.onnx"
    onnx.save(model, path)
    request = ProbeRequest(backend="tensorrt-rtx", save_engines=folder)
    outcome = probe(read_model(path), RTX, request)
    said = "; ".join(remark.text for remark in outcome.remarks)
    assert outcome.built, f"{outcome.detail} {said}"
    engine = next(iter(folder.glob("*.engine"))).read_bytes()
    lines = [text.decode() for text in _TEXT.findall(engine)]
    types: dict[str, str] = {}
    for line in lines:
        tensor, kind = _TENSOR.match(line), _TYPE.search(line)
        if tensor is not None and kind is not None and len(tensor["dims"].split()) > 1:
            types[tensor["name"]] = kind[1]
    layers = set()
    for line in lines:
        kernel = _KERNEL.match(line)
        if kernel is not None:
            operands = [types[name] for name in re.findall(r'"([^"]+)"', kernel["in"])[:2]]
            if operands == ["int8", "int8"]:
                layers.add(_NUMBER.sub("", kernel["name"]))
    functions = (_ROUNDED.match(line) for line in lines)
    return layers, sum(each["name"].count("Roun") for each in functions if each is not None)


__all__ = [
    "INTEGER",
    "RENAMED",
    "RTX",
    "integer_in_onnxruntime",
    "integer_in_tensorrt",
    "optimized",
]
