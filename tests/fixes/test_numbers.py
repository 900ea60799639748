"""Fixes that fold or convert weights, compared with ONNX Runtime with weights at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from modellint.execution import made_up
from modellint.fixing.proposals import proposals
from modellint.formats import read_model
from modellint.formats.onnx.edit import write_fixed
from modellint.model import Model
from modellint.model.edits import Fix
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.runtimes.execution import Way
from modellint.runtimes.onnxruntime import execution
from modellint.session import Session
from modellint.targets.deployment import Deployment
from tests.support import model_from_text

RULES = load_rules(plugins=False)
NORMALIZED = "float[C] s, float[C] b, float[C] m, float[C] v"

FOLDED = {
    "transposed convolution of two groups": (
        "FUS002",
        "float[2,4,5,5] x, float[4,3,3,3] w, float[6] c, " + NORMALIZED.replace("C", "6"),
        "k = ConvTranspose <group = 2> (x, w, c) y = BatchNormalization (k, s, b, m, v)",
    ),
    "depthwise convolution": (
        "FUS002",
        "float[1,4,5,5] x, float[4,1,3,3] w, " + NORMALIZED.replace("C", "4"),
        "k = Conv <group = 4> (x, w) y = BatchNormalization <epsilon = 0.01> (k, s, b, m, v)",
    ),
    "product with factors": (
        "FUS021",
        "float[3,4] x, float[5,4] w, float[1,5] c, " + NORMALIZED.replace("C", "5"),
        "k = Gemm <alpha=0.5, beta=2.0, transB=1> (x, w, c) y = BatchNormalization (k,s,b,m,v)",
    ),
    "product with a number for a bias": (
        "FUS021",
        "float[3,4] x, float[4,5] w, float c, " + NORMALIZED.replace("C", "5"),
        "k = Gemm (x, w, c) y = BatchNormalization (k, s, b, m, v)",
    ),
    "difference per channel": (
        "FUS022",
        "float[1,4,5,5] x, float[3,4,3,3] w, float[3,1,1] c",
        "k = Conv (x, w) y = Sub (k, c)",
    ),
    "quotient after a bias": (
        "FUS023",
        "float[2,3,4] x, float[4,5] w, float[5] b, float[5] c",
        "k = MatMul (x, w) a = Add (k, b) y = Div (a, c)",
    ),
    "projections of different sizes": (
        "FUS020",
        "float[2,3,4] x, float[4,5] w, float[4,2] u",
        "p = MatMul (x, w) q = MatMul (x, u) y = Concat <axis = -1> (p, q)",
    ),
}
"""Rule, inputs of which all but the first are weights, and nodes."""

COMPUTED = {
    "recurrent": (
        "float[5,2,300] x, float[1,192,300] v, float[1,192,300] u, float[1,192,64] r",
        "w = Mul (v, u) y = GRU <hidden_size = 64> (x, w, r)",
    ),
    "product": (
        "float[1,1024] x, float[512,1024] v, float[512,1024] u",
        "s = Sub (v, u) w = Transpose <perm = [1, 0]> (s) y = MatMul (x, w)",
    ),
}
PADDED = {
    "more on one side, beside own padding": (
        "pads = {0,0,1,0,0,0,2,1}",
        "k = Pad (x, pads) y = Conv <pads = [1, 0, 1, 2]> (k, w)",
    ),
    "means over the padding": (
        "pads = {0,0,1,1,0,0,1,1}",
        "k = Pad (x, pads) y = AveragePool <kernel_shape = [3, 3]> (k)",
    ),
}
NOT_PADDED = {
    "windows in the padding alone": (
        "pads = {0,0,3,3,0,0,3,3}",
        "k = Pad (x, pads) y = AveragePool <kernel_shape = [3, 3]> (k)",
    ),
    "means without the own padding": (
        "pads = {0,0,1,1,0,0,1,1}",
        "k = Pad (x, pads) y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (k)",
    ),
}


def stored(text: str, arrays: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    """Return a model with some of its inputs stored."""
    model = model_from_text(text)
    inputs = [value for value in model.graph.input if value.name not in arrays]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in arrays.items())
    return model


def at_random(text: str) -> onnx.ModelProto:
    """Return a model whose inputs but for the first are weights at random."""
    rng = np.random.default_rng(5)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model_from_text(text).graph.input[1:]
    }
    arrays = {
        name: np.asarray(rng.uniform(0.5, 2.0, shape) * rng.choice([1.0, 1.5], shape), "float32")
        for name, shape in shapes.items()
    }
    return stored(text, arrays)


def fixes_of(code: str, path: Path, runtime: str | None) -> tuple[list[Fix], Model]:
    plan = Plan(rules=(RULES[code],), deployments=(Deployment(runtime=runtime),))
    opened = Session(plan.deployments).open(path, path.name)
    return [each.fix for each in proposals(opened, plan, {})], opened.model


def differences(
    code: str, model: onnx.ModelProto, folder: Path, runtime: str | None = None
) -> float:
    """Return the largest difference that a rule's fixes make, relative to the largest element."""
    path, result = folder / "model.onnx", folder / "fixed.onnx"
    onnx.save(model, path)
    fixes, opened = fixes_of(code, path, runtime)
    assert fixes
    write_fixed(opened, fixes, result)
    assert not fixes_of(code, result, runtime)[0]
    old, new = outputs(path), outputs(result)
    return float(np.abs(old - new).max() / np.abs(old).max())


def outputs(path: Path) -> NDArray[Any]:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(11)
    feeds = {each.name: rng.normal(size=each.shape).astype("f4") for each in session.get_inputs()}
    made: NDArray[Any] = session.run(None, feeds)[0]
    return made


@pytest.mark.parametrize("case", FOLDED)
def test_folding_changes_no_more_than_rounding(case: str, tmp_path: Path) -> None:
    code, inputs, nodes = FOLDED[case]
    header = f'<ir_version: 10, opset_import: ["" : 17]> main ({inputs}) => (float y) {{ {nodes} }}'
    model = at_random(header)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert differences(code, model, tmp_path) < 1e-5


@pytest.mark.parametrize("case", COMPUTED)
def test_storing_what_is_computed_changes_nothing(case: str, tmp_path: Path) -> None:
    """Only kernels that pack constant weights tell them from computed ones.

    The proof keeps kernels from packing; left to itself, the runtime folds and packs in both.
    """
    inputs, nodes = COMPUTED[case]
    header = f'<ir_version: 10, opset_import: ["" : 17]> main ({inputs}) => (float y) {{ {nodes} }}'
    model = at_random(header)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path, result = tmp_path / "model.onnx", tmp_path / "fixed.onnx"
    onnx.save(model, path)
    fixes, opened = fixes_of("FUS032", path, None)
    assert [(fix.applicability, fix.tolerance) for fix in fixes] == [("exact", None)]
    write_fixed(opened, fixes, result)
    feed = made_up(opened)
    assert len(read_model(result).graph.nodes) == 1
    for way in (Way(packed=False), Way(optimized=True)):
        (old,), (new,) = (execution.load(each, "onnx", way).run(feed) for each in (path, result))
        assert np.array_equal(old[1], new[1])


def padding(pads: str, nodes: str) -> onnx.ModelProto:
    model = at_random(
        '<ir_version: 10, opset_import: ["" : 17]> main (float[1,2,6,6] x, float[3,2,3,3] w)'
        f" => (float y) <int64[8] {pads}> {{ {nodes} }}"
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


@pytest.mark.parametrize("case", PADDED)
def test_padding_is_left_to_the_windows(case: str, tmp_path: Path) -> None:
    assert differences("FUS024", padding(*PADDED[case]), tmp_path) < 1e-6


@pytest.mark.parametrize("case", NOT_PADDED)
def test_padding_stays_where_windows_cannot_do_it(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(padding(*NOT_PADDED[case]), path)
    assert fixes_of("FUS024", path, None)[0] == []


def weighted(points: list[int], steps: NDArray[Any]) -> onnx.ModelProto:
    return stored(
        '<ir_version: 10, opset_import: ["" : 17]> main (float[2,3] x, uint8[3,4] w, float[4] s,'
        " uint8[4] z) => (float[2,4] y)"
        " { d = DequantizeLinear <axis = 1> (w, s, z) y = MatMul (x, d) }",
        {
            "w": steps.astype("uint8"),
            "s": np.array([0.1, 0.2, 0.3, 0.4], "float32"),
            "z": np.array(points, "uint8"),
        },
    )


def test_weights_become_signed_if_all_of_them_fit(tmp_path: Path) -> None:
    steps = np.random.default_rng(3).integers(100, 200, (3, 4))
    model = weighted([128, 100, 150, 90], steps)
    assert differences("QNT003", model, tmp_path, "tensorrt") == 0
    path = tmp_path / "wide.onnx"
    onnx.save(weighted([0, 128, 128, 128], steps), path)
    assert fixes_of("QNT003", path, "tensorrt")[0] == []


def test_biases_are_stored_as_they_are_dequantized(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    model = stored(
        '<ir_version: 10, opset_import: ["" : 17]> main (float[1,2,4,4] x, float[3,2,3,3] w,'
        " int32[3] c, float[3] s) => (float[1,3,2,2] y)"
        " { d = DequantizeLinear <axis = 0> (c, s) y = Conv (x, w, d) }",
        {
            "w": rng.normal(size=(3, 2, 3, 3)).astype("float32"),
            "c": rng.integers(-(2**30), 2**30, 3).astype("int32"),
            "s": np.array([1e-9, 3e-9, 7e-9], "float32"),
        },
    )
    assert differences("QNT007", model, tmp_path, "tensorrt") == 0


def test_pairs_become_unsigned_beside_quantized_biases(tmp_path: Path) -> None:
    model = model_from_text(
        """
        <ir_version: 10, opset_import: ["" : 21]>
        main (float[1,2,8,8] x) => (float[1,2,8,8] y)
        <float s = {0.05}, float t = {0.07}, int8 z = {0}, int8[2,2,1,1] w = {1, 2, 3, 4},
         int8[2,2,1,1] v = {4, 3, 2, 1}, float ws = {0.01}, int8 wz = {0}, int32[2] c = {9, -7},
         float cs = {0.0005}>
        {
            q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z)
            f = DequantizeLinear (w, ws, wz) g = DequantizeLinear (v, ws, wz)
            e = DequantizeLinear (c, cs)
            a = Conv (d, f, e) qa = QuantizeLinear (a, t, z) da = DequantizeLinear (qa, t, z)
            b = Conv (d, g, e) qb = QuantizeLinear (b, t, z) db = DequantizeLinear (qb, t, z)
            y = Add (da, db)
        }
        """
    )
    assert differences("QNT124", model, tmp_path, "onnxruntime") == 0


def test_no_heads_are_shared_where_there_are_none(tmp_path: Path) -> None:
    example = RULES["FUS018"].examples.invalid[0].model
    assert example is not None
    path = tmp_path / "model.onnx"
    for heads, fixes in ((2, 1), (0, 0)):
        text = example.replace("float[2,2,16,8] v0", f"float[2,{heads},16,8] v0")
        onnx.save(model_from_text(text), path)
        found = fixes_of("FUS018", path, "onnxruntime")[0]
        assert len(found) == fixes


@pytest.mark.parametrize(
    ("packed", "scales", "fixes"), [("uint8", 2, 1), ("int32", 2, 0), ("uint8", 4, 0)]
)
def test_only_bytes_with_a_scale_for_each_block_are_unpacked(
    packed: str, scales: int, fixes: int, tmp_path: Path
) -> None:
    rows = {"w": np.full((2, 1, 16), 152, packed), "s": np.ones(scales, "float32")}
    model = stored(
        '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]> main (float[1,32] x,'
        f" {packed}[2,1,16] w, float[{scales}] s) => (float[1,2] y)"
        " { y = com.microsoft.MatMulNBits <K = 32, N = 2, bits = 4, block_size = 32> (x, w, s) }",
        rows,
    )
    onnx.save(model, tmp_path / "model.onnx")
    assert len(fixes_of("QNT006", tmp_path / "model.onnx", "tensorrt")[0]) == fixes
