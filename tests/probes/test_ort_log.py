# ruff: noqa: E501  (messages stand as they were said)
"""Messages of ONNX Runtime when it creates no session, read without it."""

from __future__ import annotations

import pytest

from modellint.checks.probe import find_node
from modellint.formats.onnx.text import read_text
from modellint.runtimes.onnxruntime.log import refusal
from modellint.runtimes.probe import Remark


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from ./m.onnx failed:Fatal error: ai.onnx.contrib:MaskedFill(-1) is not a registered function/op",
            Remark("no-importer", op="MaskedFill"),
        ),
        (
            "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Add(14) node with name '/add'",
            Remark("no-kernel", node="/add", op="Add"),
        ),
        (
            '[ONNXRuntimeError] : 10 : INVALID_GRAPH : Load model from ./m.onnx failed:This is an invalid model. In Node, ("n1", O, "", -1) : ("i0": tensor(float),) -> ("i1": tensor(float),) , Error No Op registered for O with domain_version of 11',
            Remark("no-importer", node="n1", op="O", value="i1"),
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:Type Error: Type parameter (T) of Optype (LayerNormalization) bound to different types (tensor(float) and tensor(float16) in node (/norm).",
            Remark(
                "node-refused",
                "Type parameter (T) of Optype (LayerNormalization) bound to different types (tensor(float) and tensor(float16) in node (/norm)",
                "/norm",
                "LayerNormalization",
            ),
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:Node (/mm) Op (MatMul) [ShapeInferenceError] Incompatible dimensions for matrix multiplication",
            Remark(
                "shape-conflict",
                "Incompatible dimensions for matrix multiplication",
                "/mm",
                "MatMul",
            ),
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:Unsupported model IR version: 90, max supported IR version: 13",
            Remark(
                "model-refused", "Unsupported model IR version: 90, max supported IR version: 13"
            ),
        ),
    ],
    ids=["unregistered", "no kernel", "unknown op", "types", "shapes", "version"],
)
def test_errors_are_distinguished(said: str, meant: Remark) -> None:
    assert refusal(said) == meant


MODEL = read_text(
    """
<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
net (float[1,3] x, bool c) => (float[1,3] y)
{
    [first] a = Relu (x)
    b = Sigmoid (a)
    d = Tanh (b)
    e = Tanh (d)
    f = my.Op (e)
    g = my.Op (f)
    y = If (c) <
        then_branch = yes () => (float[1,3] p) { p = Abs (g) },
        else_branch = no () => (float[1,3] q) { [inner] q = Neg (g) }
    >
}
"""
)


@pytest.mark.parametrize(
    ("remark", "label"),
    [
        (Remark("node-refused", node="first", op="Relu", index=0), "first"),
        (Remark("node-refused", node="", op="Sigmoid", index=1), "b"),
        (Remark("node-refused", node="node_of_b", op="", index=None), "b"),
        (Remark("build-failed", "IElementWiseLayer node_of_d: must be conformable"), "d"),
        (Remark("build-failed", "IConditionalOutputLayer node_of_y_OutputLayer: no"), "y"),
        (Remark("build-failed", "Cannot compile operation 'first' for Turing"), "first"),
        (Remark("node-refused", node="inner", op="Neg", index=0), "inner"),
        (Remark("node-refused", op="Abs", index=0), "p"),  # unnamed, and the only one
        (Remark("node-refused", op="Tanh", index=0), None),  # one of two: which?
        (Remark("no-importer", op="Op"), "f"),  # whichever: neither runs
        (Remark("node-refused", op="Gone", node="gone", index=99), None),
        (Remark("build-failed", "Engine could not be created"), None),
    ],
)
def test_the_node_is_found_again_or_none_is_blamed(remark: Remark, label: str | None) -> None:
    node = find_node(MODEL, remark)
    assert (node.label if node is not None else None) == label
