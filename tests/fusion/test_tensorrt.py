"""Claims about TensorRT, against the memory that TensorRT for RTX plans for activations.

An engine that needs no memory between its inputs and outputs is one kernel; attention that is not
fused needs as much as its scores take.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.fusion.support import lint
from tests.support import model_from_text

trt: Any = pytest.importorskip("tensorrt_rtx_bindings")

LENGTH = 2048
SCORES = 8 * LENGTH * LENGTH * 2
"""Bytes of the scores of 8 heads in half precision."""
QKV = f"float16[1,8,{LENGTH},64] q, float16[1,8,64,{LENGTH}] k, float16[1,8,{LENGTH},64] v"
OUT = f"float16[1,8,{LENGTH},64] y"
ATTENTION = {
    "plain": "s = MatMul (q, k) p = Softmax <axis = -1> (s) y = MatMul (p, v)",
    "guarded": "s = MatMul (q, k) p = Softmax <axis = -1> (s) n = IsNaN (p) "
    "g = Where (n, zero, p) y = MatMul (g, v)",
    "late scale": "s = MatMul (q, k) t = Mul (s, c) p = Softmax <axis = -1> (t) y = MatMul (p, v)",
    "einsum": "kt = Transpose <perm = [0, 1, 3, 2]> (k) "
    's = Einsum <equation = "bhid,bhjd->bhij"> (q, kt) p = Softmax <axis = -1> (s) '
    "y = MatMul (p, v)",
    "altered": "s = MatMul (q, k) p = Softmax <axis = -1> (s) r = Relu (p) y = MatMul (r, v)",
    "capped": "s = MatMul (q, k) t = Tanh (s) p = Softmax <axis = -1> (t) y = MatMul (p, v)",
    "written out": "s = MatMul (q, k) m = ReduceMax <axes = [-1]> (s) d = Sub (s, m) e = Exp (d) "
    "t = ReduceSum <keepdims = 1> (e, last) p = Div (e, t) y = MatMul (p, v)",
}
KERNEL = {
    "FUS004": "m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) p = Mul (d, d) "
    "v = ReduceMean <axes = [-1]> (p) a = Add (v, c) s = Sqrt (a) r = Reciprocal (s) "
    "y = Mul (d, r)",
    "FUS005": "p = Mul (x, x) v = ReduceMean <axes = [-1]> (p) a = Add (v, c) s = Sqrt (a) "
    "r = Reciprocal (s) y = Mul (x, r)",
    "FUS007": "d = Mul (x, c) e = Erf (d) a = Add (e, c) h = Mul (a, c) y = Mul (x, h)",
    "FUS009": "n = Neg (x) e = Exp (n) a = Add (e, c) y = Div (x, a)",
    "FUS013": "m = ReduceMax <axes = [-1]> (x) d = Sub (x, m) e = Exp (d) "
    "t = ReduceSum <keepdims = 1> (e, last) y = Div (e, t)",
    "FUS001": "a = Transpose <perm = [0, 2, 1]> (x) b = Transpose <perm = [0, 2, 1]> (a) "
    "y = Relu (b)",
    "FUS003": "a = Cast <to = 1> (x) b = Cast <to = 10> (a) y = Relu (b)",
    "FUS029": "a = Concat <axis = 0> (x) y = Relu (a)",
    "FUS030": "a, b = Split <axis = 2> (x) j = Concat <axis = 2> (a, b) y = Relu (j)",
}
ACTIVATION = "float16[16,1024,1024]"


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name: str, tmp_path: Path) -> None:
    model = _model(f"{QKV}", OUT, ATTENTION[name])
    fused = planned(model) < SCORES
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    found = lint(path, runtime="tensorrt", precision="fp16", codes=["FUS013", "FUS015", "FUS016"])
    warnings = [finding.message for finding in found if str(finding.severity) == "warning"]
    assert fused == (not warnings), warnings
    assert fused == (name not in ("altered", "capped", "written out"))


@pytest.mark.parametrize(
    ("shape", "size", "stays"),
    [("1,8", 256, False), ("1,8", 512, True), ("8", 64, True)],
    ids=["256", "512", "merged"],
)
def test_heads(shape: str, size: int, stays: bool, tmp_path: Path) -> None:
    wide, tall = f"float16[{shape},{LENGTH},{size}]", f"float16[{shape},{size},{LENGTH}]"
    model = _model(f"{wide} q, {tall} k, {wide} v", f"{wide} y", ATTENTION["plain"])
    assert (planned(model) >= SCORES) == stays
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert bool(lint(path, runtime="tensorrt", precision="fp16", codes=["FUS015"])) == stays


def test_attention_in_float32_is_not_fused() -> None:
    model = _model(
        QKV.replace("float16", "float"), OUT.replace("float16", "float"), ATTENTION["plain"]
    )
    assert planned(model) >= SCORES


def test_probabilities_that_are_wanted_are_written() -> None:
    model = _model(
        QKV,
        f"{OUT}, float16[1,1,{LENGTH},{LENGTH}] o",
        ATTENTION["plain"] + " o = ReduceMean <axes = [1]> (p)",
    )
    assert planned(model) >= SCORES


@pytest.mark.parametrize("code", KERNEL)
def test_what_is_one_kernel(code: str, tmp_path: Path) -> None:
    model = _model(f"{ACTIVATION} x", f"{ACTIVATION} y", KERNEL[code])
    assert planned(model) == 0
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert lint(path, runtime="tensorrt", precision="fp16", codes=[code]) == []


@pytest.mark.parametrize(
    ("between", "stays"),
    [("r = LayerNormalization (a, w)", True), ("r = MatMul (a, w2)", False)],
    ids=["norm", "linear"],
)
def test_transposes_around_other_work(between: str, stays: bool, tmp_path: Path) -> None:
    body = f"a = Transpose <perm = [0, 2, 1]> (x) {between} y = Transpose <perm = [0, 2, 1]> (r)"
    model = _model(f"{ACTIVATION} x", f"{ACTIVATION} y", body)
    assert (planned(model) >= 2 * 16 * 1024 * 1024 * 2) == stays
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert bool(lint(path, runtime="tensorrt", codes=["FUS025"])) == stays


def planned(model: onnx.ModelProto) -> int:
    """Bytes of activation memory in an engine for an NVIDIA A10, built without a GPU."""
    logger = _Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(model.SerializeToString()), parser.get_error(0).desc()
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    assert builder.build_serialized_network(network, config) is not None
    sizes = [re.search(r"Total Activation Memory: (\d+) bytes", line) for line in logger.lines]
    return next(int(size[1]) for size in sizes if size is not None)


class _Logger(trt.ILogger):  # type: ignore[misc]
    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.lines: list[str] = []

    def log(self, severity: Any, text: str) -> None:
        self.lines.append(text)


def _model(inputs: str, outputs: str, body: str) -> onnx.ModelProto:
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    model = model_from_text(f"{header}\nmain ({inputs}) => ({outputs}) {{ {body} }}")
    half = np.float16
    constants = {
        "c": np.array(0.5, half),
        "zero": np.array(0, half),
        "last": np.array([-1]),
        "w": np.ones(1024, half),
        "w2": np.random.default_rng(0).standard_normal((1024, 1024)).astype(half),
    }
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items() if name in used
    )
    return model
