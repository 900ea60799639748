"""One missed fusion, planted in a real export: its rule fires there, and no other fusion rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from modellint.results.finding import Finding
from tests.exports import materialise
from tests.fusion.support import lint

Array = NDArray[Any]


@dataclass(frozen=True)
class Defect:
    """A planted pattern, written as a graph that makes `y` of `x`."""

    code: str
    body: str
    at: str
    """The name of the value, without prefix, that the node to be reported makes."""
    after: tuple[str, str, int] = ("resnet18", "Relu", 0)
    """The export, the op, and the number of the node after which it is planted."""
    constants: Mapping[str, Array] = field(default_factory=dict)
    branch: bool = False
    """True if `y` becomes an output of its own, instead of taking the place of `x`."""
    runtime: str | None = "onnxruntime"
    target: str | None = None
    besides: frozenset[str] = frozenset()
    """Rules that the same defect concerns."""


RNG = np.random.default_rng(0)


def full(number: float, *shape: int) -> Array:
    return np.full(shape, number, np.float32)


def random(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


TOKENS = ("vit_b_16", "LayerNormalization", 0)
PROBABILITIES = ("vit_b_16", "Softmax", 0)
SCORES = ("resnet18", "Gemm", 0)
CONV = ("mobilenet_v2", "Conv", 3)
W = {"w": full(1, 768), "b": full(0, 768)}
NUMBERS = {
    "e": full(1e-5),
    "two": full(2),
    "three": full(3),
    "six": full(6),
    "zero": full(0),
    "one": full(1),
    "half": full(0.5),
    "minus": full(-0.5),
    "k": full(0.044715),
    "c": full(0.79788456),
    "root": full(1.41421356),
    "last": ints(-1),
}
CELL = """
    g{t} = MatMul (h{p}, u)
    i{t}, f{t}, o{t}, n{t} = Split <axis = 1> (g{t})
    a{t} = Sigmoid (i{t})  b{t} = Sigmoid (f{t})  d{t} = Sigmoid (o{t})
    m{t} = Tanh (n{t})
    l{t} = Mul (a{t}, m{t})  r{t} = Mul (b{t}, h{p})
    s{t} = Add (l{t}, r{t})
    v{t} = Tanh (s{t})
    h{t} = Mul (d{t}, v{t})
"""
UNROLLED = "h0 = Identity (x)" + "".join(CELL.format(t=t, p=t - 1) for t in range(1, 6))
LOOP = """
    y = Loop (four, keep, x) <body = body (int64 i, bool go, float[n,c,h,w] a)
        => (bool on, float[n,c,h,w] b) { on = Identity (go)  b = Sin (a) }>
"""
ROTARY = """
    a, b = Split <axis = -1> (x)
    n = Neg (b)
    r = Concat <axis = -1> (n, a)
    p = Mul (x, w)
    q = Mul (r, w)
    y = Add (p, q)
"""

DEFECTS = [
    Defect(
        "FUS001",
        "a = Transpose <perm = [0, 2, 3, 1]> (x)\ny = Transpose <perm = [0, 3, 1, 2]> (a)",
        "y",
        runtime=None,
    ),
    Defect(
        "FUS002",
        "y = BatchNormalization (x, s, b, b, s)",
        "y",
        ("mobilenet_v2", "Conv", 3),
        {"s": full(1, 24), "b": full(0, 24)},
        runtime=None,
    ),
    Defect("FUS003", "a = Cast <to = 10> (x)\ny = Cast <to = 1> (a)", "y"),
    Defect(
        "FUS004",
        "m = ReduceMean <axes = [-1]> (x)\nd = Sub (x, m)\np = Pow (d, two)\n"
        "v = ReduceMean <axes = [-1]> (p)\na = Add (v, e)\ns = Sqrt (a)\n"
        "r = Reciprocal (s)\nq = Mul (d, r)\nn = Mul (q, w)\ny = Add (n, b)",
        "r",
        TOKENS,
        W,
    ),
    Defect(
        "FUS005",
        "p = Pow (x, two)\nv = ReduceMean <axes = [-1]> (p)\na = Add (v, e)\n"
        "s = Sqrt (a)\nr = Reciprocal (s)\nq = Mul (x, r)\ny = Mul (q, w)",
        "r",
        TOKENS,
        W,
    ),
    Defect(
        "FUS006",
        "m = ReduceMean <axes = [2, 3]> (x)\nd = Sub (x, m)\np = Mul (d, d)\n"
        "v = ReduceMean <axes = [2, 3]> (p)\na = Add (v, e)\ns = Sqrt (a)\ny = Div (d, s)",
        "y",
    ),
    Defect(
        "FUS007",
        "d = Div (x, root)\nf = Erf (d)\na = Add (f, one)\nh = Mul (a, half)\ny = Mul (x, h)",
        "h",
    ),
    Defect(
        "FUS008",
        "s2 = Mul (x, x)\np = Mul (s2, x)\nq = Mul (p, k)\nr = Add (x, q)\n"
        "s = Mul (r, c)\nt = Tanh (s)\na = Add (t, one)\nh = Mul (x, half)\ny = Mul (h, a)",
        "p",
    ),
    Defect("FUS009", "n = Neg (x)\nf = Exp (n)\na = Add (f, one)\ny = Div (x, a)", "y"),
    Defect(
        "FUS011",
        "a = Add (x, three)\nl = Clip (a, zero, six)\nm = Mul (x, l)\ny = Div (m, six)",
        "y",
    ),
    Defect("FUS012", "f = Exp (x)\na = Add (f, one)\ny = Log (a)", "y"),
    Defect(
        "FUS013",
        "m = ReduceMax <axes = [-1]> (x)\nd = Sub (x, m)\nf = Exp (d)\n"
        "s = ReduceSum <keepdims = 1> (f, last)\ny = Div (f, s)",
        "y",
        SCORES,
    ),
    Defect("FUS014", "s = Softmax <axis = -1> (x)\ny = Log (s)", "y", SCORES),
    Defect("FUS015", "y = Mul (x, w)", "y", PROBABILITIES, {"w": full(1, 12, 1, 1)}),
    Defect("FUS016", "n = IsNaN (x)\ny = Where (n, zero, x)", "n", PROBABILITIES),
    Defect("FUS019", ROTARY, "y", ("gpt2_prompt", "Transpose", 0), {"w": random(1, 64)}),
    Defect(
        "FUS020",
        "z = Relu (x)\nq = MatMul (z, w)\nk2 = MatMul (z, u)\nv = MatMul (z, t)\n"
        "a = Add (q, k2)\ny = Mul (a, v)",
        "z",
        TOKENS,
        {"w": random(768, 768), "u": random(768, 768), "t": random(768, 768)},
    ),
    Defect(
        "FUS021",
        "y = BatchNormalization (x, s, b, b, s)",
        "y",
        SCORES,
        {"s": full(1, 1000), "b": full(0, 1000)},
    ),
    Defect("FUS022", "y = Mul (w, x)", "y", CONV, {"w": random(24, 1, 1)}),
    Defect("FUS023", "y = Mul (x, half)", "y", SCORES),
    Defect(
        "FUS024",
        'p = Pad (x, pads)\ny = Conv <auto_pad = "VALID"> (p, w)',
        "y",
        ("resnet18", "Relu", 0),
        {"pads": ints(0, 0, 1, 1, 0, 0, 1, 1), "w": random(64, 64, 3, 3)},
    ),
    Defect(
        "FUS025",
        "a = Transpose <perm = [0, 2, 3, 1]> (x)\nr = LayerNormalization (a, w)\n"
        "y = Transpose <perm = [0, 3, 1, 2]> (r)",
        "r",
        constants={"w": full(1, 64)},
    ),
    Defect(
        "FUS028",
        "a = Slice (x, i0, end, i2, i2)\nb = Slice (x, i1, end, i2, i2)\n"
        "f = Slice (a, i0, end, i3, i2)\ng = Slice (b, i0, end, i3, i2)\n"
        "h = Slice (a, i1, end, i3, i2)\ni = Slice (b, i1, end, i3, i2)\n"
        "y = Concat <axis = 1> (f, g, h, i)",
        "y",
        branch=True,
        constants={"i0": ints(0), "i1": ints(1), "i2": ints(2), "i3": ints(3), "end": ints(9999)},
    ),
    Defect("FUS029", "y = Pad (x, none)", "y", constants={"none": ints(*[0] * 8)}),
    Defect("FUS030", "a, b = Split <axis = 1> (x)\ny = Concat <axis = 1> (a, b)", "y"),
    Defect(
        "FUS031",
        "h = Cast <to = 10> (x)\na = Cast <to = 1> (h)\nr = Relu (a)\ny = Cast <to = 10> (r)",
        "r",
        branch=True,
        target="a10",
        besides=frozenset({"FUS003"}),
    ),
    Defect(
        "FUS032",
        "a = Add (u, w)\ny = Mul (x, a)",
        "a",
        constants={"u": random(64, 1, 1), "w": random(64, 1, 1)},
        runtime=None,
    ),
    Defect(
        "FUS033",
        "a = Softmax <axis = 1> (x)\nb = Softmax <axis = 1> (x)\ny = Add (a, b)",
        "b",
        runtime=None,
    ),
    Defect(
        "FUS036",
        'y = Einsum <equation = "bij,jk->bik"> (x, w)',
        "y",
        TOKENS,
        {"w": random(768, 768)},
    ),
    Defect("FUS037", "y = Pow (x, minus)", "y"),
    Defect(
        "FUS038",
        "y = Gather <axis = 1> (x, some)",
        "y",
        branch=True,
        constants={"some": ints(*range(8, 40))},
    ),
    Defect(
        "FUS039",
        "m = Greater (x, six)\nn = NonZero (m)\nt = Transpose <perm = [1, 0]> (n)\n"
        "y = ScatterND (x, t, nil)",
        "y",
        constants={"nil": full(0, 1)},
    ),
    Defect("FUS040", LOOP, "y", constants={"four": np.array(4), "keep": np.array(True)}),
    Defect(
        "FUS041",
        UNROLLED + "y = Relu (h5)",
        "g1",
        ("resnet18", "Flatten", 0),
        {"u": random(512, 2048)},
    ),
    Defect(
        "FUS042",
        "y = Resize (x, , scales)",
        "y",
        branch=True,
        constants={"scales": np.array([1, 1, 2, 2], np.float32)},
    ),
    Defect(
        "FUS043",
        "y = Conv <pads = [3, 3, 3, 3]> (x, w)",
        "y",
        branch=True,
        constants={"w": random(9, 64, 7, 7)},
        runtime="tensorrt",
        target="a10",
    ),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.code)
def test_rule_fires_where_it_was_planted(defect: Defect, tmp_path: Path) -> None:
    path = materialise(defect.after[0], tmp_path)
    clean = _places(_lint(path, defect))
    planted = onnx.load(path, load_external_data=False)
    _plant(planted, defect)
    onnx.save(planted, path)
    findings = [finding for finding in _lint(path, defect) if _place(finding) not in clean]
    expected = (defect.code, f"planted_{defect.at}")
    messages = {_place(finding): finding.message for finding in findings}
    assert expected in messages, messages
    strays = [code for code, _ in messages if code != defect.code and code not in defect.besides]
    assert not strays, messages


def test_most_rules_are_planted() -> None:
    assert len({defect.code for defect in DEFECTS}) >= 35


def _lint(path: Path, defect: Defect) -> list[Finding]:
    if defect.target is None:
        return lint(path, runtime=defect.runtime)
    return lint(path, runtime=defect.runtime, target=defect.target, precision="fp16", batch=1)


def _plant(model: onnx.ModelProto, defect: Defect) -> None:
    _, op_type, place = defect.after
    graph = model.graph
    node = [each for each in graph.node if each.op_type == op_type][place]
    source = node.output[0]
    header = f'<ir_version: 8, opset_import: ["" : {_opset(model)}]>'
    text = f"{header}\nplanted (float[n] x) => (float[n] y) {{ {defect.body} }}"
    parsed = onnx.parser.parse_model(text).graph.node
    constants = {**NUMBERS, **defect.constants}
    made = {name for each in parsed for name in each.output if name}
    renamed = {name: f"planted_{name}" for name in {*made, *constants}} | {"x": source}
    for each in parsed:
        each.input[:] = [renamed.get(name, name) for name in each.input]
        each.output[:] = [renamed.get(name, name) for name in each.output]
        each.name = each.output[0]
    used = {name for each in parsed for name in each.input}
    graph.initializer.extend(
        numpy_helper.from_array(array, renamed[name])
        for name, array in constants.items()
        if renamed[name] in used
    )
    if defect.branch:
        kind = onnx.TypeProto()
        kind.tensor_type.elem_type = 10 if defect.body.endswith("(r)") else 1
        graph.output.append(onnx.helper.make_value_info(renamed["y"], kind))
    else:
        for other in graph.node:
            other.input[:] = [renamed["y"] if n == source else n for n in other.input]
        for output in graph.output:
            output.name = renamed["y"] if output.name == source else output.name
    index = list(graph.node).index(node) + 1
    for offset, each in enumerate(parsed):
        graph.node.insert(index + offset, each)


def _opset(model: onnx.ModelProto) -> int:
    return next(
        int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")
    )


def _places(findings: list[Finding]) -> set[tuple[str, str]]:
    return {_place(finding) for finding in findings}


def _place(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.location.label
