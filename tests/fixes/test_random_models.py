"""Leftovers in random models with nested branches: after all safe fixes, they give the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.fixing.proposals import proposals
from modellint.formats.onnx.edit import write_fixed
from modellint.model.edits import EditError
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.session import Session

RULES = load_rules(plugins=False)
CODES = "HYG001 HYG002 HYG004 HYG005 FUS001 FUS003 FUS029 FUS033 FUS034 VAL004".split()
PLAN = Plan(
    rules=tuple(RULES[code] for code in CODES),
    options={"FUS033": {"bytes": 0}, "FUS034": {"bytes": 4}},
)
SIDE = 4
MOST_ROUNDS = 10


class Maker:
    """Random nodes, many of which do nothing."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.made = 0

    def model(self) -> onnx.ModelProto:
        nodes, values = self.nodes(["x", "z", "w", "v"], self.random.randint(5, 14), depth=0)
        if not any(node.op_type == "If" for node in nodes):
            self.random.shuffle(nodes)  # around branches, ONNX Runtime does not sort them
        outputs = sorted({values[-1], self.random.choice(values[4:])})
        graph = helper.make_graph(
            nodes,
            "random",
            [*map(_matrix, "xz"), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
            [_matrix(name) for name in outputs],
            [
                *(numpy_helper.from_array(np.full((SIDE, SIDE), 2, np.float32), n) for n in "wv"),
                numpy_helper.from_array(np.zeros(4, np.int64), "none"),
            ],
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def nodes(
        self, given: Sequence[str], count: int, depth: int
    ) -> tuple[list[onnx.NodeProto], list[str]]:
        nodes: list[onnx.NodeProto] = []
        values = list(given)
        for _ in range(count):
            self.made += 1
            name = f"n{self.made}"
            nodes += self.some(self.random.choice(KINDS), values, name, depth)
            values.append(name)
        return nodes, values

    def some(self, kind: str, values: list[str], name: str, depth: int) -> list[onnx.NodeProto]:
        one, other = (self.random.choice(values[-5:] + values[:3]) for _ in range(2))
        if kind == "branches" and depth == 0:
            return [helper.make_node("If", ["c"], [name], **self.branches(values, depth))]
        if kind == "casts":
            there = helper.make_node("Cast", [one], [f"{name}_wide"], to=TensorProto.DOUBLE)
            return [there, helper.make_node("Cast", [f"{name}_wide"], [name], to=TensorProto.FLOAT)]
        if kind == "transposes":
            there = helper.make_node("Transpose", [one], [f"{name}_turned"])
            return [there, helper.make_node("Transpose", [f"{name}_turned"], [name])]
        if kind == "dead":
            dead = helper.make_node("Exp", [one], [f"{name}_dead"])
            return [dead, helper.make_node("Neg", [one], [name])]
        if kind == "Pad":
            return [helper.make_node("Pad", [one, "none"], [name])]
        inputs = [one, other] if kind in ("Add", "Mul") else [one]
        return [helper.make_node("Abs" if kind == "branches" else kind, inputs, [name])]

    def branches(self, values: list[str], depth: int) -> dict[str, Any]:
        made = {}
        for key in ("then_branch", "else_branch"):
            nodes, own = self.nodes(values, self.random.randint(1, 4), depth + 1)
            made[key] = helper.make_graph(nodes, key, [], [_matrix(own[-1])])
        return made


KINDS = "Relu Sin Add Mul Identity Identity Dropout casts transposes Pad branches dead".split()


def _matrix(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [SIDE, SIDE])


def fix(path: Path, result: Path) -> int:
    """Carry out all fixes that can be; return how many there were."""
    opened = Session(PLAN.deployments).open(path, path.name)
    found = [each.fix for each in proposals(opened, PLAN, {}) if each.applicability == "safe"]
    while found:
        try:
            write_fixed(opened.model, found, result)
        except EditError as error:
            found = [each for each in found if each is not error.fix]
        else:
            break
    return len(found)


@pytest.mark.parametrize("seed", range(12))
def test_fixed_models_give_the_same(seed: int, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    random = Random(seed)
    path = tmp_path / "0.onnx"
    onnx.save(Maker(random).model(), path)

    def outputs(model: Path, feed: dict[str, Any]) -> list[bytes]:
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return [array.tobytes() for array in session.run(None, feed)]

    numbers = np.random.default_rng(seed)
    feeds = [
        {name: numbers.random((SIDE, SIDE), np.float32) for name in "xz"} | {"c": np.array(choice)}
        for choice in (True, False)
    ]
    try:
        wanted = [outputs(path, feed) for feed in feeds]
    except Exception as error:  # of a runtime that at times frees what a branch reads
        pytest.skip(str(error))
    for number in range(1, MOST_ROUNDS):
        result = tmp_path / f"{number}.onnx"
        if not fix(path, result):
            return
        onnx.checker.check_model(result)
        assert [outputs(result, feed) for feed in feeds] == wanted
        path = result
    pytest.fail("there is always something left to fix")
