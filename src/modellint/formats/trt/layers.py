"""Layers of an engine, exported by `trtexec --exportLayerInfo` or the engine inspector.

A layer becomes a node of the domain `tensorrt`: its op type is the layer's kind, and its metadata
contain the ONNX nodes it was built from, its tactic, and the type of its weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modellint.base.files import read_text
from modellint.base.json_text import parse_json
from modellint.base.text import bounded
from modellint.formats.problems import broken
from modellint.formats.trt import LAYERS
from modellint.model import DTYPES, DType, Graph, Model, Node, Shape, Use, Value

name = LAYERS.name
DOMAIN = "tensorrt"
UNTOLD = "Layer"
"""Kind of layers whose names alone are known."""
LONGEST = 512 << 20

_BEGINS = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"'
    rb'(?:(?:Layers|I/O Tensors)"\s*:\s*\[|Bindings"\s*:\s*\[[^\]]*\]\s*,\s*"Layers")'
)
_ONNX = "[ONNX Layer: "
_ONNX_END = re.compile(r"\](?=\x1e|\s*$|\s*\[ONNX)")
_TYPE_KEYS = ("Format/Datatype", "Datatype", "DataType")
"""Keys of a tensor's type by release, with or without its format."""
_TYPES = {
    "fp32": "float32",
    "float": "float32",
    "fp16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "int8": "int8",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
    "fp8": "float8e4m3fn",
    "int4": "int4",
    "fp4": "float4e2m1",
    "uint8": "uint8",
}


def sniff(head: bytes, path: Path) -> bool:
    return _BEGINS.match(head) is not None


def read(path: Path) -> Model:
    if path.stat().st_size > LONGEST:
        return broken(path, name, "unsupported-format", format=name, detail="its length")
    try:
        table = parse_json(read_text(path, LONGEST))
    except RecursionError:
        return broken(path, name, "too-deep", detail="brackets within brackets", limit=0)
    except ValueError as error:
        return broken(path, name, "corrupt", detail=str(error))
    layers = table.get("Layers") if isinstance(table, dict) else None
    if not isinstance(layers, list) or not all(isinstance(each, (dict, str)) for each in layers):
        return broken(path, name, "corrupt", detail="Layers is not a list of layers")
    return _model(path, layers, _outside(table))


def _outside(table: Mapping[str, Any]) -> set[str]:
    """Return the names of inputs and outputs; since TensorRT 11 each is a table."""
    listed = table.get("Bindings") or table.get("I/O Tensors")
    tensors = listed if isinstance(listed, list) else []
    names = [each.get("Name") if isinstance(each, dict) else each for each in tensors]
    return {bounded(name) for name in names if isinstance(name, str)}


def _model(path: Path, layers: list[Any], outside: set[str]) -> Model:
    model = Model(path, name)
    model.capabilities = LAYERS.tells
    model.producer_name = "TensorRT"
    graph = model.graph = Graph(model, "engine")
    for layer in layers:
        _add(graph, {"Name": layer} if isinstance(layer, str) else layer)
    for value in graph.values.values():
        if value.name in outside or not outside:
            value.is_input = value.producer is None
            value.is_output = not value.consumers
    graph.inputs = [value for value in graph.values.values() if value.is_input]
    graph.outputs = [value for value in graph.values.values() if value.is_output]
    return model


def _add(graph: Graph, layer: Mapping[str, Any]) -> None:
    kind = _name(layer.get("LayerType")) or UNTOLD
    node = Node(graph, len(graph.nodes), kind, DOMAIN, _name(layer.get("Name")))
    inputs = tuple(_values(graph, layer.get("Inputs")))
    outputs = tuple(_values(graph, layer.get("Outputs")))
    node.inputs, node.outputs = inputs, outputs
    for place, value in enumerate(inputs):
        value.consumers.append(Use(node, place))
    for place, value in enumerate(outputs):
        if value.producer is None:
            value.producer, value.index = node, place
    weights = layer.get("Weights")
    node.metadata = {
        "onnx": "\x1e".join(onnx_nodes(layer)),
        "tactic": str(layer.get("TacticName") or ""),
        "weights": str(weights.get("Type") or "") if isinstance(weights, dict) else "",
    }
    graph.nodes.append(node)


def onnx_nodes(layer: Mapping[str, Any]) -> list[str]:
    """Return the ONNX nodes that a layer was built from, according to its metadata."""
    *closed, _ = _ONNX_END.split(str(layer.get("Metadata") or ""))
    parts = [part.partition(_ONNX) for part in closed]
    return list(dict.fromkeys(name for _, opening, name in parts if opening))


def _name(stated: object) -> str:
    return bounded(str(stated or ""))


def _values(graph: Graph, tensors: object) -> Iterator[Value]:
    for tensor in tensors if isinstance(tensors, list) else ():
        if not isinstance(tensor, dict):
            continue
        label = _name(tensor.get("Name"))
        value = graph.values.get(label)
        if value is None:
            value = graph.values[label] = Value(label, graph)
        stated = next((tensor[key] for key in _TYPE_KEYS if tensor.get(key)), None)
        value.declare(_dtype(stated), _shape(tensor.get("Dimensions")))
        yield value


def _dtype(text: object) -> DType | None:
    """Parse ``Half``, ``Int8`` or ``Row major linear FP16 format``."""
    for word in re.findall(r"[a-z]+\d*", str(text).lower()):
        if word in _TYPES:
            return DTYPES[_TYPES[word]]
    return None


def _shape(dims: object) -> Shape | None:
    if not isinstance(dims, list) or not all(isinstance(dim, int) for dim in dims):
        return None
    return tuple(None if dim < 0 else dim for dim in dims)
