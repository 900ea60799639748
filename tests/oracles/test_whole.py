"""MNN and IREE take real models whole or name what they lack, as the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.runtimes.support import support
from tests.exports import materialise
from tests.oracles.support import ask
from tests.samples import codes
from tests.support import save

NETWORKS = ("mobilenet_v2", "resnet18", "squeezenet1_0")
HARDMAX = """
<ir_version: 8, opset_import: ["" : 18]>
m (float[1,3] x) => (float[1,3] y, float[1,3] z) { y = Hardmax (x) z = Mish (x) }
"""
UNSQUEEZED = """
<ir_version: 7, opset_import: ["" : 11]>
m (float[3] x) => (float[1,3] y) { [it] y = Unsqueeze <axes = [0]> (x) }
"""
FOUND = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[4,4] x) => (int64[2,N] y) { [it] y = NonZero (x) }
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_mnn_converts_networks(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path)
    before = set(tmp_path.iterdir())
    answer = ask("mnn", path)
    assert answer["status"] == "accepted", answer["remarks"]
    assert answer["figures"]["engine_bytes"] > 100_000
    assert set(tmp_path.iterdir()) == before


def test_mnn_names_all_that_it_lacks(tmp_path: Path) -> None:
    answer = ask("mnn", save(HARDMAX, tmp_path / "m.onnx"))
    assert answer["status"] == "refused"
    assert [remark["op"] for remark in answer["remarks"]] == ["Hardmax", "Mish"]
    table = support("mnn")
    assert table is not None
    assert table.takes("Hardmax") is False


def test_iree_has_operators_from_an_operator_set_on(tmp_path: Path) -> None:
    path = save(UNSQUEEZED, tmp_path / "m.onnx")
    (remark,) = ask("iree", path, level="parse")["remarks"]
    assert (remark["kind"], remark["op"], remark["node"]) == ("no-importer", "Unsqueeze", "it")
    assert codes(path, "--runtime", "iree", "--select", "CMP009") == ["CMP009"]


def test_iree_compiles_for_cpus_what_it_does_not_for_vulkan(tmp_path: Path) -> None:
    path = save(FOUND, tmp_path / "m.onnx")
    assert ask("iree", path)["status"] == "accepted"
    (remark,) = ask("iree-vulkan", path)["remarks"]
    assert (remark["kind"], remark["op"], remark["node"]) == ("build-failed", "NonZero", "it")
