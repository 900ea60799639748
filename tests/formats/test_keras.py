"""Files of Keras: layers, what they need, and what loading them would run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.keras.facts import keras_facts
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
