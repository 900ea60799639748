"""What runtimes publish of the operators that they take."""

from __future__ import annotations

import re
from pathlib import Path

from onnx import defs

from supports.tables import Operator

PUBLISHED = {
    "FP32": "float32",
    "FP16": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
    "INT8": "int8",
    "INT4": "int4",
    "FP8": "float8e4m3fn",
    "FP4": "float4e2m1",
    "UINT8": "uint8",
    "BOOL": "bool",
}
DATA_TYPES = {
    "DOUBLE": "float64",
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "BFLOAT16": "bfloat16",
}
LISTS = {
    "coreml": "coreml_supported_mlprogram_ops.md",
    "coreml-neuralnetwork": "coreml_supported_neuralnetwork_ops.md",
    "nnapi": "nnapi_supported_ops.md",
}
"""Files of the operators that its providers for phones take, which its usability checker reads."""
CHECKER = "https://onnxruntime.ai/docs/tutorials/mobile/helpers/model-usability-checker.html"
INLINED = {"HardSwish": {"HardSigmoid", "Mul"}}
"""Functions that ONNX Runtime replaces with their body, for it has no kernel for them."""
MISSPELT = {"Argmax": "ArgMax"}
LAYERS = "https://github.com/Tencent/ncnn/tree/20261020/src/layer"
MATRIX = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"


def published(path: Path) -> tuple[str, list[str], dict[str, Operator]]:
    """TensorRT's own operator matrix, from onnx-tensorrt's docs/operators.md."""
    text = path.read_text(encoding="utf-8")
    stated = re.search(r"TensorRT ([\d.]+) supports operators", text)
    sentence = re.search(r"supports the following ONNX data types: (.*)", text)
    assert stated, f"{path} is no operator matrix"
    assert sentence, f"{path} states no data types"
    names = re.findall(r"[A-Z0-9]+", sentence[1].replace("and ", ""))
    data_types = [DATA_TYPES.get(name) or PUBLISHED[name] for name in names]
    table = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or cells[1] not in ("Y", "N", "Y [EXPERIMENTAL]"):
            continue
        types = [PUBLISHED[t] for t in re.findall(r"\w+", cells[2])] if len(cells) > 2 else []
        table[cells[0]] = Operator(accepted=int(cells[1] != "N"), taken=types, tried=types)
    return stated[1], data_types, table


def mobile_list(file: str) -> dict[str, Operator]:
    """The operators that one of ONNX Runtime's lists names; of some it misspells name or domain."""
    from onnxruntime.tools import mobile_helpers

    text = Path(mobile_helpers.__path__[0], file).read_text(encoding="utf-8")
    rows = re.findall(r"^\|(ai\.onnx|com\.microsoft)[:.](\w+)\|", text, re.MULTILINE)
    named = {MISSPELT.get(op, op): domain for domain, op in rows}
    standard = {schema.name for schema in defs.get_all_schemas() if not schema.domain}
    prefix = {"ai.onnx": "", "com.microsoft": "com.microsoft."}
    listed = {f"{prefix[domain]}{op}" for op, domain in named.items()}
    for op, body in INLINED.items():
        listed |= {op} if body <= listed else set()
    known = standard | listed | {"SimplifiedLayerNormalization"}
    return {op: Operator(accepted=int(op in listed)) for op in sorted(known)}


def vulkan_layers() -> tuple[str, dict[str, Operator]]:
    """Return ncnn's release, and the layers that it has, with whether shaders for them exist."""
    from importlib.metadata import version

    from modellint.formats.ncnn.layers import ncnn_layers
    from modellint.runtimes.ncnn.probe import GPU, unit_of

    names = sorted(ncnn_layers().names)
    table = {f"ncnn.{name}": Operator(accepted=int(unit_of(name) == GPU)) for name in names}
    return version("ncnn"), table
