"""The catalogue knows every operator once, and code outside it names few."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from modellint.operators import Trait, having, names, of, rows, with_input
from modellint.operators.catalogue import ROWS
from tests.support import ROOT

pytestmark = pytest.mark.xdist_group("catalogue")

SRC = ROOT / "src" / "modellint"

MOST_LITERALS = 294
MOST_TABLES = 14
"""Outside the catalogue. Lower these when you replace names by traits; never raise them."""


class Node(NamedTuple):
    op_type: str
    domain: str = ""


APART = (
    "analysis/layouts.py",
    "operators",
    "fixes",
    "fixing",
    "quantizing",
    "differ",
    "execution/meanings.py",
    "benching/suites",
    "formats/onnx/edit",
    "formats/onnx/standins.py",
    "profiles",
    "webnn",
)
"""Modules that list operators, write them, or translate forms of them into each other."""


def modules() -> list[Path]:
    apart = [SRC / each for each in APART]
    return [file for file in SRC.rglob("*.py") if not any(map(file.is_relative_to, apart))]


def named(text: str, known: set[str]) -> int:
    """Operators that a string names: one, or a list of words that are all operators."""
    words = text.split()
    return len(words) if words and known.issuperset(words) else 0


def literals(tree: ast.AST, known: set[str]) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield named(node.value, known)


def tables(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Top-level assignments that name two operators or more."""
    for statement in tree.body:
        is_assignment = isinstance(statement, (ast.Assign, ast.AnnAssign))
        if is_assignment and sum(literals(statement, known)) > 1:
            yield ast.unparse(statement).partition("=")[0].strip()


@pytest.fixture(scope="module")
def trees() -> list[ast.Module]:
    found = [ast.parse(file.read_text(encoding="utf-8")) for file in modules()]
    for tree in found:
        tree.body = [each for each in tree.body if not _exports(each)]
    return found


def _exports(statement: ast.stmt) -> bool:
    """Return True for `__all__`: classes may be called like operators."""
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Names of operators; those of Core ML's are ordinary words."""
    both = {name for row in rows().values() for name in (row.name, row.op_type)}
    return {name for name in both if not name[0].islower() or "." in name}


def test_code_outside_the_catalogue_names_no_more_operators(
    trees: list[ast.Module], known: set[str]
) -> None:
    assert sum(sum(literals(tree, known)) for tree in trees) <= MOST_LITERALS


def test_code_outside_the_catalogue_has_no_more_tables_of_operators(
    trees: list[ast.Module], known: set[str]
) -> None:
    found = [table for tree in trees for table in tables(tree, known)]
    assert len(found) <= MOST_TABLES, found


def test_a_table_is_counted(known: set[str]) -> None:
    tree = ast.parse('VIEWS = {"Reshape", "Squeeze"}\nMORE = "Conv Gemm".split()\nONE = "Conv"')
    assert list(tables(tree, known)) == ["VIEWS", "MORE"]
    assert sum(literals(tree, known)) == 5


def test_every_operator_of_the_standard_is_there() -> None:
    import onnx.defs

    schemas = onnx.defs.get_all_schemas_with_history()
    assert {schema.name for schema in schemas if schema.domain == ""} <= rows().keys()


def test_no_operator_has_two_rows() -> None:
    starts = [line.split()[0] for line in ROWS.splitlines() if line and line[0] not in " #"]
    assert [name for name, count in Counter(starts).items() if count > 1] == []
    assert starts == list(rows())


def test_a_name_means_one_operator_in_each_format() -> None:
    meanings = Counter((each.format, each.name) for row in rows().values() for each in row.dialects)
    assert [name for name, count in meanings.items() if count > 1] == []
    assert {kind for kind, _ in meanings} == {
        "tflite",
        "openvino",
        "coreml",
        "aten",
        "higher_order",
        "numpy",
        "quantized_decomposed",
        "tensorflow",
        "torchvision",
    }


def test_every_trait_is_some_operators() -> None:
    assert [trait for trait in Trait if not having(trait)] == []


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (Node("Conv"), "Conv"),
        (Node("Conv", "ai.onnx"), "Conv"),
        (Node("FusedConv", "com.microsoft"), "com.microsoft.FusedConv"),
        (Node("CONV_2D", "tflite"), "Conv"),
        (Node("Convolution", "openvino"), "Conv"),
        (Node("conv", "coreml"), "Conv"),
    ],
)
def test_a_convolution_is_one_in_every_format(node: Node, name: str) -> None:
    assert of(node).name == name
    assert Trait.CONVOLUTION in of(node).traits


def test_what_another_format_does_differently_is_recorded() -> None:
    conv = of(Node("Conv"))
    differs = {each.name: each.differs for each in conv.dialects}
    assert differs["CONV_2D"] == ("nhwc", "activation")
    assert differs["Convolution"] == ()


def test_an_unknown_operator_has_no_traits() -> None:
    unknown = of(Node("Conv", "my.domain"))
    assert (unknown.name, unknown.traits, unknown.cost) == ("my.domain.Conv", frozenset(), "")


def test_sets_are_by_op_type_and_names_are_qualified() -> None:
    assert "FusedConv" in having(Trait.CONVOLUTION)
    assert "com.microsoft.FusedConv" in names(Trait.CONVOLUTION)


def test_the_default_domain_decides_what_a_shared_name_means() -> None:
    assert having(Trait.ATTENTION)["Attention"].name == "Attention"


def test_roles_of_inputs() -> None:
    assert of(Node("QLinearConv")).place("weight") == 3
    assert of(Node("LSTM")).places("state>1", "state>2") == (5, 6)
    assert of(Node("Relu")).place("weight") is None
    assert with_input("bound")["Clip"] == (1, 2)
