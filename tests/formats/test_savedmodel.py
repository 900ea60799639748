"""TensorFlow's SavedModels: operators, signatures and variables as TensorFlow reads them.

The models in `tests/data/tensorflow` are from `tools/record_tensorflow.py`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellint.formats import read_model
from modellint.formats.savedmodel.facts import SavedModelFacts, TensorInfo, saved_model_facts
from modellint.formats.savedmodel.notation import encode, field
from modellint.model import Model
from tests.support import run_cli

SAVED = Path(__file__).parents[1] / "data" / "tensorflow"
MODELS = json.loads((SAVED / "models.json").read_bytes())


def facts_of(model: Model) -> SavedModelFacts:
    facts = saved_model_facts(model)
    assert facts is not None
    return facts


def plain(infos: dict[str, TensorInfo]) -> dict[str, Any]:
    return {
        key: [str(info.dtype), [-1 if dim is None else dim for dim in info.shape or ()]]
        for key, info in infos.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_what_tensorflow_reads(name: str) -> None:
    truth, model = MODELS[name], read_model(SAVED / name)
    facts = facts_of(model)
    assert (model.format, model.problems) == ("savedmodel", [])
    assert facts.operators == truth["operators"]
    assert [list(tags) for tags in facts.tags] == [truth["tags"]]
    signatures = {
        key: [plain(dict(part)) for part in parts] for key, parts in facts.signatures.items()
    }
    assert signatures == truth["signatures"]
    assert {
        each.name: [each.dtype.name, list(each.shape), total(each.numpy())]
        for each in model.tensors
    } == truth["variables"]


def total(elements: Any) -> float | None:
    return None if elements is None else float(elements.astype("float64").sum())


def test_naming_the_file_leads_to_the_folder(tmp_path: Path) -> None:
    shutil.copytree(SAVED / "old", tmp_path / "old")
    for named in (tmp_path, tmp_path / "old", tmp_path / "old" / "saved_model.pb"):
        assert "TFS003" in run_cli(str(named), "-o", "concise").stdout


def test_files_of_variables_may_be_missing_or_short(tmp_path: Path) -> None:
    path = tmp_path / "m"
    shutil.copytree(SAVED / "linear", path)
    data = path / "variables" / "variables.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[:5])
    assert {each.kind for each in read_model(path).problems} == {"external-short"}
    data.unlink()
    assert {each.kind for each in read_model(path).problems} == {"external-missing"}
    (path / "variables" / "variables.index").write_bytes(whole)
    assert {each.kind for each in read_model(path).problems} == {"config-broken"}


def test_every_damage_is_a_problem(tmp_path: Path) -> None:
    graphs = encode("tags serve\nsignature s x float32 [?,4] -> y string [2]\nnode f/a MatMul")
    index = encode("@variables\na float32 [2]\nb int8 [3,3]")
    path = tmp_path / "m"
    (path / "variables").mkdir(parents=True)
    kinds = set()
    for whole, name in ((graphs, "saved_model.pb"), (index, "variables/variables.index")):
        (path / "saved_model.pb").write_bytes(graphs)
        for at in range(0, len(whole), 2):
            (path / name).write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
            kinds |= {each.kind for each in read_model(path).problems}
    assert kinds <= {
        *("corrupt", "truncated", "too-deep", "config-broken"),
        *("external-missing", "external-short", "invalid-tensor"),
    }


def test_weights_of_a_frozen_graph_are_in_its_constants(tmp_path: Path) -> None:
    def constant(name: bytes, elements: int) -> bytes:
        shape = field(2, field(1, elements))
        content = np.arange(elements, dtype="<f4").tobytes()
        tensor = field(1, 1) + field(2, shape) + field(4, content)
        value = field(1, b"value") + field(2, field(8, tensor))
        return field(1, field(1, name) + field(2, b"Const") + field(5, value))

    graph = field(2, constant(b"weight", 2048) + constant(b"axes", 4))
    (tmp_path / "saved_model.pb").write_bytes(field(1, 1) + field(2, graph))
    model = read_model(tmp_path)
    assert model.problems == []
    (weight,) = model.tensors
    assert (weight.name, weight.shape, weight.nbytes) == ("weight", (2048,), 8192)
    numbers = weight.numpy()
    assert numbers is not None
    assert numbers.tolist() == list(range(2048))
