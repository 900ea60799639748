"""Every way of writing a pattern that was tried: our verdict, and ONNX Runtime's."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", minversion="1.32")  # what its passes do changes

from tests.fusion.support import lint, operators, optimized
from tests.support import save

W8 = "{1, 1, 1, 1, 1, 1, 1, 1}"
W64 = "{" + ", ".join(["1"] * 64) + "}"
W144 = "{" + ", ".join(["1"] * 144) + "}"
SEQUENCE = (
    f"float[8] w = {W8}, float[8] b = {W8}, float two = {{2}}, float e = {{0.00001}}, "
    f"float one = {{1}}, float minus = {{-0.5}}, float[1,1,8] w3 = {W8}, float[1] w1 = {{2}}, "
    f"double de = {{0.00001}}, double dtwo = {{2}}, float half = {{0.5}}, "
    f"float root = {{1.41421356}}, float inverse = {{0.70710678}}, float three = {{3}}, "
    f"float k = {{0.044715}}, float c = {{0.79788456}}, float zero = {{0}}, float six = {{6}}, "
    f"float[8,8] m8 = {W64}, int64[1] last = {{-1}}, int64[1] first = {{0}}"
)
IMAGE = (
    f"float[4,4,3,3] w = {W144}, float[4] s = {{1,1,1,1}}, float[4] b = {{0,0,0,0}}, "
    "float[4] m = {0,0,0,0}, float[4] v = {1,1,1,1}, float[4,1,1] c3 = {1,2,3,4}, "
    "float[1,4,1,1] c4 = {1,2,3,4}, float[1] c1 = {2}, float c0 = {2}, float zero = {0}, "
    "int64[8] pads = {0,0,1,1,0,0,1,1}, float[4] half = {1,1,0.5,0.5}, "
    f"float[4,4] m4 = {{{', '.join(['1'] * 16)}}}"
)

LAYER = {
    "mean": "m = ReduceMean <axes = [-1]> (x)",
    "difference": "d = Sub (x, m)",
    "square": "p = Pow (d, two)",
    "variance": "v = ReduceMean <axes = [-1]> (p)",
    "epsilon": "a = Add (v, e)",
    "root": "s = Sqrt (a)",
    "quotient": "q = Div (d, s)",
    "scale": "n = Mul (q, w)",
    "bias": "y = Add (n, b)",
}
RMS = {
    "square": "p = Pow (x, two)",
    "variance": "v = ReduceMean <axes = [-1]> (p)",
    "epsilon": "a = Add (v, e)",
    "root": "s = Sqrt (a)",
    "quotient": "q = Div (x, s)",
    "scale": "y = Mul (q, w)",
}
GELU = {
    "scaled": "d = Div (x, root)",
    "curve": "f = Erf (d)",
    "plus": "a = Add (f, one)",
    "product": "m = Mul (x, a)",
    "half": "y = Mul (m, half)",
}
TANH = {
    "cube": "p = Pow (x, three)",
    "scaled": "q = Mul (p, k)",
    "total": "r = Add (x, q)",
    "outer": "s = Mul (r, c)",
    "curve": "t = Tanh (s)",
    "plus": "a = Add (t, one)",
    "half": "h = Mul (x, half)",
    "product": "g = Mul (h, a)",
    "end": "y = Relu (g)",
}


def also(output: str, shape: str = "y0") -> str:
    """Another consumer takes an inner value too."""
    return f"o = Relu ({output}) y = Add ({shape}, o)"


LAYER_CASES: dict[str, dict[str, str]] = {
    "usual": {},
    "scale first": {"scale": "n = Mul (w, q)", "bias": "y = Add (b, n)"},
    "epsilon first": {"epsilon": "a = Add (e, v)"},
    "difference twice": {"quotient": "d2 = Sub (x, m) q = Div (d2, s)"},
    "by the inverse": {"quotient": "r = Div (one, s) q = Mul (d, r)"},
    "by Reciprocal": {"quotient": "r = Reciprocal (s) q = Mul (d, r)"},
    "by a negative power": {"root": "s = Pow (a, minus)", "quotient": "q = Mul (d, s)"},
    "squared by Mul": {"square": "p = Mul (d, d)"},
    "epsilon by Max": {"epsilon": "a = Max (v, e)"},
    "no bias": {"scale": "y = Mul (q, w)", "bias": ""},
    "no scale": {"scale": "", "bias": "y = Relu (q)"},
    "scale of rank 3": {"scale": "n = Mul (q, w3)"},
    "bias of rank 3": {"bias": "y = Add (n, w3)"},
    "over axis 1": {
        "mean": "m = ReduceMean <axes = [1]> (x)",
        "variance": "v = ReduceMean <axes = [1]> (p)",
    },
    "mean shared": {"bias": f"y0 = Add (n, b) {also('m')}"},
    "difference shared": {"bias": f"y0 = Add (n, b) {also('d')}"},
    "square shared": {"bias": f"y0 = Add (n, b) {also('p')}"},
    "variance shared": {"bias": f"y0 = Add (n, b) {also('v')}"},
    "root shared": {"bias": f"y0 = Add (n, b) {also('s')}"},
    "quotient shared": {"bias": f"y0 = Add (n, b) {also('q')}"},
    "product shared": {"bias": f"y0 = Add (n, b) {also('n')}"},
    "Identity between": {"root": "s0 = Sqrt (a) s = Identity (s0)"},
    "Cast around the square": {
        "square": "dd = Cast <to = 11> (d) p0 = Pow (dd, dtwo) p = Cast <to = 1> (p0)",
    },
}
RMS_CASES: dict[str, dict[str, str]] = {
    "usual": {},
    "scale first": {"scale": "y = Mul (w, q)"},
    "by the inverse": {"quotient": "r = Div (one, s) q = Mul (x, r)"},
    "by Reciprocal": {"quotient": "r = Reciprocal (s) q = Mul (x, r)"},
    "by a negative power": {"root": "s = Pow (a, minus)", "quotient": "q = Mul (x, s)"},
    "squared by Mul": {"square": "p = Mul (x, x)"},
    "no scale": {"scale": "y = Relu (q)"},
    "scale of one element": {"scale": "y = Mul (q, w1)"},
    "scale of rank 0": {"scale": "y = Mul (q, two)"},
    "scale of rank 3": {"scale": "y = Mul (q, w3)"},
    "scale computed": {"scale": "u = Add (w, one) y = Mul (q, u)"},
    "scale an activation": {"scale": "u = Relu (x) y = Mul (q, u)"},
    "over axis 1": {"variance": "v = ReduceMean <axes = [1]> (p)"},
    "square shared": {"scale": f"y0 = Mul (q, w) {also('p')}"},
    "variance shared": {"scale": f"y0 = Mul (q, w) {also('v')}"},
    "root shared": {"scale": f"y0 = Mul (q, w) {also('s')}"},
    "quotient shared": {"scale": f"y0 = Mul (q, w) {also('q')}"},
    "Cast in the middle": {
        "epsilon": "v2 = Cast <to = 11> (v) a = Add (v2, de)",
        "root": "s0 = Sqrt (a) s = Cast <to = 1> (s0)",
    },
    "statistics in double": {
        "square": "xd = Cast <to = 11> (x) p = Pow (xd, dtwo)",
        "epsilon": "a = Add (v, de)",
        "root": "s0 = Sqrt (a) s = Cast <to = 1> (s0)",
    },
}
GELU_CASES: dict[str, dict[str, str]] = {
    "usual": {},
    "half first": {"product": "h = Mul (x, half)", "half": "y = Mul (h, a)"},
    "half within": {"product": "h = Mul (a, half)", "half": "y = Mul (x, h)"},
    "scaled by Mul": {"scaled": "d = Mul (x, inverse)"},
    "operands changed round": {
        "plus": "a = Add (one, f)",
        "product": "m = Mul (a, x)",
        "half": "y = Mul (half, m)",
    },
    "curve shared": {"half": f"y0 = Mul (m, half) {also('f')}"},
    "product shared": {"half": f"y0 = Mul (m, half) {also('m')}"},
}
TANH_CASES: dict[str, dict[str, str]] = {
    "usual": {},
    "half last": {"half": "h = Mul (x, a)", "product": "g = Mul (h, half)"},
    "half within": {"half": "h = Mul (a, half)", "product": "g = Mul (x, h)"},
    "cube by Mul": {"cube": "xx = Mul (x, x) p = Mul (xx, x)"},
    "factored": {
        "cube": "kx = Mul (x, k)",
        "scaled": "xx = Mul (x, kx)",
        "total": "r = Add (xx, one)",
        "outer": "cx = Mul (x, c) s = Mul (cx, r)",
    },
    "makes an output": {"product": "y = Mul (h, a)", "end": ""},
    "curve shared": {"end": f"y0 = Relu (g) {also('t')}"},
}
PATTERNS = [
    ("FUS004", "Sqrt", LAYER, LAYER_CASES),
    ("FUS005", "Sqrt", RMS, RMS_CASES),
    ("FUS007", "Erf", GELU, GELU_CASES),
    ("FUS008", "Tanh", TANH, TANH_CASES),
]
SEQUENCES = [
    pytest.param(code, op, " ".join({**parts, **changed}.values()), id=f"{code}-{name}")
    for code, op, parts, cases in PATTERNS
    for name, changed in cases.items()
]
CONV = "k = Conv <pads = [1, 1, 1, 1]> (x, w)"
POOL = "MaxPool <kernel_shape = [3, 3], pads = [0, 0, 0, 0]>"
MEAN_POOL = "AveragePool <kernel_shape = [3, 3], pads = [0, 0, 0, 0]>"
THERE = "a = Transpose <perm = [0, 2, 3, 1]> (x)"
BACK = "Transpose <perm = [0, 3, 1, 2]>"
IMAGES = [
    pytest.param(code, op, body, id=f"{code}-{body}")
    for code, op, body in (
        ("FUS002", "BatchNormalization", f"{CONV} y = BatchNormalization (k, s, b, m, v)"),
        (
            "FUS002",
            "BatchNormalization",
            "k = ConvTranspose <pads = [1, 1, 1, 1]> (x, w) y = BatchNormalization (k, s, b, m, v)",
        ),
        ("FUS022", "Mul", f"{CONV} y = Mul (k, c3)"),
        ("FUS022", "Mul", f"{CONV} y = Mul (k, c4)"),
        ("FUS022", "Mul", f"{CONV} y = Mul (k, c0)"),
        ("FUS022", "Mul", f"{CONV} y = Mul (k, c1)"),
        ("FUS022", "Mul", f"{CONV} y = Mul (c3, k)"),
        ("FUS022", "Div", f"{CONV} y = Div (k, c0)"),
        ("FUS022", "Sub", f"{CONV} y = Sub (k, c3)"),
        ("FUS022", "Add", f"{CONV} y = Add (k, c3)"),
        ("FUS022", "Add", f"{CONV} y = Add (k, c4)"),
        ("FUS022", "Add", f"{CONV} y = Add (k, c0)"),
        ("FUS022", "Add", f"{CONV} y = Add (c3, k)"),
        ("FUS022", "Mul", "k = ConvTranspose <pads = [1, 1, 1, 1]> (x, w) y = Mul (k, c3)"),
        ("FUS024", "Pad", "p = Pad (x, pads, zero) y = Conv (p, w)"),
        ("FUS024", "Pad", "p = Pad (x, pads) y = Conv <pads = [0, 0, 0, 0]> (p, w)"),
        ("FUS024", "Pad", 'p = Pad (x, pads, zero) y = Conv <auto_pad = "VALID"> (p, w)'),
        ("FUS024", "Pad", 'p = Pad (x, pads, zero) y = Conv <auto_pad = "NOTSET"> (p, w)'),
        ("FUS024", "Pad", f"r = Relu (x) p = Pad (r, pads, zero) y = {POOL} (p)"),
        ("FUS024", "Pad", f"p = Pad (x, pads, zero) y = {MEAN_POOL} (p)"),
        ("FUS001", "Transpose", f"{THERE} z = {BACK} (a) y = Relu (z)"),
        ("FUS025", "Transpose", f"{THERE} r = LayerNormalization (a, s) y = {BACK} (r)"),
        ("FUS025", "Transpose", f"{THERE} r = MatMul (a, m4) y = {BACK} (r)"),
        ("FUS025", "Transpose", f"{THERE} r = Erf (a) y = {BACK} (r)"),
        ("FUS025", "Transpose", f"{THERE} r = Softmax <axis = -1> (a) y = {BACK} (r)"),
    )
]


@pytest.mark.parametrize(("code", "op", "body"), SEQUENCES)
def test_sequence(code: str, op: str, body: str, tmp_path: Path) -> None:
    _agree(code, op, _model("float[2,16,8]", SEQUENCE, body), tmp_path)


@pytest.mark.parametrize(("code", "op", "body"), IMAGES)
def test_image(code: str, op: str, body: str, tmp_path: Path) -> None:
    _agree(code, op, _model("float[1,4,8,8]", IMAGE, body, "float[n,c,h,w]"), tmp_path)


def test_zeros_are_not_the_padding_of_a_maximum(tmp_path: Path) -> None:
    """ONNX Runtime 1.32 no longer merges them, which is right; there is nothing to report."""
    text = _model("float[1,4,8,8]", IMAGE, f"p = Pad (x, pads, zero) y = {POOL} (p)")
    path = save(text, tmp_path / "model.onnx")
    assert operators(optimized(path, tmp_path / "optimized.onnx"))["Pad"] == 1
    assert not lint(path, codes=["FUS024"])


def _agree(code: str, op: str, text: str, folder: Path) -> None:
    """The rule fires exactly when the optimizer leaves the op that marks the pattern."""
    path = save(text, folder / "model.onnx")
    after = operators(optimized(path, folder / "optimized.onnx"))
    marks = ("Sqrt", "Pow") if op == "Sqrt" and "Sqrt" not in text else (op,)
    before = operators(path)
    kept = sum(after[mark] for mark in marks) >= sum(before[mark] for mark in marks)
    findings = lint(path, codes=[code])
    assert bool(findings) == kept, (after, [finding.message for finding in findings])


def _model(kind: str, constants: str, body: str, made: str = "") -> str:
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    return f"{header}\nmain ({kind} x) => ({made or kind} y)\n<{constants}>\n{{ {body} }}"


@pytest.mark.parametrize(
    ("runtime", "severity"),
    [
        (None, "warning"),
        ("onnxruntime", "warning"),
        ("tensorrt", None),
        ("tensorrt-rtx", None),
        ("openvino", None),
    ],
)
def test_a_near_miss_is_reported_where_it_matters(
    runtime: str | None, severity: str | None, tmp_path: Path
) -> None:
    parts = {**RMS, **RMS_CASES["by Reciprocal"]}
    path = save(_model("float[2,16,8]", SEQUENCE, " ".join(parts.values())), tmp_path / "m.onnx")
    found = [str(finding.severity) for finding in lint(path, runtime=runtime, codes=["FUS005"])]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("runtime", "severity"), [(None, "info"), ("onnxruntime", None), ("openvino", None)]
)
def test_what_both_fuse_is_at_most_worth_knowing(
    runtime: str | None, severity: str | None, tmp_path: Path
) -> None:
    path = save(_model("float[2,16,8]", SEQUENCE, " ".join(RMS.values())), tmp_path / "m.onnx")
    found = [str(finding.severity) for finding in lint(path, runtime=runtime, codes=["FUS005"])]
    assert found == ([severity] if severity else [])
