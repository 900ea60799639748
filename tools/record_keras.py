"""Records a small model as Keras saves it, and its tensors as h5py reads them.

    PYTHON_WITH_KERAS_AND_A_BACKEND tools/record_keras.py

Writes `tests/data/keras/net.keras`, `net.h5`, `net.weights.h5` and `tensors.json`, and
`chunks-VERSION.h5`, whose datasets count from 0 and are stored in chunks of all kinds.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

DATA = Path(__file__).parents[1] / "tests" / "data" / "keras"


def tensors(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(path: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            found[path] = [str(each.dtype), list(each.shape), float(each[()].sum())]

    file.visititems(visit)
    return found


GZIP = {"compression": "gzip", "shuffle": True, "fletcher32": True}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"chunks": (3, 4)},
    "packed": {"chunks": (3, 4), **GZIP},
    "whole": {"chunks": (7, 11), **GZIP},
    "growing": {"chunks": (1, 2), "maxshape": (None, None), **GZIP},
    "long": {"chunks": (7, 1), "maxshape": (None, 11)},
}


def save_chunks(version: str) -> None:
    with h5py.File(DATA / f"chunks-{version}.h5", "w", libver=version) as file:
        file.attrs["keras_version"] = keras.__version__
        group = file.create_group("layers")
        for name, kind in KINDS.items():
            numbers = np.arange(77, dtype="float32").reshape(7, 11)
            group.create_dataset(name, data=numbers, **kind)
        sparse = file.create_dataset("sparse", (1100, 2), "int16", chunks=(1, 1), fillvalue=0)
        sparse[1000:1003] = np.arange(6).reshape(3, 2)


def main() -> None:
    for version in ("earliest", "latest"):
        save_chunks(version)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(2, name="inner_dense")], name="inner")
    net = keras.Sequential(
        [layers.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.BatchNormalization()], name="net"
    )
    for layer in (layers.Flatten(), inner, layers.Dense(1, dtype="float16")):
        net.add(layer)
    DATA.mkdir(parents=True, exist_ok=True)
    for name in ("net.keras", "net.h5"):
        net.save(DATA / name)
    net.save_weights(DATA / "net.weights.h5")
    with zipfile.ZipFile(DATA / "net.keras") as archive:
        content = archive.read("model.weights.h5")
    record = {"net.keras": tensors(h5py.File(io.BytesIO(content)))}
    for name in ("net.h5", "net.weights.h5"):
        record[name] = tensors(h5py.File(DATA / name))
    (DATA / "tensors.json").write_text(f"{json.dumps(record)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
