"""Records a small model as Keras saves it, and its tensors as h5py reads them.

    PYTHON_WITH_KERAS_AND_A_BACKEND tools/record_keras.py

Writes `tests/data/keras/net.keras`, `net.h5`, `net.weights.h5` and `tensors.json`.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

DATA = Path(__file__).parents[1] / "tests" / "data" / "keras"


def tensors(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(path: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            found[path] = [str(each.dtype), list(each.shape), float(each[()].sum())]

    file.visititems(visit)
    return found


def main() -> None:
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
