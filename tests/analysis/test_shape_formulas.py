"""Formulas for shapes give what ONNX's inference gives."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from modellint.analysis.shape_formulas import MISTAKES, formula_of
from modellint.formats import read_model
from modellint.model import Node, is_static, small_constant
from tests.exports import EXPORTS

USUAL = "Add Concat Gather MatMul Reshape Softmax Transpose Unsqueeze".split()


def test_formulas_agree_with_inference() -> None:
    compared: Counter[str] = Counter()
    for path in sorted(EXPORTS.glob("*.onnx")):
        for node in read_model(path).nodes():
            result, computed = node.output(), _computed(node)
            if computed is not None and result is not None and is_static(result.shape):
                assert computed == result.shape, f"{path.name}: {node.label}"
                compared[node.op_type] += 1
    assert compared.keys() >= {*USUAL}


def _computed(node: Node) -> tuple[int, ...] | None:
    formula = formula_of(node)
    shapes = [value.shape for value in node.inputs if value is not None]
    if formula is None or not all(map(is_static, shapes)):
        return None
    sizes = [tuple(dim for dim in shape or () if isinstance(dim, int)) for shape in shapes]
    with suppress(*MISTAKES):
        return formula(node, sizes, [*map(small_constant, node.inputs)])
    return None
