"""Real architectures without their weights: `tests/data/exports`, and weights made on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

EXPORTS = Path(__file__).parent / "data" / "exports"


def exports() -> list[str]:
    """Names of all graphs kept."""
    return sorted(path.stem for path in EXPORTS.glob("*.onnx"))


def materialise(name: str, folder: Path, *, random: bool = False) -> Path:
    """The export in `folder` with its weights next to it: a file of holes, or random numbers."""
    path = folder / f"{name}.onnx"
    shutil.copyfile(EXPORTS / path.name, path)
    model = onnx.load(path, load_external_data=False)
    places = {_place(tensor): tensor for tensor in _external(model.graph)}
    if not places:
        return path
    weights = folder / next(tensor for tensor in places.values()).external_data[0].value
    with weights.open("wb") as file:
        file.truncate(max(offset + length for offset, length in places))
        if random:
            generator = np.random.default_rng(0)
            for (offset, _), tensor in places.items():
                file.seek(offset)
                file.write(_random(tensor, generator))
    return path


def _random(tensor: TensorProto, generator: np.random.Generator) -> bytes:
    """Small weights, as training leaves them; integers are indices, so they stay zero."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = int(np.prod(tuple(tensor.dims), dtype=np.int64))
    if dtype.kind != "f":
        return bytes(count * dtype.itemsize)
    numbers = generator.standard_normal(count, dtype=np.float32)
    scaled = np.abs(numbers) * 0.05 + 0.01 if len(tensor.dims) == 1 else numbers * 0.05
    return scaled.astype(dtype).tobytes()


def _place(tensor: TensorProto) -> tuple[int, int]:
    where = {entry.key: entry.value for entry in tensor.external_data}
    return int(where["offset"]), int(where["length"])


def _external(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.t.data_location == TensorProto.EXTERNAL:
                yield attribute.t
            yield from _external(attribute.g)


__all__ = ["EXPORTS", "exports", "materialise"]
