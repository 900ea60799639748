"""Every operator of the newest operator set, as onnx's own node tests use it, is known."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

import onnx
import onnx.defs
import pytest
from onnx.backend.test.case import node as node_tests

from modellint.analysis.cost import cost
from modellint.analysis.shapes import DeployedTypes
from modellint.engine import lint_file
from modellint.formats import read_model
from modellint.model import Model, is_static
from modellint.operators import rows
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.targets.deployment import Deployment

pytestmark = pytest.mark.xdist_group("newest opset")

FIRST = 23
"""Operators that are newer, or have changed since, are tested with all of their node tests."""
EACH = 2
"""Node tests of every other operator."""
SLOW = {"averagepool", "lppool", "maxpool"}
"""Modules that take seconds to compute what they expect."""
DOMAINS = ("", "ai.onnx.preview")
UNTESTED = {
    "AveragePool",
    "ConcatFromSequence",
    "GlobalLpPool",
    "LpPool",
    "MaxPool",
    "MaxRoiPool",
    "Multinomial",
    "Optional",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceLength",
}
"""Operators without a node test of one node, and those of slow modules."""
FED = {
    "CenterCropPad",
    "Compress",
    "ConstantOfShape",
    "Expand",
    "If",
    "Loop",
    "NonMaxSuppression",
    "NonZero",
    "OneHot",
    "Pad",
    "Range",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "Reshape",
    "Resize",
    "Scan",
    "Squeeze",
    "TopK",
    "Unique",
    "Unsqueeze",
}
"""Changed operators whose outputs' sizes depend on elements that are fed, or on subgraphs."""
FAMILIES = {"file", "validity", "internal", "compat"}
"""Families of rules that call a model invalid, or its operators unknown."""
UNCOUNTED = {"Det", "If", "Loop", "Scan", "SequenceMap", "ai.onnx.preview.FlexAttention"}
"""Operators whose work depends on more than the shapes of inputs and outputs."""


class NodeTest(NamedTuple):
    name: str
    op: str
    model: onnx.ModelProto
    outputs: list[Any]


def schemas() -> dict[str, int]:
    """Names of all operators that are not deprecated, and the opset of their last change."""
    found = [each for each in onnx.defs.get_all_schemas() if each.domain in DOMAINS]
    return {
        f"{each.domain}.{each.name}".strip("."): each.since_version
        for each in found
        if not each.deprecated
    }


def collected() -> Iterator[NodeTest]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in iter_modules(node_tests.__path__):
            if module.name not in SLOW:
                import_module(f"{node_tests.__name__}.{module.name}")
    for case in node_tests._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1:  # not the bodies of functions
            name = f"{nodes[0].domain}.{nodes[0].op_type}".strip(".")
            outputs = case.data_sets[0][1] if case.data_sets else []
            yield NodeTest(case.name, name, case.model, list(outputs))


def chosen(tests: list[NodeTest], since: int) -> list[NodeTest]:
    return tests if since >= FIRST else tests[:: max(1, len(tests) // EACH)][:EACH]


@pytest.fixture(scope="module")
def node_tests_of_each() -> dict[str, list[NodeTest]]:
    found: dict[str, list[NodeTest]] = defaultdict(list)
    for test in collected():
        found[test.op].append(test)
    return {op: chosen(found[op], since) for op, since in schemas().items() if op in found}


@pytest.fixture(scope="module")
def models(
    node_tests_of_each: dict[str, list[NodeTest]], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[NodeTest, Path, Model]]:
    """The node tests as files, whose outputs are declared without shapes."""
    folder, found = tmp_path_factory.mktemp("nodes"), []
    for test in (each for tests in node_tests_of_each.values() for each in tests):
        for output in test.model.graph.output:
            if output.type.HasField("tensor_type"):
                output.type.tensor_type.ClearField("shape")
        path = folder / f"{test.name}.onnx"
        onnx.save(test.model, path)
        found.append((test, path, read_model(path)))
    return found


def test_all_operators_have_node_tests_and_rows(
    node_tests_of_each: dict[str, list[NodeTest]],
) -> None:
    assert schemas().keys() - node_tests_of_each.keys() <= UNTESTED
    assert schemas().keys() <= rows().keys()


def test_every_model_is_read(models: list[tuple[NodeTest, Path, Model]]) -> None:
    assert [(test.name, model.problems) for test, _, model in models if model.problems] == []


def test_no_shape_differs_from_the_recorded_output(
    models: list[tuple[NodeTest, Path, Model]],
) -> None:
    checked = 0
    for test, _, model in models:
        types = DeployedTypes(model, Deployment())
        for value, recorded in zip(model.outputs, test.outputs, strict=False):
            shape, wanted = types.shape(value), getattr(recorded, "shape", None)
            if wanted is None:
                continue
            checked += 1
            if test.op in FED or schemas()[test.op] < FIRST:
                known = zip(shape or wanted, wanted, strict=True)
                assert all(dim == size for dim, size in known if isinstance(dim, int)), test.name
            else:
                assert shape == wanted, test.name
    assert checked > len(models) / 2


def test_work_is_counted_or_said_to_be_unknown(
    models: list[tuple[NodeTest, Path, Model]],
) -> None:
    for test, _, model in models:
        node = model.graph.nodes[0]
        counted = cost(model, Deployment())
        values = [each for each in (*node.inputs, *node.outputs) if each is not None]
        if all(each.type_name != "tensor" or is_static(each.shape) for each in values):
            flops = counted.of(node).flops
            assert flops is not None or test.op in UNCOUNTED, test.name
        assert (node in counted.uncounted) == (counted.of(node).macs is None)


def test_no_rule_finds_a_mistake(models: list[tuple[NodeTest, Path, Model]]) -> None:
    rules = [rule for rule in load_rules(plugins=False).values() if rule.family in FAMILIES]
    plan = Plan(rules=tuple(rules))
    for test, path, _ in models:
        found = lint_file(path, path.name, plan).findings
        assert [each.message for each in found] == [], test.name
