"""Nodes keep their identity over renaming, reordering and re-exporting."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.layouts import is_read_transposed
from modellint.differ.matched import Matching
from modellint.differ.matching import match_models
from modellint.formats import read_model
from tests.support import model_from_text, save

TWO_BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2,4] x) => (float[2,4] y)
<float[4,4] v = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16},
 float[4,4] w = {21,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}>
{
    a = MatMul (x, v)
    b = Relu (a)
    c = MatMul (x, w)
    d = Relu (c)
    y = Mul (b, d)
}
"""
GEMM = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2,4] x) => (float[2,4] y)
<float[4,4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, float[4] b = {1,2,3,4}>
{
    h = Gemm (x, w, b)
    y = Relu (h)
}
"""
WRITTEN_OUT = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2,4] x) => (float[2,4] y)
<float[4,4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, float[4] b = {1,2,3,4}>
{
    i = Identity (x)
    p = MatMul (i, w)
    h = Add (b, p)
    z = Identity (h)
    y = Relu (z)
}
"""


def match(tmp_path: Path, old: str, new: str) -> Matching:
    one, other = (
        save(model_from_text(t), tmp_path / f"{i}.onnx") for i, t in enumerate((old, new))
    )
    return match_models(read_model(one), read_model(other))


def named(found: Matching) -> dict[str, str]:
    return {
        pair.old.output.name: pair.new.output.name
        for pair in found.pairs
        if pair.old.output is not None and pair.new.output is not None
    }


def test_equal_models_match_in_full(tmp_path: Path) -> None:
    found = match(tmp_path, TWO_BRANCHES, TWO_BRANCHES)
    assert named(found) == {name: name for name in "abcdy"}


def test_weights_tell_equal_branches_apart(tmp_path: Path) -> None:
    lines = TWO_BRANCHES.splitlines()
    lines[-6:-2] = lines[-4:-2] + lines[-6:-4]
    renamed = "\n".join(lines)
    for old, new in (("a", "q"), ("b", "r"), ("c", "s"), ("d", "t"), ("v", "k"), ("w", "l")):
        for form in (" {} =", "({},", "({})", ", {})", "] {} "):
            renamed = renamed.replace(form.format(old), form.format(new))
    found = match(tmp_path, TWO_BRANCHES, renamed)
    assert named(found) == {"a": "q", "b": "r", "c": "s", "d": "t", "y": "y"}


def test_a_gemm_is_a_product_with_a_bias(tmp_path: Path) -> None:
    found = match(tmp_path, GEMM, WRITTEN_OUT)
    assert not found.removed
    assert not found.added
    assert [node.op_type for node in found.light_added] == ["Identity", "Identity"]
    assert named(found) == {"h": "h", "y": "y"}


@pytest.mark.parametrize("line", ["    b = Relu (a)", "    d = Relu (c)"])
def test_another_operator_in_the_same_place_replaces(tmp_path: Path, line: str) -> None:
    found = match(tmp_path, TWO_BRANCHES, TWO_BRANCHES.replace(line, line.replace("Relu", "Tanh")))
    assert [(pair.old.op, pair.new.op) for pair in found.replaced] == [("Relu", "Tanh")]
    assert len(found.pairs) == 4


def test_an_inserted_node_is_the_only_one_added(tmp_path: Path) -> None:
    new = TWO_BRANCHES.replace("y = Mul (b, d)", "e = Tanh (d)\n y = Mul (b, e)")
    found = match(tmp_path, TWO_BRANCHES, new)
    assert [step.op for step in found.added] == ["Tanh"]
    assert not found.removed


FUNCTIONS = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
main (float[2,4] x) => (float[2,4] y)
{
    a = local.Block (x)
    b = local.Gate (a)
    y = local.Block (b)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
Gate (x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }
<domain: "local", opset_import: ["" : 17, "local" : 1]>
Block (x) => (y) { r = Relu (x)  g = local.Gate (r)  y = Add (x, g) }
"""


def test_functions_keep_their_identity_under_another_name(tmp_path: Path) -> None:
    again = FUNCTIONS.replace("Gate", "Swish_1").replace("Block", "Layer_7")
    found = match(tmp_path, FUNCTIONS, again)
    assert len(found.pairs) == 8
    assert [*found.removed, *found.added, *found.replaced] == []


def test_a_function_that_computes_something_else_is_another_one(tmp_path: Path) -> None:
    found = match(tmp_path, FUNCTIONS, FUNCTIONS.replace("Gate", "Gate_1").replace("Mul", "Div"))
    assert {step.op for step in found.removed} == {"Sigmoid", "Mul"}
    assert {step.op for step in found.added} == {"Sigmoid", "Div"}


def test_a_loop_before_a_product_does_not_hang(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    main () => (float[2,2] y) <float[2,2] w = {1,2,3,4}> {
        a = Relu (b) b = Transpose (a) y = MatMul (w, b)
    }
    """
    model = read_model(save(model_from_text(text), tmp_path / "m.onnx"))
    assert is_read_transposed(model.graph.nodes[-1]) in (True, False)
