"""Files of Keras: layers, what they need, and what loading them would run."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modellint.formats import read_model
from modellint.formats.keras.facts import keras_facts
from modellint.formats.keras.hdf5_notation import encode as encode_hdf5
from modellint.formats.keras.notation import encode

LAYERS = """
{"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": [
  {"module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
   "config": {"name": "in"}},
  {"module": "keras.layers", "class_name": "Dense", "registered_name": null, "build_config": {},
   "config": {"name": "dense", "kernel_initializer": {"module": "keras.initializers",
    "class_name": "Zeros", "config": {}, "registered_name": null}}}]}}
"""


def test_layers_are_counted_and_the_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(encode(LAYERS))
    model = read_model(path)
    assert (model.format, model.producer_version) == ("keras", "3.15.1")
    facts = keras_facts(model)
    assert facts is not None
    assert facts.layers == {"InputLayer": 1, "Dense": 1}
    assert (facts.bytecode, facts.custom) == ((), ())


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{", '{"a": ' * 5000, json.dumps({"class_name": [1], "config": 3}), "\xff"],
)
def test_strange_configurations_are_no_reason_to_fail(config: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config.encode("latin1"))
    kinds = {problem.kind for problem in read_model(path).problems}
    assert kinds <= {"corrupt"}


def test_a_member_that_grows_without_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", b" " * (65 << 20))
    (problem,) = read_model(path).problems
    assert "larger than" in str(problem.facts["detail"])


SAVED = Path(__file__).parents[1] / "data" / "keras"
TENSORS = json.loads((SAVED / "tensors.json").read_bytes())
"""Tensors as h5py reads them, from `tools/record_keras.py`."""


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_are_those_that_h5py_reads(name: str) -> None:
    model = read_model(SAVED / name)
    assert model.problems == []
    assert {
        each.name: [each.dtype.name, list(each.shape), pytest.approx(float(each.numpy().sum()))]  # type: ignore[union-attr]
        for each in model.tensors
    } == TENSORS[name]


@pytest.mark.parametrize(("version", "unread"), [("earliest", set()), ("latest", {"layers/long"})])
def test_elements_in_chunks_are_those_that_h5py_wrote(version: str, unread: set[str]) -> None:
    model = read_model(SAVED / f"chunks-{version}.h5")
    assert model.problems == []
    found = {each.name: each.numpy() for each in model.tensors}
    assert {name for name, elements in found.items() if elements is None} == unread
    assert len(found) == 6
    for name, elements in found.items():
        if name.startswith("layers/") and elements is not None:
            assert elements.tolist() == np.arange(77).reshape(7, 11).tolist(), name
    sparse = found["sparse"]
    assert sparse is not None
    assert sparse[1000:1003].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.abs(sparse).sum() == 15


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_damaged_chunks_are_a_problem_of_the_file(version: str, tmp_path: Path) -> None:
    whole, path = (SAVED / f"chunks-{version}.h5").read_bytes(), tmp_path / "m.h5"
    marks = (b"TREE", b"BTHD", b"BTLF", b"FAHD", b"FADB")
    places = [at for mark in marks for at in [whole.find(mark)] if at >= 0]
    for at in (place + offset for place in places for offset in range(0, 48, 6)):
        path.write_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :])
        model = read_model(path)
        for each in model.tensors:
            each.numpy()
        assert {problem.kind for problem in model.problems} <= {
            *("corrupt", "truncated", "invalid-tensor"),
        }


@pytest.mark.parametrize("shape", [(1 << 40, 1 << 40), (0, 1 << 62), (1 << 62, 0)])
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_shapes_of_countless_chunks_cost_nothing(
    version: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    whole, path = (SAVED / f"chunks-{version}.h5").read_bytes(), tmp_path / "m.h5"
    path.write_bytes(whole.replace(struct.pack("<2Q", 7, 11), struct.pack("<2Q", *shape)))
    model = read_model(path)
    assert {problem.kind for problem in model.problems} <= {"corrupt", "truncated"}
    for each in model.tensors:
        each.numpy()


def test_a_model_in_hdf5_tells_its_layers() -> None:
    model = read_model(SAVED / "net.h5")
    facts = keras_facts(model)
    assert facts is not None
    assert (model.format, model.producer_version) == ("keras-hdf5", "3.15.1")
    assert facts.layers["Dense"] == 2


def test_other_data_in_hdf5_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    path.write_bytes(encode_hdf5("measured/x float32 [4]"))
    (problem,) = read_model(path).problems
    assert (problem.kind, problem.facts["detail"]) == ("not-a-model", "HDF5, but no model of Keras")


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_damaged_hdf5_is_a_problem_of_the_file(bits: int, tmp_path: Path) -> None:
    """Every number of the file in turn is made as large as it can be, and its end cut off."""
    whole = encode_hdf5("@keras_version 3\nlayers/a/vars/0 float32 [2]\nlayers/a/vars/1 int8 [3]")
    width = bits // 8
    for at in range(8, len(whole), width):
        path = tmp_path / "m.h5"
        path.write_bytes(whole[:at] + b"\xff" * width + whole[at + width :])
        assert {problem.kind for problem in read_model(path).problems} <= {
            *("corrupt", "truncated", "unsupported-format", "invalid-tensor", "not-a-model"),
            "too-deep",
        }


@pytest.mark.parametrize("name", ["chunks-earliest.h5", "chunks-latest.h5", "net.h5"])
def test_hdf5_that_lacks_its_end_is_truncated(name: str, tmp_path: Path) -> None:
    """As h5py refuses it, whether or not something refers to what is missing."""
    path = tmp_path / name
    path.write_bytes((SAVED / name).read_bytes()[:-1])
    assert [each.kind for each in read_model(path).problems] == ["truncated"]
