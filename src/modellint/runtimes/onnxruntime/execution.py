"""In the child process: runs a model in ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.model import dtype_of
from modellint.runtimes.execution import Loaded, Way

FOLDER_OF_WEIGHTS = "session.model_external_initializers_file_folder_path"
_PLAIN = frozenset(
    f"tensor({name})"
    for name in """
    float double float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string
    """.split()
)
"""Types that NumPy knows; all others are passed as bytes."""
_CODES = {"bfloat16": 16, "float8_e4m3fn": 17, "float8_e5m2": 19}
"""Numbers of other types in ONNX's TensorProto.DataType, as far as inputs can have them."""


def version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def load(path: Path, format: str, way: Way) -> Loaded:
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = way.threads
    options.inter_op_num_threads = 1
    if not way.optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not way.packed:
        options.add_session_config_entry("session.disable_prepacking", "1")
    model = _content(path, format, way.captured)
    if isinstance(model, bytes):
        options.add_session_config_entry(FOLDER_OF_WEIGHTS, str(path.parent))
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _Session(ort, session)


def _content(path: Path, format: str, captured: tuple[str, ...]) -> str | bytes:
    if format == "onnx-text":
        from modellint.runtimes.onnx_text import binary

        return binary(str(path)) + _as_outputs(captured)
    if not captured:
        return str(path)
    return path.read_bytes() + _as_outputs(captured)


def _as_outputs(names: tuple[str, ...]) -> bytes:
    """Return what, appended to a model, adds values to its outputs.

    Protobuf merges a message that is there twice, so the model need not be parsed and written.
    """
    from onnx import ModelProto

    added = ModelProto()
    for name in names:
        added.graph.output.add().name = name
    return added.SerializeToString() if names else b""


class _Session:
    def __init__(self, ort: Any, session: Any) -> None:
        self._ort = ort
        self._session = session
        self._inputs = {each.name: each.type for each in session.get_inputs()}
        self._outputs = {each.name: each.type for each in session.get_outputs()}

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
        given = {name: array for name, array in feed.items() if name in self._inputs}
        kinds = {self._inputs[name] for name in given} | set(self._outputs.values())
        if kinds <= _PLAIN or not all(kind.startswith("tensor(") for kind in kinds):
            fed = {name: _with_objects(array) for name, array in given.items()}
            for name, value in zip(
                self._outputs, self._session.run(list(self._outputs), fed), strict=True
            ):
                yield from _flattened(name, value)
            return
        values = {name: self._wrapped(array) for name, array in given.items()}
        names = list(self._outputs)
        for name, value in zip(
            names, self._session.run_with_ort_values(names, values), strict=True
        ):
            yield name, _unwrapped(value)

    def _wrapped(self, array: NDArray[Any]) -> Any:
        code = _CODES.get(array.dtype.name)
        if code is None:
            return self._ort.OrtValue.ortvalue_from_numpy(_with_objects(array))
        stored = array.view(f"u{array.dtype.itemsize}")
        return self._ort.OrtValue.ortvalue_from_numpy_with_onnx_type(stored, code)


def _with_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as ONNX Runtime takes it: texts are objects to it."""
    return array.astype(object) if array.dtype.kind in "US" else np.ascontiguousarray(array)


def _unwrapped(value: Any) -> NDArray[Any]:
    """Return the elements of a tensor, whatever its type."""
    if value.data_type() in _PLAIN:
        plain: NDArray[Any] = value.numpy()
        return plain
    from ctypes import string_at

    dtype = dtype_of(value.element_type())
    shape = tuple(value.shape())
    size = value.tensor_size_in_bytes()
    stored = np.frombuffer(string_at(value.data_ptr(), size) if size else b"", np.uint8)
    if dtype.bits == 4 and dtype.is_integer:
        return _nibbles(stored, signed=dtype.kind == "int")[: int(np.prod(shape))].reshape(shape)
    return stored.view(dtype.numpy).reshape(shape)


def _nibbles(packed: NDArray[np.uint8], *, signed: bool) -> NDArray[Any]:
    """Return integers of 4 bits that are stored two per byte, the low half first."""
    parts = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)
    return ((parts.astype(np.int8) ^ 8) - 8).astype(np.int8) if signed else parts


def _flattened(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Iterate over the tensors in an output, which may be a list or a dictionary of them."""
    if value is None:
        return
    if isinstance(value, dict):
        yield f"{name}.keys", np.asarray(list(value))
        yield f"{name}.values", np.asarray(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _flattened(f"{name}[{index}]", item)
    else:
        yield name, np.asarray(value)
