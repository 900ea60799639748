"""Child process: a runtime optimizes a model without its weights, which become a sparse file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modellint.base.files import open_regular
from modellint.base.paths import real_path
from modellint.formats.onnx.wire import LARGE, strip
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import FileWindow
from modellint.model import dtype_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

    from modellint.runtimes.optimizer import OptimizerCode

MODEL, WEIGHTS, OPTIMIZED = Path("model.onnx"), "weights.bin", Path("optimized.onnx")
EXTERNAL = 1
READ_WHOLE = 8 << 20


def answer(request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    """Report the operators before and after, and the outputs of all nodes that are left."""
    import onnx

    optimizer = cast("OptimizerCode", import_module(request["optimizer"]))
    path = Path(request["path"])
    model = _without_weights(path)
    before = Counter(op for op, _ in _nodes(model.graph))
    _point_at_holes(model, path.parent)
    MODEL.write_bytes(model.SerializeToString())
    told: dict[str, Any] = {"version": optimizer.version(), "before": before}
    refusal = optimizer.optimize(MODEL, OPTIMIZED, LARGE)
    if refusal is not None:
        tell({**told, "error": refusal.text, "lacks_kernel": refusal.lacks_kernel})
        return
    optimized = onnx.load(OPTIMIZED, load_external_data=False)
    left = list(_nodes(optimized.graph))
    after = Counter(op for op, _ in left)
    tell({**told, "after": after, "left": [[op, outputs] for op, outputs in left]})


def _without_weights(path: Path) -> ModelProto:
    import onnx

    decode_error = import_module("google.protobuf.message").DecodeError  # comes without types
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            whole = size <= READ_WHOLE
            stripped, _ = strip((file.read(size) or b"") if whole else FileWindow(file, size))
        model = onnx.ModelProto()
        model.ParseFromString(stripped)
        return model
    except (MalformedError, decode_error):  # not binary protobuf
        return onnx.load(path, load_external_data=False)


def _point_at_holes(model: ModelProto, folder: Path) -> None:
    """Replace omitted and external weights by zeros in a sparse file."""
    longest = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location != EXTERNAL or _fill_small(tensor, folder):
            continue
        length = _nbytes(tensor)
        longest = max(longest, length)
        del tensor.external_data[:]
        for key, value in (("location", WEIGHTS), ("offset", "0"), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
    with Path(WEIGHTS).open("wb") as file:
        file.truncate(longest)


def _fill_small(tensor: TensorProto, folder: Path) -> bool:
    """Read small tensors if available: shape arguments and scales decide what is fused."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    length = _nbytes(tensor)
    if length >= LARGE or "location" not in where:
        return False
    file = real_path(folder / where["location"])
    if not file.is_relative_to(real_path(folder)) or not file.is_file():
        return False
    with open_regular(file) as data:
        data.seek(int(where.get("offset", 0)))
        content = data.read(length)
    if len(content) != length:
        return False
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
    tensor.raw_data = content
    return True


def _nbytes(tensor: TensorProto) -> int:
    return dtype_of(tensor.data_type).nbytes(prod(tensor.dims))


def _nodes(graph: GraphProto) -> Iterator[tuple[str, list[str]]]:
    for node in graph.node:
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        yield domain + node.op_type, [name for name in node.output if name]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)
