"""Exported programs of PyTorch: the same operators, types and tensors as PyTorch reads.

The files in `tests/data/torch` and what PyTorch says of them are from `tools/record_exports.py`.
"""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from modellint.analysis.cost import cost
from modellint.analysis.shapes import DeployedTypes
from modellint.formats import read_model
from modellint.formats.torch.facts import ExportFacts, SizeRange, torch_facts
from modellint.formats.torch.notation import encode
from modellint.formats.torch.sizes import SizeFormula
from modellint.model import Model
from modellint.targets.deployment import Deployment, ShapeProfile
from tests.support import run_cli

SAVED = Path(__file__).parents[1] / "data" / "torch"
RECORD = json.loads((SAVED / "exports.json").read_bytes())["programs"]


def facts_of(model: Model) -> ExportFacts:
    facts = torch_facts(model)
    assert facts is not None
    assert facts.exported is not None
    return facts.exported


def program(path: Path, text: str) -> Model:
    path.write_bytes(encode(f"@program 8.20\n{text}"))
    return read_model(path)


def deployment(model: Model, sizes: list[list[int]]) -> Deployment:
    shapes = {
        value.name: ShapeProfile(*3 * (tuple(size),))
        for value, size in zip(model.inputs, sizes, strict=True)
        if not all(isinstance(dim, int) for dim in value.declared_shape or ())
    }
    return Deployment(shapes=shapes)


@pytest.mark.parametrize("name", RECORD)
def test_a_program_is_what_pytorch_reads(name: str) -> None:
    truth, model = RECORD[name], read_model(SAVED / f"{name}.pt2")
    assert model.problems == []
    targets = [
        [node.name, facts_of(model).targets[node].removeprefix("torch.ops.")]
        for node in model.graph.nodes
    ]
    wanted = [[name, {"cond": "higher_order.cond"}.get(op, op)] for name, op in truth["operators"]]
    assert targets == wanted
    assert [value.name for value in model.inputs] == truth["inputs"]
    stored = {each.name: each for each in model.tensors}
    assert {
        each: [tensor.dtype.name, list(tensor.shape), float(tensor.numpy().astype(float).sum())]  # type: ignore[union-attr]
        for each, tensor in stored.items()
    } == {each: [*rest, pytest.approx(total)] for each, (*rest, total) in truth["tensors"].items()}
    types = {
        value.name: [str(value.declared_dtype), list(value.declared_shape or ())]
        for value in model.graph.values.values()
    }
    assert {each: types[each] for each in truth["types"] if each in types} == {
        each: stated for each, stated in truth["types"].items() if each in types
    }
    assert truth["types"].keys() - types.keys() <= stored.keys()  # what no operator reads
    work = cost(model, deployment(model, truth["example"]))
    assert work.total.macs is not None
    assert 2 * work.total.macs == truth["flops"]


def test_sizes_follow_from_those_of_the_inputs() -> None:
    model = read_model(SAVED / "mixed.pt2")
    result = model.outputs[0]
    batch, length = model.inputs[0].declared_shape or ()
    assert str(length).startswith("2*")
    assert facts_of(model).ranges[str(batch)] == SizeRange(0, 16)
    assert DeployedTypes(model, deployment(model, [[7, 9]])).shape(result) == (7, 9, 12)


def test_operators_of_the_standard_are_called_as_there() -> None:
    model = read_model(SAVED / "image.pt2")
    assert [node.qualified_op for node in model.graph.nodes] == [
        *("Conv", "BatchNormalization", "Relu", "MaxPool", "ConvTranspose"),
        *("GlobalAveragePool", "Reshape", "Gemm"),
    ]
    by_name = {node.name: node for node in model.graph.nodes}
    assert by_name["conv2d"].attributes["pads"] == (1, 1, 1, 1)
    assert by_name["conv2d"].metadata == {"module": "layers.0"}
    assert [node.op_type for node in facts_of(model).in_place] == ["Relu"]


def test_a_branch_has_its_graphs() -> None:
    model = read_model(SAVED / "branches.pt2")
    (node,) = (node for node in model.graph.nodes if node.op_type == "cond")
    inner = {key: [each.op_type for each in graph.nodes] for key, graph in node.subgraphs.items()}
    assert sorted(inner.values()) == [["Cos"], ["Sin"]]


def test_the_tied_weight_and_the_unused_one_are_told_apart() -> None:
    model = read_model(SAVED / "mixed.pt2")
    regions = {each.name: each.region for each in model.tensors}
    assert regions["embedding.weight"] == regions["last.weight"]
    assert "unused.weight" in regions
    assert "unused.weight" not in model.graph.values


def test_the_layout_of_older_releases(tmp_path: Path) -> None:
    """Up to PyTorch 2.6, an archive had the program under another name."""
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(SAVED / "image.pt2") as archive, zipfile.ZipFile(path, "w") as old:
        (name,) = (each for each in archive.namelist() if each.endswith("/models/model.json"))
        old.writestr("serialized_exported_program.json", archive.read(name))
        old.writestr("serialized_state_dict.pt", b"")
        old.writestr("version", b"8.20")
    model, new = read_model(path), read_model(SAVED / "image.pt2")
    assert model.problems == []
    assert [node.op_type for node in model.graph.nodes] == [n.op_type for n in new.graph.nodes]
    assert {each.name for each in model.tensors} == {each.name for each in new.tensors}


def test_an_export_that_failed_has_no_program(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/archive_format", b"pt2")
    assert "no program" in run_cli(str(path), "-o", "concise").stdout


@pytest.mark.parametrize(
    ("stated", "text", "at_three"),
    [
        ("Symbol('s0', positive=True, integer=True)", "s0", 3),
        ("Add(Mul(Integer(2), Symbol('s0')), Integer(1))", "2*s0 + 1", 7),
        ("2*s0 - 1", "2 * s0 - 1", 5),
        ("FloorDiv(Symbol('s0'), Integer(2))", "s0 // 2", 1),
        ("Mul(Rational(1, 2), Add(Symbol('s0'), Integer(1)))", "Rational(1, 2)*(s0 + 1)", 2),
        ("Max(Symbol('s0'), Integer(5))", "Max(s0, 5)", 5),
        ("Pow(Symbol('s0'), Integer(2))", "s0**2", 9),
        ("Pow(Integer(9), Pow(Integer(9), Symbol('s0')))", "9**(9**s0)", None),
        ("Unknown(Symbol('s0'))", "Unknown(s0)", None),
        ("s0 +", "s0 +", None),
        ("-" * 900 + "1", None, None),
        ("(" * 900, None, None),
        ("__import__('os').system('ls')", None, None),
        ("s0/2", "s0 / 2", None),
    ],
)
def test_formulas_of_sizes(stated: str, text: str | None, at_three: int | None) -> None:
    formula = SizeFormula(stated)
    if text is not None:
        assert formula.text == text
    assert formula.evaluate({"s0": 3}) == at_three


def changed(tmp_path: Path, change: Any) -> Model:
    """Read the program after a change to what it states."""
    path, made = tmp_path / "m.pt2", BytesIO()
    with zipfile.ZipFile(SAVED / "mixed.pt2") as archive, zipfile.ZipFile(made, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("/models/model.json"):
                stated = json.loads(content)
                change(stated["graph_module"])
                content = json.dumps(stated).encode()
            other.writestr(name, content)
    path.write_bytes(made.getvalue())
    return read_model(path)


def test_absurd_programs_are_problems(tmp_path: Path) -> None:
    no_table = changed(tmp_path, lambda module: module.update(graph=[]))
    assert [each.kind for each in no_table.problems] == ["corrupt"]
    no_target = changed(tmp_path, lambda module: module["graph"]["nodes"][0].pop("target"))
    assert [each.kind for each in no_target.problems] == ["corrupt"]
    unknown = changed(tmp_path, lambda module: module["graph"]["nodes"].pop(0))
    assert [each.kind for each in unknown.problems] == ["undefined-value"]
    deep: list[Any] = [{"as_int": 1}] * 40
    rank = changed(
        tmp_path, lambda module: module["graph"]["tensor_values"]["linear"].update(sizes=deep)
    )
    assert [each.kind for each in rank.problems] == ["corrupt"]


def test_scalars_and_constants_are_operands(tmp_path: Path) -> None:
    model = program(
        tmp_path / "m.pt2",
        """input x float16 [2,s0]
        y float16 [2,s0] = aten.add.Tensor(self=x, other=1)
        z float16 [s0,2] = aten.view.default(self=y, size=[3,2])
        w float16 [2,s0] = aten.pow.Tensor_Scalar(self=y, exponent=2.5)
        output z
        output w""",
    )
    add, view, power = model.graph.nodes
    assert [add.op_type, view.op_type, power.op_type] == ["Add", "Reshape", "Pow"]
    numbers = [node.inputs[1].tensor.numpy() for node in (add, view, power)]  # type: ignore[union-attr]
    assert [each.tolist() for each in numbers if each is not None] == [1, [-1, 2], 2.5]


def test_an_operator_in_place_stands_for_its_result(tmp_path: Path) -> None:
    """But not where others see what it changes: an input, or the tensor that a view is of."""
    model = program(
        tmp_path / "m.pt2",
        """input x float32 [2,3]
        buffer n float32 [1]
        counted float32 [1] = aten.add_.Tensor(self=n, other=1)
        y float32 [2,3] = aten.relu.default(self=x)
        z float32 [2,3] = aten.add_.Tensor(self=y, other=1)
        row float32 [3] = aten.select.int(self=y, dim=0, index=1)
        filled float32 [3] = aten.fill_.Scalar(self=row, value=0)
        output y""",
    )
    assert [node.qualified_op for node in model.graph.nodes] == [
        *("aten.add_", "Relu", "Add", "Gather", "aten.fill_"),
    ]
    assert [value.name for value in model.outputs] == ["z"]
    assert "dead-node" not in run_cli(str(tmp_path / "m.pt2"), "-o", "concise").stdout


def test_an_archive_inside_is_not_taken_for_the_one_that_lost_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "image.pt2"
    whole = (SAVED / "image.pt2").read_bytes()
    path.write_bytes(whole[: whole.rfind(b"PK\x05\x06") - 8])
    assert [each.kind for each in read_model(path).problems] == ["corrupt"]
