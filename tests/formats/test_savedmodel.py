"""TensorFlow's SavedModels: operators, signatures and variables as TensorFlow reads them.

The models in `tests/data/tensorflow` are from `tools/record_tensorflow.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from modellint.analysis.cost import cost
from modellint.analysis.shapes import DeployedTypes
from modellint.formats import read_model
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import (
    LENGTH,
    WINDOW,
    FieldBudget,
    FieldSpan,
    FileWindow,
    Message,
    message_of,
    write_varint,
)
from modellint.formats.savedmodel.bodies import StatedNode
from modellint.formats.savedmodel.encoding import check_encoding
from modellint.formats.savedmodel.facts import SavedModelFacts, TensorInfo, saved_model_facts
from modellint.formats.savedmodel.notation import encode, field
from modellint.formats.savedmodel.sizes import SavedModelSizes
from modellint.formats.wiring import Wiring
from modellint.model import DTYPES, Attribute, Model, Node
from modellint.operators import of
from modellint.targets.deployment import Deployment
from tests.support import run_cli

SAVED = Path(__file__).parents[1] / "data" / "tensorflow"
MODELS = json.loads((SAVED / "models.json").read_bytes())


def facts_of(model: Model) -> SavedModelFacts:
    facts = saved_model_facts(model)
    assert facts is not None
    return facts


def plain(infos: dict[str, TensorInfo]) -> dict[str, Any]:
    return {
        key: [str(info.dtype), [-1 if dim is None else dim for dim in info.shape or ()]]
        for key, info in infos.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_what_tensorflow_reads(name: str) -> None:
    truth, model = MODELS[name], read_model(SAVED / name)
    facts = facts_of(model)
    assert (model.format, model.problems) == ("savedmodel", [])
    assert facts.operators == truth["operators"]
    assert [list(tags) for tags in facts.tags] == [truth["tags"]]
    signatures = {
        key: [plain(dict(part)) for part in parts] for key, parts in facts.signatures.items()
    }
    assert signatures == truth["signatures"]
    assert {
        each.name: [each.dtype.name, list(each.shape), total(each.numpy())]
        for each in model.tensors
    } == truth["variables"]


class Named(NamedTuple):
    op_type: str
    domain: str = "tensorflow"


def copied(model: Model) -> list[Node]:
    """Return the nodes of the main graph without copies of what comes from outside of it."""
    return [node for node in model.graph.nodes if node.op_type != "Identity"]


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_is_what_tensorflow_runs(name: str) -> None:
    model = read_model(SAVED / name)
    types = DeployedTypes(model, Deployment(batch=2))
    ran = {node.name: node for node in copied(model)}
    assert sorted(ran) == sorted(label for _, label, _ in MODELS[name]["runs"])
    for op, label, shapes in MODELS[name]["runs"]:
        node = ran[label]
        assert of(node).name == of(Named(op)).name, label
        if not node.subgraphs:  # a frozen loop is given weights where ours has variables
            found = [list(types.shape(value) or ()) for value in node.outputs if value is not None]
            assert known_dims(found, shapes) == shapes, label


def known_dims(found: list[list[Any]], truth: list[list[Any]]) -> list[list[Any]]:
    """Leave open what TensorFlow does: it does not look into a loop for shapes."""
    return [
        [dim if known is not None else None for dim, known in zip(*each, strict=True)]
        for each in zip(found, truth, strict=True)
    ]


def test_parameters_and_work_are_those_of_the_operators() -> None:
    model = read_model(SAVED / "network")
    costs = cost(model, Deployment(batch=1))
    assert costs.parameters == 3 * 3 * 4 * 8 + 3 * 3 * 8 * 2 + 40 * 6 + 6 * 6
    works = {node.name: costs.macs_of(node) for node in copied(model)}
    assert works["Conv2D"] == 9 * 10 * 8 * 3 * 3 * 4
    assert works["depthwise"] == 9 * 10 * 16 * 3 * 3
    assert works["MatMul"] == 3 * 3 * 6
    assert works["cond"] == 3 * 6 * 6  # of the branch that does more
    assert works["while"] is None  # the number of rounds is not known


def saved(path: Path, text: str) -> Model:
    (path / "saved_model.pb").write_bytes(encode(text))
    return read_model(path)


def test_calls_that_multiply_are_one_problem(tmp_path: Path) -> None:
    lines = ["tags serve", "signature serving_default x float32 [4] -> y float32 [4]"]
    lines += ["node y PartitionedCall x f=f0"]
    for at in range(40):
        lines += [f"node f{at}/{each} PartitionedCall x f=f{at + 1}" for each in "abc"]
        lines += [f"node f{at}/sum AddN a:output:0 b:output:0 c:output:0"]
    model = saved(tmp_path, "\n".join([*lines, "node f40/add AddV2 x x"]))
    assert [(each.kind, "200,000 nodes" in str(each.facts)) for each in model.problems] == [
        ("graph-broken", True)
    ]
    assert not model.has_graph
    assert facts_of(model).functions == 41


def test_calls_that_nest_are_one_problem(tmp_path: Path) -> None:
    lines = ["signature serving_default x float32 [4] -> y float32 [4]"]
    lines += ["node y PartitionedCall x f=f0"]
    lines += [f"node f{at}/a PartitionedCall x f=f{at + 1}" for at in range(3000)]
    model = saved(tmp_path, "\n".join(lines))
    assert [each.facts for each in model.problems] == [
        {"detail": "it nests more than 50 calls of functions"}
    ]


def test_a_circle_of_nodes_is_one_problem(tmp_path: Path) -> None:
    lines = ["signature serving_default x float32 [4] -> y float32 [4]"]
    lines += ["node y AddV2 x z", "node z AddV2 y x"]
    model = saved(tmp_path, "\n".join(lines))
    assert [each.facts for each in model.problems] == [{"detail": "node 'y' reads from itself"}]


def test_calls_of_what_has_many_inputs_are_one_problem(tmp_path: Path) -> None:
    lines = ["signature serving_default x float32 [4] -> y float32 [4]"]
    lines += ["node y PartitionedCall x f=f0"]
    for at in range(3):
        lines += [f"node f{at}/{each} PartitionedCall x f=f{at + 1}" for each in "abcdefgh"]
        lines += [f"node f{at}/sum AddN " + " ".join(f"{each}:output:0" for each in "abcdefgh")]
    model = saved(tmp_path, "\n".join([*lines, "node f3/sum AddN" + " x" * 2500]))
    assert [each.kind for each in model.problems] == ["graph-broken"]
    assert not model.has_graph


@pytest.mark.parametrize(
    ("op", "domain", "attributes"),
    [
        ("Mul", "", {}),
        ("Concat", "", {"axis": 0}),
        ("Fill", "tensorflow", {}),
        ("StridedSlice", "tensorflow", {}),
        ("Einsum", "", {"equation": "a,b->c"}),
        ("Einsum", "", {"equation": "a,b"}),
    ],
)
def test_numbers_of_shapes_stay_within_bounds(
    op: str, domain: str, attributes: dict[str, Attribute]
) -> None:
    """Each node doubles what it is given, whatever the file says of its shape."""
    model = Model(Path("m"), "savedmodel")
    wiring = Wiring(model.graph)
    x, last = wiring.value("x"), wiring.value("shape")
    wiring.input(x)
    last.declare(DTYPES["int64"], (1,))
    wiring.node("Shape", "", "shape", (x,), (last,))
    for at in range(80):
        value = wiring.value(f"v{at}")
        value.declare(DTYPES["int64"], (1,))
        open_value = wiring.value(f"o{at}")
        open_value.declare(DTYPES["int64"], (None,))
        node = wiring.node(op, domain, value.name, (last,) * 4, (value, open_value))
        node.attributes = attributes
        last = value
    types = SavedModelSizes(model)({"x": (1 << 40,)}).types
    assert types[model.graph.path, "x"][1] == (1 << 40,)


def total(elements: Any) -> float | None:
    return None if elements is None else float(elements.astype("float64").sum())


def test_a_large_file_is_read_in_windows_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["tags serve", "signature serving_default x float32 [4] -> y float32 [4]"]
    lines += [f"node n{at} Relu {f'n{at - 1}' if at else 'x'}" for at in range(1500)]
    whole = saved(tmp_path, "\n".join([*lines, "node y Relu n1499"]))
    monkeypatch.setattr("modellint.formats.protobuf.READ_WHOLE", 0)
    windowed = read_model(tmp_path)
    assert len(whole.graph.nodes) == 1501
    assert [each.name for each in windowed.graph.nodes] == [each.name for each in whole.graph.nodes]


@pytest.mark.parametrize("whole", [1 << 20, 0])
def test_text_that_tensorflow_refuses_is_damage_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    monkeypatch.setattr("modellint.formats.protobuf.READ_WHOLE", whole)
    content = (SAVED / "linear" / "saved_model.pb").read_bytes()
    at = content.index(b"AssignVariableOp")
    (tmp_path / "saved_model.pb").write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    (problem,) = read_model(tmp_path).problems
    assert (problem.kind, problem.facts["offset"]) == ("corrupt", at)


def test_a_name_as_long_as_a_file_is_not_read(tmp_path: Path) -> None:
    long, path = 1 << 31, tmp_path / "saved_model.pb"
    start, size = b"", long
    for number in (1, 1, 2, 2):  # name, node, graph, graph with its signatures
        start = bytes([number << 3 | LENGTH]) + write_varint(size) + start
        size = long + len(start)
    path.write_bytes(start)
    os.truncate(path, size)
    tracemalloc.start()
    with message_of(path) as message:
        check_encoding(message, "tensorflow.SavedModel")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_errors_in_a_large_file_name_places_in_it(tmp_path: Path) -> None:
    path = tmp_path / "m.pb"
    path.write_bytes(b"1234\x08\xff\xff")
    with path.open("rb", buffering=0) as file:
        message = Message(FileWindow(file, 7), FieldSpan(4, 3))
        with pytest.raises(MalformedError, match="at byte 7"):
            assert message.fields


def test_a_stated_attribute_is_kept_for_where_it_is_stated_again(tmp_path: Path) -> None:
    """To go back to the first place each time read a large graph once for each node."""
    path = tmp_path / "m.pb"
    attribute = field(1, field(1, b"a") + field(2, field(1, field(1, b"text"))))
    content = attribute + field(9, bytes(WINDOW)) + attribute
    path.write_bytes(content)
    with path.open("rb", buffering=0) as file:
        window = FileWindow(file, len(content))
        (_, first), (_, again) = Message(window, FieldSpan(0, len(content))).shared_entries(1, 8)
        assert window[len(content) - 1]
    nested = again.message(1)
    assert first is again
    assert nested is not None
    assert nested.text(1) == "text"


def test_a_node_counts_as_more_than_its_fields() -> None:
    message = Message(b"\x0a\x00", FieldSpan(0, 2), budget=FieldBudget(20))
    with pytest.raises(MalformedError, match="more than"):
        StatedNode(message)


def test_naming_the_file_leads_to_the_folder(tmp_path: Path) -> None:
    shutil.copytree(SAVED / "old", tmp_path / "old")
    for named in (tmp_path, tmp_path / "old", tmp_path / "old" / "saved_model.pb"):
        assert "TFS003" in run_cli(str(named), "-o", "concise").stdout


def test_files_of_variables_may_be_missing_or_short(tmp_path: Path) -> None:
    path = tmp_path / "m"
    shutil.copytree(SAVED / "linear", path)
    data = path / "variables" / "variables.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[:5])
    assert {each.kind for each in read_model(path).problems} == {"external-short"}
    data.unlink()
    assert {each.kind for each in read_model(path).problems} == {"external-missing"}
    (path / "variables" / "variables.index").write_bytes(whole)
    assert {each.kind for each in read_model(path).problems} == {"config-broken"}


def test_every_damage_is_a_problem(tmp_path: Path) -> None:
    graphs = encode("tags serve\nsignature s x float32 [?,4] -> y string [2]\nnode f/a MatMul")
    index = encode("@variables\na float32 [2]\nb int8 [3,3]")
    path = tmp_path / "m"
    (path / "variables").mkdir(parents=True)
    kinds = set()
    for whole, name in ((graphs, "saved_model.pb"), (index, "variables/variables.index")):
        (path / "saved_model.pb").write_bytes(graphs)
        for at in range(0, len(whole), 2):
            (path / name).write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
            kinds |= {each.kind for each in read_model(path).problems}
    assert kinds <= {
        *("corrupt", "truncated", "too-deep", "config-broken"),
        *("external-missing", "external-short", "invalid-tensor"),
    }


def test_weights_of_a_frozen_graph_are_in_its_constants(tmp_path: Path) -> None:
    def constant(name: bytes, elements: int) -> bytes:
        shape = field(2, field(1, elements))
        content = np.arange(elements, dtype="<f4").tobytes()
        tensor = field(1, 1) + field(2, shape) + field(4, content)
        value = field(1, b"value") + field(2, field(8, tensor))
        return field(1, field(1, name) + field(2, b"Const") + field(5, value))

    graph = field(2, constant(b"weight", 2048) + constant(b"axes", 4))
    (tmp_path / "saved_model.pb").write_bytes(field(1, 1) + field(2, graph))
    model = read_model(tmp_path)
    assert model.problems == []
    (weight,) = model.tensors
    assert (weight.name, weight.shape, weight.nbytes) == ("weight", (2048,), 8192)
    numbers = weight.numpy()
    assert numbers is not None
    assert numbers.tolist() == list(range(2048))
