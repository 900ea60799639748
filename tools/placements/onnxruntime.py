"""ONNX Runtime's provider for CUDA; needs onnxruntime-gpu, but no GPU.

It forms no parts of nodes. The copies that it adds are counted instead.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from without_gpu import restart_without_gpu

restart_without_gpu()

import onnx  # noqa: E402 - from the package's copy
import onnxruntime  # noqa: E402

from placements import MOST_TEXT, Compile  # noqa: E402

CUDA = "CUDAExecutionProvider"


def compiler(chip: str) -> Compile:
    onnxruntime.set_default_logger_severity(4)

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for name, size in sizes.items():
            options.add_free_dimension_override_by_name(name, size)
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "optimized.onnx"
            options.optimized_model_filepath = str(kept)
            options.add_session_config_entry(
                "session.optimized_model_external_initializers_file_name", "weights"
            )
            try:
                session = onnxruntime.InferenceSession(
                    file, options, providers=[CUDA, "CPUExecutionProvider"]
                )
            except Exception as error:  # of no common base class
                told = {"starts": False, "partitions": [], "left": []}
                return {**told, "error": str(error)[:MOST_TEXT]}
            copies = _copies(onnx.load(kept, load_external_data=False))
        placed = session.get_provider_graph_assignment_info()
        taken, left = (
            [
                node.name
                for part in placed
                if (part.ep_name == CUDA) == on_gpu
                for node in part.get_nodes()
            ]
            for on_gpu in (True, False)
        )
        return {
            "starts": True,
            "partitions": [taken] if taken else [],
            "left": left,
            "copies": copies,
            "error": "",
        }

    return compile_model


def _copies(model: onnx.ModelProto) -> int:
    return sum(node.op_type.startswith("Memcpy") for node in model.graph.node)
