"""Broken and hostile graphs: no rule crashes, and none runs for ever."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from modellint.analysis.quantization import quantization_summary
from modellint.engine import lint_file
from modellint.formats import read_model
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.quantization.clean import Graph, clean, clean_for_onnxruntime
from tests.quantization.defects import DEFECTS

RULES = tuple(r for r in load_rules(plugins=False).values() if r.family == "quantization")
DEPLOYMENTS = tuple(
    Deployment(find_target("a10"), runtime=runtime, precision=precision)
    for runtime in ("tensorrt", "tensorrt-rtx", "onnxruntime", None)
    for precision in (None, "int8")
)
HEAD = '<ir_version: 10, opset_import: ["" : 21]>'


def survive(path: Path) -> None:
    report = lint_file(path, path.name, Plan(rules=RULES, deployments=DEPLOYMENTS))
    crashes = [one.message for one in report.findings if one.is_internal]
    assert not crashes, crashes
    model = read_model(path)
    for deployment in DEPLOYMENTS:
        quantization_summary(model, deployment).to_json()


@pytest.mark.parametrize(
    "body",
    [
        "a = Identity (b)\nb = Identity (a)\nc = MatMul (a, b)\ny = Relu (c)",
        "q = QuantizeLinear (d, s, z)\nd = DequantizeLinear (q, s, z)\ny = Conv (d, d)",
        "s2 = Identity (s3)\ns3 = Identity (s2)\nq = QuantizeLinear (x, s2)\ny = Relu (q)",
        "a = Reshape (b, z)\nb = Relu (a)\nq = QuantizeLinear (b, s, z)\ny = Softmax (a)",
        "q = QuantizeLinear (x)\ny = DequantizeLinear (q)",
        "y = MatMul (x)",
        "q = QuantizeLinear (x, e, z)\nd = DequantizeLinear (q, e, z)\ny = Conv (d, w)",
        "d = DequantizeLinear <axis = 99, block_size = -3> (w, v, z)\ny = Conv (x, d)",
        "d = DequantizeLinear <axis = -99> (w, v)\ny = Gemm <transB = 7> (x, d)",
        "q = QuantizeLinear (s, x, x)\nd = DequantizeLinear (q, q, q)\ny = ConvTranspose (d, q)",
        "y = Round (x)",
        "c = Concat <axis = 0> ()\ny = QuantizeLinear (c, s)",
    ],
)
def test_nonsense(body: str, tmp_path: Path) -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    constants = (
        "float s = {0.1}, int8 z = {0}, float[0] e, float[3] v = {1, 2, 3}, int8[1,2] w = {1, 2}"
    )
    path = tmp_path / "model.onnxtxt"
    path.write_text(f"{HEAD}\nmain (float[1,2] x) => (y)\n<{constants}>\n{{\n{lines}\n}}")
    if any(problem.fatal for problem in read_model(path).problems):
        pytest.skip("not even text")
    survive(path)


@pytest.mark.parametrize("seed", range(60))
def test_networks_cut_at_random(seed: int, tmp_path: Path) -> None:
    """A planted network, with nodes, inputs and constants lost or swapped."""
    chance = random.Random(seed)
    defect = chance.choice(DEFECTS)
    graph = clean_for_onnxruntime() if defect.runtime == "onnxruntime" else clean()
    defect.plant(graph)
    for _ in range(chance.randint(1, 6)):
        _damage(graph, chance)
    path = tmp_path / "model.onnx"
    onnx.save(graph.unchecked(), path)
    survive(path)


def _damage(graph: Graph, chance: random.Random) -> None:
    node = chance.choice(graph.nodes)
    other = chance.choice(graph.nodes)
    names = sorted(graph.initializers)
    kind = chance.randrange(7)
    if kind == 0 and len(graph.nodes) > 3:
        graph.nodes.remove(node)
    elif kind == 1 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice(["", "nowhere", *names])
    elif kind == 2 and node.input and other.output:
        node.input[chance.randrange(len(node.input))] = other.output[0]  # a ring, perhaps
    elif kind == 3:
        node.op_type = other.op_type
    elif kind == 4 and node.input:
        del node.input[-1]
    elif kind == 5:
        shape = chance.choice([(), (0,), (1,), (3,), (2, 2), (1, 1, 1)])
        dtype = chance.choice(["f4", "f2", "i1", "u1", "i4", "i8", "f8"])
        name = chance.choice(names)
        graph.initializers[name] = numpy_helper.from_array(np.ones(shape, dtype), name)
    else:
        del node.attribute[:]
