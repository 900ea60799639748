"""All rules of quantization, the map included, against ONNX's shape inference on the same graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.base.garbage import no_garbage_collection
from modellint.checks.api import Analyses, Context
from modellint.checks.resolve import resolve_check
from modellint.formats import read_model
from modellint.model import Model
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.benchmarks.race import NOISE

pytest.importorskip("pytest_benchmark", reason="install the dev group: pytest-benchmark")

NODES = 20_000
ROUNDS = 11
CHANNELS = 64
PER_LAYER = 5  # Q, DQ, DQ of the weight, Conv, Relu


def quantized_chain(path: Path, activation: str) -> Path:
    """Convolutions as a clean export has them, so many that there are NODES nodes."""
    nodes, initializers = [], [numpy_helper.from_array(np.zeros((), activation), "zero")]
    random = np.random.default_rng(0)
    points = numpy_helper.from_array(np.zeros(CHANNELS, np.int8), "zeros")
    initializers.append(points)
    for index in range(NODES // PER_LAYER):
        value, scale, weight, scales = (f"{kind}{index}" for kind in ("x", "s", "w", "ws"))
        numbers = random.integers(-127, 128, (CHANNELS, CHANNELS, 1, 1)).astype(np.int8)
        initializers += [
            numpy_helper.from_array(np.array(0.01 + index % 97 / 1000, np.float32), scale),
            numpy_helper.from_array(numbers, weight),
            numpy_helper.from_array(random.uniform(0.001, 0.01, CHANNELS).astype("f4"), scales),
        ]
        nodes += [
            helper.make_node("QuantizeLinear", [value, scale, "zero"], [f"q{index}"]),
            helper.make_node("DequantizeLinear", [f"q{index}", scale, "zero"], [f"d{index}"]),
            helper.make_node("DequantizeLinear", [weight, scales, "zeros"], [f"dw{index}"], axis=0),
            helper.make_node("Conv", [f"d{index}", f"dw{index}"], [f"c{index}"], f"conv{index}"),
            helper.make_node("Relu", [f"c{index}"], [f"x{index + 1}"]),
        ]
    last = f"x{NODES // PER_LAYER}"
    if activation == "uint8":  # ONNX Runtime's integer layers need a pair after them, too
        nodes += [
            helper.make_node("QuantizeLinear", [last, "s0", "zero"], ["q_last"]),
            helper.make_node("DequantizeLinear", ["q_last", "s0", "zero"], ["y"]),
        ]
        last = "y"
    first_value, last_value = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", CHANNELS, 8, 8))
        for name in ("x0", last)
    )
    graph = helper.make_graph(nodes, "chain", [first_value], [last_value], initializers)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path


def ask_all(model: Model, deployment: Deployment, rules: Sequence[Rule]) -> Analyses:
    """Every rule once, as the engine asks them."""
    analyses = Analyses(model, deployment)
    for rule in rules:
        options = {name: option.default for name, option in rule.options.items()}
        found = list(resolve_check(rule)(Context(rule, analyses, options)))
        assert not found or not rule.default, "the graph is clean"
    return analyses


def rules_for(runtime: str) -> list[Rule]:
    return [
        rule
        for rule in load_rules(plugins=False).values()
        if rule.family == "quantization" and (not rule.runtimes or runtime in rule.runtimes)
    ]


@pytest.mark.parametrize("runtime", ["tensorrt", "onnxruntime"])
def test_map_and_rules(runtime: str, benchmark: Any, tmp_path: Path) -> None:
    activation = "int8" if runtime == "tensorrt" else "uint8"  # as each of them wants it
    path = quantized_chain(tmp_path / "chain.onnx", activation)
    proto = onnx.load(path)
    deployment = Deployment(find_target("a10"), runtime=runtime)
    rules = rules_for(runtime)
    ours: list[float] = []
    theirs: list[float] = []

    def setup() -> tuple[tuple[Model], dict[str, Any]]:
        theirs.append(timed(lambda: onnx.shape_inference.infer_shapes(proto)))
        return (read_model(path),), {}  # a new view each time: nothing is remembered

    def run(model: Model) -> None:
        with no_garbage_collection():  # as the engine does
            ours.append(timed(lambda: ask_all(model, deployment, rules)))

    benchmark.pedantic(run, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    for name, seconds in (("map and all rules", ours), ("onnx.shape_inference", theirs)):
        benchmark.extra_info[name] = {"median": median(seconds), "peak_mib": 0}
    assert min(ours) < NOISE * min(theirs)


def timed(work: Callable[[], object]) -> float:
    """Return the processor time, which other programs affect least, without giving memory back."""
    started = time.process_time()
    result = work()
    seconds = time.process_time() - started
    del result
    return seconds
