"""Writes the kernels that ONNX Runtime's provider for CUDA registers, and what they keep in RAM.

    python tools/measure_cuda.py     # gpukernels-<version>.json in its package

It needs onnxruntime-gpu, but no GPU. The package lists the kernels. Which inputs and outputs of a
kernel are in the computer's memory is seen from the copies that ONNX Runtime adds between the
kernel and an operator that has one for the CPU only.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from without_gpu import restart_without_gpu

if __name__ == "__main__":
    restart_without_gpu()

import onnx
import onnxruntime
from measure_kernels import kernel_of, merged, registered, write_kernels
from onnx import TensorProto, helper
from supports.cases import at_opset, cases

CUDA = "CUDAExecutionProvider"
ABOUT = (
    "Written by tools/measure_cuda.py; do not edit. Of each operator with a kernel for CUDA: the "
    "versions registered, its kernels: first and last version, and types by place ('0' is the "
    "first input, 'o0' the first output); of the operators of ONNX also the places that are in "
    "the computer's memory ('host'), with the first and last version."
)
ON_CPU = "ExpandDims"
"""An operator of com.microsoft that has no kernel for CUDA, and its types."""
ITS_TYPES = frozenset(range(TensorProto.FLOAT, TensorProto.FLOAT16)) | {
    TensorProto.DOUBLE,
    TensorProto.UINT32,
    TensorProto.UINT64,
}
REPEATED = "/duplicated"
"""End of the names of a DequantizeLinear's results, which is repeated for each reader."""
MOST_TRIED = 8
COPIES = {"MemcpyFromHost": "input", "MemcpyToHost": "output"}


def main() -> int:
    write_kernels("gpukernels", ABOUT, operators())
    return 0


def operators() -> dict[str, dict[str, Any]]:
    """By domain and name."""
    schemas, kernels = registered(CUDA)
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for (domain, name), mine in sorted(kernels.items()):
        known = schemas[domain, name]
        rows = unique(merged(kernel_of(each, known) for each in mine))
        facts: dict[str, Any] = {
            "versions": sorted({each.since_version for each in known}),
            "kernels": rows,
        }
        ranges = sorted({(first, last) for first, last, _ in rows}, key=lambda each: each[0])
        host = [[*each, places] for each in ranges if (places := in_ram(name, domain, *each))]
        found[domain][name] = {**facts, **({"host": host} if host else {})}
    return found


def unique(rows: list[list[Any]]) -> list[list[Any]]:
    """Return each row once: the package lists this provider twice."""
    return [row for at, row in enumerate(rows) if row not in rows[:at]]


def in_ram(op: str, domain: str, first: int, last: int | None) -> list[str]:
    """Return the places of a kernel that are in the computer's memory."""
    tests = cases().get(op, []) if not domain else []
    given: set[str] = set()
    copied: set[str] = set()
    for test in tests[:MOST_TRIED]:
        opset = test.model.opset_import[0].version
        model = at_opset(test.model, opset if last is None else min(max(first, opset), last))
        seen = _tried(model)
        if seen is not None and seen[1]:  # without any copy, it is on the CPU itself
            given |= seen[0]
            copied |= seen[1]
    return sorted(given - copied)


def _tried(model: onnx.ModelProto) -> tuple[set[str], set[str]] | None:
    """Return the places that the CPU uses too, and those that are copied for it."""
    node = model.graph.node[0]
    used = given_to_cpu(model)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(kept)
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=[CUDA, "CPUExecutionProvider"]
            )
        except Exception:  # also if a kernel cannot be made, after copies were added
            if not kept.exists():
                return None
        graph = onnx.load(kept).graph
    if node.op_type not in {each.op_type for each in graph.node}:
        return None
    moved = {
        name.removesuffix(REPEATED)
        for each in graph.node
        if each.op_type in COPIES
        for name in (*each.input, *each.output)
    }
    return set(used.values()), {place for name, place in used.items() if name in moved}


def given_to_cpu(model: onnx.ModelProto) -> dict[str, str]:
    """Give inputs and outputs of the only node to an operator on the CPU, too.

    Return the places of those by name.
    """
    node, found = model.graph.node[0], {}
    places = {name: str(at) for at, name in enumerate(node.input) if name}
    places |= {name: f"o{at}" for at, name in enumerate(node.output) if name}
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.initializer.append(helper.make_tensor("axis_", TensorProto.INT32, [], [0]))
    for value in [*model.graph.input, *model.graph.output]:
        kind = value.type.tensor_type.elem_type
        if value.name in places and kind in ITS_TYPES:
            result = f"{value.name}_on_cpu"
            model.graph.node.append(
                helper.make_node(ON_CPU, [value.name, "axis_"], [result], domain="com.microsoft")
            )
            model.graph.output.append(helper.make_tensor_value_info(result, kind, None))
            found[value.name] = places[value.name]
    return found


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    sys.exit(main())
