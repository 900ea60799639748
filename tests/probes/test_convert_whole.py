"""The parsing of what compilers print that take a model whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from modellint.runtimes.iree import probe as iree
from modellint.runtimes.mnn import probe as mnn
from modellint.runtimes.probe import Remark
from tests.samples import lint_json
from tests.support import save

STARTS = """The device supports: i8sdot:0, fp16:0, i8mm: 0, sve2: 0, sme2: 0
Start to Convert Other Model Format To MNN Model..., target version: 3.6
[19:53:26] :46: ONNX Model ir version: 8
"""
CONVERTED = "inputTensors : [ x, ]\noutputTensors: [ y, ]\nConverted Success!\n"
LACKING = "[19:53:38] :220: These Op Not Support: ONNX::Foo | ONNX::Hardmax \nConverted Failed!\n"
INVALID = "[20:01:02] :77: Can't find input tensor q\nConverted Failed!\n"

LEFT = """Failure while executing pass pipeline:
error: "/p/MaxPool": failed to legalize operation 'torch.operator' \
that was explicitly marked illegal: \
%10 = "torch.operator"(%9) <{name = "onnx.MaxPool"}> : (!torch.vtensor<[1,3],f32>)
 note: "/p/MaxPool": see current operation: %10 = "torch.operator"(%9)
"""
SHADERLESS = """Error code: 1
Diagnostics:
<unknown>:0: error: loc("/NonZero"): failed to legalize operation 'arith.remsi' \
that was explicitly marked illegal: \
%168 = "arith.remsi"(%167, %33) : (i64, i64) -> i64 loc("/NonZero")
<unknown>:0: error: loc("/NonZero"): failed to run translation of source executable
"""


def test_mnn_lists_all_operators_that_it_lacks() -> None:
    assert mnn.refusals(STARTS + CONVERTED) == []
    assert mnn.refusals(STARTS + LACKING) == [
        Remark("no-importer", mnn.LACKING, op="Foo"),
        Remark("no-importer", mnn.LACKING, op="Hardmax"),
    ]


def test_mnn_says_why_it_does_not_convert() -> None:
    told = Remark("model-refused", "Can't find input tensor q")
    assert mnn.refusals(STARTS + INVALID) == [told]
    assert mnn.refusals(STARTS) == [Remark("model-refused", "no reason given")]


def test_iree_names_the_node_that_it_does_not_lower() -> None:
    told = Remark("no-importer", iree.NO_LOWERING, node="/p/MaxPool", op="MaxPool")
    assert iree.remark_of(LEFT) == told


def test_iree_says_why_it_has_no_code_for_a_device() -> None:
    text = "failed to legalize operation 'arith.remsi' that was explicitly marked illegal"
    assert iree.reason_in(SHADERLESS) == ("/NonZero", text)
    assert iree.reason_in("no error line\nand more") == ("", "no error line")
    undefined = 'Non topologically produced ONNX node input \'q\': input: "a"\ninput: "q"'
    assert iree.reason_in(undefined) == ("", "Non topologically produced ONNX node input 'q'")
    assert iree.reason_in("Input 1 is out of bounds.") == ("", "Input 1 is out of bounds")


@pytest.mark.parametrize(
    ("opset", "node", "told", "fix"),
    [
        (
            11,
            "y = Unsqueeze <axes = [0]> (x)",
            "converts Unsqueeze only from opset 13",
            "Convert the",
        ),
        (17, "y = AffineGrid (x)", "cannot convert AffineGrid", "Express the node with"),
    ],
)
def test_a_refusal_is_put_right_by_what_helps_the_runtime(
    opset: int, node: str, told: str, fix: str, tmp_path: Path
) -> None:
    head = f'<ir_version: 7, opset_import: ["" : {opset}]> m (float[3] x) => (float[n] y)'
    path = save(f"{head} {{ {node} }}", tmp_path / "m.onnx")
    (found,) = lint_json(path, "--runtime", "iree", "--select", "CMP009")["findings"]
    assert told in found["message"]
    assert found["fix"].startswith(fix)


def test_iree_infers_types_without_large_weights_and_keeps_them() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[1,600] x) => (float[a,b] y) { y = MatMul (x, w) }"""
    model = onnx.parser.parse_model(text)
    weight = numpy_helper.from_array(np.ones((600, 600), np.float32), "w")
    model.graph.initializer.append(weight)
    found = iree.inferred(model)
    assert not model.graph.initializer[0].raw_data
    assert found.graph.initializer[0] == weight
    assert [dim.dim_value for dim in found.graph.output[0].type.tensor_type.shape.dim] == [1, 600]
