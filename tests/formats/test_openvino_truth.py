"""OpenVINO models as OpenVINO itself sees them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellint.examples import write_files
from modellint.formats import read_model
from modellint.formats.openvino.notation import encode
from modellint.formats.openvino.opsets import operator_sets
from modellint.model import Graph, Model, Node, Tensor
from modellint.operators import of, rows
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example
from tests.support import save

openvino = pytest.importorskip("openvino")
ops = pytest.importorskip("openvino.opset13")

import compare_openvino  # noqa: E402 - it needs openvino

MODELS = os.environ.get("MODELLINT_MODELS")
"""Folder of models that others have made."""
Made = Callable[[], Any]


def small_network() -> Any:
    x = ops.parameter([-1, 3, 8, 8], np.float32, name="x")
    weight = ops.constant(np.arange(36, dtype=np.float32).reshape(4, 3, 3, 1) / 7)
    y = ops.convolution(x, weight, [1, 1], [0, 1], [1, 0], [1, 1])
    y = ops.clamp(ops.relu(y), 0.0, 6.0)
    group = ops.constant(np.ones((2, 1, 2, 3, 3), np.float32))
    y = ops.group_convolution(y, group, [1, 1], [0, 0], [0, 0], [1, 1])
    y = ops.reshape(y, ops.constant(np.array([0, -1])), special_zero=True)
    y = ops.softmax(y, axis=1)
    return openvino.Model([y], [x], "small")


def low_precision() -> Any:
    x = ops.parameter([2, 8], np.float32, name="x")
    packed = openvino.Tensor(np.arange(32, dtype=np.uint8), [8, 8], openvino.Type.u4)
    weight = ops.convert(openvino.op.Constant(packed), "f16")
    zero = ops.convert(ops.constant(np.full((8, 1), 8, np.uint8)), "f16")
    scale = ops.constant(np.full((8, 1), 0.5, np.float16))
    weight = ops.convert(ops.multiply(ops.subtract(weight, zero), scale), "f32")
    limits = [ops.constant(np.float32(each)) for each in (-1, 1, -1, 1)]
    y = ops.fake_quantize(ops.matmul(x, weight, False, True), *limits, 256)
    return openvino.Model([y], [x], "low_precision")


def stateful() -> Any:
    x = ops.parameter([1, 4], np.float32, name="x")
    old = ops.read_value(x, "v", openvino.Type.f32, openvino.PartialShape([1, 4]))
    new = ops.add(old, x)
    return openvino.Model([ops.result(new)], [ops.assign(new, "v")], [x], "stateful")


def branching() -> Any:
    x = ops.parameter([2, 4], np.float32, name="x")
    condition = ops.parameter([], bool, name="condition")
    bodies = []
    for operation in (ops.tanh, ops.sin):
        inner = ops.parameter([2, 4], np.float32)
        bodies.append(openvino.Model([operation(inner)], [inner], "body"))
    branch = ops.if_op(condition)
    branch.set_then_body(bodies[0])
    branch.set_else_body(bodies[1])
    given = [body.get_parameters()[0] for body in bodies]
    branch.set_input(x.output(0), *given)
    result = branch.set_output(*(body.get_results()[0] for body in bodies))
    return openvino.Model([result], [x, condition], "branching")


MODELS_MADE: tuple[Made, ...] = (small_network, low_precision, stateful, branching)


@pytest.mark.parametrize("make", MODELS_MADE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("half", [True, False])
def test_saved_models_are_read_as_openvino_reads_them(
    make: Made, half: bool, tmp_path: Path
) -> None:
    path = tmp_path / "m.xml"
    openvino.save_model(make(), path, compress_to_fp16=half)
    assert list(compare_openvino.differences(path, Counter())) == []


def test_constants_have_the_elements_that_openvino_reads(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    openvino.save_model(low_precision(), path, compress_to_fp16=False)
    weight = next(t for t in read_model(path).tensors if t.dtype.name == "uint4")
    assert elements(weight) == [each for pair in range(32) for each in (pair & 15, pair >> 4)]


@pytest.mark.parametrize("name", ["u1", "i4", "nf4"])
def test_packed_types_are_unpacked_as_openvino_converts_them(name: str, tmp_path: Path) -> None:
    kind = getattr(openvino.Type, name)
    raw = np.random.default_rng(0).integers(0, 256, 16 if name == "u1" else 64, dtype=np.uint8)
    packed = openvino.op.Constant(openvino.Tensor(raw, [128], kind))
    x = ops.parameter([128], np.float32, name="x")
    model = openvino.Model([ops.multiply(x, ops.convert(packed, "f32"))], [x], "packed")
    path = tmp_path / "m.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    theirs = openvino.Core().compile_model(model, "CPU")([np.ones(128, np.float32)])[0]
    ours = elements(next(each for each in read_model(path).tensors if each.elements == 128))
    assert np.allclose(ours, theirs, atol=0.004)


def elements(tensor: Tensor) -> list[float]:
    numbers = tensor.numpy()
    assert numbers is not None
    return [float(each) for each in numbers.astype(np.float32).reshape(-1)]


def examples(kind: str) -> list[tuple[str, Example]]:
    rules = [rule for rule in load_rules(plugins=False).values() if rule.family == "openvino"]
    return [
        (f"{rule.code}-{number}", example)
        for rule in rules
        if rule.refused
        for number, example in enumerate(getattr(rule.examples, kind))
    ]


def written(example: Example, folder: Path) -> Path:
    path = write_files(example, folder)
    if path.suffix == ".onnxtxt":  # which OpenVINO does not read
        return save(example.model, path.with_suffix(".onnx"))
    return path


def is_refused(path: Path) -> bool:
    try:
        openvino.Core().read_model(path)
    except RuntimeError:
        return True
    return False


@pytest.mark.parametrize(("name", "example"), examples("invalid"))
def test_openvino_refuses_what_rules_say_it_refuses(
    name: str, example: Example, tmp_path: Path
) -> None:
    is_old = name == "OVN001-1"  # about what an old version means
    assert is_refused(written(example, tmp_path)) is not is_old


@pytest.mark.parametrize(("name", "example"), examples("valid"))
def test_openvino_reads_what_rules_do_not_report(
    name: str, example: Example, tmp_path: Path
) -> None:
    assert not is_refused(written(example, tmp_path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version="11"', 'version="9"'),
        ('size="24"', 'size="20"'),
        ('offset="0"', 'offset="-8"'),
        ('offset="0"', 'offset="2"'),
        ('element_type="f16"', 'element_type="f17"'),
        ('precision="FP16"', 'precision="FP17"'),
        ('from-port="0"', 'from-port="9"'),
        ('from-layer="0"', 'from-layer="77"'),
        ("</net>", ""),
    ],
)
def test_openvino_refuses_what_we_call_broken(old: str, new: str, tmp_path: Path) -> None:
    text = "x = Parameter f32[1,3]\nw = Const f16[4,3]\nc = Convert(w) f32[4,3]"
    text += " destination_type=f32\ny = MatMul(x, c) f32[1,4] transpose_b=true\nResult(y)"
    path = tmp_path / "m.xml"
    (tmp_path / "m.bin").write_bytes(bytes(24))
    path.write_bytes(encode(text))
    assert not read_model(path).problems
    assert not is_refused(path)
    path.write_text(path.read_text().replace(old, new))
    assert read_model(path).problems
    assert is_refused(path)


@pytest.mark.parametrize("levels", [16, 32, 65536, 256])
def test_levels_decide_what_a_convolution_computes_in(levels: int) -> None:
    x = ops.parameter([1, 16, 8, 8], np.float32)
    limit = [ops.constant(np.float32(each)) for each in (0, 2.55, 0, 2.55)]
    both = [ops.constant(np.float32(each)) for each in (-1, 1, -1, 1)]
    weight = ops.constant(np.random.default_rng(0).random((16, 16, 3, 3), np.float32))
    y = ops.convolution(
        ops.fake_quantize(x, *limit, levels),
        ops.fake_quantize(weight, *both, 255),
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
    )
    compiled = openvino.Core().compile_model(openvino.Model([ops.relu(y)], [x]), "CPU")
    kinds = {
        str(info["layerType"].value): str(info["runtimePrecision"].value)
        for node in compiled.get_runtime_model().get_ops()
        if "layerType" in (info := node.get_rt_info())
    }
    is_integer = kinds["Convolution"] in ("u8", "i8")
    assert is_integer is (levels in (16, 256))


def test_every_operation_of_openvino_is_in_the_catalogue() -> None:
    graph = Graph(Model(Path("m.xml"), "openvino"), "")
    names = operator_sets().first
    assert len(names) > 190
    known = [of(Node(graph, 0, name, "openvino", "")).name for name in names]
    assert [name for name in known if name not in rows()] == []


@pytest.mark.skipif(MODELS is None, reason="MODELLINT_MODELS names no folder of models")
def test_models_of_others_are_read_as_openvino_reads_them() -> None:
    assert compare_openvino.main([str(MODELS)]) == 0
