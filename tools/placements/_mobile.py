"""ONNX Runtime's mobile usability checker, which needs neither a phone nor a Mac.

It goes by operators, open dims and ranks, and prints further restrictions without checking them.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.tools import onnx_model_utils
from onnxruntime.tools.mobile_helpers import usability_checker

from placements import MOST_TEXT, Compile

LISTS = {
    "coreml": "coreml_supported_mlprogram_ops.md",
    "coreml-neuralnetwork": "coreml_supported_neuralnetwork_ops.md",
    "nnapi": "nnapi_supported_ops.md",
}
HIGHEST_RANK = {"nnapi": 999}
"""By runtime; 5 for Core ML's."""


def compiler(runtime: str) -> Compile:
    ops = pathlib.Path(usability_checker.__file__).parent / LISTS[runtime]

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                optimized = file if _has_half(file) else _optimized(file, Path(folder))
            except Exception as error:  # of no common base class
                told = {"starts": False, "partitions": [], "left": []}
                return {**told, "error": str(error)[:MOST_TEXT]}
            model = onnx_model_utils.ModelProtoWithShapeInfo(optimized).model_with_shape_info
        return _partitions(model, ops, runtime)

    return compile_model


def _has_half(file: Path) -> bool:
    """The checker optimizes for the CPU, which needs casts around float16 that no phone needs."""
    graph = onnx.load(str(file), load_external_data=False).graph
    return any(each.data_type == onnx.TensorProto.FLOAT16 for each in graph.initializer)


def _optimized(file: Path, folder: Path) -> Path:
    onnx_model_utils.optimize_model(file, folder / file.name, use_external_initializers=True)
    return folder / file.name


def _partitions(model: onnx.ModelProto, ops: Path, runtime: str) -> dict[str, Any]:
    found = usability_checker.check_partitioning(
        model.graph,
        usability_checker._SupportedOpsChecker(ops),
        runtime == "nnapi",
        HIGHEST_RANK.get(runtime, 5),
    )
    taken = {id(node) for group in found.supported_groups for node in group}
    return {
        "starts": True,
        "partitions": [[node.name for node in group] for group in found.supported_groups],
        "left": [node.name for node in model.graph.node if id(node) not in taken],
        "error": "",
    }
