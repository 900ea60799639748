"""Dynamic quantization against ONNX Runtime itself: what it fuses, and what it runs slowly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.targets.deployment import Deployment
from tests.quantization import real
from tests.quantization.builders import optimized
from tests.quantization.test_onnxruntime import IS_X86

ort = pytest.importorskip("onnxruntime")

RULE = load_rules(plugins=False)["QNT125"]
LAYERS = {
    "convolution": ("Conv", (32, 32, 3, 3), 1),
    "pointwise": ("Conv", (64, 64, 1, 1), 1),
    "depthwise": ("Conv", (64, 1, 3, 3), 64),
    "product": ("MatMul", (128, 128), 1),
}
CONVOLUTIONS = [name for name, (op, _, _) in LAYERS.items() if op == "Conv"]
ROUNDS = 12


def layer(name: str, folder: Path) -> tuple[Path, Path]:
    """A model of one layer in float, and as quantize_dynamic leaves it."""
    op, shape, group = LAYERS[name]
    given = (1, shape[1] * group, 28, 28) if op == "Conv" else (64, shape[0])
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    attributes: dict[str, Any] = {"group": group} if op == "Conv" else {}
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], "layer", **attributes)],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    plain, dynamic = folder / f"{name}.onnx", folder / f"{name}.dynamic.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), plain)
    real.dynamic(plain, dynamic)
    return plain, dynamic


def findings(path: Path) -> list[str]:
    plan = Plan(rules=(RULE,), deployments=(Deployment(runtime="onnxruntime"),))
    return [f"{one.severity}" for one in lint_file(path, path.name, plan).findings]


@pytest.mark.parametrize("name", LAYERS)
def test_only_products_are_fused(name: str, tmp_path: Path) -> None:
    plain, dynamic = layer(name, tmp_path)
    ops = Counter(node.op_type for node in optimized(dynamic))
    is_fused = "ConvInteger" not in ops and "Cast" not in ops
    assert is_fused is (name == "product"), ops
    assert findings(dynamic) == ([] if is_fused else ["warning"])
    assert findings(plain) == []


@pytest.mark.skipif(not IS_X86, reason="integer kernels differ by processor")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_integer_convolution_is_slower(name: str, tmp_path: Path) -> None:
    """Both run in turn on one thread, and the least time of each counts: load adds to both."""
    given = (1, LAYERS[name][1][1] * LAYERS[name][2], 28, 28)
    feed = {"x": np.random.default_rng(1).normal(size=given).astype(np.float32)}
    plain, dynamic = (runner(path, feed) for path in layer(name, tmp_path))
    slow, fast = least(dynamic, plain)
    assert slow > fast


def runner(path: Path, feed: dict[str, Any]) -> Callable[[], object]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def least(*works: Callable[[], object]) -> list[int]:
    """Return the least time of each, after a warm-up."""
    for work in works:
        work()
    shortest = [1 << 62] * len(works)
    for _ in range(ROUNDS):
        for at, work in enumerate(works):
            started = time.process_time_ns()
            work()
            shortest[at] = min(shortest[at], time.process_time_ns() - started)
    return shortest
