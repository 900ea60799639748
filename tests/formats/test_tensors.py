"""Every element type, in every way that a file can hold it, equals what onnx reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

from modellint.formats import read_model
from modellint.formats.onnx.build import build as read_proto
from modellint.formats.onnx.wire import LARGE
from modellint.model import Model, Tensor
from modellint.model.dtypes import BY_CODE
from tests.benchmarks.models import embedded_weights

CODES = {
    code: name
    for name, code in TensorProto.DataType.items()
    if code not in (TensorProto.UNDEFINED, TensorProto.STRING)
}
SMALL, WIDE = (3, 5), (129, 257)
"""Small enough to stay in memory, and large enough to be left in the file; both of odd size."""


def sample(code: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(code)
    dtype = helper.tensor_dtype_to_np_dtype(code)
    if dtype.kind == "c":
        return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(
            dtype
        )
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(np.bool_)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    bits = BY_CODE[code].bits
    if BY_CODE[code].is_integer:
        low, high = (
            (0, 1 << int(bits))
            if BY_CODE[code].kind == "uint"
            else (-(1 << int(bits) - 1), 1 << int(bits) - 1)
        )
        return generator.integers(low, high, shape).astype(dtype)
    return np.abs(generator.standard_normal(shape)).astype(dtype)


def saved(folder: Path, *tensors: TensorProto) -> Path:
    graph = helper.make_graph([], "weights", [], [], list(tensors))
    path = folder / "weights.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=10).SerializeToString())
    return path


def read(path: Path) -> Tensor:
    model = read_model(path)
    assert not model.problems
    (tensor,) = model.tensors
    return tensor


def assert_equal(tensor: Tensor, expected: np.ndarray[Any, Any]) -> None:
    elements = tensor.numpy()
    assert elements is not None
    assert elements.shape == expected.shape
    assert elements.dtype.itemsize == expected.dtype.itemsize
    np.testing.assert_array_equal(
        elements.astype(expected.dtype).view(np.uint8), expected.view(np.uint8)
    )


@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["small", "left-out"])
@pytest.mark.parametrize("code", CODES, ids=CODES.values())
def test_raw_elements(code: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    expected = sample(code, shape)
    proto = numpy_helper.from_array(expected, "w")
    assert proto.data_type == code
    tensor = read(saved(tmp_path, proto))
    assert tensor.dtype is BY_CODE[code]
    assert tensor.shape == shape
    assert tensor.nbytes == len(proto.raw_data)
    assert tensor.small == (len(proto.raw_data) < LARGE)
    assert_equal(tensor, expected)


@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["small", "left-out"])
@pytest.mark.parametrize("code", CODES, ids=CODES.values())
def test_elements_in_typed_fields(code: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = sample(code, shape)
    proto = helper.make_tensor("w", code, shape, values.reshape(-1))
    assert not proto.raw_data
    expected = numpy_helper.to_array(proto)
    assert_equal(read(saved(tmp_path, proto)), expected)
    assert_equal(read_proto(onnx.load(tmp_path / "weights.onnx")).tensors[0], expected)


@pytest.mark.parametrize("code", CODES, ids=CODES.values())
def test_external_elements(code: int, tmp_path: Path) -> None:
    expected = sample(code, WIDE)
    padding = sample(TensorProto.UINT8, (4096,))
    graph = helper.make_graph(
        [],
        "weights",
        [],
        [],
        [numpy_helper.from_array(padding, "padding"), numpy_helper.from_array(expected, "w")],
    )
    model = helper.make_model(graph, ir_version=10)
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, tmp_path / "weights.onnx")
    view = read_model(tmp_path / "weights.onnx")
    assert not view.problems
    assert view.external_files == [tmp_path / "weights.bin"]
    tensor = view.tensors[1]
    assert tensor.region is not None
    assert tensor.region.external
    assert_equal(tensor, expected)


def test_a_type_that_onnx_does_not_know_has_a_size(tmp_path: Path) -> None:
    assert {BY_CODE[code].name for code in CODES} <= {dtype.name for dtype in BY_CODE}
    assert all(BY_CODE[code].nbytes(7) > 0 for code in CODES)


def test_strings(tmp_path: Path) -> None:
    few = [b"a", "ü".encode()]
    many = [b"word %d" % index for index in range(600)]
    model = read_model(saved(tmp_path, strings("few", few), strings("many", many)))
    assert not model.problems
    assert [tensor.small for tensor in model.tensors] == [True, False]
    for tensor, expected in zip(model.tensors, (few, many), strict=True):
        elements = tensor.numpy()
        assert elements is not None
        assert list(elements) == expected


def strings(name: str, words: list[bytes]) -> TensorProto:
    return TensorProto(
        name=name, dims=[len(words)], data_type=TensorProto.STRING, string_data=words
    )


def test_bfloat16_keeps_its_bits(tmp_path: Path) -> None:
    expected = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    tensor = read(saved(tmp_path, numpy_helper.from_array(expected, "w")))
    assert_equal(tensor, expected)


def test_sparse_initializers(tmp_path: Path) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    linear = helper.make_sparse_tensor(
        values, helper.make_tensor("", TensorProto.INT64, [2], [1, 5]), [2, 3]
    )
    assert_sparse(tmp_path, linear)
    rows = helper.make_tensor("", TensorProto.INT64, [2, 2], [0, 1, 1, 2])
    assert_sparse(tmp_path, helper.make_sparse_tensor(values, rows, [2, 3]))


def assert_sparse(folder: Path, sparse: onnx.SparseTensorProto) -> None:
    graph = helper.make_graph([], "sparse", [], [], sparse_initializer=[sparse])
    onnx.save(helper.make_model(graph, ir_version=10), folder / "sparse.onnx")
    model = read_model(folder / "sparse.onnx")
    assert model.graph.sparse == {"w"}
    tensor = model.graph.values["w"].tensor
    assert tensor is not None
    assert tensor.shape == (2, 3)
    np.testing.assert_array_equal(tensor.numpy(), [[0, 1, 0], [0, 0, 2]])


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (
            {"value": numpy_helper.from_array(np.array([[1, 2]], np.float32))},
            np.array([[1, 2]], np.float32),
        ),
        ({"value_float": 1.5}, np.float32(1.5)),
        ({"value_floats": [1.5, 2.5]}, np.array([1.5, 2.5], np.float32)),
        ({"value_int": 7}, np.int64(7)),
        ({"value_ints": [7, 8]}, np.array([7, 8], np.int64)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_constant_nodes(attribute: dict[str, Any], expected: Any) -> None:
    model = read_proto(constant_model(**attribute))
    value = model.graph.values["c"]
    assert value.tensor is not None
    assert value.tensor.name == "c"
    assert value.is_constant
    assert not value.is_initializer
    np.testing.assert_array_equal(value.tensor.numpy(), expected)
    assert value.tensor.shape == np.shape(expected)


def test_a_large_constant_stays_in_the_file(tmp_path: Path) -> None:
    expected = sample(TensorProto.FLOAT, WIDE)
    onnx.save(constant_model(value=numpy_helper.from_array(expected)), tmp_path / "constant.onnx")
    tensor = read(tmp_path / "constant.onnx")
    assert not tensor.small
    assert tensor.region is not None
    assert_equal(tensor, expected)


def constant_model(**attribute: Any) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["c"], "constant", **attribute)
    return helper.make_model(helper.make_graph([node], "main", [], []), ir_version=10)


def test_nothing_but_the_graph_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """External data is asked for its size; it is never opened."""
    proto = numpy_helper.from_array(sample(TensorProto.FLOAT, WIDE), "w")
    model = helper.make_model(helper.make_graph([], "weights", [], [], [proto]), ir_version=10)
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, tmp_path / "weights.onnx")
    opened: list[str] = []
    monkeypatch.setattr(os, "open", noting(opened, os.open))
    view = read_model(tmp_path / "weights.onnx")
    assert not view.problems
    assert set(opened) == {"weights.onnx"}
    assert view.tensors[0].numpy() is not None
    assert "weights.bin" in opened


def noting(opened: list[str], original: Any) -> Any:
    def note(path: str | Path, *arguments: Any, **options: Any) -> Any:
        opened.append(Path(path).name)
        return original(path, *arguments, **options)

    return note


def test_a_file_past_two_gigabytes(tmp_path: Path) -> None:
    """Protobuf refuses such a file; what is left of it without the weights it does not."""

    path = embedded_weights(tmp_path / "large.onnx", tensors=3, side=16384, filled=False)
    assert path.stat().st_size > 3 << 30
    model: Model = read_model(path)
    assert not model.problems
    assert model.weight_bytes == 3 << 30
    assert len(model.graph.nodes) == 3
    assert model.infer().error is None
    assert model.graph.values["x3"].shape == ("batch", 16384)
    last = model.tensors[2].numpy()
    assert last is not None
    assert not last[-1, -1]
    path.unlink()
